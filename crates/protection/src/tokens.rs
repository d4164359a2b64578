//! The HSM side of protection: the tokens that serve a vault. The first that answers does the work; what one made and
//! wrapped, the others of its class unwrap.

use crate::{ImportError, KeyError, NewKey};
use keystead_crypto::rsa::{self, Scheme};
use keystead_hsm::{
    Call, Client, Description, Destination, Held, HsmError, KeyId, Owner, Parts, Reply, Stored, TokenState,
};
use keystead_model::{CipherAlgorithm, Curve, KeySpec, Placement, PublicKey, SignAlgorithm};
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// A vault's tokens, in the order in which they are asked. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    clients: Arc<[Client]>,
    owner: Owner,
    wrapping: KeyId,
    to: Destination,
}

/// A key that a token made or took.
pub(crate) struct Made {
    pub(crate) public: PublicKey,
    pub(crate) stored: Stored,
}

impl Tokens {
    /// These tokens, for the vault of this id, whose wrapping key has that id.
    pub fn new(clients: Vec<Client>, vault: [u8; 16], wrapping: [u8; 16], placement: Placement) -> Self {
        let (owner, wrapping) = (Owner(vault), KeyId(wrapping));
        let to = match placement {
            Placement::Resident => Destination::Resident(owner),
            Placement::Wrapped => Destination::Wrapped(wrapping),
        };
        Self { clients: clients.into(), owner, wrapping, to }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.clients.iter().map(Client::name)
    }

    /// Whether one of them may answer.
    pub fn are_there(&self) -> bool {
        self.clients.iter().any(|client| away(client).is_none())
    }

    /// What each is, or why that is not known now.
    pub async fn describe(&self, by: Instant) -> Vec<(String, Result<Description, KeyError>)> {
        let mut all = Vec::with_capacity(self.clients.len());
        for client in self.clients.iter() {
            let found = match client.call(Call::Describe, by).await {
                Ok(Reply::Description(found)) => Ok(*found),
                Ok(_) => Err(KeyError::Stopped),
                Err(e) => Err(failed(e, ADMIN)),
            };
            all.push((client.name().to_owned(), found));
        }
        all
    }

    /// The names of those that do not hold the wrapping key.
    pub async fn without_wrapping_key(&self, by: Instant) -> Result<Vec<String>, KeyError> {
        let mut without = Vec::new();
        for client in self.clients.iter() {
            match asked(client, Call::HoldsWrapping(self.wrapping), by).await? {
                Reply::Holds(true) => {}
                Reply::Holds(false) => without.push(client.name().to_owned()),
                _ => return Err(KeyError::Stopped),
            }
        }
        Ok(without)
    }

    /// Gives the token of this name the vault's wrapping key, wrapped for a transfer key that is made in it for this.
    pub async fn give(&self, token: &str, key: &[u8; 32], by: Instant) -> Result<(), KeyError> {
        let client = self.named(token)?;
        let Reply::Transfer { public, sha256 } = asked(client, Call::TransferKey, by).await? else {
            return Err(KeyError::Stopped);
        };
        let PublicKey::Rsa { n, e } = public else { return Err(KeyError::Stopped) };
        let scheme = if sha256 { Scheme::OaepSha256 } else { Scheme::OaepSha1 };
        let wrapped = rsa::encrypt_to(&n, &e, scheme, key)?;
        done(asked(client, Call::InstallWrapping { id: self.wrapping, wrapped }, by).await?)
    }

    pub(crate) async fn generate(&self, id: KeyId, key: NewKey, by: Instant) -> Result<Made, KeyError> {
        let call = Call::Generate { id, spec: key.spec, exponent: key.exponent, to: self.to };
        made(self.once(call, by).await, kind(key.spec))
    }

    pub(crate) async fn import(
        &self,
        id: KeyId,
        spec: KeySpec,
        parts: Parts,
        by: Instant,
    ) -> Result<Made, ImportError> {
        let call = Call::Import { id, spec, parts, to: self.to };
        made(self.once(call, by).await, kind(spec)).map_err(ImportError::from)
    }

