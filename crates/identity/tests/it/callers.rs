//! Groups, revocations, fetched keys, assertions and certificates.

use crate::support::*;
use keystead_crypto::ec::PrivateKey;
use keystead_identity::{
    By, Callers, CertificateAuthority, Client, Credential, Federation, Identity, NotAuthenticated, NotBefore,
    Principal, Proof, Proven, Published, SubjectName, TrustedIssuer, keys,
};
use keystead_model::Time;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use serde_json::json;
use std::sync::Arc;

const NOW_MS: Time = Time(NOW * 1000);

fn not_before(issuer: &str, subject: Option<&str>, seconds: i64) -> NotBefore {
    NotBefore { issuer: issuer.into(), subject: subject.map(str::to_owned), time: seconds * 1000 }
}

#[test]
fn a_group_is_of_its_issuer_and_never_the_subject_of_the_same_name() {
    let caller = now(&token(&claims_with("groups", json!(["g1", "g2"])))).unwrap().caller;
    assert!(caller.is(&Principal::group(ISS, "g2")) && caller.is(&Principal::new(ISS, OID)));
    for other in [
        Principal::new(ISS, "g2"),
        Principal::group(ISS, OID),
        Principal::group("https://other.example", "g2"),
        Principal::group(ISS, "g3"),
    ] {
        assert!(!caller.is(&other), "{other:?}");
    }
}

#[test]
fn as_many_groups_as_are_counted_fit_into_a_token_by_their_guids() {
    let with = |n: u32| {
        let groups: Vec<String> = (0..n).map(|n| format!("6d0b2a1e-0000-4000-8000-{n:012x}")).collect();
        now(&token(&claims_with("groups", json!(groups)))).map(|p| p.caller.groups().len())
    };
    assert_eq!((with(200), with(256)), (Ok(200), Ok(256)));
    assert_eq!(with(257), Err(NotAuthenticated::Malformed));
}

#[test]
fn an_assertion_names_its_client_before_it_is_proven_and_one_of_nobody_is_refused_at_sight() {
    let named = Federation { iss: ISS.into(), sub: "the-sub".into(), aud: AUD.into() };
    let identity = client(By::Federated(named), None);
    let look = |client: &'static str, assertion: &str| {
        let claimed = identity.look(Proof::ClientAssertion { client, assertion, endpoint: ENDPOINT }, None, NOW_MS)?;
        Ok(claimed.client().map(str::to_owned))
    };
    let forged = sign(&OTHER_KEY, header().to_string(), claims().to_string());
    assert_eq!(look(CLIENT, &forged), Ok(Some(CLIENT.to_owned())));
    assert_eq!(look("nobody", &forged), Err(NotAuthenticated::UnknownClient));
    let elsewhere = token(&claims_with("aud", json!("https://elsewhere.example")));
    assert_eq!(look(CLIENT, &elsewhere), Err(NotAuthenticated::WrongSecret));
}

#[test]
fn tokens_from_before_a_revocation_are_refused_and_so_are_those_that_do_not_say() {
    let with = |list: Vec<NotBefore>| {
        let callers = Callers { not_before: list, ..Callers::default() };
        trusting(vec![issuer()]).with_callers(&callers)
    };
    let refused = |identity: &Identity, token: &str| at(identity, token, NOW_MS).err();
    for list in [vec![not_before(ISS, Some(OID), NOW)], vec![not_before(ISS, None, NOW)]] {
        let identity = with(list);
        assert_eq!(refused(&identity, &token(&claims())), None);
        for old in [json!(NOW - 1), json!(null)] {
            assert_eq!(refused(&identity, &token(&claims_with("iat", old))), Some(NotAuthenticated::Revoked));
        }
    }
    let elsewhere =
        with(vec![not_before(ISS, Some("another"), NOW + 50), not_before("https://o.example", None, NOW + 50)]);
    assert_eq!(refused(&elsewhere, &token(&claims())), None);
}

fn published(key: &PrivateKey, kid: &str, at: Time) -> Published {
    let (x, y) = key.public();
    let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": kid, "x": b64(x), "y": b64(y) }] });
    Published { keys: Arc::new(keys::parse(set.to_string().as_bytes()).unwrap()), at }
}

#[test]
fn published_keys_are_used_only_where_the_policy_names_the_metadata_and_only_for_a_day() {
    let bare = TrustedIssuer { keys: Vec::new(), ..issuer() };
    let named = TrustedIssuer { metadata: Some("https://issuer.example/m".into()), ..bare.clone() };
    let new = published(&KEY, "k1", NOW_MS);
    let good = token(&claims_with("exp", json!(NOW + 10 * 86_400)));
    let unasked = trusting(vec![bare]).with_keys(ISS, new.clone());
    assert_eq!(at(&unasked, &good, NOW_MS), Err(NotAuthenticated::UnknownKey));
    assert!(unasked.fetched_by(Proof::Bearer(&good)).is_none());

    let identity = trusting(vec![named]).with_keys(ISS, new);
    let proven = at(&identity, &good, NOW_MS).unwrap();
    assert_eq!(proven.until, NOW_MS.plus_millis(Published::FRESH_MS), "a withdrawn key must not be remembered longer");
    let day = NOW_MS.plus_millis(Published::GOOD_MS);
    assert!(at(&identity, &good, day.plus_millis(-1)).is_ok());
    assert_eq!(at(&identity, &good, day), Err(NotAuthenticated::UnknownKey));
    assert_eq!(identity.fetched_by(Proof::Bearer(&good)).unwrap().1, Some(NOW_MS));
}

