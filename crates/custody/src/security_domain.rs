//! Making a security domain for its custodians, and opening it with their shares. And sending a vault what it needs:
//! the same data under a new master key, encrypted to the vault's transfer key.

use crate::envelope::{open_datum, open_with, seal_datum, seal_to};
use crate::shares::{BadQuorum, Gathering, Master, Quorum, Share, ShareError, split};
use crate::{CustodyError, DomainSecrets, WorkingKeys};
use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_crypto::{CryptoError, certificate, random, sha256};
use keystead_formats::jwe::Jwe;
use keystead_formats::security_domain::{Datum, RestoreBlob, SecurityDomain, WrappedKey};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// The datum that is all of a domain.
const DOMAIN: &str = "keystead_domain";
/// The datum that is what a vault works with.
const WORKING: &str = "keystead_working";

/// What can be wrong with a security domain or with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Not an X.509 certificate with an RSA key of a size that is served.
    #[error("not a certificate (X.509, DER, at most 16,384 bytes) with an RSA key of 2048, 3072 or 4096 bits")]
    Certificate,
    /// One custodian for two.
    #[error("custodian {at} has the certificate or the key of another before him: each needs a key of his own")]
    Twice {
        /// His number, from 1.
        at: usize,
    },
    /// Too few or too many.
    #[error(transparent)]
    Quorum(#[from] BadQuorum),
    /// A share that does not serve, or too few of them.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The private key is not that of the certificate.
    #[error("the share does not open: the key is not the one of the custodian's certificate, or the file was changed")]
    ShareNotOpened,
    /// There is nothing of ours in it.
    #[error("the security domain is not one of Keystead's: it has no datum {DOMAIN}")]
    NotOurs,
    /// The master key opens nothing.
    #[error("the security domain does not open with these shares: one is of another domain, or the file was changed")]
    NotOpened,
    /// What was opened is of a later release.
    #[error("what is in the security domain has an unknown format: open it with the release that made it")]
    Format,
    /// It was encrypted to another transfer key.
    #[error("it was encrypted to another transfer key: a restart makes a new one; get it and encrypt again")]
    OtherTransferKey,
    /// Out of memory or randomness.
    #[error("the cryptographic library failed: memory or randomness is exhausted")]
    Exhausted,
}

/// The certificate of a custodian, or of a transfer key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Certificate {
    /// From X.509 in DER, with an RSA key of 2,048, 3,072 or 4,096 bits. Who signed it and until when it holds is not
    /// looked at: it is believed because it was chosen.
    pub fn parse(der: &[u8]) -> Result<Self, DomainError> {
        let (n, e) = certificate::rsa_key(der).ok_or(DomainError::Certificate)?;
        // Proven by using it: something can be encrypted to it.
        seal_to(&n, &e, b"").map_err(|_| DomainError::Certificate)?;
        Ok(Self { der: der.to_vec(), n, e })
    }

    /// As it was given.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its SHA-256.
    pub fn thumbprint(&self) -> [u8; 32] {
        sha256(&[&self.der])
    }

    /// Modulus and exponent, big-endian.
    pub fn public(&self) -> (&[u8], &[u8]) {
        (&self.n, &self.e)
    }
}

/// A security domain that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDomain {
    /// The file.
    pub file: SecurityDomain,
    /// SHA-256 of each custodian's share, in their order: they go into the activation record.
    pub share_digests: Vec<[u8; 32]>,
}

/// Makes the security domain of these secrets: a new master key, shared among the custodians, of whom `required` open
/// it. Each must have a key of his own.
pub fn make_domain(
    secrets: &DomainSecrets,
    custodians: &[Certificate],
    required: usize,
) -> Result<NewDomain, DomainError> {
    let quorum = Quorum::new(required, custodians.len())?;
    each_his_own(custodians)?;
    let master: Master = Zeroizing::new(random());
    let shares = split(&master, quorum);
    let wrap = |(custodian, share): (&Certificate, &Share)| wrapped(custodian, share.to_bytes().as_slice());
    let file = SecurityDomain {
        data: vec![datum(&master, DOMAIN, &secrets.to_bytes())?],
        shares: custodians.iter().zip(&shares).map(wrap).collect::<Result<_, _>>()?,
        required: quorum.required(),
    };
    Ok(NewDomain { file, share_digests: shares.iter().map(Share::digest).collect() })
}

