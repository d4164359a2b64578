//! The node's own key: it signs checkpoints. Random per node, no child of any root, kept in a file for the owner alone.

use crate::exit::Failure;
use keystead_audit::Node;
use keystead_crypto::ed25519::SigningKey;
use keystead_model::{InstanceId, NodeId};
use keystead_store::Store;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// version 1 | node id 16 | Ed25519 seed 32
const LEN: usize = 49;
const VERSION: u8 = 1;

/// The node's identity; made at the first start.
pub(crate) async fn load_or_create(file: &Path, store: &Store) -> Result<Node, Failure> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => create(file)?,
        Err(e) => return Err(Failure::unavailable(format!("cannot read {}: {e}", file.display()))),
    };
    let bad = || Failure::usage(format!("{} is not a node key of this release: restore it", file.display()));
    let (node, key) = parse(&bytes).ok_or_else(bad)?;
    Ok(Node { instance: instance(store).await?, node, key })
}

/// Reads what [`create`] wrote.
pub(crate) fn parse(bytes: &[u8]) -> Option<(NodeId, SigningKey)> {
    let bytes: &[u8; LEN] = bytes.try_into().ok()?;
    let (&[version], rest) = bytes.split_first_chunk::<1>()?;
    let (node, seed) = rest.split_first_chunk::<16>()?;
    let seed: &[u8; 32] = seed.try_into().ok()?;
    (version == VERSION).then(|| (NodeId::from_bytes(*node), SigningKey::from_seed(seed)))
}

fn create(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(vec![VERSION]);
    bytes.extend_from_slice(&keystead_crypto::random::<16>());
    bytes.extend_from_slice(&*Zeroizing::new(keystead_crypto::random::<32>()));
    write_private(file, &bytes)?;
    Ok(bytes)
}

/// The instance's id stands in the store, which all its nodes share.
async fn instance(store: &Store) -> Result<InstanceId, Failure> {
    let fresh = keystead_crypto::random::<16>().to_vec();
    let stands = store
        .meta_put_once("instance", fresh)
        .await
        .map_err(|e| Failure::unavailable(format!("cannot read the instance's id from the store: {e}")))?;
    let id = stands.try_into().map_err(|_| Failure::unavailable("the instance's id in the store is damaged"))?;
    Ok(InstanceId::from_bytes(id))
}

/// Writes a file for the owner alone, durable when it returns; an existing one is replaced as a whole.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::unavailable(format!("cannot write {}: {e}", file.display()));
    let directory = file.parent().unwrap_or_else(|| Path::new("."));
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = directory.join(name);
    // Never into a file or link that somebody else put there.
    let _ = std::fs::remove_file(&temporary);
    let mut options = std::fs::OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(0o600).open(&temporary).map_err(failed)?;
    let done = out.write_all(bytes).and_then(|()| out.sync_all()).and_then(|()| std::fs::rename(&temporary, file));
    if done.is_err() {
        // A full disk leaves an empty file.
        let _ = std::fs::remove_file(&temporary);
    }
    done.map_err(failed)?;
    std::fs::File::open(directory).and_then(|d| d.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden file, and the public key that belongs to its seed, were made by another implementation.
    #[test]
    fn the_golden_node_key_is_read() {
        let text = include_str!("../tests/golden/node-key-v1.hex");
        let bytes = hex::decode(text.split_whitespace().collect::<String>()).unwrap();
        let (node, key) = parse(&bytes).unwrap();
        assert_eq!(node.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(hex::encode(key.public()), "c853ad0f0cd2b619aea92ceec4fd56a24d6499d584ce79257e45cfd8139b60a7");
        for other in [&bytes[1..], &[&bytes[..], &[0]].concat(), &[&[2], &bytes[1..]].concat()] {
            assert!(parse(other).is_none());
        }
    }
}