const CLIENT: &str = "0a0a0a0a-1111-4222-8333-444444444444";
const ENDPOINT: &str = "https://vault.example/adfs/oauth2/v2.0/token";

fn client(by: By, expires: Option<i64>) -> Identity {
    let credentials = vec![Credential { id: "c".into(), expires, by }];
    let (id, subject) = (CLIENT.into(), "oid-of-client".into());
    let client = Client { id, subject, credentials, ..Client::default() };
    Identity::new("https://builtin.example".into(), vec![issuer()], vec![client])
}

fn assert_with(identity: &Identity, assertion: &str) -> Result<Proven, NotAuthenticated> {
    identity.authenticate(Proof::ClientAssertion { client: CLIENT, assertion, endpoint: ENDPOINT }, None, NOW_MS)
}

#[test]
fn an_assertion_is_of_the_clients_own_key_for_this_endpoint_short_lived_and_good_once() {
    let (x, y) = OTHER_KEY.public();
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) }).to_string();
    let identity = client(By::Key(jwk.clone()), None);
    let header = json!({ "alg": "ES256", "typ": "JWT" }).to_string();
    let claims = json!({ "iss": CLIENT, "sub": CLIENT, "aud": ENDPOINT, "jti": "1", "exp": NOW + 300 });
    let proven = assert_with(&identity, &sign(&OTHER_KEY, &header, claims.to_string())).unwrap();
    assert!(proven.once.is_some() && proven.caller.is_built_in_client());
    assert_eq!(proven.caller.principal().subject(), "oid-of-client");
    for (name, value, why) in [
        ("aud", json!("https://elsewhere.example"), NotAuthenticated::WrongAudience),
        ("aud", json!([ENDPOINT, "https://elsewhere.example"]), NotAuthenticated::WrongAudience),
        ("sub", json!("another"), NotAuthenticated::WrongSecret),
        ("iss", json!("another"), NotAuthenticated::UnknownIssuer),
        ("exp", json!(NOW - 61), NotAuthenticated::Expired),
        ("exp", json!(NOW + 3600), NotAuthenticated::Replayed),
        ("jti", json!(null), NotAuthenticated::Malformed),
    ] {
        let mut bad = claims.clone();
        bad[name] = value;
        if bad[name].is_null() {
            bad.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(assert_with(&identity, &sign(&OTHER_KEY, &header, bad.to_string())), Err(why), "{name}");
    }
    let stranger = sign(&KEY, &header, claims.to_string());
    assert_eq!(assert_with(&identity, &stranger), Err(NotAuthenticated::WrongSecret));
    let ended = client(By::Key(jwk), Some(NOW * 1000));
    let late = sign(&OTHER_KEY, &header, claims.to_string());
    assert_eq!(assert_with(&ended, &late), Err(NotAuthenticated::WrongSecret));
}

#[test]
fn a_federated_token_counts_only_with_exactly_the_named_issuer_subject_and_audience() {
    let named = Federation { iss: ISS.into(), sub: "the-sub".into(), aud: AUD.into() };
    let of = |f: Federation| assert_with(&client(By::Federated(f), None), &token(&claims()));
    assert!(of(named.clone()).unwrap().once.is_none());
    for other in [
        Federation { iss: format!("{ISS}x"), ..named.clone() },
        Federation { sub: OID.into(), ..named.clone() },
        Federation { aud: format!("{AUD}/"), ..named.clone() },
    ] {
        assert_eq!(of(other).err(), Some(NotAuthenticated::WrongSecret));
    }
    let forged = sign(&OTHER_KEY, header().to_string(), claims().to_string());
    let identity = client(By::Federated(named), None);
    assert_eq!(assert_with(&identity, &forged).err(), Some(NotAuthenticated::BadSignature));
}

pub(crate) struct Ca {
    pub(crate) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

pub(crate) fn ca() -> Ca {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Ca { der, issuer: Issuer::new(params, key) }
}

/// Good for a day around [`NOW`] unless `from` says otherwise.
fn leaf(ca: &Ca, names: &[&str], usage: Vec<ExtendedKeyUsagePurpose>, from: i64) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|n| SanType::DnsName((*n).try_into().unwrap())).collect();
    params.extended_key_usages = usage;
    let since = std::time::UNIX_EPOCH + std::time::Duration::from_secs(from as u64);
    params.not_before = since.into();
    params.not_after = (since + std::time::Duration::from_secs(86_400)).into();
    params.signed_by(&KeyPair::generate().unwrap(), &ca.issuer).unwrap().der().to_vec()
}

