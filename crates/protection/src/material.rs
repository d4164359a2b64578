//! Key material: parsed for use, and as it is sealed:
//!
//! ```text
//! version 1 byte (1) | key kind 1 byte (KeySpec's code) | PKCS#8 (EC, RSA) or 32 bytes (AES)
//! ```

use crate::KeyError;
use keystead_crypto::{aes::Aes256Gcm, p256, random, rsa};
use keystead_model::{KeySpec, PublicKey};
use zeroize::Zeroizing;

/// A key in this process's memory.
pub(crate) enum Material {
    EcP256(p256::PrivateKey),
    Rsa2048(Box<rsa::PrivateKey>),
    Oct256 { bytes: Zeroizing<[u8; 32]>, cipher: Aes256Gcm },
}

const VERSION: u8 = 1;

impl Material {
    /// A new random key.
    pub(crate) fn generate(spec: KeySpec) -> Result<Self, KeyError> {
        Ok(match spec {
            KeySpec::EcP256 => Self::EcP256(p256::PrivateKey::generate()),
            KeySpec::Rsa2048 => Self::Rsa2048(Box::new(rsa::PrivateKey::generate()?)),
            KeySpec::Oct256 => Self::symmetric(Zeroizing::new(random())),
        })
    }

    /// What is sealed: secret.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let pkcs8 = match self {
            Self::EcP256(key) => key.to_pkcs8(),
            Self::Rsa2048(key) => key.to_pkcs8(),
            Self::Oct256 { bytes, .. } => Zeroizing::new(bytes.to_vec()),
        };
        Zeroizing::new([&[VERSION, self.spec().code()], pkcs8.as_slice()].concat())
    }

    /// Parses what [`Self::encode`] wrote; anything else, and a key of another kind, is [`KeyError::Damaged`].
    pub(crate) fn decode(spec: KeySpec, bytes: &[u8]) -> Result<Self, KeyError> {
        let key = bytes.strip_prefix(&[VERSION, spec.code()]).ok_or(KeyError::Damaged)?;
        Ok(match spec {
            KeySpec::EcP256 => Self::EcP256(p256::PrivateKey::from_pkcs8(key)?),
            KeySpec::Rsa2048 => Self::Rsa2048(Box::new(rsa::PrivateKey::from_pkcs8(key)?)),
            KeySpec::Oct256 => {
                let bytes: &[u8; 32] = key.try_into().map_err(|_| KeyError::Damaged)?;
                Self::symmetric(Zeroizing::new(*bytes))
            }
        })
    }

    pub(crate) fn spec(&self) -> KeySpec {
        match self {
            Self::EcP256(_) => KeySpec::EcP256,
            Self::Rsa2048(_) => KeySpec::Rsa2048,
            Self::Oct256 { .. } => KeySpec::Oct256,
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::EcP256(key) => {
                let (x, y) = key.public();
                PublicKey::EcP256 { x, y }
            }
            Self::Rsa2048(key) => {
                let (n, e) = key.public();
                PublicKey::Rsa { n, e }
            }
            Self::Oct256 { .. } => PublicKey::Symmetric,
        }
    }

    pub(crate) fn symmetric(bytes: Zeroizing<[u8; 32]>) -> Self {
        let cipher = Aes256Gcm::new(&bytes);
        Self::Oct256 { bytes, cipher }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_after_its_material_was_encoded_and_decoded() {
        for spec in KeySpec::ALL {
            let key = Material::generate(*spec).unwrap();
            let again = Material::decode(*spec, &key.encode()).unwrap();
            assert_eq!((again.spec(), again.public()), (*spec, key.public()));
            assert_eq!(again.encode(), key.encode());
        }
    }

    #[test]
    fn material_of_another_kind_version_or_length_is_damaged() {
        let damaged = Some(KeyError::Damaged);
        for spec in KeySpec::ALL {
            let good = Material::generate(*spec).unwrap().encode();
            for other in KeySpec::ALL.iter().filter(|other| *other != spec) {
                assert_eq!(Material::decode(*other, &good).err(), damaged);
                let mut renamed = good.to_vec();
                renamed[1] = other.code();
                assert_eq!(Material::decode(*other, &renamed).err(), damaged);
            }
            let mut newer = good.to_vec();
            newer[0] = 2;
            assert_eq!(Material::decode(*spec, &newer).err(), damaged);
            assert_eq!(Material::decode(*spec, &good[..good.len() - 1]).err(), damaged);
            assert_eq!(Material::decode(*spec, &[good.as_slice(), &[0]].concat()).err(), damaged);
            assert_eq!(Material::decode(*spec, &[]).err(), damaged);
        }
    }
}
