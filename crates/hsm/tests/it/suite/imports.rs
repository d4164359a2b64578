//! Keys that come from outside: in clear, and wrapped.

use super::on_each_token;
use crate::bed::{Bed, TOKEN};
use crate::software::*;
use keystead_hsm::{HsmError, Parts};
use keystead_model::{CipherAlgorithm, KeySpec, PublicKey};

on_each_token! {
    imported_keys_work_as_in_software
    parts_that_do_not_go_together_are_no_key
    wrapped_keys_come_in_unseen_and_work_as_in_software
    zeros_behind_a_wrapped_document_are_nothing
    what_does_not_come_out_of_its_wrapping_is_no_key_and_nothing_stays
    a_wrapped_rsa_key_with_which_everybody_signs_is_not_taken
}

/// Signs with an imported key, or encrypts if it is a secret, and has software say whether it is the same key.
fn same(desk: &mut Desk, held: &keystead_hsm::Held, public: &PublicKey, key: &Software) {
    assert_eq!(*public, key.public, "{:?}", key.spec);
    if *public == PublicKey::Symmetric {
        let wrap = CipherAlgorithm::CkmAesKeyWrap;
        let (value, _, _) = desk.encrypt(held, wrap, &[6; 32], &[], &[]).unwrap();
        assert_eq!(value, keystead_crypto::aes::wrap::wrap(&key.bytes, &[6; 32]).unwrap());
    } else {
        desk.proves(held, public);
    }
}

fn imported_keys_work_as_in_software(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    for spec in desk.token.description().keys.clone() {
        let key = software(spec);
        for to in [desk.wrapped(), RESIDENT] {
            let (held, public) = desk.import(spec, &key.parts, to).unwrap_or_else(|e| panic!("{spec:?}: {e}"));
            same(&mut desk, &held, &public, &key);
        }
    }
}

fn parts_that_do_not_go_together_are_no_key(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let before = desk.residents();
    let (one, other) = (software(KeySpec::EcP256), software(KeySpec::EcP256));
    let (Parts::Ec { d, .. }, Parts::Ec { x, y, .. }) = (&one.parts, &other.parts) else { panic!() };
    let mixed = Parts::Ec { d: d.clone(), x: x.clone(), y: y.clone() };
    let off = Parts::Ec { d: d.clone(), x: x.clone(), y: x.clone() };
    let short = Parts::Ec { d: d.clone(), x: x[1..].to_vec(), y: y.clone() };
    let (rsa, another) = (software(KeySpec::Rsa2048), software(KeySpec::Rsa2048));
    let (Parts::Rsa(numbers), Parts::Rsa(others)) = (&rsa.parts, &another.parts) else { panic!() };
    let mut swapped = numbers.clone();
    swapped[0] = others[0].clone();
    let larger = software(KeySpec::Rsa3072).parts;
    for (spec, parts) in [
        (KeySpec::EcP256, mixed),
        (KeySpec::EcP256, off),
        (KeySpec::EcP256, short),
        (KeySpec::EcP384, one.parts.clone()),
        (KeySpec::Rsa2048, Parts::Rsa(swapped)),
        (KeySpec::Rsa2048, larger),
        (KeySpec::EcP256, rsa.parts.clone()),
        (KeySpec::Oct256, Parts::Oct(vec![1; 31].into())),
        (KeySpec::Oct128, Parts::Oct(vec![1; 32].into())),
    ] {
        for to in [desk.wrapped(), RESIDENT] {
            assert_eq!(desk.import(spec, &parts, to).err(), Some(HsmError::BadKey), "{spec:?}");
        }
    }
    assert_eq!(desk.residents(), before);
}

fn wrapped_keys_come_in_unseen_and_work_as_in_software(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    for kek_to in [desk.wrapped(), RESIDENT] {
        let (kek, kek_public) = desk.make(KeySpec::Rsa2048, kek_to);
        for spec in desk.token.description().keys.clone() {
            // Large ones once.
            if kek_to == RESIDENT && spec.bits().is_some_and(|bits| bits > 2048) {
                continue;
            }
            let key = software(spec);
            for to in [desk.wrapped(), RESIDENT] {
                let imported = desk.import_wrapped(spec, &kek, &byok(&kek_public, &key.bytes), to);
                let (held, public) = imported.unwrap_or_else(|e| panic!("{spec:?}: {e}"));
                same(&mut desk, &held, &public, &key);
            }
        }
    }
}

/// As SoftHSM2 wraps private keys.
fn zeros_behind_a_wrapped_document_are_nothing(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (kek, kek_public) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    for spec in [KeySpec::EcP256, KeySpec::Rsa2048] {
        let mut key = software(spec);
        key.bytes.resize(key.bytes.len().next_multiple_of(8), 0);
        let imported = desk.import_wrapped(spec, &kek, &byok(&kek_public, &key.bytes), desk.wrapped());
        let (held, public) = imported.unwrap_or_else(|e| panic!("{spec:?}: {e}"));
        same(&mut desk, &held, &public, &key);
    }
}

