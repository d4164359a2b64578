//! Keys that were made elsewhere: their parts as a JWK names them (RFC 7518, section 6), and the checks that they are
//! one key. A kind that is added has a variant here, a line in [`ImportedKey::spec`] and a row in [`Material::import`].

use crate::KeyError;
use crate::material::Material;
use keystead_crypto::{p256, rsa};
use keystead_model::KeySpec;
use zeroize::Zeroizing;

/// A secret part: big-endian, cleared when dropped.
type Secret = Zeroizing<Vec<u8>>;

/// The parts of a key, as they came: nothing about them is proven. No Debug.
#[derive(Clone)]
pub enum ImportedKey {
    /// A key on NIST P-256.
    EcP256 {
        /// Private number.
        d: Secret,
        /// Coordinate.
        x: Vec<u8>,
        /// Coordinate.
        y: Vec<u8>,
    },
    /// An RSA key with all its numbers.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Public exponent.
        e: Vec<u8>,
        /// Private exponent.
        d: Secret,
        /// First prime.
        p: Secret,
        /// Second prime.
        q: Secret,
        /// d mod (p - 1).
        dp: Secret,
        /// d mod (q - 1).
        dq: Secret,
        /// q^-1 mod p.
        qi: Secret,
    },
    /// A symmetric key.
    Oct {
        /// Its bytes.
        k: Secret,
    },
}

/// Why a key is not taken. None tells anything of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadImport {
    /// A part of another length than this kind of key has.
    #[error("'{member}' has a length that keys of this kind do not have")]
    Length {
        /// Which part.
        member: &'static str,
    },
    /// A size that is not served.
    #[error("a key of {bits} bits is not served: give {served}")]
    Size {
        /// What it has.
        bits: usize,
        /// What would be taken.
        served: &'static str,
    },
    /// The parts are not those of one key.
    #[error("its parts do not belong together, or are not those of a sound key")]
    Inconsistent,
}

impl ImportedKey {
    /// What kind of key it claims to be.
    pub fn spec(&self) -> Result<KeySpec, KeyError> {
        let size = |bits, served| Err(KeyError::BadImport(BadImport::Size { bits, served }));
        match self {
            Self::EcP256 { .. } => Ok(KeySpec::EcP256),
            Self::Rsa { n, .. } => match bits(n) {
                2048 => Ok(KeySpec::Rsa2048),
                bits => size(bits, "RSA with 2048 bits"),
            },
            Self::Oct { k } => match k.len() {
                32 => Ok(KeySpec::Oct256),
                bytes => size(bytes.saturating_mul(8), "a symmetric key of 256 bits"),
            },
        }
    }
}

/// Bits of a number, whatever its leading zeros.
fn bits(number: &[u8]) -> usize {
    let digits = number.iter().skip_while(|byte| **byte == 0);
    let unused = digits.clone().next().map_or(0, |first| first.leading_zeros());
    digits.count().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

impl Material {
    /// The key, if its parts are those of one.
    pub(crate) fn import(key: &ImportedKey) -> Result<Self, KeyError> {
        let inconsistent = |_| KeyError::BadImport(BadImport::Inconsistent);
        match key {
            ImportedKey::EcP256 { d, x, y } => {
                let (d, x, y) = (field(d, "d")?, field(x, "x")?, field(y, "y")?);
                p256::PrivateKey::from_parts(&d, &x, &y).map(Self::EcP256).map_err(inconsistent)
            }
            ImportedKey::Rsa { n, e, d, p, q, dp, dq, qi } => {
                let parts = rsa::Parts { n, e, d, p, q, dp, dq, qi };
                let key = rsa::PrivateKey::from_parts(&parts).map_err(inconsistent)?;
                Ok(Self::Rsa2048(Box::new(key)))
            }
            ImportedKey::Oct { k } => {
                let bytes: &[u8; 32] = length(k, "k")?;
                Ok(Self::symmetric(Zeroizing::new(*bytes)))
            }
        }
    }
}

/// A number below 2^256 in 32 bytes, with its leading zeros put back or taken off.
fn field(number: &[u8], member: &'static str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let mut out = Zeroizing::new([0; 32]);
    let start = out.len().checked_sub(digits.len());
    let place = start.and_then(|start| out.get_mut(start..));
    place.ok_or(KeyError::BadImport(BadImport::Length { member }))?.copy_from_slice(digits);
    Ok(out)
}

fn length<'a>(bytes: &'a [u8], member: &'static str) -> Result<&'a [u8; 32], KeyError> {
    bytes.try_into().map_err(|_| KeyError::BadImport(BadImport::Length { member }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_model::PublicKey;

    fn ec() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        // RFC 7515, appendix A.3.1.
        let part = |text: &str| hex::decode(text).unwrap();
        (
            part("8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2"),
            part("7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"),
            part("c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad"),
        )
    }

    fn import(d: &[u8], x: &[u8], y: &[u8]) -> Result<PublicKey, KeyError> {
        let key = ImportedKey::EcP256 { d: d.to_vec().into(), x: x.to_vec(), y: y.to_vec() };
        Material::import(&key).map(|key| key.public())
    }

    #[test]
    fn leading_zeros_of_a_number_do_not_matter() {
        let (d, x, y) = ec();
        let padded = |n: &[u8]| [&[0, 0], n].concat();
        assert_eq!(import(&d, &x, &y), import(&padded(&d), &padded(&x), &padded(&y)));
        assert!(import(&d, &x, &y).is_ok());
        assert_eq!(*field(&[7], "x").unwrap().last().unwrap(), 7);
        assert_eq!(bits(&[0, 0, 1]), 1);
        assert_eq!(bits(&[0x80, 0]), 16);
        assert_eq!(bits(&[]), 0);
    }

    #[test]
    fn parts_of_two_keys_and_parts_of_no_length_are_refused() {
        let (d, x, y) = ec();
        let bad = |why| Err(KeyError::BadImport(why));
        assert_eq!(import(&y, &x, &y), bad(BadImport::Inconsistent));
        assert_eq!(import(&[], &x, &y), bad(BadImport::Inconsistent));
        assert_eq!(import(&[1; 33], &x, &y), bad(BadImport::Length { member: "d" }));
        assert_eq!(import(&d, &x, &[1; 64]), bad(BadImport::Length { member: "y" }));
    }

    #[test]
    fn a_size_that_is_not_served_is_named() {
        let oct = |len: usize| ImportedKey::Oct { k: vec![1; len].into() }.spec();
        assert_eq!(oct(32), Ok(KeySpec::Oct256));
        let served = "a symmetric key of 256 bits";
        assert_eq!(oct(16), Err(KeyError::BadImport(BadImport::Size { bits: 128, served })));
        let secret = || Secret::default();
        let rsa = ImportedKey::Rsa {
            n: vec![0xff; 128],
            e: vec![3],
            d: secret(),
            p: secret(),
            q: secret(),
            dp: secret(),
            dq: secret(),
            qi: secret(),
        };
        let served = "RSA with 2048 bits";
        assert_eq!(rsa.spec(), Err(KeyError::BadImport(BadImport::Size { bits: 1024, served })));
    }
}
