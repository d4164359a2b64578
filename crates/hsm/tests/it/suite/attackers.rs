//! Somebody with the PIN.

use super::on_each_token;
use crate::bed::{Bed, TOKEN};
use crate::software::*;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use keystead_hsm::worker::Token;
use keystead_hsm::{Assurance, Call, HsmError, Outcome, WrapClass};
use keystead_model::{KeySpec, PublicExponent};

on_each_token! {
    the_self_test_refuses_every_attack
    its_attacks_succeed_on_a_wrapping_key_without_protection
    the_pin_shows_the_wrapping_key_and_the_canary_and_nothing_else
    a_stored_key_gives_nothing_to_the_pin_holder
    a_key_that_he_puts_in_place_of_the_wrapping_key_is_not_used
    a_wrapping_key_comes_in_as_itself_or_not_at_all
}

fn the_self_test_refuses_every_attack(bed: &Bed) {
    let token = bed.open(TOKEN);
    let description = token.description();
    let class = match bed.kind {
        crate::bed::Kind::SoftHsm2 => WrapClass::KwpZeroExtended,
        crate::bed::Kind::Kryoptic => WrapClass::Kwp,
    };
    assert_eq!((description.wrap, description.assurance()), (class, Assurance::Hardware));
    assert!(description.attacks.len() > 40, "{}", description.attacks.len());
    for attack in &description.attacks {
        assert_eq!(attack.outcome, Outcome::Refused, "{}: {}", attack.name, attack.detail);
        assert!(!attack.detail.is_empty());
    }
}

/// So they would be noticed where they succeed.
fn its_attacks_succeed_on_a_wrapping_key_without_protection(bed: &Bed) {
    let description = Token::open_unprotected(&bed.settings(TOKEN)).unwrap();
    assert_eq!(description.assurance(), Assurance::SoftwareEquivalent);
    let got = |wanted: &str| {
        let attack = description.attacks.iter().find(|attack| attack.name.contains(wanted));
        attack.unwrap_or_else(|| panic!("{wanted}")).outcome == Outcome::Succeeded
    };
    for attack in [
        "copy the wrapping key with another CKA_DECRYPT",
        "change CKA_DECRYPT of the wrapping key",
        "unwrap a stored key as both and read it",
        "unwrap a stored key as extractable and read it",
        "unwrap a stored private key, EC, as readable",
        "unwrap a stored private key, EC, as extractable",
        "unwrap a stored private key, RSA, as readable",
    ] {
        assert!(got(attack), "{attack}: {:?}", description.attacks);
    }
    // These the standard alone forbids.
    for attack in ["read the wrapping key", "change CKA_EXTRACTABLE of", "wrap the wrapping key under itself"] {
        assert!(!got(attack), "{attack}");
    }
}

fn the_pin_shows_the_wrapping_key_and_the_canary_and_nothing_else(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let mut keys = Vec::new();
    for round in 0..34 {
        let specs: &[_] = if round % 17 == 0 { &[KeySpec::Rsa2048] } else { &[KeySpec::EcP256, KeySpec::Oct256] };
        keys.extend(specs.iter().map(|spec| desk.make(*spec, desk.wrapped())));
    }
    for (held, public) in keys.iter().filter(|(held, _)| !matches!(held.spec, KeySpec::Oct256)) {
        desk.proves(held, public);
    }
    let listed = bed.with_pin(TOKEN, &["--list-objects"]);
    // Kryoptic also lists its mechanisms, as objects of type 7.
    let objects = listed.lines().filter(|line| line.contains("Object") && !line.contains("type 7")).count();
    let mut labels: Vec<_> =
        listed.lines().filter_map(|line| line.trim().strip_prefix("label:")).map(str::trim).collect();
    labels.sort_unstable();
    assert_eq!((objects, labels), (2, vec!["keystead canary", "keystead wrapping key"]), "{listed}");
}

