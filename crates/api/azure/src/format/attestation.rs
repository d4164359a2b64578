//! `KeyAttestation`. A statement of this server, base64url of JSON: what the token said of itself, where the key is, and that
//! no device signed it.

use super::key::attested;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_api_table::{Body, Context};
use keystead_engine::{Assurance, AttestedKey, Description, Standing};
use keystead_model::{Placement, ProtectionLevel, PublicKey};
use serde::Serialize;

/// `attributes.attestation`.
#[derive(Serialize)]
pub(super) struct Attestation {
    #[serde(rename = "certificatePemFile")]
    certificates: String,
    #[serde(rename = "privateKeyAttestation")]
    private: String,
    #[serde(rename = "publicKeyAttestation")]
    public: String,
    version: &'static str,
}

#[derive(Serialize)]
struct Statement<'a> {
    statement: &'static str,
    protection: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<&'static str>,
    /// What PKCS#11 shows of a key that came back into its token: it says nothing of its birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenStatement<'a>>,
}

#[derive(Serialize)]
struct TokenStatement<'a> {
    manufacturer: &'a str,
    model: &'a str,
    serial: &'a str,
    firmware: &'a str,
    self_test: &'static str,
}

const WHOSE: &str = "statement of this server; no device signed it";

/// `KeyBundle` with its attestation.
pub fn key(of: AttestedKey, context: &Context<'_>) -> Body {
    let public = Statement { statement: WHOSE, protection: level(of.key.level), ..Statement::default() };
    let private = statement(&of);
    let attestation = Attestation {
        certificates: encoded(&WHOSE),
        private: encoded(&private),
        public: match of.key.public {
            PublicKey::Symmetric => encoded(&private),
            PublicKey::Ec { .. } | PublicKey::Rsa { .. } => encoded(&public),
        },
        version: "1",
    };
    attested(&of.key, attestation, context)
}

impl Default for Statement<'_> {
    fn default() -> Self {
        Self { statement: WHOSE, protection: "software", placement: None, attributes: None, token: None }
    }
}

fn statement(of: &AttestedKey) -> Statement<'_> {
    let bare = Statement { protection: level(of.key.level), ..Statement::default() };
    match &of.standing {
        Standing::Software => bare,
        Standing::Token { placement: Placement::Resident, token } => Statement {
            placement: Some("resident"),
            attributes: Some("born in the token: sensitive, never extractable"),
            token: token.as_deref().map(told),
            ..bare
        },
        Standing::Token { placement: Placement::Wrapped, token } => Statement {
            placement: Some("wrapped"),
            attributes: Some(
                "wrapped in the token for the vault's wrapping key; CKA_LOCAL is false once it is unwrapped",
            ),
            token: token.as_deref().map(told),
            ..bare
        },
    }
}

fn told(token: &Description) -> TokenStatement<'_> {
    TokenStatement {
        manufacturer: &token.manufacturer,
        model: &token.model,
        serial: &token.serial,
        firmware: &token.firmware,
        self_test: match token.assurance() {
            Assurance::Hardware => "passed: the holder of the PIN gets no stored key",
            Assurance::SoftwareEquivalent => "failed: against the holder of the PIN as software",
            Assurance::ResidentOnly => "the token does not wrap",
        },
    }
}

const fn level(level: ProtectionLevel) -> &'static str {
    match level {
        ProtectionLevel::Software => "software",
        ProtectionLevel::Hsm => "hsm",
    }
}

fn encoded(value: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}
