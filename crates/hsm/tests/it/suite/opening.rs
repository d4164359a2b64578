//! What a token is opened by.

use super::on_each_token;
use crate::bed::{Bed, Kind, OTHER, TOKEN};
use keystead_hsm::HsmError;
use keystead_hsm::worker::{Select, Settings, Token};

on_each_token! {
    a_token_is_found_by_label_and_by_serial
    two_tokens_of_one_name_are_refused
    a_wrong_pin_is_refused_at_once
    a_library_that_is_none_is_refused
    a_description_says_what_the_token_is
    sessions_are_no_more_than_asked_for
}

fn opened(settings: &Settings) -> Result<String, HsmError> {
    Token::open(settings).map(|token| token.description().serial.clone())
}

fn refused(settings: &Settings) -> String {
    match opened(settings) {
        Err(HsmError::Setting { why }) => why,
        other => panic!("{other:?}"),
    }
}

fn a_token_is_found_by_label_and_by_serial(bed: &Bed) {
    let (first, second) = (opened(&bed.settings(TOKEN)).unwrap(), opened(&bed.settings(OTHER)).unwrap());
    assert_ne!(first, second);
    let by_serial = Settings { select: Select::Serial(second.clone()), ..bed.settings(TOKEN) };
    assert_eq!(opened(&by_serial).unwrap(), second);
    let why = refused(&Settings { select: Select::Label("third".to_owned()), ..bed.settings(TOKEN) });
    assert!(why.contains("third") && why.contains(TOKEN) && why.contains(&second), "{why}");
    let why = refused(&Settings { select: Select::Serial("0000".to_owned()), ..bed.settings(TOKEN) });
    assert!(why.contains("0000") && why.contains(&first), "{why}");
}

fn two_tokens_of_one_name_are_refused(bed: &Bed) {
    if bed.part().is_empty() {
        bed.make(&[TOKEN, TOKEN]);
        bed.run("two");
        return;
    }
    let why = refused(&bed.settings(TOKEN));
    assert!(why.contains("several") && why.matches("serial \"").count() == 2, "{why}");
    let serial = why.split_once("serial \"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let by_serial = Settings { select: Select::Serial(serial.clone()), ..bed.settings(TOKEN) };
    assert_eq!(opened(&by_serial).unwrap(), serial);
}

fn a_wrong_pin_is_refused_at_once(bed: &Bed) {
    let wrong = Settings { pin: "1111-wrong".to_owned().into(), ..bed.settings(TOKEN) };
    assert_eq!(opened(&wrong).err(), Some(HsmError::PinRefused));
    assert!(opened(&bed.settings(TOKEN)).is_ok());
}

fn a_library_that_is_none_is_refused(bed: &Bed) {
    for module in ["/nowhere/libnothing.so", "/etc/passwd"] {
        let why = refused(&Settings { module: module.into(), ..bed.settings(TOKEN) });
        assert!(why.contains(module), "{why}");
    }
    // A library, and not one of PKCS#11.
    let why = refused(&Settings { module: "libc.so.6".into(), ..bed.settings(TOKEN) });
    assert!(why.contains("C_GetFunctionList"), "{why}");
}

fn a_description_says_what_the_token_is(bed: &Bed) {
    let token = bed.open(TOKEN);
    let description = token.description();
    let (maker, wraps, quirks) = match bed.kind {
        Kind::SoftHsm2 => ("SoftHSM project", "CKM_AES_KEY_WRAP_PAD", 5),
        Kind::Kryoptic => ("Kryoptic Project", "CKM_AES_KEY_WRAP_KWP", 3),
    };
    assert_eq!((description.label.as_str(), description.manufacturer.as_str()), (TOKEN, maker));
    assert_eq!(description.quirks.len(), quirks);
    assert!(description.mechanisms.len() > 30 && !description.library.is_empty() && !description.model.is_empty());
    let wraps = description.mechanisms.iter().find(|mechanism| mechanism.name == wraps).unwrap();
    assert!(wraps.uses.iter().any(|name| name == "wrap"), "{wraps:?}");
}

fn sessions_are_no_more_than_asked_for(bed: &Bed) {
    assert_eq!(bed.open(TOKEN).sessions(), 16);
    let few = Token::open(&Settings { sessions: Some(3), ..bed.settings(TOKEN) }).unwrap();
    assert_eq!((few.sessions(), few.description().sessions), (3, 3));
    let hands: Vec<_> = (0..3).map(|_| few.session().unwrap()).collect();
    drop(hands);
    assert!(few.session().is_ok());
}
