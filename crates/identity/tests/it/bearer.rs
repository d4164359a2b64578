//! What a good token proves, and what each claim must say.

use crate::support::*;
use keystead_crypto::sha256;
use keystead_identity::token::{Claims, finish, signing_input};
use keystead_identity::{NotAuthenticated, Principal, Proof, TrustedIssuer};
use keystead_model::Time;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

#[test]
fn a_good_token_proves_its_issuer_and_subject_and_carries_the_rest() {
    let mut claims = claims();
    claims["groups"] = json!(["g1", "g2"]);
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let identity = trusting(vec![issuer()]);
    let proven = identity.authenticate(Proof::Bearer(&token(&claims)), Some(address), Time::from_secs(NOW)).unwrap();
    assert_eq!(*proven.caller.principal(), Principal::new(ISS, OID));
    assert_eq!(proven.caller.groups(), ["g1", "g2"]);
    assert_eq!(proven.caller.address(), Some(address));
    assert_eq!(proven.caller.application(), Some("the-app"));
    assert!(!proven.caller.is_built_in_client());
    assert_eq!(proven.until, Time::from_secs(NOW + 3660));
}

#[test]
fn a_remembered_caller_can_come_from_elsewhere_and_stays_who_it_is() {
    let caller = now(&token(&claims())).unwrap().caller;
    let elsewhere = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));
    let moved = caller.clone().at(elsewhere);
    assert_eq!((caller.address(), moved.address()), (None, elsewhere));
    assert_eq!(moved.principal(), caller.principal());
    assert_ne!(moved, caller);
}

