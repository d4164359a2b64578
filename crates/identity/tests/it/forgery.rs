//! The known ways to make a token that should not be believed.

use crate::support::*;
use keystead_crypto::ec::{Curve, PrivateKey, spki_der};
use keystead_crypto::sha256;
use keystead_identity::token::jwk;
use keystead_identity::{Identity, NotAuthenticated, Principal, Proof, TrustedIssuer};
use keystead_model::Time;
use proptest::prelude::*;
use serde_json::{Value, json};

fn header_with(name: &str, value: Value) -> String {
    let mut header = header();
    header[name] = value;
    header.to_string()
}

/// HMAC-SHA-256 under a key of any length (RFC 2104), as a confused verifier would compute it.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    let hashed = sha256(&[key]);
    let key = if key.len() > 64 { &hashed[..] } else { key };
    block[..key.len()].copy_from_slice(key);
    let inner = sha256(&[&block.map(|b| b ^ 0x36), message]);
    sha256(&[&block.map(|b| b ^ 0x5c), &inner])
}

#[test]
fn a_token_without_signature_is_refused_whatever_it_calls_it() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "AA", &b64([0; 64])] {
            let token = format!("{}.{}.{signature}", b64(header_with("alg", json!(alg))), b64(claims().to_string()));
            let refused = refusal(&token);
            assert!(matches!(refused, NotAuthenticated::WrongAlgorithm | NotAuthenticated::Malformed), "{alg}");
        }
    }
    for signature in ["".to_owned(), b64([0; 64]), b64([0; 63]), b64([0xff; 64]), b64([0; 4096])] {
        let token = format!("{}.{}.{signature}", b64(header().to_string()), b64(claims().to_string()));
        assert_eq!(refusal(&token), NotAuthenticated::BadSignature);
    }
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let (x, y) = KEY.public();
    let point = [&[4], x, y].concat();
    let jwk = jwk(&public("k1", &KEY)).to_string().into_bytes();
    for secret in [point, [x, y].concat(), spki_der(Curve::P256, x, y), x.to_vec(), b64(x).into_bytes(), jwk] {
        for (alg, refused) in [("HS256", NotAuthenticated::WrongAlgorithm), ("ES256", NotAuthenticated::BadSignature)] {
            let signed = format!("{}.{}", b64(header_with("alg", json!(alg))), b64(claims().to_string()));
            let token = format!("{signed}.{}", b64(hmac(&secret, signed.as_bytes())));
            assert_eq!(refusal(&token), refused);
        }
    }
}

