//! Transparency logs: an RFC 6962 tree kept as C2SP tiles under signed checkpoints.
//!
//! Whoever holds a checkpoint can check, without a key and without us, that a record stands in the log ([`proof`],
//! inclusion) and that a later checkpoint only added to it (consistency). Nothing here needs the network: a client asks
//! which tiles a proof needs, fetches them its own way, then computes.
//!
//! - [`tree`]: the growing tree, as the hashes of its complete subtrees
//! - [`tile`]: the paths and contents of hash tiles and entry bundles (c2sp.org/tlog-tiles)
//! - [`note`]: signed notes and verifier keys (c2sp.org/signed-note, Ed25519)
//! - [`checkpoint`]: what a log states about itself (c2sp.org/tlog-checkpoint)
//! - [`proof`]: inclusion and consistency, computed from tiles and verified without them
//! - [`publisher`]: one log's files on disk
//!
//! The entry of a record is the SHA-256 of its bytes; the leaf is RFC 6962's hash of that entry.

pub mod checkpoint;
pub mod note;
pub mod proof;
pub mod publisher;
pub mod tile;
pub mod tree;

use keystead_crypto::sha256;
use keystead_model::{InstanceId, NodeId, VaultId};

pub use checkpoint::{BadCheckpoint, Checkpoint};
pub use note::{BadNote, BadVkey, VerifierKey};
pub use proof::{BadProof, NoProof, Tiles, verify_consistency, verify_inclusion};
pub use publisher::{PublishError, Publisher};
pub use tile::{BadTile, TileKind, TilePath};
pub use tree::{BadFrontier, Tree};

/// A SHA-256 hash: an entry, a leaf or a node of the tree.
pub type Hash = [u8; 32];

/// The root of a tree without entries: SHA-256 of nothing (RFC 6962, 2.1).
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The name of a log, which is also the name of its signing key: one vault on one node of one instance. The node's own
/// log has the vault id zero.
pub fn origin(instance: InstanceId, vault: VaultId, node: NodeId) -> String {
    format!("keystead/{instance}/{vault}/{node}")
}

/// The three ids of an [`origin`], or `None` for any other text.
pub fn parse_origin(text: &str) -> Option<(InstanceId, VaultId, NodeId)> {
    let mut parts = text.strip_prefix("keystead/")?.split('/');
    let ids = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(ids)
}

/// The log's short name in receipts: the first 16 bytes of SHA-256 of its origin.
pub fn log_id(origin: &str) -> [u8; 16] {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(sha256(&[origin.as_bytes()])) {
        *to = from;
    }
    id
}

/// RFC 6962's hash of a leaf: SHA-256(0x00 | entry).
pub fn leaf_hash(entry: &Hash) -> Hash {
    sha256(&[&[0], entry])
}

/// RFC 6962's hash of an inner node: SHA-256(0x01 | left | right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// Entry points for fuzzing: every parser of this module, none of which may panic on any input.
#[doc(hidden)]
pub mod fuzz {
    use super::{Checkpoint, TilePath, Tiles, VerifierKey, note, proof, tile};

    /// Everything that reads text.
    pub fn text(data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        if let Ok(key) = VerifierKey::parse(&text) {
            assert_eq!(VerifierKey::parse(&key.to_string()).as_ref(), Ok(&key));
        }
        if let Ok(path) = text.parse::<TilePath>() {
            assert_eq!(path.to_string(), text);
        }
        if let Ok(parsed) = Checkpoint::parse(&text) {
            assert_eq!(parsed.to_text(), text);
        }
        let _ = super::parse_origin(&text);
    }

    /// A whole signed note, opened with a key that did not sign it.
    pub fn signed_note(data: &[u8]) {
        let key = VerifierKey::new("keystead/fuzz", [7; 32]);
        let _ = note::open(data, &key);
        let _ = note::split(data);
        let _ = Checkpoint::open(data, &key);
    }

    /// Tiles, bundles and the proofs computed from them.
    pub fn tiles(data: &[u8]) {
        let _ = tile::parse_hashes(data);
        if let Ok(entries) = tile::parse_entries(data) {
            assert_eq!(tile::encode_entries(&entries), data);
        }
        let number = |at: usize| data.iter().skip(at).take(8).fold(0_u64, |n, b| n.wrapping_shl(8) | u64::from(*b));
        let (a, b) = (number(0), number(8));
        let mut tiles = Tiles::new();
        for path in proof::inclusion_tiles(a, b).into_iter().chain(proof::consistency_tiles(a, b)) {
            tiles.put(
                path,
                data.iter().copied().cycle().skip(16).take(usize::from(path.width()).saturating_mul(32)).collect(),
            );
        }
        let hashes = tile::parse_hashes(data).unwrap_or_default();
        if let Ok(proof) = proof::inclusion(a, b, &tiles) {
            let _ = proof::verify_inclusion(a, b, &[0; 32], &proof, &[0; 32]);
        }
        let _ = proof::consistency(a, b, &tiles);
        let _ = proof::root(b, &tiles);
        let _ = proof::verify_inclusion(a, b, &[0; 32], &hashes, &[0; 32]);
        let _ = proof::verify_consistency(a, b, &[0; 32], &[0; 32], &hashes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_instance_vault_and_node_and_parses_back() {
        let (i, v, n) = (InstanceId::from_bytes([1; 16]), VaultId::from_bytes([0; 16]), NodeId::from_bytes([0xab; 16]));
        let text = origin(i, v, n);
        assert_eq!(text, format!("keystead/{}/{}/{}", "01".repeat(16), "00".repeat(16), "ab".repeat(16)));
        assert_eq!(parse_origin(&text), Some((i, v, n)));
        for bad in ["", "keystead/", &text[1..], &format!("{text}/"), &format!("{text}/x"), &text.to_uppercase()] {
            assert_eq!(parse_origin(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_hashes_are_those_of_rfc_6962() {
        assert_eq!(EMPTY_ROOT, sha256(&[]));
        assert_eq!(leaf_hash(&[5; 32]), sha256(&[&[0], &[5; 32]]));
        assert_eq!(node_hash(&[5; 32], &[6; 32]), sha256(&[&[1], &[5; 32], &[6; 32]]));
        assert_eq!(log_id("x").as_slice(), &sha256(&[b"x"])[..16]);
    }

    #[test]
    fn no_input_makes_a_parser_panic() {
        let key = keystead_crypto::ed25519::SigningKey::from_seed(&[3; 32]);
        let checkpoint = Checkpoint::new("keystead/fuzz", 70_000, [9; 32]);
        let seeds = [
            checkpoint.sign(&key).into_bytes(),
            checkpoint.to_text().into_bytes(),
            VerifierKey::new("keystead/fuzz", key.public()).to_string().into_bytes(),
            b"tile/entries/x001/x234/067.p/255".to_vec(),
            b"tile/0/x001/000".to_vec(),
            tile::encode_entries(&[[1; 32], [2; 32]]),
            vec![0; 96],
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..6_000 {
            let mut data = seeds[round % seeds.len()].clone();
            for _ in 0..next() % 4 {
                let at = next() as usize % data.len().max(1);
                match next() % 4 {
                    0 if !data.is_empty() => data[at] = next() as u8,
                    1 => data.truncate(at),
                    2 => data.insert(at.min(data.len()), next() as u8),
                    _ => data.extend(next().to_be_bytes()),
                }
            }
            fuzz::text(&data);
            fuzz::signed_note(&data);
            fuzz::tiles(&data);
        }
    }
}
