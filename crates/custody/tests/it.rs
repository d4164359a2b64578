//! Golden files: what the first release wrapped and sealed is opened for ever. They were made by another
//! implementation of the layouts. And: whatever bytes come, parsers return.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_custody::{PathKey, Root, fuzz, unwrap_domain, unwrap_root};
use keystead_model::{Generation, VaultId};

const VAULT: VaultId = VaultId::from_bytes([0x22; 16]);

/// What stands in every golden file: the root's bytes, its generation, and the domain's public key.
const ROOT: [u8; 32] = [0x44; 32];
const GENERATION: Generation = Generation(7);
const DOMAIN_PUBLIC: &str = include_str!("golden/domain-public.hex");

fn golden(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn path() -> PathKey {
    PathKey::from_bytes(&[0x33; 32])
}

/// A root shows its bytes only in what it opens.
fn assert_is_the_golden_root(root: &Root) {
    assert_eq!(root.generation(), GENERATION);
    let place = Binding { vault: [1; 16], kind: 1, object: [2; 16], version: [0; 16], counter: 1 };
    let sealed = Sealer::new(&ROOT, Usage::Records, GENERATION.0).seal(&place, b"", b"plain");
    assert!(root.sealer(Usage::Records).open(&place, b"", &sealed).is_ok());
}

#[test]
fn the_golden_domain_key_unwraps() {
    let domain = unwrap_domain(&path(), VAULT, &golden(include_str!("golden/wrapped-domain.hex"))).unwrap();
    assert_eq!(domain.public().as_bytes().as_slice(), golden(DOMAIN_PUBLIC));
}

#[test]
fn the_golden_root_unwraps() {
    assert_is_the_golden_root(&unwrap_root(&path(), VAULT, &golden(include_str!("golden/wrapped-root.hex"))).unwrap());
}

#[test]
fn the_golden_sealed_root_opens_with_the_golden_domain_key() {
    let domain = unwrap_domain(&path(), VAULT, &golden(include_str!("golden/wrapped-domain.hex"))).unwrap();
    assert_is_the_golden_root(&domain.open_root(VAULT, &golden(include_str!("golden/sealed-root.hex"))).unwrap());
}

#[test]
fn no_bytes_make_a_parser_panic() {
    let goods = [include_str!("golden/wrapped-root.hex"), include_str!("golden/sealed-root.hex")].map(golden);
    let mut state = 0x4b65_7973_7465_6164_u64;
    let mut below = |bound: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % bound
    };
    for round in 0..3000 {
        let mut bytes = goods[round % 2].clone();
        for _ in 0..below(4) {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(below(bytes.len() * 2));
        fuzz::wrapped_domain(&bytes);
        fuzz::wrapped_root(&bytes);
        fuzz::sealed_root(&bytes);
    }
}

#[test]
fn the_golden_key_of_a_backup_opens_with_the_golden_domain_key() {
    let domain = unwrap_domain(&path(), VAULT, &golden(include_str!("golden/wrapped-domain.hex"))).unwrap();
    let said = golden(include_str!("golden/backup-said-v1.hex"));
    let key = golden(include_str!("golden/backup-key-v1.hex"));
    let opened = domain.open_backup(VaultId::from_bytes([2; 16]), &said, &key).unwrap();
    assert_eq!(opened.expose(), &[0x77; 32]);
}
