//! Many sessions at once, and more keys than are kept open.

use super::on_each_token;
use crate::bed::{Bed, TOKEN};
use crate::software::*;
use keystead_hsm::{Call, Held};
use keystead_model::{CipherAlgorithm, KeySpec, PublicKey, SignAlgorithm};

on_each_token! {
    no_session_gets_the_key_of_another
}

const THREADS: usize = 6;
const ROUNDS: usize = 120;

/// More keys than the token keeps open, so they are destroyed while others work.
fn no_session_gets_the_key_of_another(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let mut keys: Vec<(Held, PublicKey)> = Vec::new();
    for at in 0..300 {
        let spec = if at % 50 == 0 { KeySpec::EcP384 } else { KeySpec::EcP256 };
        keys.push(desk.make(spec, desk.wrapped()));
    }
    let secret = desk.make(KeySpec::Oct256, desk.wrapped()).0;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (keys, secret) = (&keys, &secret);
            let mut hand = desk.token.session().unwrap();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let (held, public) = &keys[(round * 37 + thread * 53) % keys.len()];
                    let algorithm =
                        if held.spec == KeySpec::EcP256 { SignAlgorithm::Es256 } else { SignAlgorithm::Es384 };
                    let digest = vec![u8::try_from(round).unwrap(); algorithm.digest_len()];
                    let call = Call::Sign { key: held.clone(), algorithm, digest: digest.clone() };
                    let signature = bytes(hand.work(&call).unwrap_or_else(|e| panic!("{e}")));
                    assert!(verifies(public, algorithm, &digest, &signature));
                    let (data, iv, aad) = (vec![7; 100].into(), vec![], vec![]);
                    let algorithm = CipherAlgorithm::A256Gcm;
                    hand.work(&Call::Encrypt { key: secret.clone(), algorithm, data, iv, aad }).unwrap();
                }
            });
        }
    });
}