    /// Takes a key that came wrapped under one of the vault's own, which is used inside the token.
    pub(crate) async fn import_wrapped(
        &self,
        id: KeyId,
        spec: KeySpec,
        kek: Held,
        wrapped: Vec<u8>,
        by: Instant,
    ) -> Result<Made, KeyError> {
        let call = Call::ImportWrapped { id, spec, kek, wrapped, to: self.to };
        made(self.once(call, by).await, kind(spec))
    }

    pub(crate) async fn sign(
        &self,
        key: &Held,
        algorithm: SignAlgorithm,
        digest: &[u8],
        by: Instant,
    ) -> Result<Vec<u8>, KeyError> {
        match self
            .any(|| Call::Sign { key: key.clone(), algorithm, digest: digest.to_vec() }, algorithm.wire(), by)
            .await?
        {
            Reply::Bytes(signature) => Ok(signature),
            _ => Err(KeyError::Stopped),
        }
    }

    pub(crate) async fn encrypt(
        &self,
        key: &Held,
        algorithm: CipherAlgorithm,
        data: &[u8],
        (iv, aad): (&[u8], &[u8]),
        by: Instant,
    ) -> Result<crate::Encrypted, KeyError> {
        let call = || Call::Encrypt {
            key: key.clone(),
            algorithm,
            data: Zeroizing::new(data.to_vec()),
            iv: iv.to_vec(),
            aad: aad.to_vec(),
        };
        match self.any(call, algorithm.wire(), by).await? {
            Reply::Encrypted { value, iv: made, tag } => {
                let tag = tag.map(|tag| tag.try_into().map_err(|_| KeyError::Stopped)).transpose()?;
                let iv = made.or_else(|| (!iv.is_empty()).then(|| iv.to_vec()));
                Ok(crate::Encrypted { value, iv, tag })
            }
            _ => Err(KeyError::Stopped),
        }
    }

    pub(crate) async fn decrypt(
        &self,
        key: &Held,
        algorithm: CipherAlgorithm,
        data: &[u8],
        (iv, tag, aad): (&[u8], &[u8], &[u8]),
        by: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let call = || Call::Decrypt {
            key: key.clone(),
            algorithm,
            data: data.to_vec(),
            iv: iv.to_vec(),
            tag: tag.to_vec(),
            aad: aad.to_vec(),
        };
        match self.any(call, algorithm.wire(), by).await? {
            Reply::Plain(plain) => Ok(plain),
            _ => Err(KeyError::Stopped),
        }
    }

    /// Random bytes of a token.
    pub async fn random(&self, count: u8, by: Instant) -> Result<Vec<u8>, KeyError> {
        match self.any(|| Call::Random { count }, "random bytes", by).await? {
            Reply::Bytes(bytes) => Ok(bytes),
            _ => Err(KeyError::Stopped),
        }
    }

    /// The ids of the vault's resident keys in the token of this name.
    pub async fn residents(&self, token: &str, by: Instant) -> Result<Vec<[u8; 16]>, KeyError> {
        match asked(self.named(token)?, Call::Residents(self.owner), by).await? {
            Reply::Ids(ids) => Ok(ids.into_iter().map(|id| id.0).collect()),
            _ => Err(KeyError::Stopped),
        }
    }

    /// Destroys a resident key of the vault's in the token of this name, if it is there.
    pub async fn destroy(&self, token: &str, id: [u8; 16], by: Instant) -> Result<(), KeyError> {
        done(asked(self.named(token)?, Call::Destroy(self.owner, KeyId(id)), by).await?)
    }

    fn named(&self, token: &str) -> Result<&Client, KeyError> {
        self.clients.iter().find(|client| client.name() == token).ok_or(KeyError::TokenAway)
    }

    /// The first token that takes the call does it. It is made once: what may have been done is not done again. A token
    /// without the keys that the call needs did nothing.
    async fn once(&self, call: Call, by: Instant) -> Result<Reply, HsmError> {
        let mut last = HsmError::Down { why: "no token serves this vault".to_owned() };
        for client in self.clients.iter() {
            if let Some(why) = away(client) {
                last = why;
                continue;
            }
            match client.call(call.clone(), by).await {
                Err(e @ (HsmError::NoWrappingKey | HsmError::NoSuchKey)) => last = e,
                done => return done,
            }
        }
        Err(last)
    }