/// Opens a custodian's share. The caller decrypts the content key (RSAES-OAEP with SHA-256) with the custodian's
/// private key, wherever that is.
pub fn open_share(
    sealed: &WrappedKey,
    decrypt: impl FnOnce(&[u8]) -> Option<Zeroizing<Vec<u8>>>,
) -> Result<Share, DomainError> {
    let opened = open_with(&sealed.value, decrypt).ok_or(DomainError::ShareNotOpened)?;
    Ok(Share::parse(&opened)?)
}

/// Opens a security domain with the shares that were gathered.
pub fn open_domain(file: &SecurityDomain, shares: &Gathering) -> Result<DomainSecrets, DomainError> {
    let master = shares.combine()?;
    let value = file.datum(DOMAIN).ok_or(DomainError::NotOurs)?;
    opened(&master, DOMAIN, value, DomainSecrets::from_bytes)
}

/// What a vault was sent.
pub enum Restored {
    /// All of a domain, as Azure's tools send it.
    Domain(DomainSecrets),
    /// What an activated vault works with, as our own do: the private key stays with the custodians.
    Working(WorkingKeys),
}

/// Encrypts what a vault works with to the vault's transfer key.
pub fn send_working_keys(keys: &WorkingKeys, transfer: &Certificate) -> Result<RestoreBlob, DomainError> {
    send(WORKING, &keys.to_bytes(), transfer)
}

/// Encrypts a whole domain to the transfer key of a vault that adopts it.
pub fn send_domain(secrets: &DomainSecrets, transfer: &Certificate) -> Result<RestoreBlob, DomainError> {
    send(DOMAIN, &secrets.to_bytes(), transfer)
}

/// Opens what was sent, with the transfer key and its certificate's thumbprint.
pub fn receive(blob: &RestoreBlob, thumbprint: &[u8; 32], transfer: &PrivateKey) -> Result<Restored, DomainError> {
    if blob.key.thumbprint != *thumbprint {
        return Err(DomainError::OtherTransferKey);
    }
    let decrypt = |cipher: &[u8]| transfer.decrypt(Scheme::OaepSha256, cipher).ok();
    let opened_key = open_with(&blob.key.value, decrypt).ok_or(DomainError::OtherTransferKey)?;
    let mut master: Master = Zeroizing::new([0; 32]);
    if opened_key.len() != master.len() {
        return Err(DomainError::Format);
    }
    master.copy_from_slice(&opened_key);
    match (blob.datum(DOMAIN), blob.datum(WORKING)) {
        (Some(value), _) => opened(&master, DOMAIN, value, DomainSecrets::from_bytes).map(Restored::Domain),
        (None, Some(value)) => opened(&master, WORKING, value, WorkingKeys::from_bytes).map(Restored::Working),
        (None, None) => Err(DomainError::NotOurs),
    }
}

fn send(tag: &str, plain: &[u8], transfer: &Certificate) -> Result<RestoreBlob, DomainError> {
    let master: Master = Zeroizing::new(random());
    Ok(RestoreBlob { data: vec![datum(&master, tag, plain)?], key: wrapped(transfer, master.as_slice())? })
}

/// Whether no key stands twice.
pub(crate) fn each_his_own(custodians: &[Certificate]) -> Result<(), DomainError> {
    // Another certificate of the same key is the same custodian.
    let mut seen = BTreeSet::new();
    match custodians.iter().position(|custodian| !seen.insert(custodian.public())) {
        Some(at) => Err(DomainError::Twice { at: at.saturating_add(1) }),
        None => Ok(()),
    }
}

fn wrapped(to: &Certificate, plain: &[u8]) -> Result<WrappedKey, DomainError> {
    let (n, e) = to.public();
    let value = seal_to(n, e, plain).map_err(|_| DomainError::Exhausted)?;
    Ok(WrappedKey { thumbprint: to.thumbprint(), value })
}

fn datum(master: &Master, tag: &str, plain: &[u8]) -> Result<Datum, DomainError> {
    let value = seal_datum(master, tag, plain).map_err(|_: CryptoError| DomainError::Exhausted)?;
    Ok(Datum { tag: tag.to_owned(), value })
}

fn opened<T>(
    master: &Master,
    tag: &str,
    value: &Jwe,
    read: impl FnOnce(&[u8]) -> Result<T, CustodyError>,
) -> Result<T, DomainError> {
    let plain = open_datum(master, tag, value).ok_or(DomainError::NotOpened)?;
    read(&plain).map_err(|_| DomainError::Format)
}

#[cfg(test)]
mod tests;
