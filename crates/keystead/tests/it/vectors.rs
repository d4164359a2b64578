//! Published vectors through the running server: their keys are imported as JWKs, and used, over REST.
//!
//! The service takes whole keys only. Wycheproof's RSA keys all are in one of its sets, but for those of exponent 3; of
//! its ECDSA keys those that their vectors give away. The others are tried where the public half is enough (`crypto`,
//! `protection`), and here it is tried that the service does not take them.

mod refused;
mod wire;

use crate::support::{Place, Server, Vault};
use keystead_model::{CipherAlgorithm, CipherMode, SignAlgorithm};
use keystead_vectors::{Group, Key, Vector, algorithms, published, wycheproof};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::thread;
use wire::{Shapes, check, import, own_signature};

/// How many connections ask at once.
const CONNECTIONS: usize = 8;

/// `keystead dev` that lets a request wait: RSA keys are proven one after the other, on a machine that may be busy.
fn patient(place: &Place) -> Server {
    let file = place.beside("limits.toml");
    fs::write(&file, "[limits]\nrequest_deadline_ms = 300000\n").unwrap();
    let (first, second) = (format!("127.0.0.1:{}", place.port), format!("127.0.0.1:{}", place.hsm_port));
    let words = ["--listen", &first, "--listen-hsm", &second, "--limits", file.to_str().unwrap()];
    place.dev_at(&words, &[]).unwrap_or_else(|e| panic!("{e:?}"))
}

/// What is done with one key, from all sets that have it.
type Work = (Key, Vec<(String, Vector)>);

fn by_key(groups: Vec<Group>) -> Vec<Work> {
    let mut keys: BTreeMap<Key, Vec<(String, Vector)>> = BTreeMap::new();
    for Group { set, key, vectors } in groups.into_iter().filter(|group| group.key.is_whole()) {
        keys.entry(key).or_default().extend(vectors.into_iter().map(|vector| (set.clone(), vector)));
    }
    keys.into_iter().collect()
}

/// Every vector of a whole key comes out as it must, and of each of these algorithms there are some.
fn all_come_out(groups: Vec<Group>, served: &[&str]) {
    let expected = algorithms(&groups);
    for name in served {
        assert!(expected.get(name).is_some_and(|(valid, _)| *valid >= 9), "{name}: {expected:#?}");
    }
    assert_eq!(expected.len(), served.len(), "{expected:#?}");
    let place = Place::new();
    let server = patient(&place);
    let (vault, all) = (server.vault(), Mutex::new(Done::default()));
    let queue = Mutex::new(by_key(groups).into_iter().enumerate());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            let mut vault = vault.another();
            let (queue, all) = (&queue, &all);
            scope.spawn(move || {
                let mut done = Done::default();
                while let Some((number, work)) = next(queue) {
                    one_key(&mut vault, number, &work, &mut done);
                }
                all.lock().unwrap().take(done);
            });
        }
    });
    let Done { counts, shapes } = all.into_inner().unwrap();
    assert_eq!(counts, expected, "every vector was tried");
    let ways: BTreeSet<_> = shapes.iter().map(|(algorithm, status, _)| (algorithm, status)).collect();
    assert_eq!(ways.len(), shapes.len(), "an answer tells more than whether it decrypts: {shapes:#?}");
    assert!(server.stop().success());
}

/// What was tried, by algorithm: what had to come out and what had not; and what the answers looked like.
#[derive(Default)]
struct Done {
    counts: BTreeMap<&'static str, (usize, usize)>,
    shapes: Shapes,
}

impl Done {
    fn take(&mut self, other: Self) {
        self.shapes.extend(other.shapes);
        for (algorithm, (valid, invalid)) in other.counts {
            let count = self.counts.entry(algorithm).or_default();
            *count = (count.0 + valid, count.1 + invalid);
        }
    }
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap().next()
}

/// Imports the key and does what its vectors say.
fn one_key(vault: &mut Vault, number: usize, (key, vectors): &Work, done: &mut Done) {
    let name = format!("vector-{number}");
    import(vault, &name, key).ok();
    for (set, vector) in vectors {
        let right = check(vault, &name, key, vector, &mut done.shapes);
        assert_eq!(right, vector.valid, "{set} {} ({})", vector.id, vector.work.algorithm());
        let count = done.counts.entry(vector.work.algorithm()).or_default();
        if vector.valid { count.0 += 1 } else { count.1 += 1 }
    }
    own_signature(vault, &name, vectors.iter().map(|(_, vector)| vector));
}

fn ciphers(of_rsa: bool) -> Vec<&'static str> {
    let all = CipherAlgorithm::ALL.iter();
    let rsa = |mode| matches!(mode, CipherMode::Pkcs1 | CipherMode::Oaep);
    all.filter(|algorithm| rsa(algorithm.mode()) == of_rsa).map(|algorithm| algorithm.wire()).collect()
}

#[test]
fn imported_aes_keys_do_over_rest_what_wycheproof_and_nist_say() {
    let mut groups = wycheproof::aes();
    groups.extend(published::aes());
    all_come_out(groups, &ciphers(false));
}

#[test]
fn imported_rsa_keys_decrypt_over_rest_what_wycheproof_says() {
    all_come_out(wycheproof::rsa_decryption(), &ciphers(true));
}

#[test]
fn signatures_are_good_over_rest_where_wycheproof_and_nist_say_so() {
    let mut groups = wycheproof::rsa_signatures();
    groups.extend(wycheproof::ecdsa());
    groups.extend(wycheproof::hmac().into_iter().filter_map(refused::served));
    groups.extend(published::rsa_signatures());
    groups.extend(published::ecdsa());
    groups.extend(published::hmac_as_served());
    let names: Vec<_> = SignAlgorithm::ALL.iter().map(|algorithm| algorithm.wire()).collect();
    all_come_out(groups, &names);
}
