//! Ways in for fuzzing: any bytes, never a panic.

use crate::bearer::{Unproven, check_claims};
use crate::object::Object;
use crate::{Client, Identity, IssuerKey, Proof, TrustedIssuer, secret_digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keystead_model::Time;

const ISSUER: &str = "https://issuer.example";

fn issuer() -> TrustedIssuer {
    TrustedIssuer {
        iss: ISSUER.to_owned(),
        audiences: vec!["https://vault.example".to_owned()],
        tenant: Some("t".to_owned()),
        subject_claim: "oid".to_owned(),
        keys: vec![IssuerKey { kid: "k".to_owned(), x: [1; 32], y: [2; 32] }],
        ..TrustedIssuer::default()
    }
}

/// A token, or a client's id and secret with a line feed between.
pub fn authenticate(data: &[u8]) {
    let client = Client {
        id: "c".to_owned(),
        name: "c".to_owned(),
        subject: "s".to_owned(),
        secrets: vec![secret_digest("right")],
        ..Client::default()
    };
    let identity = Identity::new(ISSUER.to_owned(), vec![issuer()], vec![client]);
    let text = String::from_utf8_lossy(data);
    let (client, secret) = text.split_once('\n').unwrap_or((&text, ""));
    let _ = identity.authenticate(Proof::Bearer(&text), None, Time(0));
    let _ = identity.authenticate(Proof::ClientSecret { client, secret }, None, Time(0));
}

/// A token's header in JSON, before base64url.
pub fn header(data: &[u8]) {
    let _ = Unproven::parse(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(data)));
}

/// A token's claims in JSON, as if their signature had been good.
pub fn claims(data: &[u8]) {
    if let Ok(claims) = Object::parse(data) {
        let _ = check_claims(&claims, &issuer(), Time(0));
    }
}

/// What an issuer publishes: its metadata and its keys.
pub fn published(data: &[u8]) {
    let _ = crate::discovery::keys_url(data, ISSUER);
    let _ = crate::keys::parse(data);
    let _ = crate::keys::parse_one(data);
}

/// A client's certificate, and one that vouches for it.
pub fn certificate(data: &[u8]) {
    let (own, above) = data.split_at(data.len() / 2);
    let authority = |certificate: &[u8]| crate::CertificateAuthority {
        certificate: certificate.to_vec(),
        subject: crate::SubjectName::Dns,
        only: Vec::new(),
    };
    let callers = crate::Callers { authorities: vec![authority(data), authority(above)], not_before: Vec::new() };
    let identity = Identity::new(ISSUER.to_owned(), Vec::new(), Vec::new()).with_callers(&callers);
    for chain in [vec![data.to_vec()], vec![own.to_vec(), above.to_vec()]] {
        let _ = identity.authenticate(Proof::Certificate(&chain), None, Time(0));
    }
}

/// An issuer and a client as they are stored.
pub fn stored(data: &[u8]) {
    let _ = minicbor::decode::<TrustedIssuer>(data);
    let _ = minicbor::decode::<Client>(data);
    let _ = minicbor::decode::<crate::Callers>(data);
}