#[test]
fn a_token_as_the_built_in_issuer_writes_it_is_good() {
    let claims = Claims {
        aud: AUD.into(),
        iss: ISS.into(),
        sub: OID.into(),
        oid: OID.into(),
        tid: TENANT.into(),
        appid: "a".into(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 1,
        ver: "1.0".into(),
    };
    let input = signing_input("k1", &claims);
    let signature = KEY.sign_digest(&sha256(&[input.as_bytes()])).unwrap().try_into().unwrap();
    assert_eq!(now(&finish(input, &signature)).unwrap().caller.principal().subject(), OID);
}

#[test]
fn only_the_configured_claim_names_the_subject_and_no_other_stands_in() {
    for missing in [Value::Null, json!(""), json!(7), json!(["x"]), json!({})] {
        assert_eq!(refusal(&token(&claims_with("oid", missing.clone()))), NotAuthenticated::Malformed, "{missing}");
    }
    for (claim, subject) in [("sub", "the-sub"), ("oid", OID), ("appid", "the-app")] {
        let identity = trusting(vec![TrustedIssuer { subject_claim: claim.into(), ..issuer() }]);
        let proven = at(&identity, &token(&claims()), Time::from_secs(NOW)).unwrap();
        assert_eq!(*proven.caller.principal(), Principal::new(ISS, subject));
    }
}

#[test]
fn the_application_is_appid_or_azp_and_may_be_absent() {
    let application = |claims: &Value| now(&token(claims)).unwrap().caller.application().map(str::to_owned);
    let mut claims = claims_with("appid", Value::Null);
    assert_eq!(application(&claims), None);
    claims["azp"] = json!("other-app");
    assert_eq!(application(&claims).as_deref(), Some("other-app"));
}

#[test]
fn an_audience_matches_with_and_without_the_last_slash_and_not_otherwise() {
    for aud in [
        json!(AUD),
        json!(format!("{AUD}/")),
        json!("https://managedhsm.azure.net"),
        json!("https://managedhsm.azure.net/"),
        json!(["https://other.example", AUD]),
    ] {
        assert!(now(&token(&claims_with("aud", aud.clone()))).is_ok(), "{aud}");
    }
    for aud in [
        Value::Null,
        json!(""),
        json!("/"),
        json!([]),
        json!(format!("{AUD}//")),
        json!(format!("{AUD}/x")),
        json!("https://vault.azure.ne"),
        json!("HTTPS://VAULT.AZURE.NET"),
        json!(["https://other.example"]),
    ] {
        assert_eq!(refusal(&token(&claims_with("aud", aud.clone()))), NotAuthenticated::WrongAudience, "{aud}");
    }
    for aud in [json!(7), json!({}), json!([AUD, 7])] {
        assert_eq!(refusal(&token(&claims_with("aud", aud.clone()))), NotAuthenticated::Malformed, "{aud}");
    }
    let nobody = trusting(vec![TrustedIssuer { audiences: Vec::new(), ..issuer() }]);
    assert_eq!(at(&nobody, &token(&claims()), Time::from_secs(NOW)).unwrap_err(), NotAuthenticated::WrongAudience);
}

#[test]
fn the_issuer_must_be_trusted_under_exactly_its_name() {
    for iss in ["https://issuer.example/t1", "https://issuer.example/T1/", "https://evil.example/", " "] {
        assert_eq!(refusal(&token(&claims_with("iss", json!(iss)))), NotAuthenticated::UnknownIssuer, "{iss}");
    }
    for iss in [Value::Null, json!(""), json!([ISS])] {
        assert_eq!(refusal(&token(&claims_with("iss", iss))), NotAuthenticated::Malformed);
    }
}

#[test]
fn the_tenant_must_be_the_one_that_is_set() {
    for tid in [Value::Null, json!("6d0b2a1e-0000-4000-8000-000000000002")] {
        assert_eq!(refusal(&token(&claims_with("tid", tid))), NotAuthenticated::WrongTenant);
    }
    let any = trusting(vec![TrustedIssuer { tenant: None, ..issuer() }]);
    assert!(at(&any, &token(&claims_with("tid", Value::Null)), Time::from_secs(NOW)).is_ok());
}

#[test]
fn a_token_without_an_end_is_refused() {
    for exp in [Value::Null, json!("1900000001"), json!([1]), json!(true)] {
        assert_eq!(refusal(&token(&claims_with("exp", exp))), NotAuthenticated::Malformed);
    }
    assert_eq!(refusal(&token(&claims_with("nbf", json!("x")))), NotAuthenticated::Malformed);
    assert!(now(&token(&claims_with("nbf", Value::Null))).is_ok());
}

#[test]
fn times_at_the_ends_of_the_range_neither_panic_nor_open() {
    for exp in [json!(i64::MIN), json!(-1), json!(0), json!(-1e300)] {
        assert_eq!(refusal(&token(&claims_with("exp", exp.clone()))), NotAuthenticated::Expired, "{exp}");
    }
    for nbf in [json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
        assert_eq!(refusal(&token(&claims_with("nbf", nbf.clone()))), NotAuthenticated::NotYetValid, "{nbf}");
    }
    for exp in [json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
        assert_eq!(now(&token(&claims_with("exp", exp))).unwrap().until, Time(i64::MAX));
    }
    let identity = trusting(vec![issuer()]);
    assert_eq!(at(&identity, &token(&claims()), Time(i64::MIN)).unwrap_err(), NotAuthenticated::NotYetValid);
    assert_eq!(at(&identity, &token(&claims()), Time(i64::MAX)).unwrap_err(), NotAuthenticated::Expired);
}

proptest! {
    #[test]
    fn a_token_is_good_from_nbf_to_exp_with_a_minute_of_skew(
        from in -200_i64..200, length in 0_i64..200, now in -300_000_i64..500_000,
    ) {
        let mut claims = claims_with("nbf", json!(NOW + from));
        claims["exp"] = json!(NOW + from + length);
        let now = Time(NOW * 1000 + now);
        let expected = if now.0 >= (NOW + from + length + 60) * 1000 {
            Err(NotAuthenticated::Expired)
        } else if now.0 < (NOW + from - 60) * 1000 {
            Err(NotAuthenticated::NotYetValid)
        } else {
            Ok(Time((NOW + from + length + 60) * 1000))
        };
        prop_assert_eq!(at(&trusting(vec![issuer()]), &token(&claims), now).map(|p| p.until), expected);
    }

    #[test]
    fn what_was_proven_holds_until_its_end_and_not_after(length in 1_i64..100_000) {
        let identity = trusting(vec![issuer()]);
        let token = token(&claims_with("exp", json!(NOW + length)));
        let proven = at(&identity, &token, Time::from_secs(NOW)).unwrap();
        prop_assert_eq!(at(&identity, &token, Time(proven.until.0 - 1)), Ok(proven.clone()));
        prop_assert_eq!(at(&identity, &token, proven.until), Err(NotAuthenticated::Expired));
    }

    #[test]
    fn every_subject_comes_out_as_it_went_in(subject in ".{1,80}") {
        let proven = now(&token(&claims_with("oid", json!(subject)))).unwrap();
        prop_assert_eq!(proven.caller.principal(), &Principal::new(ISS, subject));
    }
}
