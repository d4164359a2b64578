//! Keys that are made, kept and taken away.

use super::on_each_token;
use crate::bed::{Bed, OTHER, TOKEN};
use crate::software::*;
use keystead_hsm::{Call, Destination, Held, HsmError, KeyId, Owner, Reply, Stored, WrapClass};
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, PublicKey, SignAlgorithm, Size};
use std::path::Path;

on_each_token! {
    a_new_key_is_of_its_kind_wherever_it_lives
    what_the_token_cannot_make_it_refuses_by_name
    resident_keys_are_listed_until_they_are_destroyed
    a_key_of_one_row_is_not_used_for_another
    an_altered_blob_is_damaged
    a_cleared_token_opens_old_keys_once_it_has_the_wrapping_key
    two_tokens_of_one_class_open_each_others_keys
    random_bytes_do_not_repeat
}

fn a_new_key_is_of_its_kind_wherever_it_lives(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    for spec in desk.token.description().keys.clone() {
        for to in [desk.wrapped(), RESIDENT] {
            // Large ones once: they take seconds.
            if to == RESIDENT && matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096) {
                continue;
            }
            let (held, public) = desk.make(spec, to);
            match spec.size() {
                Size::Modulus(bits) => assert!(is_rsa(&public, bits)),
                _ => assert_eq!(public == PublicKey::Symmetric, spec.curve().is_none()),
            }
            if !matches!(spec.size(), Size::Secret(_)) {
                desk.proves(&held, &public);
            }
        }
    }
}

fn what_the_token_cannot_make_it_refuses_by_name(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let able = desk.token.description().keys.clone();
    for spec in KeySpec::ALL.iter().filter(|spec| !able.contains(spec)) {
        let (id, to) = (desk.id(), desk.wrapped());
        let call = Call::Generate { id, spec: *spec, exponent: PublicExponent::default(), to };
        let Err(HsmError::NotSupported { what }) = desk.hand.work(&call) else { panic!("{spec:?}") };
        assert!(what.contains("P-256K"), "{what}");
    }
}

fn resident_keys_are_listed_until_they_are_destroyed(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    assert_eq!(desk.residents(), []);
    let (ec, public) = desk.make(KeySpec::EcP256, RESIDENT);
    let (oct, _) = desk.make(KeySpec::Oct256, RESIDENT);
    desk.make(KeySpec::EcP256, desk.wrapped());
    assert_eq!(desk.residents(), [ec.id, oct.id]);
    let listed = bed.with_pin(TOKEN, &["--list-objects"]);
    let label = format!("keystead key {}", "0e".repeat(16));
    assert_eq!(listed.matches(&label).count(), 2, "{listed}");
    assert!(!listed.contains("Public Key Object"), "{listed}");
    // From birth: both say so, and that they were made there.
    assert_eq!(listed.matches("always sensitive, never extractable, local").count(), 3, "{listed}");

    // Nothing is lost by another worker, nor by another owner.
    let (_token, mut hand) = bed.hand(TOKEN);
    let other = Owner([0xf0; 16]);
    let made = Call::Generate {
        id: KeyId([0xf1; 16]),
        spec: KeySpec::EcP256,
        exponent: PublicExponent::default(),
        to: Destination::Resident(other),
    };
    assert!(hand.work(&made).is_ok());
    done(hand.work(&Call::Destroy(other, ec.id)));
    let Ok(Reply::Ids(others)) = hand.work(&Call::Residents(other)) else { panic!("not a list of ids") };
    assert_eq!((others, desk.residents()), (vec![KeyId([0xf1; 16])], [ec.id, oct.id].to_vec()));
    done(hand.work(&Call::Destroy(OWNER, oct.id)));
    done(hand.work(&Call::Destroy(OWNER, oct.id)));
    assert_eq!(desk.residents(), [ec.id]);
    desk.proves(&ec, &public);
    done(hand.work(&Call::Destroy(OWNER, ec.id)));
    let lost = desk.sign(&ec, SignAlgorithm::Es256, &[1; 32]);
    assert_eq!(lost.err(), Some(HsmError::NoSuchKey));
    assert_eq!(desk.residents(), []);

    // Wrapping key and canary are no keys to be destroyed so.
    let wrapping = desk.wrapping;
    done(desk.hand.work(&Call::Destroy(OWNER, wrapping)));
    assert!(holds(&mut desk.hand, wrapping));
    done(desk.hand.work(&Call::Check));
}

fn a_key_of_one_row_is_not_used_for_another(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (p256, public) = desk.make(KeySpec::EcP256, desk.wrapped());
    let (p384, _) = desk.make(KeySpec::EcP384, desk.wrapped());
    let (oct, _) = desk.make(KeySpec::Oct256, desk.wrapped());
    let (rsa, _) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    for (row, other) in [(&p256, &p384), (&p384, &p256), (&p256, &rsa), (&rsa, &p256), (&p256, &oct)] {
        let mixed = Held { stored: other.stored.clone(), ..row.clone() };
        let algorithm = SignAlgorithm::ALL.iter().find(|a| a.fits(row.spec)).unwrap();
        let refused = desk.sign(&mixed, *algorithm, &vec![1; algorithm.digest_len()]);
        assert_eq!(refused.err(), Some(HsmError::Damaged), "{:?} as {:?}", other.spec, row.spec);
    }
    // Another key of the same kind under the same id is another key.
    let (second, other_public) = desk.make(KeySpec::EcP256, desk.wrapped());
    desk.proves(&p256, &public);
    desk.proves(&Held { id: p256.id, ..second }, &other_public);
    desk.proves(&p256, &public);
}

