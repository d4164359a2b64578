//! Every algorithm that the token has, against software.

use super::on_each_token;
use crate::bed::{Bed, Kind, TOKEN};
use crate::software::*;
use keystead_crypto::aes::{Gcm, cbc, wrap};
use keystead_crypto::hmac;
use keystead_hsm::{HsmError, Native};
use keystead_model::{CipherAlgorithm, CipherMode, KeySpec, SignAlgorithm};

on_each_token! {
    every_signature_verifies
    hmac_is_what_software_makes
    rsa_decrypts_what_software_encrypts
    altered_rsa_ciphertexts_do_not_decrypt
    a_wrong_rsa1_5_padding_gives_other_bytes_always_the_same
    aes_is_what_software_makes
    altered_aes_ciphertexts_do_not_decrypt
    what_the_token_lacks_is_refused_by_name
    lengths_that_no_algorithm_takes_are_refused
}

fn every_signature_verifies(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let signs = desk.token.description().signs.clone();
    let expected = if bed.kind == Kind::SoftHsm2 { 10 } else { 9 };
    let pairs: Vec<_> = signs.iter().filter(|(a, _)| !a.wire().starts_with("HS")).collect();
    assert_eq!(pairs.len(), expected);
    for (algorithm, native) in pairs {
        assert_eq!(*native, Native::Mechanism);
        let spec = *algorithm.specs().first().unwrap();
        for to in [desk.wrapped(), RESIDENT] {
            let (held, public) = desk.make(spec, to);
            for fill in [0, 0x5a, 0xff] {
                let digest = vec![fill; algorithm.digest_len()];
                let signature = desk.sign(&held, *algorithm, &digest).unwrap();
                assert!(verifies(&public, *algorithm, &digest, &signature), "{}", algorithm.wire());
                let other = vec![fill ^ 1; algorithm.digest_len()];
                assert!(!verifies(&public, *algorithm, &other, &signature));
            }
        }
    }
}

fn hmac_is_what_software_makes(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let signs = desk.token.description().signs.clone();
    let hmacs: Vec<_> = signs.into_iter().filter(|(a, _)| a.wire().starts_with("HS")).map(|(a, _)| a).collect();
    // SoftHSM2 wants a key as long as the hash.
    let expected: &[_] = match bed.kind {
        Kind::SoftHsm2 => &[SignAlgorithm::Hs256],
        Kind::Kryoptic => &[SignAlgorithm::Hs256, SignAlgorithm::Hs384, SignAlgorithm::Hs512],
    };
    assert_eq!(hmacs, expected);
    let key = software(KeySpec::Oct256);
    let (held, _) = desk.import(key.spec, &key.parts, desk.wrapped()).unwrap();
    for algorithm in hmacs {
        for length in [0, 1, 32, 200] {
            let data = vec![7; length];
            let tag = desk.sign(&held, algorithm, &data).unwrap();
            assert_eq!(tag, hmac(hash_of(algorithm), &key.bytes, &data));
        }
    }
    // The same key also encrypts: it is opened as another type of object.
    desk.encrypt(&held, CipherAlgorithm::A256Gcm, b"data", &[], &[]).unwrap();
}

fn rsa_decrypts_what_software_encrypts(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let ciphers = desk.token.description().ciphers.clone();
    let native = |wanted| ciphers.iter().find(|(found, _)| *found == wanted).unwrap().1;
    assert_eq!(native(CipherAlgorithm::RsaOaep), Native::Mechanism);
    let sha256 = if bed.kind == Kind::SoftHsm2 { Native::PublicOnly } else { Native::Mechanism };
    assert_eq!(native(CipherAlgorithm::RsaOaep256), sha256);
    assert_eq!(native(CipherAlgorithm::Rsa15), Native::Composed);
    for to in [desk.wrapped(), RESIDENT] {
        let (held, public) = desk.make(KeySpec::Rsa2048, to);
        for plain in [&b""[..], b"x", &[9; 100]] {
            for (algorithm, cipher) in [
                (CipherAlgorithm::RsaOaep, oaep(&public, false, plain)),
                (CipherAlgorithm::RsaOaep256, oaep(&public, true, plain)),
                (CipherAlgorithm::Rsa15, pkcs1(&public, plain)),
            ] {
                let decrypted = desk.decrypt(&held, algorithm, &cipher, [&[]; 3]);
                match native(algorithm) {
                    Native::PublicOnly => assert!(matches!(decrypted, Err(HsmError::NotSupported { .. }))),
                    _ => assert_eq!(decrypted.unwrap(), plain, "{}", algorithm.wire()),
                }
            }
        }
    }
}

