//! RSA keys of the token's owner at work, as a custodian's are.

use super::on_each_token;
use crate::bed::{Bed, Kind, TOKEN};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::types::Ulong;
use keystead_crypto::rsa::{self, Block, Padding, Scheme};
use keystead_crypto::{Hash, sha256};
use keystead_hsm::worker::{Hand, Settings, Token};
use keystead_hsm::{Call, HsmError, NotExported, Reply, Wanted};
use keystead_model::PublicKey;
use zeroize::Zeroizing;

on_each_token! {
    a_key_of_the_tokens_owner_signs_and_decrypts_in_it_and_need_not_be_one_that_leaves
    a_token_without_the_oaep_decrypts_by_the_bare_operation_for_its_owner_and_for_no_server
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

fn decrypted(hand: &mut Hand, key: &str, cipher: &[u8]) -> Result<Reply, HsmError> {
    hand.work(&Call::OwnedDecrypt { key: wanted(key), cipher: cipher.to_vec() })
}

/// The plaintext, if there is one; a block must be what the key makes of the ciphertext.
fn plain(reply: Reply, (n, e): (&[u8], &[u8]), cipher: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    match reply {
        Reply::Plain(plain) => Some(plain),
        Reply::Block(made) => Block::proven(n, e, cipher, &made).expect("made by this key").oaep_sha256().ok(),
        _ => panic!("another answer"),
    }
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
    let Ok(reply) = decrypted(&mut guest, "his", &cipher) else { panic!("not decrypted") };
    assert_eq!(*plain(reply, (&n, &e), &cipher).unwrap(), b"share");
    for cipher in [&cipher[1..], &[0xff; 256], &n] {
        assert_eq!(decrypted(&mut guest, "his", cipher).err(), Some(HsmError::DecryptFailed));
    }
    // What is none of the key's is told by the token, or by the padding.
    for (key, cipher) in [("another", cipher), ("his", vec![1; 256])] {
        let Ok(Reply::OwnedPublic(PublicKey::Rsa { n, e })) = guest.work(&Call::OwnedPublic(wanted(key))) else {
            panic!("no public half");
        };
        match decrypted(&mut guest, key, &cipher) {
            Ok(reply) => assert_eq!(plain(reply, (&n, &e), &cipher), None, "{key}"),
            Err(refused) => assert_eq!(refused, HsmError::DecryptFailed, "{key}"),
        }
    }
    assert_eq!(guest.work(&Call::OwnedPublic(wanted("small"))).err(), Some(HsmError::NotRsa));
    let nobody = guest.work(&sign("nobody", &digest)).err();
    assert!(matches!(nobody, Some(HsmError::NotExported(NotExported::NotFound { .. }))), "{nobody:?}");
}

fn a_token_without_the_oaep_decrypts_by_the_bare_operation_for_its_owner_and_for_no_server(bed: &Bed) {
    for bits in [2048, 3072, 4096] {
        made(bed, bits, &bits.to_string());
    }
    for guest in [true, false] {
        let token = Token::open(&Settings { guest, sessions: Some(1), ..bed.settings(TOKEN) }).unwrap();
        let mut hand = token.session().unwrap();
        for key in ["2048", "3072", "4096"] {
            let Ok(Reply::OwnedPublic(PublicKey::Rsa { n, e })) = hand.work(&Call::OwnedPublic(wanted(key))) else {
                panic!("no public half");
            };
            let cipher = rsa::encrypt_to(&n, &e, Scheme::OaepSha256, b"share").unwrap();
            match (decrypted(&mut hand, key, &cipher), bed.kind, guest) {
                (Ok(Reply::Plain(plain)), Kind::Kryoptic, _) => assert_eq!(*plain, b"share"),
                (Ok(Reply::Block(made)), Kind::SoftHsm2, true) => {
                    let block = Block::proven(&n, &e, &cipher, &made).expect("made by this key");
                    assert_eq!(*block.oaep_sha256().unwrap(), b"share");
                }
                (Err(HsmError::NotSupported { what }), Kind::SoftHsm2, false) => {
                    assert_eq!(what, "RSA-OAEP with SHA-256 (CKM_RSA_PKCS_OAEP)");
                }
                _ => panic!("another answer: {key}, a guest: {guest}"),
            }
        }
    }
}