    /// The tokens that are not known to be away are asked in turn until one can answer. Each leaves the others a share
    /// of the time: a token that hangs is no reason to answer nothing.
    async fn any(&self, call: impl Fn() -> Call, what: &'static str, by: Instant) -> Result<Reply, KeyError> {
        let there: Vec<&Client> = self.clients.iter().filter(|client| away(client).is_none()).collect();
        let (mut last, mut left) = (KeyError::TokenAway, there.len());
        for client in there {
            let until = share(now(), by, left);
            left = left.saturating_sub(1);
            match client.call(call(), until).await {
                Err(e) if left > 0 && (passes_on(&e) || e == HsmError::Deadline) => last = failed(e, what),
                other => return other.map_err(|e| failed(e, what)),
            }
        }
        Err(last)
    }
}

/// Why a token is not worth asking now. One that starts is.
fn away(client: &Client) -> Option<HsmError> {
    match client.state() {
        TokenState::Starting | TokenState::Ready => None,
        TokenState::Down { why, .. } => Some(why),
        TokenState::Refused => Some(HsmError::PinRefused),
    }
}

/// Until when the first of so many may take if all get the same.
fn share(now: Instant, by: Instant, among: usize) -> Instant {
    let among = u32::try_from(among).unwrap_or(u32::MAX).max(1);
    let part = by.saturating_duration_since(now).checked_div(among).unwrap_or_default();
    if among == 1 { by } else { now.checked_add(part).unwrap_or(by) }
}

#[expect(clippy::disallowed_methods, reason = "what is left of the deadline is shared where a token is asked")]
fn now() -> Instant {
    Instant::now()
}

/// What the keeping of keys asks, rather than their use.
const ADMIN: &str = "what the vault needs of it";

async fn asked(client: &Client, call: Call, by: Instant) -> Result<Reply, KeyError> {
    client.call(call, by).await.map_err(|e| failed(e, ADMIN))
}

/// Whether another token may do better.
const fn passes_on(e: &HsmError) -> bool {
    matches!(
        e,
        HsmError::Busy
            | HsmError::Down { .. }
            | HsmError::NoWrappingKey
            | HsmError::NoSuchKey
            | HsmError::PinRefused
            | HsmError::Setting { .. }
            | HsmError::Failed { .. }
    )
}

/// A kind of key, as a refusal names it: a token may have one curve and not the other.
fn kind(spec: KeySpec) -> &'static str {
    spec.curve().map_or(spec.kty(), Curve::wire)
}

fn made(reply: Result<Reply, HsmError>, what: &'static str) -> Result<Made, KeyError> {
    match reply.map_err(|e| failed(e, what))? {
        Reply::Made { public, stored } => Ok(Made { public, stored }),
        _ => Err(KeyError::Stopped),
    }
}

fn done(reply: Reply) -> Result<(), KeyError> {
    if reply == Reply::Done { Ok(()) } else { Err(KeyError::Stopped) }
}

/// What a token refused, `what` being the algorithm or kind of key that was asked for.
fn failed(e: HsmError, what: &'static str) -> KeyError {
    match e {
        HsmError::Busy => KeyError::Busy,
        HsmError::Deadline => KeyError::Deadline,
        HsmError::NotSupported { .. } => KeyError::TokenCannot { what },
        HsmError::DecryptFailed => KeyError::DecryptFailed,
        HsmError::Damaged => KeyError::Damaged,
        HsmError::BadKey => KeyError::BadWrappedKey,
        HsmError::Full => KeyError::TokenFull,
        HsmError::NoSuchKey => KeyError::NotInToken,
        HsmError::NoWrappingKey => KeyError::NoWrappingKey,
        HsmError::Down { .. } | HsmError::PinRefused | HsmError::Setting { .. } | HsmError::Failed { .. } => {
            KeyError::TokenAway
        }
        // Never asked by a vault.
        HsmError::NotExported(_) | HsmError::NotRsa => KeyError::TokenCannot { what },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_token_but_the_last_leaves_time_for_the_others() {
        let now = Instant::now();
        let in_ms = |ms| now + Duration::from_millis(ms);
        assert_eq!(share(now, in_ms(900), 3), in_ms(300));
        assert_eq!(share(in_ms(300), in_ms(900), 2), in_ms(600));
        assert_eq!(share(in_ms(600), in_ms(900), 1), in_ms(900));
        assert_eq!(share(in_ms(950), in_ms(900), 2), in_ms(950), "nothing is left");
    }
}