fn a_stored_key_gives_nothing_to_the_pin_holder(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (held, _) = desk.make(KeySpec::Oct256, desk.wrapped());
    let intruder = bed.session();
    let label = Attribute::Label(b"keystead wrapping key".to_vec());
    let wrapping = intruder.find_objects(&[label, Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap()[0];
    for name in [AttributeType::Value, AttributeType::CheckValue] {
        let shown = intruder.get_attributes(wrapping, &[name]).unwrap_or_default();
        assert!(shown.iter().all(|a| matches!(a, Attribute::CheckValue(kcv) if kcv.len() <= 3)), "{shown:?}");
    }
    let template = |more: &[Attribute]| {
        let mut all = vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::GENERIC_SECRET)];
        all.extend_from_slice(more);
        all
    };
    let ways = [Mechanism::AesKeyWrapPad, Mechanism::AesKeyWrap, Mechanism::AesCbc([0; 16]), Mechanism::AesEcb];
    for way in &ways {
        for more in [&[][..], &[Attribute::Sensitive(false)], &[Attribute::Extractable(true)]] {
            if let Ok(key) = intruder.unwrap_key(way, wrapping, blob(&held), &template(more)) {
                let shown = intruder.get_attributes(key, &[AttributeType::Value]).unwrap_or_default();
                assert_eq!(shown, []);
            }
        }
        assert!(intruder.decrypt(way, wrapping, blob(&held)).is_err());
    }
    assert!(intruder.update_attributes(wrapping, &[Attribute::Decrypt(true)]).is_err());
    // What is opened in the token is not to be had, either.
    desk.encrypt(&held, keystead_model::CipherAlgorithm::A256Gcm, b"data", &[], &[]).unwrap();
    for object in intruder.find_objects(&[]).unwrap() {
        let wanted = [AttributeType::Value, AttributeType::PrivateExponent, AttributeType::Extractable];
        let shown = intruder.get_attributes(object, &wanted).unwrap_or_default();
        assert!(shown.is_empty() || shown == [Attribute::Extractable(false)], "{shown:?}");
    }
}

fn a_key_that_he_puts_in_place_of_the_wrapping_key_is_not_used(bed: &Bed) {
    let id = id_of(&WRAPPING);
    let planted = || {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Label(b"keystead wrapping key".to_vec()),
            Attribute::Id(id.0.to_vec()),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
            Attribute::Value(b"a key that the PIN holder knows.".to_vec()),
        ];
        bed.session().create_object(&template).unwrap()
    };
    let (token, mut hand) = bed.hand(TOKEN);
    planted();
    assert!(!holds(&mut hand, id));
    let to = keystead_hsm::call::Destination::Wrapped(id);
    let call = Call::Generate { id, spec: KeySpec::EcP256, exponent: PublicExponent::default(), to };
    assert_eq!(hand.work(&call).err(), Some(HsmError::NoWrappingKey));
    // The right one is known among others.
    enroll(&mut hand, &WRAPPING);
    planted();
    drop((token, hand));
    let mut desk = Desk::of(bed, TOKEN);
    let (held, public) = desk.make(KeySpec::EcP256, desk.wrapped());
    desk.proves(&held, &public);
    let known = keystead_crypto::aes::wrap::unwrap_padded(b"a key that the PIN holder knows.", blob(&held));
    assert!(known.is_err());
    assert!(keystead_crypto::aes::wrap::unwrap_padded(&WRAPPING, blob(&held)).is_ok());
}

fn a_wrapping_key_comes_in_as_itself_or_not_at_all(bed: &Bed) {
    let (_token, mut hand) = bed.hand(TOKEN);
    let id = id_of(&WRAPPING);
    let transfer = |hand: &mut keystead_hsm::worker::Hand| match hand.work(&Call::TransferKey) {
        Ok(keystead_hsm::Reply::Transfer { public, sha256 }) => (public, sha256),
        _ => panic!("no transfer key"),
    };
    let bad = Some(HsmError::BadKey);
    // Without a transfer key; under one that is gone; another key than its id says; none at all.
    assert_eq!(hand.work(&Call::InstallWrapping { id, wrapped: vec![1; 384] }).err(), bad);
    let (old, sha256) = transfer(&mut hand);
    let (new, _) = transfer(&mut hand);
    let wrapped = oaep(&old, sha256, &WRAPPING);
    assert_eq!(hand.work(&Call::InstallWrapping { id, wrapped }).err(), bad);
    let wrapped = oaep(&new, sha256, &WRAPPING);
    assert_eq!(hand.work(&Call::InstallWrapping { id, wrapped }).err(), bad);
    let (public, _) = transfer(&mut hand);
    let wrapped = oaep(&public, sha256, b"another wrapping key of 32 bytes");
    assert_eq!(hand.work(&Call::InstallWrapping { id, wrapped }).err(), bad);
    let (public, _) = transfer(&mut hand);
    let wrapped = oaep(&public, sha256, b"too short");
    assert_eq!(hand.work(&Call::InstallWrapping { id, wrapped }).err(), bad);
    assert!(!holds(&mut hand, id));
    let listed = bed.with_pin(TOKEN, &["--list-objects"]);
    assert!(!listed.contains("wrapping"), "{listed}");
    // Twice is as good as once.
    enroll(&mut hand, &WRAPPING);
    enroll(&mut hand, &WRAPPING);
    let listed = bed.with_pin(TOKEN, &["--list-objects"]);
    assert_eq!(listed.matches("wrapping").count(), 1, "{listed}");
}
