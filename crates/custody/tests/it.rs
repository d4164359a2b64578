//! Golden files: what the first release wrapped and sealed is opened for ever. They were made by another
//! implementation of the layouts. And: whatever bytes come, parsers return.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods, clippy::indexing_slicing, clippy::unwrap_used)]

use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_custody::activation::ActivationRecord;
use keystead_custody::challenge::SignedChallenge;
use keystead_custody::confirmation::Confirmation;
use keystead_custody::offer::TransferOffer;
use keystead_custody::{
    DomainSecrets, PathKey, Restored, Root, WorkingKeys, fuzz, open_domain, open_share, receive, unwrap_domain,
    unwrap_root, words,
};
use keystead_formats::security_domain::{RestoreBlob, SecurityDomain};
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

const ACTIVATION: &[u8] = include_bytes!("golden/activation.json");
const SECURITY_DOMAIN: &[u8] = include_bytes!("golden/security-domain.json");
const CUSTODIANS: [&[u8]; 4] = [
    include_bytes!("golden/custodians/1.key.der"),
    include_bytes!("golden/custodians/2.key.der"),
    include_bytes!("golden/custodians/3.key.der"),
    include_bytes!("golden/custodians/4.key.der"),
];

fn custodian(at: usize) -> PrivateKey {
    PrivateKey::from_pkcs1(CUSTODIANS[at]).unwrap()
}

fn assert_are_the_golden_keys(keys: &WorkingKeys, wrapping: bool) {
    assert_eq!((keys.domain, keys.blob.expose()), (VAULT, &[0x44; 32]));
    assert_eq!(keys.wrapping.as_ref().map(|key| *key.expose()), wrapping.then_some([0x55; 32]));
}

#[test]
fn the_golden_secrets_are_read_and_written_as_they_stand() {
    let secret = golden(include_str!("golden/domain-secrets.hex"));
    let read = DomainSecrets::from_bytes(&secret).unwrap();
    assert_are_the_golden_keys(&read.working, true);
    assert_eq!(read.to_bytes().as_slice(), secret);
    let working = golden(include_str!("golden/working-keys.hex"));
    let read = WorkingKeys::from_bytes(&working).unwrap();
    assert_are_the_golden_keys(&read, false);
    assert_eq!(read.to_bytes().as_slice(), working);
}

#[test]
fn the_golden_security_domain_opens_with_every_pair_of_its_custodians() {
    let record = ActivationRecord::parse(ACTIVATION).unwrap();
    let file = SecurityDomain::parse(SECURITY_DOMAIN).unwrap();
    assert!(record.is_of(SECURITY_DOMAIN) && record.agrees_with(&file));
    for pair in [[0, 1], [0, 2], [2, 1]] {
        let mut shares = record.gathering().unwrap();
        for at in pair {
            let decrypt = |cipher: &[u8]| custodian(at).decrypt(Scheme::OaepSha256, cipher).ok();
            shares.add(open_share(&file.shares[at], decrypt).unwrap()).unwrap();
        }
        let secrets = open_domain(&file, &shares).unwrap();
        assert_are_the_golden_keys(&secrets.working, true);
        assert_eq!(secrets.key.public(), record.domain_public);
        assert_eq!(secrets.working.digest(), record.working_keys);
    }
}

#[test]
fn the_golden_restore_blobs_open_with_their_transfer_key() {
    let open = |blob: &[u8]| {
        let blob = RestoreBlob::parse(blob).unwrap();
        receive(&blob, &blob.key.thumbprint, &custodian(3)).unwrap()
    };
    // `az keyvault security-domain restore-blob` (azure-cli 2.91.0) made the second of the golden domain.
    for whole in [&include_bytes!("golden/restore-domain.json")[..], include_bytes!("golden/restore-az.json")] {
        match open(whole) {
            Restored::Domain(secrets) => assert_are_the_golden_keys(&secrets.working, true),
            Restored::Working(_) => panic!("all of it was sent"),
        }
    }
    match open(include_bytes!("golden/restore-working.json")) {
        Restored::Working(keys) => assert_are_the_golden_keys(&keys, false),
        Restored::Domain(_) => panic!("only a part was sent"),
    }
}

#[test]
fn the_golden_record_and_its_confirmation_are_read() {
    let record = ActivationRecord::parse(ACTIVATION).unwrap();
    assert_eq!((record.vault, record.name.as_str(), record.nodes.len()), (VAULT, "golden", 1));
    assert_eq!(record.to_bytes(), ACTIVATION);
    assert_eq!(words(&record.digest()), include_str!("golden/activation.words").trim());
    let confirmation = Confirmation::parse(include_bytes!("golden/confirmation.json")).unwrap();
    assert_eq!(confirmation.verify(&record), Ok(2));
}

#[test]
fn the_golden_offer_and_challenge_are_read() {
    let record = ActivationRecord::parse(ACTIVATION).unwrap();
    let offer = TransferOffer::parse(include_bytes!("golden/transfer-offer.json")).unwrap();
    assert_eq!((offer.vault, offer.name.as_str(), offer.node), (VAULT, "golden", record.nodes[0]));
    let asked = SignedChallenge::parse_text(include_str!("golden/challenge.txt")).unwrap();
    let challenge = asked.challenge();
    assert_eq!((challenge.vault, challenge.domain, challenge.node), (VAULT, record.domain_public, record.nodes[0]));
    assert_eq!(challenge.expires.0, 4_000_000_000_000);
}

#[test]
fn the_golden_wrapping_key_opens_with_the_golden_domain_key() {
    let domain = unwrap_domain(&path(), VAULT, &golden(include_str!("golden/wrapped-domain.hex"))).unwrap();
    let key = domain.open_wrapping(VAULT, &golden(include_str!("golden/sealed-wrapping.hex"))).unwrap();
    assert_eq!(*key.expose(), [0x55; 32]);
}

#[test]
fn no_bytes_make_a_parser_panic() {
    let goods = [
        include_str!("golden/wrapped-root.hex"),
        include_str!("golden/sealed-root.hex"),
        include_str!("golden/sealed-wrapping.hex"),
    ]
    .map(golden);
    let mut state = 0x4b65_7973_7465_6164_u64;
    let mut below = |bound: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % bound
    };
    for round in 0..3000 {
        let mut bytes = goods[round % 3].clone();
        for _ in 0..below(4) {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(below(bytes.len() * 2));
        fuzz::wrapped_domain(&bytes);
        fuzz::wrapped_root(&bytes);
        fuzz::sealed_root(&bytes);
        fuzz::sealed_wrapping(&bytes);
    }
    let goods: [&[u8]; 9] = [
        ACTIVATION,
        include_bytes!("golden/confirmation.json"),
        include_bytes!("golden/transfer-offer.json"),
        include_bytes!("golden/challenge.txt"),
        include_bytes!("golden/challenge-replace.txt"),
        include_bytes!("golden/challenge-appoint.txt"),
        include_bytes!("golden/challenge-enrol.txt"),
        include_bytes!("golden/answer.txt"),
        &golden(include_str!("golden/domain-secrets.hex")),
    ];
    for round in 0..1500 {
        let mut bytes = goods[round % goods.len()].to_vec();
        for _ in 0..below(4) {
            let at = below(bytes.len());
            bytes[at] = below(256) as u8;
        }
        bytes.truncate(below(bytes.len() * 2));
        fuzz::activation(&bytes);
        fuzz::confirmation(&bytes);
        fuzz::offer(&bytes);
        fuzz::challenge(&bytes);
        fuzz::secrets(&bytes);
        fuzz::share(&bytes);
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