fn altered_rsa_ciphertexts_do_not_decrypt(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (held, public) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let (_, other) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let good = oaep(&public, false, b"plain");
    let mut changed = good.clone();
    changed[200] ^= 1;
    let bad = [changed, oaep(&other, false, b"plain"), good[1..].to_vec(), vec![0; 256], vec![0xff; 256], vec![]];
    for cipher in bad {
        let refused = desk.decrypt(&held, CipherAlgorithm::RsaOaep, &cipher, [&[]; 3]);
        assert_eq!(refused.err(), Some(HsmError::DecryptFailed));
    }
    assert_eq!(desk.decrypt(&held, CipherAlgorithm::RsaOaep, &good, [&[]; 3]).unwrap(), b"plain");
}

fn a_wrong_rsa1_5_padding_gives_other_bytes_always_the_same(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (held, public) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let good = pkcs1(&public, b"a key to be unwrapped");
    let mut lengths = Vec::new();
    for at in 1..40 {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let once = desk.decrypt(&held, CipherAlgorithm::Rsa15, &changed, [&[]; 3]).unwrap();
        let again = desk.decrypt(&held, CipherAlgorithm::Rsa15, &changed, [&[]; 3]).unwrap();
        assert!(once == again && once != b"a key to be unwrapped" && once.len() <= 245);
        lengths.push(once.len());
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 10, "{lengths:?}");
    // What is not below the modulus is no ciphertext, and everyone can see it.
    let above = desk.decrypt(&held, CipherAlgorithm::Rsa15, &[0xff; 256], [&[]; 3]);
    assert!(above.as_ref().is_ok_and(|plain| plain.len() <= 245) || above == Err(HsmError::DecryptFailed));
    assert_eq!(desk.decrypt(&held, CipherAlgorithm::Rsa15, &[1; 255], [&[]; 3]), Err(HsmError::DecryptFailed));
    // Also by another session, and by another worker after a restart.
    let mut changed = good.clone();
    changed[7] ^= 1;
    let here = desk.decrypt(&held, CipherAlgorithm::Rsa15, &changed, [&[]; 3]).unwrap();
    let mut other = Desk::of(bed, TOKEN);
    assert_eq!(other.decrypt(&held, CipherAlgorithm::Rsa15, &changed, [&[]; 3]).unwrap(), here);
    assert_eq!(desk.decrypt(&held, CipherAlgorithm::Rsa15, &good, [&[]; 3]).unwrap(), b"a key to be unwrapped");
}

const OCT: [KeySpec; 3] = [KeySpec::Oct128, KeySpec::Oct192, KeySpec::Oct256];

fn aes_is_what_software_makes(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let ciphers = desk.token.description().ciphers.clone();
    for spec in OCT {
        let key = software(spec);
        for to in [desk.wrapped(), RESIDENT] {
            let (held, _) = desk.import(spec, &key.parts, to).unwrap();
            for (algorithm, native) in ciphers.iter().filter(|(algorithm, _)| algorithm.fits(spec)) {
                for length in [0, 1, 8, 15, 16, 24, 32, 100, 1000] {
                    both_ways(&mut desk, &held, &key.bytes, *algorithm, length);
                }
                let wraps = matches!(algorithm.mode(), CipherMode::KeyWrap | CipherMode::KeyWrapPad);
                let composed = bed.kind == Kind::SoftHsm2 && wraps;
                assert_eq!(*native == Native::Composed, composed, "{}", algorithm.wire());
            }
        }
        let modes = ciphers.iter().filter(|(algorithm, _)| algorithm.fits(spec)).count();
        assert_eq!(modes, 6, "{spec:?}: {ciphers:?}");
    }
}

