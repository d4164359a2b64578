//! CKM_RSA_AES_KEY_WRAP with SHA-1 (PKCS#11 3.1, section 6.1.22), as Azure's BYOK specification wants it:
//!
//! ```text
//! RSAES-OAEP with SHA-1 for the key exchange key: a fresh AES-256 key | AES key wrap with padding under that: the key
//! ```

use crate::exit::Failure;
use keystead_crypto::aes::wrap::{unwrap_padded, wrap_padded};
use keystead_crypto::rsa::{self, Scheme, Size};
use keystead_crypto::{CryptoError, ec, random, same};
use keystead_model::{Curve, KeySpec, PublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use std::path::Path;
use zeroize::Zeroizing;

/// The public half of a key exchange key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kek {
    pub(super) n: Vec<u8>,
    pub(super) e: Vec<u8>,
    pub(super) size: Size,
}

/// What can stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotWrapped {
    /// Not an RSA key of a size that vaults take.
    #[error("the key exchange key must be RSA with 2048, 3072 or 4096 bits")]
    Kek,
    /// The recipe did not give back what went in.
    #[error("the recipe failed on a key exchange key of our own: this program is damaged, do not use it")]
    Unproven,
}

impl Kek {
    /// Of a file in PEM.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let spki = SubjectPublicKeyInfoDer::from_pem_file(file);
        let spki = spki.map_err(|e| Failure::usage(format!("cannot read a public key in {}: {e}", file.display())))?;
        Self::of_spki(spki.as_ref()).map_err(|e| Failure::usage(format!("{}: {e}", file.display())))
    }

    fn of_spki(spki: &[u8]) -> Result<Self, NotWrapped> {
        let (n, e) = rsa::numbers_of_spki(spki).ok_or(NotWrapped::Kek)?;
        Self::of(n, e)
    }

    fn of(n: &[u8], e: &[u8]) -> Result<Self, NotWrapped> {
        let size = Size::ALL.iter().copied().find(|size| size.modulus_len() == n.len()).ok_or(NotWrapped::Kek)?;
        Ok(Self { n: n.to_vec(), e: e.to_vec(), size })
    }

    /// As a token takes it.
    pub(super) fn public(&self) -> PublicKey {
        PublicKey::Rsa { n: self.n.clone(), e: self.e.clone() }
    }
}

/// A key exchange key of our own, to prove a recipe on.
pub(super) struct Trial {
    private: rsa::PrivateKey,
    pub(super) kek: Kek,
}

impl Trial {
    /// As large as the real one.
    pub(super) fn like(kek: &Kek) -> Result<Self, NotWrapped> {
        let private = rsa::PrivateKey::generate(kek.size, rsa::EXPONENT).map_err(|_| NotWrapped::Unproven)?;
        let (n, e) = private.public();
        let kek = Kek::of(n, e)?;
        Ok(Self { private, kek })
    }

    /// What was wrapped for it; nothing, if it was not wrapped so.
    pub(super) fn opened(&self, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (head, tail) = wrapped.split_at_checked(self.kek.size.modulus_len())?;
        let between = self.private.decrypt(Scheme::OaepSha1, head).ok().filter(|between| between.len() == 32)?;
        unwrap_padded(&between, tail).ok()
    }
}

/// Wraps a key for a key exchange key, after the recipe was proven on one of our own.
pub(super) fn wrap(kek: &Kek, key: &[u8]) -> Result<Vec<u8>, NotWrapped> {
    let trial = Trial::like(kek)?;
    let again = wrapped(&trial.kek, key).ok().and_then(|wrapped| trial.opened(&wrapped));
    if !again.is_some_and(|again| same(&again, key)) {
        return Err(NotWrapped::Unproven);
    }
    wrapped(kek, key).map_err(|_| NotWrapped::Kek)
}

fn wrapped(kek: &Kek, key: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let between = Zeroizing::new(random::<32>());
    let head = rsa::encrypt_to(&kek.n, &kek.e, Scheme::OaepSha1, &*between)?;
    Ok([head, wrap_padded(&*between, key)?].concat())
}

/// What kind of private key a PKCS#8 document holds, if vaults take it, and its public half.
pub(super) fn private_key(pkcs8: &[u8]) -> Option<(KeySpec, PublicKey)> {
    if let Ok(key) = rsa::PrivateKey::from_pkcs8(pkcs8) {
        let spec = match key.size() {
            Size::Bits2048 => KeySpec::Rsa2048,
            Size::Bits3072 => KeySpec::Rsa3072,
            Size::Bits4096 => KeySpec::Rsa4096,
        };
        let (n, e) = key.public();
        return Some((spec, PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }));
    }
    [
        (ec::Curve::P256, Curve::P256, KeySpec::EcP256),
        (ec::Curve::P384, Curve::P384, KeySpec::EcP384),
        (ec::Curve::P521, Curve::P521, KeySpec::EcP521),
        (ec::Curve::P256K1, Curve::P256K, KeySpec::EcP256K),
    ]
    .into_iter()
    .find_map(|(of, curve, spec)| {
        let key = ec::PrivateKey::from_pkcs8(of, pkcs8).ok()?;
        let (x, y) = key.public();
        Some((spec, PublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_for_a_key_comes_out_with_its_private_half() {
        for size in [Size::Bits2048, Size::Bits3072] {
            let kek = Kek { n: Vec::new(), e: Vec::new(), size };
            let trial = Trial::like(&kek).unwrap();
            let key = ec::PrivateKey::generate(ec::Curve::P384).to_pkcs8();
            assert_eq!(private_key(&key).unwrap().0, KeySpec::EcP384);
            let blob = wrap(&trial.kek, &key).unwrap();
            assert_eq!(*trial.opened(&blob).unwrap(), *key);
            assert!(Trial::like(&kek).unwrap().opened(&blob).is_none());
        }
    }

    #[test]
    fn a_key_exchange_key_of_another_kind_is_refused() {
        let ec = ec::PrivateKey::generate(ec::Curve::P256);
        let (x, y) = ec.public();
        assert_eq!(Kek::of_spki(&ec::spki_der(ec::Curve::P256, x, y)), Err(NotWrapped::Kek));
        assert_eq!(private_key(&[7; 32]), None);
    }
}
