//! Custodians as Managed HSM's clients have them: a key each, what is sent of it, and what is done with the shares.

use super::b64;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_custody::shares::{Gathering, Quorum};
use keystead_custody::{Certificate, DomainError, DomainSecrets, open_domain, open_share, send_domain};
use keystead_formats::security_domain::SecurityDomain;
use serde_json::{Value, json};

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../../custody/tests/golden/custodians/", $name)).as_slice()
    };
}

const CERTIFICATES: [&[u8]; 4] =
    [file!("1.certificate.der"), file!("2.certificate.der"), file!("3.certificate.der"), file!("4.certificate.der")];
const KEYS: [&[u8]; 4] = [file!("1.key.der"), file!("2.key.der"), file!("3.key.der"), file!("4.key.der")];

/// The JWK of a custodian, from 0.
pub(crate) fn jwk(at: usize) -> Value {
    jwk_of(CERTIFICATES[at])
}

/// The JWK of a certificate, as clients send it; of what is none, only that.
pub(crate) fn jwk_of(der: &[u8]) -> Value {
    let mut jwk = json!({ "kty": "RSA", "key_ops": ["verify", "encrypt", "wrapKey"], "alg": "RSA-OAEP-256",
                          "x5c": [STANDARD.encode(der)] });
    if let Ok(certificate) = Certificate::parse(der) {
        let (n, e) = certificate.public();
        (jwk["n"], jwk["e"]) = (b64(n).into(), b64(e).into());
        jwk["x5t#S256"] = b64(&certificate.thumbprint()).into();
    }
    jwk
}

/// What asks for a security domain that 2 of the first 3 custodians open.
pub(crate) fn download() -> Value {
    json!({ "certificates": [jwk(0), jwk(1), jwk(2)], "required": 2 })
}

/// What these custodians find in a security domain.
pub(crate) fn opened(file: &str, which: &[usize]) -> Result<DomainSecrets, DomainError> {
    let file = SecurityDomain::parse(file.as_bytes()).unwrap();
    let quorum = Quorum::new(file.required.into(), file.shares.len()).unwrap();
    let mut gathering = Gathering::without_digests(quorum);
    for at in which {
        let key = PrivateKey::from_pkcs1(KEYS[*at]).unwrap();
        let thumbprint = keystead_crypto::sha256(&[CERTIFICATES[*at]]);
        let own = file.shares.iter().find(|share| share.thumbprint == thumbprint).ok_or(DomainError::ShareNotOpened)?;
        gathering.add(open_share(own, |cipher| key.decrypt(Scheme::OaepSha256, cipher).ok())?).unwrap();
    }
    open_domain(&file, &gathering)
}

/// The certificate in the answer to `GET /securitydomain/upload`.
pub(crate) fn transfer_key(answer: &Value) -> Certificate {
    let jwk: Value = serde_json::from_str(answer["transfer_key"].as_str().unwrap()).unwrap();
    let certificate = Certificate::parse(&STANDARD.decode(jwk["x5c"][0].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!((jwk["n"].as_str(), jwk["kty"].as_str()), (Some(b64(certificate.public().0).as_str()), Some("RSA")));
    assert_eq!(jwk["x5t#S256"], b64(&certificate.thumbprint()));
    certificate
}

/// The body that uploads a domain to a vault that gave this transfer key.
pub(crate) fn upload(secrets: &DomainSecrets, transfer: &Value) -> Value {
    json!({ "value": send_domain(secrets, &transfer_key(transfer)).unwrap().to_json() })
}
