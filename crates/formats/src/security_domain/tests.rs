use super::*;
use crate::jwe::{Body, Protected};

fn encrypted(alg: Alg, kid: &str) -> Jwe {
    let encrypted_key = if alg == Alg::Dir { Vec::new() } else { vec![1; 256] };
    let body = Body { encrypted_key, iv: [2; 16], ciphertext: vec![3; 32], tag: [4; 32] };
    Jwe::new(Protected::new(alg, kid), body)
}

fn key(number: u8) -> WrappedKey {
    WrappedKey { thumbprint: [number; 32], value: encrypted(Alg::RsaOaep256, "not used") }
}

fn datum(tag: &str) -> Datum {
    Datum { tag: tag.to_owned(), value: encrypted(Alg::Dir, tag) }
}

pub(crate) fn domain(custodians: u8) -> SecurityDomain {
    SecurityDomain { data: vec![datum("a"), datum("b")], shares: (0..custodians).map(key).collect(), required: 2 }
}

pub(crate) fn blob() -> RestoreBlob {
    RestoreBlob { data: vec![datum("a")], key: key(1) }
}

fn refused(from: &str, to: &str) -> BadSecurityDomain {
    let json = domain(3).to_json();
    let other = json.replacen(from, to, 1);
    assert_ne!(json, other, "{from}");
    SecurityDomain::parse(other.as_bytes()).unwrap_err()
}

#[test]
fn what_is_written_is_read_again() {
    for custodians in [3, 10] {
        let domain = domain(custodians);
        assert_eq!(SecurityDomain::parse(domain.to_json().as_bytes()), Ok(domain));
    }
    assert_eq!(RestoreBlob::parse(blob().to_json().as_bytes()), Ok(blob()));
    assert_eq!(domain(3).datum("b"), Some(&encrypted(Alg::Dir, "b")));
    assert_eq!((domain(3).datum("c"), blob().datum("b")), (None, None));
}

#[test]
fn more_members_and_padding_are_tolerated() {
    let json = domain(3).to_json();
    let more = json.replacen("\"version\":2", "\"version\":2,\"more\":[1]", 1);
    assert_eq!(SecurityDomain::parse(more.as_bytes()), Ok(domain(3)));
    let thumbprint = URL_SAFE_NO_PAD.encode([0; 32]);
    let padded = json.replacen(&thumbprint, &format!("{thumbprint}="), 1);
    assert_eq!(SecurityDomain::parse(padded.as_bytes()), Ok(domain(3)));
}

#[test]
fn anything_else_is_refused_by_name() {
    let thumbprint = |number: u8| format!("\"x5t_256\":\"{}\"", URL_SAFE_NO_PAD.encode([number; 32]));
    for (from, to, why) in [
        ("\"version\":2", "\"version\":3", BadSecurityDomain::Unknown),
        ("sp108_kdf", "hkdf", BadSecurityDomain::Unknown),
        ("shamir_share", "feldman", BadSecurityDomain::Unknown),
        ("\"required\":2", "\"required\":1", BadSecurityDomain::Custodians),
        ("\"required\":2", "\"required\":4", BadSecurityDomain::Custodians),
        ("\"required\":2", "\"required\":256", BadSecurityDomain::NotOne),
        ("\"required\":2", "\"required\":2,\"required\":2", BadSecurityDomain::NotOne),
        ("\"SharedKeys\"", "\"Shared\"", BadSecurityDomain::NotOne),
        ("{", "", BadSecurityDomain::NotOne),
        ("\"tag\":\"b\"", "\"tag\":\"a\"", BadSecurityDomain::Data),
        ("\"tag\":\"b\"", "\"tag\":\"\"", BadSecurityDomain::Data),
        (&thumbprint(1), &thumbprint(0), BadSecurityDomain::Custodians),
        (&thumbprint(1), "\"x5t_256\":\"AQ\"", BadSecurityDomain::Thumbprint),
        (&thumbprint(1), "\"x5t_256\":\"*\"", BadSecurityDomain::Thumbprint),
        (&encrypted(Alg::Dir, "a").to_compact(), "a.b", BadSecurityDomain::Value(BadJwe::NotCompact)),
        (&encrypted(Alg::Dir, "a").to_compact(), &key(1).value.to_compact(), BadSecurityDomain::Place),
        (&key(1).value.to_compact(), &encrypted(Alg::Dir, "a").to_compact(), BadSecurityDomain::Place),
    ] {
        assert_eq!(refused(from, to), why, "{to}");
    }
    for custodians in [0, 2, 11] {
        let json = domain(custodians).to_json();
        assert_eq!(SecurityDomain::parse(json.as_bytes()), Err(BadSecurityDomain::Custodians));
    }
    let none = SecurityDomain { data: Vec::new(), ..domain(3) };
    assert_eq!(SecurityDomain::parse(none.to_json().as_bytes()), Err(BadSecurityDomain::Data));
    let many = RestoreBlob { data: (0..17).map(|n| datum(&n.to_string())).collect(), ..blob() };
    assert_eq!(RestoreBlob::parse(many.to_json().as_bytes()), Err(BadSecurityDomain::Data));
    let long = vec![b' '; MAX_SECURITY_DOMAIN + 1];
    assert_eq!(SecurityDomain::parse(&long), Err(BadSecurityDomain::TooLarge));
    assert_eq!(RestoreBlob::parse(domain(3).to_json().as_bytes()), Err(BadSecurityDomain::NotOne));
}
