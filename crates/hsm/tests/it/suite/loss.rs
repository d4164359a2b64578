//! Tokens that go away.

use super::on_each_token;
use crate::bed::{Bed, Kind, TOKEN};
use crate::software::*;
use keystead_hsm::{Call, HsmError};
use keystead_model::{KeySpec, SignAlgorithm};

on_each_token! {
    a_token_without_its_canary_is_lost
    a_canary_stays_the_same_for_every_worker
    a_token_whose_directory_is_gone_is_lost
}

fn a_token_without_its_canary_is_lost(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    done(desk.hand.work(&Call::Check));
    bed.with_pin(TOKEN, &["--delete-object", "--type", "secrkey", "--label", "keystead canary"]);
    let Err(HsmError::Down { why }) = desk.hand.work(&Call::Check) else { panic!("the token is there") };
    assert!(why.contains("canary"), "{why}");
}

fn a_canary_stays_the_same_for_every_worker(bed: &Bed) {
    let (_first, mut hand) = bed.hand(TOKEN);
    let (_second, mut other) = bed.hand(TOKEN);
    done(hand.work(&Call::Check));
    done(other.work(&Call::Check));
    let listed = bed.with_pin(TOKEN, &["--list-objects"]);
    assert_eq!(listed.matches("keystead canary").count(), 1, "{listed}");
}

/// Kryoptic goes on with the file that it has open, and so may its worker; then nothing is lost.
fn a_token_whose_directory_is_gone_is_lost(bed: &Bed) {
    let mut desk = Desk::of(bed, TOKEN);
    let (held, _) = desk.make(KeySpec::EcP256, desk.wrapped());
    std::fs::remove_dir_all(bed.dir.join("tokens")).unwrap();
    let checked = desk.hand.work(&Call::Check);
    match bed.kind {
        Kind::SoftHsm2 => assert!(matches!(checked, Err(HsmError::Down { .. })), "{:?}", checked.err()),
        Kind::Kryoptic => {}
    }
    // No wrong answer in any case.
    match desk.sign(&held, SignAlgorithm::Es256, &[1; 32]) {
        Ok(_) | Err(HsmError::Down { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    let (id, to) = (desk.id(), desk.wrapped());
    let call = Call::Generate { id, spec: KeySpec::EcP256, exponent: Default::default(), to };
    match desk.hand.work(&call) {
        Ok(_) | Err(HsmError::Down { .. } | HsmError::NoWrappingKey) => {}
        Err(error) => panic!("{error}"),
    }
}
