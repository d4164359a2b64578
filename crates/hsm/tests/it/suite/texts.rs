//! Keys of the token's owner that sign texts, as an approver's do.

use super::on_each_token;
use crate::bed::{Bed, Kind, TOKEN};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use keystead_crypto::sha256;
use keystead_crypto::signature::PublicKey;
use keystead_hsm::worker::{Settings, Token};
use keystead_hsm::{Call, HsmError, NotExported, Reply, Wanted};

on_each_token! {
    keys_of_ed25519_and_p256_sign_texts_in_the_token_and_no_other_does
}

const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x22];

fn wanted(label: &str) -> Wanted {
    Wanted { label: Some(label.to_owned()), id: None }
}

/// Whether the token makes such keys.
fn made(bed: &Bed, how: &Mechanism<'_>, curve: &[u8], label: &str) -> bool {
    let label = Attribute::Label(label.as_bytes().to_vec());
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        label.clone(),
    ];
    let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(curve.to_vec()), label];
    match bed.session().generate_key_pair(how, &public, &private) {
        Ok(_) => true,
        Err(Error::Pkcs11(RvError::MechanismInvalid, _)) => false,
        Err(e) => panic!("{e}"),
    }
}

fn keys_of_ed25519_and_p256_sign_texts_in_the_token_and_no_other_does(bed: &Bed) {
    // Kryoptic, as it is built here, has no Ed25519.
    let ed25519 = made(bed, &Mechanism::EccEdwardsKeyPairGen, ED25519, "alice");
    assert!(ed25519 || bed.kind == Kind::Kryoptic);
    assert!(made(bed, &Mechanism::EccKeyPairGen, P256, "bob"));
    assert!(made(bed, &Mechanism::EccKeyPairGen, P384, "another"));
    let token = Token::open(&Settings { guest: true, sessions: Some(1), ..bed.settings(TOKEN) }).unwrap();
    let mut guest = token.session().unwrap();
    let text = b"keystead approval 2\nverdict: approve\n";
    let labels: &[&str] = if ed25519 { &["alice", "bob"] } else { &["bob"] };
    for label in labels.iter().copied() {
        let Ok(Reply::Bytes(public)) = guest.work(&Call::TextKey(wanted(label))) else { panic!("no public half") };
        let (public, message) = match public.strip_prefix(&[4]).filter(|point| point.len() == 64) {
            Some(point) => {
                let (x, y) = point.split_at(32);
                let key = PublicKey::P256(x.try_into().unwrap(), y.try_into().unwrap());
                (key, sha256(&[text]).to_vec())
            }
            None => (PublicKey::Ed25519(public.as_slice().try_into().unwrap()), text.to_vec()),
        };
        assert_eq!(public.kind(), if label == "alice" { "Ed25519" } else { "P-256" });
        let sign = Call::SignText { key: wanted(label), message };
        let Ok(Reply::Bytes(signature)) = guest.work(&sign) else { panic!("no signature") };
        assert!(public.verify(text, &signature), "{label}");
        assert!(!public.verify(b"another text", &signature), "{label}");
    }
    let cut = Call::SignText { key: wanted("bob"), message: vec![0; 31] };
    assert!(matches!(guest.work(&cut), Err(HsmError::NotSupported { .. })), "no digest of SHA-256");
    for call in [Call::TextKey(wanted("another")), Call::SignText { key: wanted("another"), message: vec![0; 32] }] {
        assert!(matches!(guest.work(&call), Err(HsmError::NotSupported { .. })), "{call:?}");
    }
    let nobody = guest.work(&Call::TextKey(wanted("nobody"))).err();
    assert!(matches!(nobody, Some(HsmError::NotExported(NotExported::NotFound { .. }))), "{nobody:?}");
}