fn an_altered_blob_is_damaged(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    for spec in [KeySpec::EcP256, KeySpec::Rsa2048, KeySpec::Oct256] {
        let (held, _) = desk.make(spec, desk.wrapped());
        let id = desk.id();
        let blob = blob(&held).to_vec();
        let mut altered = blob.clone();
        altered[blob.len() / 2] ^= 1;
        let shorter = blob[..blob.len() - 8].to_vec();
        let longer = [blob.clone(), vec![0; 8]].concat();
        let algorithm = SignAlgorithm::ALL.iter().find(|a| a.fits(spec)).unwrap();
        for bad in [altered, shorter, longer, blob[..blob.len() - 1].to_vec(), vec![], vec![7; 8]] {
            let held = Held { id, spec, stored: Stored::Wrapped { wrapping: desk.wrapping, blob: bad } };
            let refused = desk.sign(&held, *algorithm, &[1; 32]);
            assert_eq!(refused.err(), Some(HsmError::Damaged), "{spec:?}");
        }
        let stored = Stored::Wrapped { wrapping: KeyId([0xee; 16]), blob };
        let refused = desk.sign(&Held { id, spec, stored }, *algorithm, &[1; 32]);
        assert_eq!(refused.err(), Some(HsmError::NoWrappingKey));
    }
}

const KINDS: [KeySpec; 3] = [KeySpec::EcP256, KeySpec::Rsa2048, KeySpec::EcP521];

/// Three processes: the token is cleared between the first two.
fn a_cleared_token_opens_old_keys_once_it_has_the_wrapping_key(bed: &Bed) {
    let file = |spec: KeySpec| bed.dir.join(format!("{}.blob", spec.code()));
    match bed.part().as_str() {
        "before" => {
            let mut desk = Desk::of(bed, TOKEN);
            for spec in KINDS {
                let (held, public) = desk.make(spec, desk.wrapped());
                desk.proves(&held, &public);
                std::fs::write(file(spec), blob(&held)).unwrap();
                write_down(&file(spec), &public);
            }
        }
        "after" => {
            let (token, mut hand) = bed.hand(TOKEN);
            let held = |spec| {
                let stored = Stored::Wrapped { wrapping: id_of(&WRAPPING), blob: std::fs::read(file(spec)).unwrap() };
                Held { id: KeyId([spec.code(); 16]), spec, stored }
            };
            assert!(!holds(&mut hand, id_of(&WRAPPING)));
            let algorithm = SignAlgorithm::Es256;
            let call = Call::Sign { key: held(KeySpec::EcP256), algorithm, digest: vec![1; 32] };
            assert_eq!(hand.work(&call).err(), Some(HsmError::NoWrappingKey));
            drop((token, hand));
            let mut desk = Desk::of(bed, TOKEN);
            for spec in KINDS {
                desk.proves(&held(spec), &read_back(&file(spec), spec));
            }
        }
        _ => {
            bed.run("before");
            bed.make(&[TOKEN, OTHER]);
            bed.run("after");
        }
    }
}

/// A public half as two files.
fn write_down(file: &Path, public: &PublicKey) {
    let (first, second) = match public {
        PublicKey::Ec { x, y, .. } => (x, y),
        PublicKey::Rsa { n, e } => (n, e),
        PublicKey::Symmetric => panic!("no public half"),
    };
    std::fs::write(file.with_extension("first"), first).unwrap();
    std::fs::write(file.with_extension("second"), second).unwrap();
}

fn read_back(file: &Path, spec: KeySpec) -> PublicKey {
    let read = |extension| std::fs::read(file.with_extension(extension)).unwrap();
    match spec.curve() {
        Some(curve) => PublicKey::Ec { curve, x: read("first"), y: read("second") },
        None => PublicKey::Rsa { n: read("first"), e: read("second") },
    }
}

fn two_tokens_of_one_class_open_each_others_keys(bed: &Bed) {
    let (mut first, mut second) = (Desk::of(bed, TOKEN), Desk::of(bed, OTHER));
    let class = |desk: &Desk| desk.token.description().wrap;
    assert!(class(&first) == class(&second) && class(&first) != WrapClass::None);
    assert_ne!(first.token.description().serial, second.token.description().serial);
    for spec in [KeySpec::EcP256, KeySpec::EcP384, KeySpec::EcP521, KeySpec::Rsa2048] {
        let (held, public) = first.make(spec, first.wrapped());
        second.proves(&held, &public);
        first.proves(&held, &public);
    }
    let (held, _) = second.make(KeySpec::Oct256, second.wrapped());
    let algorithm = CipherAlgorithm::A256Gcm;
    let (value, iv, tag) = second.encrypt(&held, algorithm, b"to the other", &[], b"aad").unwrap();
    assert_eq!(first.decrypt(&held, algorithm, &value, [&iv, &tag, b"aad"]).unwrap(), b"to the other");
}

fn random_bytes_do_not_repeat(bed: &Bed) {
    let (_token, mut hand) = bed.hand(TOKEN);
    let mut random = |count| bytes(hand.work(&Call::Random { count }).unwrap());
    assert_eq!([1, 64, 128].map(|count| random(count).len()), [1, 64, 128]);
    assert_ne!(random(32), random(32));
}