fn what_does_not_come_out_of_its_wrapping_is_no_key_and_nothing_stays(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (kek, public) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let (_, other) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let (p256, rsa, oct) = (software(KeySpec::EcP256), software(KeySpec::Rsa2048), software(KeySpec::Oct256));
    let good = byok(&public, &p256.bytes);
    let altered = |at: usize| {
        let mut blob = good.clone();
        blob[at] ^= 1;
        blob
    };
    let odd_secret =
        [oaep(&public, false, &[9; 32]), keystead_crypto::aes::wrap::wrap_padded(&[9; 32], &[1; 30]).unwrap()];
    let sha256 = [oaep(&public, true, &[9; 32]), good[256..].to_vec()].concat();
    let cases = [
        ("another KEK", KeySpec::EcP256, byok(&other, &p256.bytes)),
        ("altered in front", KeySpec::EcP256, altered(100)),
        ("altered behind", KeySpec::EcP256, altered(300)),
        ("truncated", KeySpec::EcP256, good[..good.len() - 8].to_vec()),
        ("truncated by a byte", KeySpec::EcP256, good[..good.len() - 1].to_vec()),
        ("the front alone", KeySpec::EcP256, good[..256].to_vec()),
        ("less than that", KeySpec::EcP256, good[..255].to_vec()),
        ("nothing", KeySpec::EcP256, vec![]),
        ("SHA-256", KeySpec::EcP256, sha256),
        ("another curve", KeySpec::EcP384, good.clone()),
        ("EC as RSA", KeySpec::Rsa2048, good.clone()),
        ("RSA as EC", KeySpec::EcP256, byok(&public, &rsa.bytes)),
        ("a smaller modulus", KeySpec::Rsa3072, byok(&public, &rsa.bytes)),
        ("a secret as EC", KeySpec::EcP256, byok(&public, &oct.bytes)),
        ("EC as a secret", KeySpec::Oct256, good.clone()),
        ("another length", KeySpec::Oct128, byok(&public, &oct.bytes)),
        ("no AES length", KeySpec::Oct256, odd_secret.concat()),
    ];
    for (name, spec, blob) in cases {
        for to in [desk.wrapped(), RESIDENT] {
            assert_eq!(desk.import_wrapped(spec, &kek, &blob, to).err(), Some(HsmError::BadKey), "{name}");
        }
    }
    assert_eq!(desk.residents(), []);
    // A key that is no RSA key unwraps nothing.
    let (ec, _) = desk.make(KeySpec::EcP256, desk.wrapped());
    assert_eq!(desk.import_wrapped(KeySpec::EcP256, &ec, &good, desk.wrapped()).err(), Some(HsmError::BadKey));
    desk.import_wrapped(KeySpec::EcP256, &kek, &good, desk.wrapped()).unwrap();
}

/// Everybody can sign with exponent 1: the signature is the padded digest itself.
fn a_wrapped_rsa_key_with_which_everybody_signs_is_not_taken(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (kek, public) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let good = software(KeySpec::Rsa2048);
    let Parts::Rsa(numbers) = &good.parts else { panic!() };
    let [n, _, _, p, q, _, _, qi] = numbers.each_ref().map(|number| number.as_slice());
    let one: &[u8] = &[1];
    let document = pkcs8([n, one, one, p, q, one, one, qi]);
    for to in [desk.wrapped(), RESIDENT] {
        let refused = desk.import_wrapped(KeySpec::Rsa2048, &kek, &byok(&public, &document), to);
        assert_eq!(refused.err(), Some(HsmError::BadKey));
    }
    assert_eq!(desk.residents(), []);
    let Parts::Rsa(numbers) = &good.parts else { panic!() };
    let whole = pkcs8(numbers.each_ref().map(|number| number.as_slice()));
    desk.import_wrapped(KeySpec::Rsa2048, &kek, &byok(&public, &whole), desk.wrapped()).unwrap();
}

/// Numbers of an RSA key as PKCS#8, whatever they are.
fn pkcs8(numbers: [&[u8]; 8]) -> Vec<u8> {
    // INTEGER 2, OCTET STRING 4, SEQUENCE 0x30
    let der = |tag: u8, content: &[u8]| -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length: &[u8] = match (high, low) {
            (0, ..0x80) => &[low],
            (0, _) => &[0x81, low],
            _ => &[0x82, high, low],
        };
        [&[tag], length, content].concat()
    };
    let integer = |number: &[u8]| {
        let digits = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
        der(2, &[sign, digits].concat())
    };
    let numbers = [vec![2, 1, 0]].into_iter().chain(numbers.map(integer)).flatten().collect::<Vec<u8>>();
    let rsa = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    der(0x30, &[&[2, 1, 0][..], &rsa, &der(4, &der(0x30, &numbers))].concat())
}
