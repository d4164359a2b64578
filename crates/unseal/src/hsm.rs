//! A key in a PKCS#11 token, made there and never extractable. Whoever has the token and its PIN opens what it wrapped.
//!
//! Each wrap has a random path key of its own, which the token's key wraps: by AES-256-GCM, or where the token cannot
//! that by RSA-OAEP, with SHA-1 where it has no SHA-256 for it. The path key wraps the root as any other does
//! ([`keystead_custody`]).
//!
//! ```text
//! version 1 byte (1) | how 1 byte | key id 16 | length 2, big-endian | wrapped path key | wrap
//! how: 1 AES-GCM, 2 RSA-OAEP with SHA-256, 3 RSA-OAEP with SHA-1
//! wrapped path key: of AES-GCM nonce 12 | ciphertext 32 | tag 16, of RSA-OAEP the ciphertext
//! ```

use crate::UnsealError;
use crate::wrapping::{proven_domain, proven_root};
use keystead_crypto::rsa::{self, Scheme};
use keystead_crypto::{random, sha256};
use keystead_custody::{
    CustodyError, DomainKey, PathError, PathFuture, PathKey, Root, UnsealPath, Wraps, unwrap_domain, unwrap_root,
};
use keystead_hsm::client::Ciphertext;
use keystead_hsm::{Client, Destination, Held, HsmError, KeyId, Native, Owner, Stored};
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, PublicKey, VaultId};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The path through a token.
pub struct HsmKey {
    name: String,
    token: Client,
    /// The first of these that the token can.
    ways: &'static [How],
}

/// How long a token may take: at the server's start it may still be opening.
const PATIENCE: Duration = Duration::from_secs(60);

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;

/// How the token wraps. The number stands in wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum How {
    Gcm = 1,
    Oaep = 2,
    OaepSha1 = 3,
}

impl How {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Gcm),
            2 => Some(Self::Oaep),
            3 => Some(Self::OaepSha1),
            _ => None,
        }
    }

    const fn spec(self) -> KeySpec {
        match self {
            Self::Gcm => KeySpec::Oct256,
            Self::Oaep | Self::OaepSha1 => KeySpec::Rsa3072,
        }
    }

    const fn algorithm(self) -> CipherAlgorithm {
        match self {
            Self::Gcm => CipherAlgorithm::A256Gcm,
            Self::Oaep => CipherAlgorithm::RsaOaep256,
            Self::OaepSha1 => CipherAlgorithm::RsaOaep,
        }
    }
}

impl HsmKey {
    /// Through this token.
    pub fn new(name: &str, token: Client) -> Self {
        Self { name: name.to_owned(), token, ways: &[How::Gcm, How::Oaep, How::OaepSha1] }
    }

    /// As with a token that has no AES-GCM: a test of that.
    #[doc(hidden)]
    #[must_use]
    pub fn without_gcm(self) -> Self {
        Self { ways: &[How::Oaep, How::OaepSha1], ..self }
    }

    /// Whose the token's keys are: this path's of this vault, and not the vault's own, which a sweep may destroy.
    fn owner(&self, vault: VaultId) -> Owner {
        let [owner @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            sha256(&[b"keystead path key 1", vault.as_bytes(), self.name.as_bytes()]);
        Owner(owner)
    }

    fn failed(&self, cause: HsmError) -> UnsealError {
        UnsealError::Token { token: self.token.name().to_owned(), cause }
    }

    /// Makes a key in the token and wraps with it. What does not come to its end leaves no key there.
    async fn wrap(
        &self,
        vault: VaultId,
        inner: impl Fn(&PathKey) -> Result<Vec<u8>, UnsealError> + Sync,
    ) -> Result<Vec<u8>, UnsealError> {
        let secret = Zeroizing::new(random::<32>());
        let wrapped = inner(&PathKey::from_bytes(&secret))?;
        let id = KeyId(random());
        match self.wrap_under(vault, id, &secret).await {
            Ok((how, blob)) => Ok(Blob { how, id, blob: &blob, wrapped: &wrapped }.encode()),
            Err(why) => {
                let _already_failed = self.token.destroy(self.owner(vault), id, soon()).await;
                Err(why)
            }
        }
    }

    async fn wrap_under(
        &self,
        vault: VaultId,
        id: KeyId,
        secret: &Zeroizing<[u8; 32]>,
    ) -> Result<(How, Vec<u8>), UnsealError> {
        let by = soon();
        let about = self.token.describe(by).await.map_err(|e| self.failed(e))?;
        let can = |how: &How| {
            let does =
                |(known, way): &(CipherAlgorithm, Native)| *known == how.algorithm() && *way != Native::PublicOnly;
            about.keys.contains(&how.spec()) && about.ciphers.iter().any(does)
        };
        let how = self.ways.iter().copied().find(can);
        let how = how.ok_or_else(|| UnsealError::TokenCannot { token: self.token.name().to_owned() })?;
        let to = Destination::Resident(self.owner(vault));
        let made = self.token.generate(id, how.spec(), PublicExponent::default(), to, by).await;
        let public = made.map_err(|e| self.failed(e))?.public;
        let blob = match (how, public) {
            (How::Oaep | How::OaepSha1, PublicKey::Rsa { n, e }) => {
                let scheme = if how == How::Oaep { Scheme::OaepSha256 } else { Scheme::OaepSha1 };
                rsa::encrypt_to(&n, &e, scheme, secret.as_slice()).map_err(|_| UnsealError::NotProven)?
            }
            _ => self.encrypted(id, secret, by).await?,
        };
        let again = self.secret(&Blob { how, id, blob: &blob, wrapped: &[] }).await?;
        let proven = keystead_crypto::same(&again, secret.as_slice());
        if proven { Ok((how, blob)) } else { Err(UnsealError::NotProven) }
    }

    async fn encrypted(&self, id: KeyId, secret: &Zeroizing<[u8; 32]>, by: Instant) -> Result<Vec<u8>, UnsealError> {
        let data = Zeroizing::new(secret.to_vec());
        let key = held(How::Gcm, id);
        let sealed = self.token.encrypt(key, How::Gcm.algorithm(), data, Vec::new(), Vec::new(), by).await;
        let sealed = sealed.map_err(|e| self.failed(e))?;
        match (sealed.iv, sealed.tag) {
            (Some(nonce), Some(tag)) if (nonce.len(), tag.len()) == (NONCE, TAG) => {
                Ok([nonce, sealed.value, tag].concat())
            }
            _ => Err(UnsealError::NotProven),
        }
    }

    /// The path key that the token wrapped.
    async fn secret(&self, of: &Blob<'_>) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let (iv, data, tag) = match of.how {
            How::Oaep | How::OaepSha1 => (&[][..], of.blob, &[][..]),
            How::Gcm => {
                let (nonce, rest) = of.blob.split_at_checked(NONCE).ok_or(CustodyError::Format)?;
                let at = rest.len().checked_sub(TAG).ok_or(CustodyError::Format)?;
                let (data, tag) = rest.split_at_checked(at).ok_or(CustodyError::Format)?;
                (nonce, data, tag)
            }
        };
        let call = Ciphertext {
            key: held(of.how, of.id),
            algorithm: of.how.algorithm(),
            data: data.to_vec(),
            iv: iv.to_vec(),
            tag: tag.to_vec(),
            aad: Vec::new(),
        };
        self.token.decrypt(call, soon()).await.map_err(|e| self.failed(e))
    }

