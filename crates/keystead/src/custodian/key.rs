//! A custodian's private key: in a file, or in a PKCS#11 token that it never leaves.

use super::card::Card;
use crate::exit::Failure;
use crate::own_key::{KeyArgs, Place};
use crate::pem;
use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_custody::activation::ActivationRecord;
use keystead_custody::confirmation::Confirmation;
use keystead_custody::shares::Share;
use keystead_custody::{DomainError, open_share};
use keystead_formats::security_domain::WrappedKey;
use std::path::Path;
use zeroize::Zeroizing;

/// A key that is open.
pub(crate) enum Key {
    /// Read from a file.
    File(Box<PrivateKey>),
    /// In a token.
    Card(Card),
}

impl Key {
    /// Reads the key, or opens the token that it is in.
    pub(super) fn open(named: &KeyArgs) -> Result<Self, Failure> {
        match named.place()? {
            Place::File(file, passphrase_file) => Self::read(file, passphrase_file),
            Place::Token(module, args) => Card::open(module, args).map(Self::Card),
        }
    }

    /// Of a custodian, where several are at one machine.
    pub(crate) fn read(file: &Path, passphrase_file: Option<&Path>) -> Result<Self, Failure> {
        pem::read(file, passphrase_file).map(|key| Self::File(Box::new(key)))
    }

    /// Modulus and exponent.
    pub(super) fn public(&self) -> (&[u8], &[u8]) {
        match self {
            Self::File(key) => key.public(),
            Self::Card(card) => card.public(),
        }
    }

    /// Opens a share. The outer error is of a token that failed; the inner one of a share that is not this key's.
    pub(super) fn share(&self, sealed: &WrappedKey) -> Result<Result<Share, DomainError>, Failure> {
        let mut trouble = None;
        let opened = open_share(sealed, |cipher| match self.decrypted(cipher) {
            Ok(plain) => plain,
            Err(failure) => {
                trouble = Some(failure);
                None
            }
        });
        trouble.map_or(Ok(opened), Err)
    }

    fn decrypted(&self, cipher: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match self {
            Self::File(key) => Ok(key.decrypt(Scheme::OaepSha256, cipher).ok()),
            Self::Card(card) => card.decrypt(cipher),
        }
    }

    /// Confirms the record.
    pub(super) fn confirm(&self, record: &ActivationRecord) -> Result<Confirmation, Failure> {
        match self {
            Self::File(key) => Confirmation::sign(record, key).map_err(|e| Failure::unavailable(e.to_string())),
            Self::Card(card) => {
                let signature = card.sign(&Confirmation::message(record))?;
                let signed = Confirmation::signed(record, card.public(), signature);
                signed.map_err(|e| Failure::check(format!("what the token signed does not count: {e}")))
            }
        }
    }
}