fn both_ways(desk: &mut Desk, held: &keystead_hsm::Held, key: &[u8], algorithm: CipherAlgorithm, length: usize) {
    let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let iv = [3; 16];
    let name = algorithm.wire();
    match algorithm.mode() {
        CipherMode::Gcm => {
            let (value, nonce, tag) = desk.encrypt(held, algorithm, &plain, &[], b"aad").unwrap();
            let gcm = Gcm::of(key).unwrap();
            let (nonce_array, tag_array) = (nonce.as_slice().try_into().unwrap(), tag.as_slice().try_into().unwrap());
            assert_eq!(*gcm.open(nonce_array, b"aad", &value, tag_array).unwrap(), plain, "{name}");
            let (nonce, value, tag) = gcm.seal(b"aad", &plain);
            assert_eq!(desk.decrypt(held, algorithm, &value, [&nonce, &tag, b"aad"]).unwrap(), plain, "{name}");
        }
        mode @ (CipherMode::Cbc | CipherMode::CbcPad) => {
            let fill = if mode == CipherMode::Cbc { cbc::Fill::Zeros } else { cbc::Fill::Pkcs7 };
            let (value, back, tag) = desk.encrypt(held, algorithm, &plain, &iv, &[]).unwrap();
            assert_eq!((&value, &back, tag.len()), (&cbc::encrypt(key, &iv, fill, &plain).unwrap(), &iv.to_vec(), 0));
            let again = desk.decrypt(held, algorithm, &value, [&iv, &[], &[]]).unwrap();
            assert_eq!(again, *cbc::decrypt(key, &iv, fill, &value).unwrap(), "{name}");
        }
        CipherMode::KeyWrap if length < 16 || !length.is_multiple_of(8) => {
            let refused = desk.encrypt(held, algorithm, &plain, &[], &[]);
            assert!(matches!(refused, Err(HsmError::NotSupported { .. })), "{name} {length}");
        }
        CipherMode::KeyWrapPad if length == 0 => {
            assert!(matches!(desk.encrypt(held, algorithm, &[], &[], &[]), Err(HsmError::NotSupported { .. })));
        }
        mode => {
            let wrapped = if mode == CipherMode::KeyWrap { wrap::wrap } else { wrap::wrap_padded };
            let (value, _, _) = desk.encrypt(held, algorithm, &plain, &[], &[]).unwrap();
            assert_eq!(value, wrapped(key, &plain).unwrap(), "{name} {length}");
            assert_eq!(desk.decrypt(held, algorithm, &value, [&[]; 3]).unwrap(), plain, "{name} {length}");
        }
    }
}

