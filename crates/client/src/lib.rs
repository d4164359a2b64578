//! A small client of Keystead's REST APIs: keys as in Azure Key Vault, the audit, and the operator's socket.
//!
//! What it promises:
//! - a credential goes to the vault it was given for and to the authority that vault may name, over TLS, and nowhere
//!   else: no redirect is followed, no link to another host is opened
//! - each call ends within its deadline, and holds no more of an answer than its bound
//! - each answer brings its receipt ([`Done`], [`ClientError::Refused`])
//!
//! ```no_run
//! # async fn example(ca: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
//! use keystead_client::{Client, Config, CreateKey, Credential};
//! use keystead_model::{KeyRef, KeySpec, Name, SignAlgorithm};
//!
//! let credential = Credential::client_secret("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "the secret".to_owned());
//! let client = Client::new(Config { ca_pem: Some(ca), ..Config::new("https://dev.localhost:8443", credential) })?;
//! let name = Name::parse("signing")?;
//! client.create_key(&name, &CreateKey::of(KeySpec::EcP256)).await?;
//! let key = KeyRef { name, version: None };
//! let signed = client.sign(&key, SignAlgorithm::Es256, &[0; 32]).await?;
//! println!("{} {:?}", signed.value.kid, signed.receipt);
//! # Ok(()) }
//! ```
//!
//! - `client`: calls with a credential        - `operator`: calls over the unix socket
//! - `keys`, `lifecycle`, `roles`, `audit`, `policy`, `approval`, `clock`, `ready`: the calls
//! - `wire`, `operation`: what they send and read
//! - `line`: a stream for an audit sink     - `collector`: telemetry on its way out
//! - `token`, `challenge`, `form`: logging in - `transport`, `tls`, `pool`: connections

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod approval;
mod audit;
mod backup;
mod base64url;
mod challenge;
mod client;
mod clock;
mod collector;
mod error;
mod form;
mod keys;
mod lifecycle;
mod line;
mod operation;
mod operator;
mod policy;
mod pool;
mod ready;
mod reply;
mod roles;
mod tls;
mod token;
mod transport;
mod wire;

pub use audit::LogInfo;
pub use backup::{BackupFault, BackupJob, BackupPlace, ListedJob};
pub use client::{API_VERSION, Client, Config, Proposing};
pub use clock::{ClockDoubt, ClockState};
pub use collector::Collector;
pub use error::ClientError;
pub use lifecycle::{ActionType, ImportKey, LifetimeAction, PolicyAttributes, PrivateJwk, RotationPolicy, Trigger};
pub use line::{Trust, tcp_line, tls_line};
pub use operation::{Ciphertext, Plaintext, Sealed, Signature};
pub use operator::{
    AnswerInfo, AnsweredInfo, AskedInfo, CopyInfo, ErasedInfo, Finding, Findings, OfferInfo, OperatorClient, PathInfo,
    PathReport, VaultInfo,
};
pub use policy::PolicyPart;
pub use ready::{Readiness, Reason};
pub use reply::Done;
pub use roles::{AssignmentProperties, RoleAssignment, RoleDefinition, RolePermission, RoleProperties, Setting};
pub use token::Credential;
pub use wire::{
    CreateKey, DeletedKeyBundle, DeletedKeyItem, Jwk, KeyAttributes, KeyBundle, KeyItem, NextLink, Page, SetAttributes,
    UpdateKey,
};

/// Entry points for the fuzz targets: none of them may panic.
#[doc(hidden)]
pub mod fuzz {
    use bytes::Bytes;
    use hyper::{HeaderMap, Response, StatusCode};

    /// A `WWW-Authenticate` header.
    pub fn challenge(input: &[u8]) {
        let _ = crate::challenge::Challenge::parse(&String::from_utf8_lossy(input));
    }

    /// The body of a refusal.
    pub fn error_body(input: &[u8]) {
        let _ = crate::error::refused(StatusCode::FORBIDDEN, &HeaderMap::new(), input);
    }

    /// Bodies of answers about keys.
    pub fn key_bodies(input: &[u8]) {
        let _ = serde_json::from_slice::<crate::DeletedKeyBundle>(input).map(|b| b.bundle.key.public());
        let _ = serde_json::from_slice::<crate::Page<crate::KeyItem>>(input);
        let _ = serde_json::from_slice::<crate::operation::OperationResult>(input);
        let _ = serde_json::from_slice::<crate::RotationPolicy>(input);
    }

    /// A private key to be imported: what is taken is written as it was read.
    pub fn private_jwk(input: &[u8]) {
        if let Some(key) = crate::PrivateJwk::parse(input) {
            assert!(serde_json::to_vec(&key).is_ok_and(|text| crate::PrivateJwk::parse(&text).is_some()));
        }
    }

    /// What an authority answers to a login, well or not.
    pub fn token_answer(input: &[u8]) {
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
            let mut reply = Response::new(Bytes::copy_from_slice(input));
            *reply.status_mut() = status;
            let _ = crate::token::read_token("localhost:8443", &reply);
        }
    }

    /// Bodies of answers about readiness, vaults, roles, settings and logs.
    pub fn other_bodies(input: &[u8]) {
        let _ = serde_json::from_slice::<crate::Readiness>(input);
        let _ = serde_json::from_slice::<crate::operator::Vaults>(input);
        let _ = serde_json::from_slice::<crate::Page<crate::RoleDefinition>>(input);
        let _ = serde_json::from_slice::<crate::Page<crate::RoleAssignment>>(input);
        let _ = serde_json::from_slice::<crate::roles::Settings>(input);
        let _ = serde_json::from_slice::<crate::audit::Logs>(input);
        let _ = serde_json::from_slice::<crate::BackupJob>(input);
        let _ = serde_json::from_slice::<crate::backup::Jobs>(input);
    }
}
