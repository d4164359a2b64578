//! Commands on built-in clients and their credentials.

mod add_credential;
mod create;
mod remove;
mod remove_credential;

pub use add_credential::AddCredential;
pub use create::CreateClient;
pub use remove::RemoveClient;
pub use remove_credential::RemoveCredential;

use crate::error::Refusal;
use crate::room::Room;
use keystead_identity::{By, Callers, Client, Credential, Federation, secret_digest};
use keystead_model::Time;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// A credential to be.
#[derive(Clone)]
pub enum NewCredential {
    /// A secret, made here and shown once.
    Secret,
    /// A key of the client's own: its public half, a JWK.
    Key(String),
    /// A token of another issuer that the vault trusts.
    Federated(Federation),
}

impl NewCredential {
    /// As approvers see it. A secret is made once it is added.
    fn shown(&self) -> Value {
        match self {
            Self::Secret => json!("secret"),
            Self::Key(jwk) => json!({ "key": jwk }),
            Self::Federated(f) => json!({ "federated": f }),
        }
    }
}

/// A client, and what is shown once.
pub struct CreatedClient {
    /// As the policy has it.
    pub client: Client,
    /// Id of the new credential, if one was made.
    pub credential: Option<String>,
    /// The new secret, if one was made.
    pub secret: Option<Zeroizing<String>>,
}

/// Makes a credential, and the secret if it is one: 256 random bits.
fn make(new: &NewCredential, expires: Option<Time>, room: &Room<'_>) -> Result<(Credential, Secret), Refusal> {
    if expires.is_some_and(|end| end <= room.at.now) {
        return Err(Refusal::BadDates);
    }
    let (by, secret) = match new {
        NewCredential::Secret => {
            let bits = Zeroizing::new(keystead_crypto::random::<32>());
            let secret = Zeroizing::new(hex::encode(*bits));
            (By::Secret(secret_digest(&secret)), Some(secret))
        }
        NewCredential::Key(jwk) => (By::Key(jwk.clone()), None),
        NewCredential::Federated(f) => (By::Federated(f.clone()), None),
    };
    Ok((Credential { id: guid(), expires: expires.map(|end| end.0), by }, secret))
}

type Secret = Option<Zeroizing<String>>;

/// A random GUID (RFC 9562, version 4).
fn guid() -> String {
    let bytes = u128::from_be_bytes(keystead_crypto::random());
    let bits = (bytes & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// The client of this id.
fn find<'a>(clients: &'a mut [Client], id: &str) -> Result<&'a mut Client, Refusal> {
    let same = |c: &&mut Client| c.id.eq_ignore_ascii_case(id);
    clients.iter_mut().find(same).ok_or(Refusal::NotInPolicy { what: "client" })
}

/// The first whole second after now: tokens say whole seconds, and what was issued in this one is to be refused.
pub(super) fn next_second(now: Time) -> Time {
    Time::from_secs(now.secs().saturating_add(1))
}

/// Refuses the tokens that the vault issued to this subject before a time. What was refused before the oldest token
/// that can still be good is forgotten, so that the list does not grow with each client that goes.
pub(super) fn end_tokens(callers: &mut Callers, subject: &str, before: Time, room: &Room<'_>) {
    const DAY_AND_HOUR_MS: i64 = 25 * 3_600_000;
    let (issuer, now) = (room.open().issuer.info().iss, room.at.now);
    callers.forget(&issuer, now.plus_millis(DAY_AND_HOUR_MS.saturating_neg()));
    callers.revoke(&issuer, Some(subject), before);
}
