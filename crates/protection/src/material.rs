//! Key material: parsed for use, and as it is sealed:
//!
//! ```text
//! version 1 byte (1) | key kind 1 byte (KeySpec's code) | PKCS#8 (EC, RSA) or the bytes themselves (symmetric)
//! ```

use crate::{KeyError, NewKey};
use keystead_crypto::{aes::Gcm, ec, random, rsa};
use keystead_model::{Curve, KeySpec, PublicKey, Size};
use zeroize::Zeroizing;

/// A key in this process's memory.
pub(crate) enum Material {
    Ec(ec::PrivateKey),
    Rsa(Box<rsa::PrivateKey>),
    Symmetric(Secret),
}

/// A symmetric key of 16, 24 or 32 bytes, and itself ready for AES-GCM.
pub(crate) struct Secret {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) gcm: Gcm,
}

const VERSION: u8 = 1;

impl Material {
    /// A new random key.
    pub(crate) fn generate(key: NewKey) -> Result<Self, KeyError> {
        Ok(match key.spec.size() {
            Size::Curve(curve) => Self::Ec(ec::PrivateKey::generate(curve_of(curve))),
            Size::Modulus(bits) => {
                let size = modulus(bits).ok_or(KeyError::WrongAlgorithm)?;
                Self::Rsa(Box::new(rsa::PrivateKey::generate(size, key.exponent.get())?))
            }
            Size::Secret(bits) => {
                let random = Zeroizing::new(random::<32>());
                let bytes = random.get(..bytes_of(bits)).ok_or(KeyError::WrongAlgorithm)?;
                Self::symmetric(Zeroizing::new(bytes.to_vec()))?
            }
        })
    }

    /// What is sealed: secret.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key = match self {
            Self::Ec(key) => key.to_pkcs8(),
            Self::Rsa(key) => key.to_pkcs8(),
            Self::Symmetric(secret) => secret.bytes.clone(),
        };
        Zeroizing::new([&[VERSION, self.spec().code()], key.as_slice()].concat())
    }

    /// Parses what [`Self::encode`] wrote; anything else, and a key of another kind, is [`KeyError::Damaged`].
    pub(crate) fn decode(spec: KeySpec, bytes: &[u8]) -> Result<Self, KeyError> {
        Self::of_parts(spec, bytes.strip_prefix(&[VERSION, spec.code()]).ok_or(KeyError::Damaged)?)
    }

    /// Of PKCS#8, or of the bytes themselves; anything else, and a key of another kind, is [`KeyError::Damaged`].
    pub(crate) fn of_parts(spec: KeySpec, key: &[u8]) -> Result<Self, KeyError> {
        let material = match spec.size() {
            Size::Curve(curve) => Self::Ec(ec::PrivateKey::from_pkcs8(curve_of(curve), key)?),
            Size::Modulus(_) => Self::Rsa(Box::new(rsa::PrivateKey::from_pkcs8(key)?)),
            Size::Secret(_) => Self::symmetric(Zeroizing::new(key.to_vec()))?,
        };
        if material.spec() == spec { Ok(material) } else { Err(KeyError::Damaged) }
    }

    pub(crate) fn spec(&self) -> KeySpec {
        match self {
            Self::Ec(key) => match key.curve() {
                ec::Curve::P256 => KeySpec::EcP256,
                ec::Curve::P384 => KeySpec::EcP384,
                ec::Curve::P521 => KeySpec::EcP521,
                ec::Curve::P256K1 => KeySpec::EcP256K,
            },
            Self::Rsa(key) => match key.size() {
                rsa::Size::Bits2048 => KeySpec::Rsa2048,
                rsa::Size::Bits3072 => KeySpec::Rsa3072,
                rsa::Size::Bits4096 => KeySpec::Rsa4096,
            },
            Self::Symmetric(secret) => match secret.bytes.len() {
                16 => KeySpec::Oct128,
                24 => KeySpec::Oct192,
                // The cipher was made, so the length is one of three.
                _ => KeySpec::Oct256,
            },
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Ec(key) => {
                let (x, y) = key.public();
                PublicKey::Ec { curve: self.spec().curve().unwrap_or(Curve::P256), x: x.to_vec(), y: y.to_vec() }
            }
            Self::Rsa(key) => {
                let (n, e) = key.public();
                PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }
            }
            Self::Symmetric(_) => PublicKey::Symmetric,
        }
    }

    pub(crate) fn symmetric(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let gcm = Gcm::of(&bytes)?;
        Ok(Self::Symmetric(Secret { bytes, gcm }))
    }
}

pub(crate) const fn curve_of(curve: Curve) -> ec::Curve {
    match curve {
        Curve::P256 => ec::Curve::P256,
        Curve::P384 => ec::Curve::P384,
        Curve::P521 => ec::Curve::P521,
        Curve::P256K => ec::Curve::P256K1,
    }
}

fn modulus(bits: u16) -> Option<rsa::Size> {
    rsa::Size::ALL.iter().copied().find(|size| size.modulus_len() == bytes_of(bits))
}

fn bytes_of(bits: u16) -> usize {
    usize::from(bits / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_after_its_material_was_encoded_and_decoded() {
        for spec in KeySpec::ALL {
            let key = Material::generate((*spec).into()).unwrap();
            let again = Material::decode(*spec, &key.encode()).unwrap();
            assert_eq!((again.spec(), again.public()), (*spec, key.public()));
            assert_eq!(again.encode(), key.encode());
        }
    }

    #[test]
    fn material_of_another_kind_version_or_length_is_damaged() {
        let damaged = Some(KeyError::Damaged);
        for spec in KeySpec::ALL {
            let good = Material::generate((*spec).into()).unwrap().encode();
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