fn altered_aes_ciphertexts_do_not_decrypt(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (held, _) = desk.make(KeySpec::Oct256, desk.wrapped());
    let failed = Some(HsmError::DecryptFailed);
    let gcm = CipherAlgorithm::A256Gcm;
    let (value, iv, tag) = desk.encrypt(&held, gcm, b"seventeen bytes..", &[], b"aad").unwrap();
    let mut other = value.clone();
    other[3] ^= 1;
    let short = &tag[..12];
    for (value, iv, tag, aad) in [
        (&other, &iv[..], &tag[..], &b"aad"[..]),
        (&value, &[0; 12], &tag, b"aad"),
        (&value, &iv, &[0; 16], b"aad"),
        (&value, &iv, &tag, b"aae"),
        (&value, &iv, short, b"aad"),
        (&value, &iv[..11], &tag, b"aad"),
    ] {
        assert_eq!(desk.decrypt(&held, gcm, value, [iv, tag, aad]).err(), failed);
    }
    let pad = CipherAlgorithm::A256CbcPad;
    let (value, _, _) = desk.encrypt(&held, pad, b"thirty-two bytes, so padded more", &[1; 16], &[]).unwrap();
    for bad in [&value[..16], &value[..17], &[]] {
        assert_eq!(desk.decrypt(&held, pad, bad, [&[1; 16], &[], &[]]).err(), failed);
    }
    for algorithm in [CipherAlgorithm::A256Kw, CipherAlgorithm::CkmAesKeyWrapPad] {
        let (value, _, _) = desk.encrypt(&held, algorithm, &[5; 24], &[], &[]).unwrap();
        let mut changed = value.clone();
        changed[9] ^= 1;
        for bad in [&changed[..], &value[..24], &value[..31], &value[..8], &[]] {
            assert_eq!(desk.decrypt(&held, algorithm, bad, [&[]; 3]).err(), failed, "{}", algorithm.wire());
        }
        assert_eq!(desk.decrypt(&held, algorithm, &value, [&[]; 3]).unwrap(), [5; 24]);
    }
}

fn what_the_token_lacks_is_refused_by_name(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (oct, _) = desk.make(KeySpec::Oct256, desk.wrapped());
    let (rsa, _) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let named = |refused: HsmError, name: &str| match refused {
        HsmError::NotSupported { what } => assert!(what.contains(name), "{what}"),
        other => panic!("{other}"),
    };
    // What goes with another kind of key.
    named(desk.sign(&oct, SignAlgorithm::Es256, &[1; 32]).unwrap_err(), "ES256");
    named(desk.decrypt(&rsa, CipherAlgorithm::A256Gcm, b"", [&[]; 3]).unwrap_err(), "A256GCM");
    named(desk.encrypt(&rsa, CipherAlgorithm::RsaOaep, b"", &[], &[]).unwrap_err(), "software");
    // HMAC needs another type of object, and a resident key is one object.
    let (resident, _) = desk.make(KeySpec::Oct256, RESIDENT);
    named(desk.sign(&resident, SignAlgorithm::Hs256, &[1; 32]).unwrap_err(), "HS256");
    if bed.kind == Kind::SoftHsm2 {
        named(desk.sign(&oct, SignAlgorithm::Hs512, &[1; 64]).unwrap_err(), "HS512");
        let (short, _) = desk.make(KeySpec::Oct128, desk.wrapped());
        named(desk.sign(&short, SignAlgorithm::Hs256, &[1; 32]).unwrap_err(), "HS256");
        named(desk.decrypt(&rsa, CipherAlgorithm::RsaOaep256, &[1; 256], [&[]; 3]).unwrap_err(), "RSA-OAEP-256");
    }
}

fn lengths_that_no_algorithm_takes_are_refused(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (oct, _) = desk.make(KeySpec::Oct256, desk.wrapped());
    let (rsa, _) = desk.make(KeySpec::Rsa2048, desk.wrapped());
    let (ec, _) = desk.make(KeySpec::EcP256, desk.wrapped());
    for length in [0, 31, 33, 64] {
        let refused = |tried: Result<Vec<u8>, HsmError>| matches!(tried, Err(HsmError::NotSupported { .. }));
        assert!(refused(desk.sign(&ec, SignAlgorithm::Es256, &vec![1; length])));
        assert!(refused(desk.sign(&rsa, SignAlgorithm::Rs256, &vec![1; length])));
        assert!(refused(desk.sign(&rsa, SignAlgorithm::Ps256, &vec![1; length])));
    }
    for iv in [&[][..], &[1; 15], &[1; 17]] {
        let refused = desk.encrypt(&oct, CipherAlgorithm::A256Cbc, b"data", iv, &[]);
        assert!(matches!(refused, Err(HsmError::NotSupported { .. })));
    }
    let long = desk.encrypt(&oct, CipherAlgorithm::CkmAesKeyWrapPad, &[1; 4097], &[], &[]);
    assert!(matches!(long, Err(HsmError::NotSupported { .. })));
}