    async fn unwrap<T>(
        &self,
        wrapped: &[u8],
        open: impl Fn(&PathKey, &[u8]) -> Result<T, CustodyError> + Sync,
    ) -> Result<T, UnsealError> {
        let blob = Blob::decode(wrapped).ok_or(CustodyError::Format)?;
        let secret = self.secret(&blob).await?;
        let secret = secret.as_slice().try_into().map_err(|_| CustodyError::NotOpened)?;
        Ok(open(&PathKey::from_bytes(secret), blob.wrapped)?)
    }

    /// Destroys every key of this path and vault in the token that no wrap names.
    async fn others_destroyed(&self, vault: VaultId, wraps: &Wraps) -> Result<(), UnsealError> {
        let all = wraps.domain.iter().chain(&wraps.roots);
        let needed: Vec<KeyId> = all.filter_map(|wrapped| Blob::decode(wrapped)).map(|blob| blob.id).collect();
        let (owner, by) = (self.owner(vault), soon());
        let there = self.token.residents(owner, by).await.map_err(|e| self.failed(e))?;
        for id in there.into_iter().filter(|id| !needed.contains(id)) {
            self.token.destroy(owner, id, by).await.map_err(|e| self.failed(e))?;
        }
        Ok(())
    }
}

impl UnsealPath for HsmKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "hsm"
    }

    fn wrap_domain<'a>(&'a self, vault: VaultId, domain: &'a DomainKey) -> PathFuture<'a, Vec<u8>> {
        Box::pin(async move { self.wrap(vault, |key| proven_domain(key, vault, domain)).await.map_err(PathError::new) })
    }

    fn unwrap_domain<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, DomainKey> {
        Box::pin(async move {
            self.unwrap(wrapped, |key, wrapped| unwrap_domain(key, vault, wrapped)).await.map_err(PathError::new)
        })
    }

    fn wrap_root<'a>(&'a self, vault: VaultId, root: &'a Root) -> PathFuture<'a, Vec<u8>> {
        Box::pin(async move { self.wrap(vault, |key| proven_root(key, vault, root)).await.map_err(PathError::new) })
    }

    fn unwrap_root<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, Root> {
        Box::pin(async move {
            self.unwrap(wrapped, |key, wrapped| unwrap_root(key, vault, wrapped)).await.map_err(PathError::new)
        })
    }

    /// Each wrap has a new key anyway.
    fn renewed<'a>(&'a self, _: VaultId) -> PathFuture<'a, Box<dyn UnsealPath>> {
        let same = Self { name: self.name.clone(), token: self.token.clone(), ways: self.ways };
        Box::pin(async move { Ok(Box::new(same) as Box<dyn UnsealPath>) })
    }

    fn destroy_others<'a>(&'a self, vault: VaultId, wraps: &'a Wraps) -> PathFuture<'a, ()> {
        Box::pin(async move { self.others_destroyed(vault, wraps).await.map_err(PathError::new) })
    }
}

const fn held(how: How, id: KeyId) -> Held {
    Held { id, spec: how.spec(), stored: Stored::Resident }
}

#[expect(clippy::disallowed_methods, reason = "a bound on how long a token is waited for, on which nothing depends")]
fn soon() -> Instant {
    let now = Instant::now();
    now.checked_add(PATIENCE).unwrap_or(now)
}

/// A wrap, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Blob<'a> {
    how: How,
    id: KeyId,
    blob: &'a [u8],
    wrapped: &'a [u8],
}

impl<'a> Blob<'a> {
    fn encode(&self) -> Vec<u8> {
        let length = u16::try_from(self.blob.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[VERSION, self.how as u8], self.id.0.as_slice(), &length, self.blob, self.wrapped].concat()
    }

    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let ([version, how], rest) = bytes.split_first_chunk()?;
        let how = How::from_code(*how).filter(|_| *version == VERSION)?;
        let (id, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (blob, wrapped) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(Self { how, id: KeyId(*id), blob, wrapped })
    }
}

#[cfg(test)]
mod tests;
