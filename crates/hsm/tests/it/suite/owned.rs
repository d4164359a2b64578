//! RSA keys of the token's owner at work, as a custodian's are.

use super::on_each_token;
use crate::bed::{Bed, TOKEN};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::types::Ulong;
use keystead_crypto::rsa::{self, Padding, Scheme};
use keystead_crypto::{Hash, sha256};
use keystead_hsm::worker::{Settings, Token};
use keystead_hsm::{Call, HsmError, NotExported, Reply, Wanted};
use keystead_model::PublicKey;

on_each_token! {
    a_key_of_the_tokens_owner_signs_and_decrypts_in_it_and_need_not_be_one_that_leaves
}

fn wanted(label: &str) -> Wanted {
    Wanted { label: Some(label.to_owned()), id: None }
}

fn made(bed: &Bed, bits: u64, label: &str) {
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let public = [Attribute::ModulusBits(Ulong::new(bits)), Attribute::Token(false)];
    bed.session().generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).unwrap();
}

fn a_key_of_the_tokens_owner_signs_and_decrypts_in_it_and_need_not_be_one_that_leaves(bed: &Bed) {
    made(bed, 2048, "his");
    made(bed, 2048, "another");
    made(bed, 1024, "small");
    let token = Token::open(&Settings { guest: true, sessions: Some(1), ..bed.settings(TOKEN) }).unwrap();
    let mut guest = token.session().unwrap();
    let Ok(Reply::OwnedPublic(PublicKey::Rsa { n, e })) = guest.work(&Call::OwnedPublic(wanted("his"))) else {
        panic!("no public half");
    };
    let digest = sha256(&[b"message"]);
    let sign = |key: &str, digest: &[u8]| Call::OwnedSign { key: wanted(key), digest: digest.to_vec() };
    let Ok(Reply::Bytes(signature)) = guest.work(&sign("his", &digest)) else { panic!("no signature") };
    assert!(rsa::verify_digest(&n, &e, Padding::Pss, Hash::Sha256, &digest, &signature));
    assert!(matches!(guest.work(&sign("his", &digest[1..])), Err(HsmError::NotSupported { .. })));
    let cipher = rsa::encrypt_to(&n, &e, Scheme::OaepSha256, b"share").unwrap();
    let decrypt = |key: &str, cipher: &[u8]| Call::OwnedDecrypt { key: wanted(key), cipher: cipher.to_vec() };
    match guest.work(&decrypt("his", &cipher)) {
        Ok(Reply::Plain(plain)) => {
            assert_eq!(plain.as_slice(), b"share");
            for (key, cipher) in [("another", &cipher[..]), ("his", &cipher[1..]), ("his", &[1; 256])] {
                assert_eq!(guest.work(&decrypt(key, cipher)).err(), Some(HsmError::DecryptFailed), "{key}");
            }
        }
        // What the token cannot it says, and never decrypts in another way.
        Err(HsmError::NotSupported { what }) => assert!(what.contains("RSA-OAEP with SHA-256"), "{what}"),
        _ => panic!("another answer"),
    }
    assert_eq!(guest.work(&Call::OwnedPublic(wanted("small"))).err(), Some(HsmError::NotRsa));
    let nobody = guest.work(&sign("nobody", &digest)).err();
    assert!(matches!(nobody, Some(HsmError::NotExported(NotExported::NotFound { .. }))), "{nobody:?}");
}