fn vouching(ca: &Ca, only: Vec<[u8; 32]>) -> CertificateAuthority {
    CertificateAuthority { certificate: ca.der.clone(), subject: SubjectName::Dns, only }
}

fn show(callers: &Callers, chain: &[Vec<u8>]) -> Result<Proven, NotAuthenticated> {
    trusting(Vec::new()).with_callers(callers).authenticate(Proof::Certificate(chain), None, NOW_MS)
}

#[test]
fn a_certificate_is_its_one_name_under_its_authority_and_is_checked_in_full() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let (own, other) = (ca(), ca());
    let callers = Callers { authorities: vec![vouching(&own, Vec::new())], ..Callers::default() };
    let good = leaf(&own, &["a.example"], vec![ClientAuth], NOW - 3600);
    let proven = show(&callers, std::slice::from_ref(&good)).unwrap();
    assert_eq!(*proven.caller.principal(), Principal::new(callers.authorities[0].issuer(), "a.example"));
    for (what, bad) in [
        ("another authority", leaf(&other, &["a.example"], vec![ClientAuth], NOW - 3600)),
        ("for servers", leaf(&own, &["a.example"], vec![ServerAuth], NOW - 3600)),
        ("for nothing named", leaf(&own, &["a.example"], Vec::new(), NOW - 3600)),
        ("expired", leaf(&own, &["a.example"], vec![ClientAuth], NOW - 90_000)),
        ("not yet valid", leaf(&own, &["a.example"], vec![ClientAuth], NOW + 60)),
        ("two names", leaf(&own, &["a.example", "b.example"], vec![ClientAuth], NOW - 3600)),
        ("no name", leaf(&own, &[], vec![ClientAuth], NOW - 3600)),
        ("a wildcard", leaf(&own, &["*.example"], vec![ClientAuth], NOW - 3600)),
    ] {
        assert_eq!(show(&callers, &[bad]).err(), Some(NotAuthenticated::UntrustedCertificate), "{what}");
    }
    assert_eq!(show(&callers, &[]).err(), Some(NotAuthenticated::Missing));
    assert_eq!(show(&callers, &vec![good.clone(); 9]).err(), Some(NotAuthenticated::TooLarge));
    assert_eq!(show(&callers, &[b"junk".to_vec()]).err(), Some(NotAuthenticated::Malformed));

    let print = keystead_crypto::sha256(&[&good]);
    for (only, fits) in [(vec![print], true), (vec![[0; 32]], false)] {
        let pinned = Callers { authorities: vec![vouching(&own, only)], ..Callers::default() };
        assert_eq!(show(&pinned, std::slice::from_ref(&good)).is_ok(), fits);
    }
}

#[test]
fn certificates_from_before_a_revocation_are_refused_and_later_ones_are_not() {
    let own = ca();
    let authority = vouching(&own, Vec::new());
    let revocation = not_before(&authority.issuer(), Some("a.example"), NOW - 1800);
    let callers = Callers { authorities: vec![authority], not_before: vec![revocation] };
    let usage = || vec![ExtendedKeyUsagePurpose::ClientAuth];
    let old = leaf(&own, &["a.example"], usage(), NOW - 3600);
    assert_eq!(show(&callers, &[old]).err(), Some(NotAuthenticated::Revoked));
    assert!(show(&callers, &[leaf(&own, &["a.example"], usage(), NOW - 1200)]).is_ok());
    assert!(show(&callers, &[leaf(&own, &["b.example"], usage(), NOW - 3600)]).is_ok());
}

#[test]
fn a_newer_certificate_between_does_not_make_an_old_one_of_a_client_count_again() {
    let (own, between) = (ca(), KeyPair::generate().unwrap());
    let authority = vouching(&own, Vec::new());
    let revocation = not_before(&authority.issuer(), Some("a.example"), NOW - 1800);
    let revoked = Callers { authorities: vec![authority.clone()], not_before: vec![revocation] };
    let believed = Callers { authorities: vec![authority], ..Callers::default() };
    // The same name and key, certified again after the revocation.
    let renewed = |from: i64| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(rcgen::DnType::CommonName, "between");
        params.not_before = (std::time::UNIX_EPOCH + std::time::Duration::from_secs(from as u64)).into();
        let der = params.signed_by(&between, &own.issuer).unwrap().der().to_vec();
        Ca { der, issuer: Issuer::new(params, KeyPair::from_pem(&between.serialize_pem()).unwrap()) }
    };
    let (older, newer) = (renewed(NOW - 7200), renewed(NOW - 600));
    let usage = || vec![ExtendedKeyUsagePurpose::ClientAuth];
    let old = leaf(&older, &["a.example"], usage(), NOW - 3600);
    let new = leaf(&newer, &["a.example"], usage(), NOW - 300);
    for above in [&older, &newer] {
        let chain = [old.clone(), above.der.clone()];
        assert!(show(&believed, &chain).is_ok());
        assert_eq!(show(&revoked, &chain).err(), Some(NotAuthenticated::Revoked));
        assert!(show(&revoked, &[new.clone(), above.der.clone()]).is_ok());
    }
}
