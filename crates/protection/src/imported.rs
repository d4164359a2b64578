//! Keys that were made elsewhere, as the numbers of a JWK (RFC 7518, section 6). Nothing is believed: a key is taken
//! only if all its parts belong together.

use crate::material::{Material, curve_of};
use keystead_crypto::{ec, rsa};
use keystead_hsm::Parts;
use keystead_model::{Curve, KeySpec, Size};
use zeroize::Zeroizing;

/// The numbers of a private or secret key. Cleared when dropped; no Debug.
#[derive(Clone)]
pub enum ImportedKey {
    /// `kty` RSA.
    Rsa(Box<RsaNumbers>),
    /// `kty` EC.
    Ec {
        /// `crv`.
        curve: Curve,
        /// Public point.
        x: Vec<u8>,
        /// Public point.
        y: Vec<u8>,
        /// Private number.
        d: Zeroizing<Vec<u8>>,
    },
    /// `kty` oct: the key itself.
    Oct(Zeroizing<Vec<u8>>),
}

/// The numbers of an RSA private key with two primes, big-endian; leading zeros do not matter.
#[derive(Clone)]
pub struct RsaNumbers {
    /// Modulus.
    pub n: Vec<u8>,
    /// Public exponent.
    pub e: Vec<u8>,
    /// Private exponent.
    pub d: Zeroizing<Vec<u8>>,
    /// The others; without them they are found.
    pub primes: Option<RsaPrimes>,
}

/// The primes of an RSA private key and what follows from them: all or nothing (RFC 7518, section 6.3.2).
#[derive(Clone)]
pub struct RsaPrimes {
    /// First prime.
    pub p: Zeroizing<Vec<u8>>,
    /// Second prime.
    pub q: Zeroizing<Vec<u8>>,
    /// d mod p - 1.
    pub dp: Zeroizing<Vec<u8>>,
    /// d mod q - 1.
    pub dq: Zeroizing<Vec<u8>>,
    /// The inverse of q mod p.
    pub qi: Zeroizing<Vec<u8>>,
}

/// Why numbers are not a key that is taken. Tells nothing of the numbers themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The modulus has a size that is not served.
    #[error("the RSA modulus must have 2048, 3072 or 4096 bits")]
    ModulusSize,
    /// The public exponent is even, below 3 or above 2^32 - 1.
    #[error("the RSA public exponent must be an odd number from 3 to 4294967295")]
    Exponent,
    /// The RSA numbers do not belong together.
    #[error(
        "the numbers of the RSA key do not belong together: give n, e, d and all or none of p, q, dp, dq, qi of one key"
    )]
    Inconsistent,
    /// A factor of the modulus is not prime.
    #[error("a factor of the RSA modulus is not prime: make a new key")]
    NotPrime,
    /// The RSA key is known to be weak.
    #[error("the RSA key is weak (its primes are uneven or too close, or d is too small): make a new key")]
    Weak,
    /// A number of the elliptic-curve key is longer than its curve allows.
    #[error("a number of the EC key is longer than its curve allows")]
    CoordinateLength,
    /// The public point is not on the curve.
    #[error("the public point of the EC key is not on its curve")]
    OffCurve,
    /// The private number is out of range or belongs to another point.
    #[error("the private number of the EC key does not belong to its public point")]
    Mismatch,
    /// The secret has a size that is not served.
    #[error("a symmetric key must have 128, 192 or 256 bits")]
    SecretSize,
}

impl ImportedKey {
    /// What kind of key it says it is, by its sizes. Its other parts are not looked at.
    pub fn spec(&self) -> Result<KeySpec, BadKey> {
        let (size, missing) = match self {
            Self::Rsa(numbers) => (Size::Modulus(bits(stripped(&numbers.n))), BadKey::ModulusSize),
            Self::Ec { curve, .. } => (Size::Curve(*curve), BadKey::CoordinateLength),
            Self::Oct(secret) => (Size::Secret(bits(secret)), BadKey::SecretSize),
        };
        KeySpec::of_size(size).ok_or(missing)
    }
}

impl ImportedKey {
    /// As a token takes it.
    pub(crate) fn parts(&self) -> Result<Parts, BadKey> {
        Ok(match self {
            Self::Rsa(numbers) => {
                let RsaNumbers { n, e, d, primes } = &**numbers;
                let own = |number: &[u8]| Zeroizing::new(stripped(number).to_vec());
                let [p, q, dp, dq, qi] = match primes {
                    Some(RsaPrimes { p, q, dp, dq, qi }) => [own(p), own(q), own(dp), own(dq), own(qi)],
                    None => rsa::others(n, e, d).map_err(|_| BadKey::Inconsistent)?,
                };
                Parts::Rsa(Box::new([own(n), own(e), own(d), p, q, dp, dq, qi]))
            }
            Self::Ec { curve, x, y, d } => {
                let full = |number| fixed(number, curve.field_len()).ok_or(BadKey::CoordinateLength);
                Parts::Ec { d: full(d)?, x: full(x)?.to_vec(), y: full(y)?.to_vec() }
            }
            Self::Oct(secret) => Parts::Oct(secret.clone()),
        })
    }
}

impl Material {
    /// Checks the numbers and makes a key of them. RSA takes up to half a second, for its primes.
    pub(crate) fn import(key: &ImportedKey) -> Result<Self, BadKey> {
        match key {
            ImportedKey::Rsa(numbers) => rsa(numbers),
            ImportedKey::Ec { curve, x, y, d } => elliptic(*curve, x, y, d),
            ImportedKey::Oct(secret) => Self::symmetric(secret.clone()).map_err(|_| BadKey::SecretSize),
        }
    }
}

fn rsa(numbers: &RsaNumbers) -> Result<Material, BadKey> {
    let RsaNumbers { n, e, d, primes } = numbers;
    let key = match primes {
        Some(RsaPrimes { p, q, dp, dq, qi }) => {
            rsa::PrivateKey::from_numbers(&rsa::Numbers { n, e, d, p, q, dp, dq, qi })
        }
        None => rsa::PrivateKey::from_exponents(n, e, d),
    };
    match key {
        Ok(key) => Ok(Material::Rsa(Box::new(key))),
        Err(rsa::BadNumbers::Size) => Err(BadKey::ModulusSize),
        Err(rsa::BadNumbers::Exponent) => Err(BadKey::Exponent),
        Err(rsa::BadNumbers::Inconsistent) => Err(BadKey::Inconsistent),
        Err(rsa::BadNumbers::NotPrime) => Err(BadKey::NotPrime),
        Err(rsa::BadNumbers::Weak) => Err(BadKey::Weak),
    }
}

fn elliptic(curve: Curve, x: &[u8], y: &[u8], d: &[u8]) -> Result<Material, BadKey> {
    let full = |number| fixed(number, curve.field_len()).ok_or(BadKey::CoordinateLength);
    match ec::PrivateKey::from_numbers(curve_of(curve), &full(x)?, &full(y)?, &full(d)?) {
        Ok(key) => Ok(Material::Ec(key)),
        Err(ec::BadNumbers::Length) => Err(BadKey::CoordinateLength),
        Err(ec::BadNumbers::OffCurve) => Err(BadKey::OffCurve),
        Err(ec::BadNumbers::Mismatch) => Err(BadKey::Mismatch),
    }
}

/// As many bytes as asked for: leading zeros come or go.
fn fixed(number: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let digits = stripped(number);
    let mut out = Zeroizing::new(vec![0; length.checked_sub(digits.len())?]);
    out.extend_from_slice(digits);
    Some(out)
}

fn stripped(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

fn bits(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len().saturating_mul(8)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