#[test]
fn only_es256_is_taken_even_under_a_good_signature() {
    for alg in ["es256", "ES256K", "ES384", "ES512", "RS256", "PS256", "HS256", "HS512", "EdDSA", "dir"] {
        let token = sign(&KEY, header_with("alg", json!(alg)), claims().to_string());
        assert_eq!(refusal(&token), NotAuthenticated::WrongAlgorithm, "{alg}");
    }
    let token = sign(&KEY, r#"{"typ":"JWT","kid":"k1"}"#, claims().to_string());
    assert_eq!(refusal(&token), NotAuthenticated::WrongAlgorithm);
}

#[test]
fn a_kid_finds_a_key_of_the_issuer_or_nothing() {
    let long = "k1".repeat(2000);
    for kid in
        ["k3", "K1", "k1 ", "k1\0", "../../../etc/passwd", "' OR 1=1 --", "http://evil.example/k1", "\u{202e}1k", &long]
    {
        let token = sign(&KEY, header_with("kid", json!(kid)), claims().to_string());
        assert_eq!(refusal(&token), NotAuthenticated::UnknownKey, "{kid}");
    }
    for kid in [json!(""), json!(1), json!(["k1"]), json!({ "k1": "k1" }), Value::Null] {
        let token = sign(&KEY, header_with("kid", kid.clone()), claims().to_string());
        assert_eq!(refusal(&token), NotAuthenticated::Malformed, "{kid}");
    }
    assert_eq!(refusal(&sign(&KEY, r#"{"alg":"ES256"}"#, claims().to_string())), NotAuthenticated::UnknownKey);
    // The key the token names is the one that is used, not any that fits.
    let token = sign(&KEY, header_with("kid", json!("k2")), claims().to_string());
    assert_eq!(refusal(&token), NotAuthenticated::BadSignature);
}

#[test]
fn a_key_that_a_token_brings_or_points_to_is_not_used() {
    let attacker = new_key();
    let (x, y) = attacker.public();
    let members = [
        ("jwk", jwk(&public("k1", &attacker))),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!([b64(spki_der(Curve::P256, x, y))])),
    ];
    for (name, value) in members {
        let token = sign(&attacker, header_with(name, value), claims().to_string());
        assert_eq!(refusal(&token), NotAuthenticated::BadSignature, "{name}");
    }
}

#[test]
fn extensions_and_tokens_for_other_purposes_are_refused() {
    for crit in [json!([]), json!(["b64"]), json!(["exp"]), Value::Null] {
        let token = sign(&KEY, header_with("crit", crit), claims().to_string());
        assert_eq!(refusal(&token), NotAuthenticated::Malformed);
    }
    for (typ, good) in [("jwt", true), ("at+jwt", true), ("logout+jwt", false), ("dpop+jwt", false), ("JWE", false)] {
        let token = sign(&KEY, header_with("typ", json!(typ)), claims().to_string());
        assert_eq!(now(&token).is_ok(), good, "{typ}");
    }
}

#[test]
fn one_issuer_cannot_speak_for_another() {
    let b = "https://b.example/";
    let other = TrustedIssuer { iss: b.into(), keys: vec![public("k1", &OTHER_KEY)], ..issuer() };
    let identity: Identity = trusting(vec![issuer(), other]);
    let at = |key: &PrivateKey, iss: &str| {
        let token = sign(key, header().to_string(), claims_with("iss", json!(iss)).to_string());
        at(&identity, &token, Time::from_secs(NOW)).map(|p| p.caller.principal().clone())
    };
    assert_eq!(at(&KEY, ISS), Ok(Principal::new(ISS, OID)));
    assert_eq!(at(&OTHER_KEY, b), Ok(Principal::new(b, OID)));
    assert_eq!(at(&KEY, b), Err(NotAuthenticated::BadSignature));
    assert_eq!(at(&OTHER_KEY, ISS), Err(NotAuthenticated::BadSignature));
}

#[test]
fn a_later_issuer_cannot_take_the_name_of_an_earlier_one() {
    let taker = TrustedIssuer { keys: vec![public("k1", &OTHER_KEY), public("k3", &OTHER_KEY)], ..issuer() };
    let identity = trusting(vec![issuer(), taker]);
    for (kid, refused) in [("k1", NotAuthenticated::BadSignature), ("k3", NotAuthenticated::UnknownKey)] {
        let token = sign(&OTHER_KEY, header_with("kid", json!(kid)), claims().to_string());
        assert_eq!(at(&identity, &token, Time::from_secs(NOW)), Err(refused));
    }
    assert!(at(&identity, &token(&claims()), Time::from_secs(NOW)).is_ok());
}

#[test]
fn the_built_in_issuer_is_believed_only_where_its_keys_are_trusted() {
    let identity = Identity::new(ISS.into(), Vec::new(), Vec::new());
    let refused = at(&identity, &token(&claims()), Time::from_secs(NOW)).unwrap_err();
    assert_eq!(refused, NotAuthenticated::UnknownIssuer);
}

#[test]
fn a_claim_or_header_that_stands_twice_is_refused() {
    let claims = claims().to_string();
    for extra in [r#""oid":"x""#, r#""iss":"x""#, r#""exp":9999999999"#, r#""\u006fid":"x""#, r#""ver":"1.0""#] {
        for doubled in [claims.replacen('{', &format!("{{{extra},"), 1), claims.replace('}', &format!(",{extra}}}"))] {
            assert_eq!(refusal(&sign(&KEY, header().to_string(), doubled)), NotAuthenticated::Malformed, "{extra}");
        }
    }
    for doubled in [r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, r#"{"alg":"ES256","kid":"k2","kid":"k1"}"#] {
        assert_eq!(refusal(&sign(&KEY, doubled, &claims)), NotAuthenticated::Malformed);
    }
}

#[test]
fn what_is_not_utf8_or_not_json_is_refused_even_when_signed() {
    let good = claims().to_string();
    let bad = [&good.as_bytes()[..good.len() - 1], b",\"x\":\"\xff\xfe\"}"].concat();
    assert_eq!(refusal(&sign(&KEY, header().to_string(), bad)), NotAuthenticated::Malformed);
    assert_eq!(refusal(&sign(&KEY, b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", &good)), NotAuthenticated::Malformed);
    assert_eq!(refusal(&sign(&KEY, header().to_string(), good.replace('{', ""))), NotAuthenticated::Malformed);
    assert_eq!(refusal(&sign(&KEY, header().to_string(), format!("{good}{good}"))), NotAuthenticated::Malformed);
}

#[test]
fn a_token_has_three_parts_in_base64url_without_padding() {
    let good = token(&claims());
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for bad in [
        format!("{header}.{claims}"),
        header.to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{header}..{signature}"),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}=.{signature}"),
        format!(" {good}"),
        format!("Bearer {good}"),
        format!("{header}.{}é.{signature}", claims),
    ] {
        assert_eq!(refusal(&bad), NotAuthenticated::Malformed, "{bad}");
    }
    for bad in [format!("{good}="), format!("{good}\n"), format!("{good} "), format!("{header}.{claims}.+/{signature}")]
    {
        assert_eq!(refusal(&bad), NotAuthenticated::BadSignature, "{bad}");
    }
    assert_eq!(refusal(""), NotAuthenticated::Missing);
}

#[test]
fn a_token_over_16_kib_is_refused_unread() {
    let padded = |n: usize| token(&claims_with("x", json!("x".repeat(n))));
    let longest = (11_000..12_300).rev().find(|n| padded(*n).len() <= Identity::MAX_LEN).unwrap();
    assert!(now(&padded(longest)).is_ok());
    assert_eq!(refusal(&padded(longest + 3)), NotAuthenticated::TooLarge);
    assert_eq!(refusal(&"a".repeat(Identity::MAX_LEN)), NotAuthenticated::Malformed);
    assert_eq!(refusal(&".".repeat(50_000_000)), NotAuthenticated::TooLarge);
}

#[test]
fn what_is_wrong_at_sight_is_refused_before_any_signature_is_verified() {
    let identity = trusting(vec![issuer()]);
    let look = |token: &str| identity.look(Proof::Bearer(token), None, Time::from_secs(NOW)).err();
    // Signed by nobody the issuer knows: only a look can have refused it.
    let stranger = |header: String, claims: Value| sign(&OTHER_KEY, header, claims.to_string());
    for (token, why) in [
        ("a.b.c".to_owned(), NotAuthenticated::Malformed),
        (stranger(header_with("alg", json!("none")), claims()), NotAuthenticated::WrongAlgorithm),
        (stranger(header_with("alg", json!("RS256")), claims()), NotAuthenticated::WrongAlgorithm),
        (stranger(header_with("kid", json!("k3")), claims()), NotAuthenticated::UnknownKey),
        (stranger(header().to_string(), claims_with("iss", json!("https://o"))), NotAuthenticated::UnknownIssuer),
        (stranger(header().to_string(), claims_with("exp", json!(NOW - 61))), NotAuthenticated::Expired),
        (stranger(header().to_string(), claims_with("nbf", json!(NOW + 61))), NotAuthenticated::NotYetValid),
        (stranger(header().to_string(), claims_with("aud", json!("https://o"))), NotAuthenticated::WrongAudience),
        (stranger(header().to_string(), claims_with("tid", json!("o"))), NotAuthenticated::WrongTenant),
        (stranger(header().to_string(), claims_with("oid", Value::Null)), NotAuthenticated::Malformed),
        (stranger(header_with("kid", json!("k3")), claims_with("exp", json!(0))), NotAuthenticated::Expired),
    ] {
        assert_eq!(look(&token), Some(why), "{token}");
    }
    let forged = stranger(header().to_string(), claims());
    let claimed = identity.look(Proof::Bearer(&forged), None, Time::from_secs(NOW)).unwrap();
    assert_eq!(claimed.client(), None);
    assert_eq!(claimed.prove(), Err(NotAuthenticated::BadSignature));
}

proptest! {
    #[test]
    fn a_token_with_any_character_changed_is_refused(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.=-]") {
        let good = token(&claims());
        let at = at.index(good.len());
        let mut changed = good.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != good);
        prop_assert!(now(&changed).is_err());
    }

    #[test]
    fn a_token_cut_short_or_extended_is_refused(at in any::<prop::sample::Index>(), more in "[A-Za-z0-9_.-]{1,8}") {
        let good = token(&claims());
        prop_assert!(now(&good[..at.index(good.len())]).is_err());
        let longer = format!("{good}{more}");
        prop_assert!(now(&longer).is_err());
    }

    #[test]
    fn nobody_else_can_sign(claim in ".{1,20}") {
        let token = sign(&new_key(), header().to_string(), claims_with("oid", json!(claim)).to_string());
        prop_assert_eq!(refusal(&token), NotAuthenticated::BadSignature);
    }
}
