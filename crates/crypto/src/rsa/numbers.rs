//! A private key from its numbers, as other systems give it: nothing is believed.

use super::ffi::number::Number;
use super::{PrivateKey, Size, recovery};
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::RsaKeyPair;
use zeroize::Zeroizing;

/// The numbers of a private key with two primes (RFC 8017, section 3.2), big-endian; leading zeros do not matter.
#[derive(Clone, Copy)]
pub struct Numbers<'a> {
    /// Modulus.
    pub n: &'a [u8],
    /// Public exponent.
    pub e: &'a [u8],
    /// Private exponent.
    pub d: &'a [u8],
    /// First prime.
    pub p: &'a [u8],
    /// Second prime.
    pub q: &'a [u8],
    /// d mod p - 1.
    pub dp: &'a [u8],
    /// d mod q - 1.
    pub dq: &'a [u8],
    /// The inverse of q mod p.
    pub qi: &'a [u8],
}

/// Why numbers are not a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNumbers {
    /// The modulus has not 2,048, 3,072 or 4,096 bits.
    #[error("the modulus has not 2048, 3072 or 4096 bits")]
    Size,
    /// The public exponent is even, below 3 or above 2^32 - 1.
    #[error("the public exponent is not an odd number from 3 to 4294967295")]
    Exponent,
    /// The numbers do not belong together.
    #[error("the numbers of the key do not belong together")]
    Inconsistent,
    /// A factor is not prime.
    #[error("a factor of the modulus is not prime")]
    NotPrime,
    /// The factors are of different lengths or too close to each other, or the private exponent is too small
    /// (FIPS 186-5, appendix A.1).
    #[error("the key is weak: its primes are too close or uneven, or its private exponent is too small")]
    Weak,
}

impl PrivateKey {
    /// From its numbers. They are checked against each other, the factors are proven prime (Miller-Rabin, error below
    /// 2^-128), and keys that are known to be weak are refused. Takes up to half a second.
    pub fn from_numbers(numbers: &Numbers<'_>) -> Result<Self, BadNumbers> {
        let Numbers { p, q, dp, dq, qi, .. } = *numbers;
        let exponents = Exponents::of(numbers.n, numbers.e, numbers.d)?;
        let parts = [p, q, dp, dq, qi].map(stripped);
        if parts.iter().any(|number| number.len() > exponents.n.len()) {
            return Err(BadNumbers::Inconsistent);
        }
        let [p, q, dp, dq, qi] = parts;
        // In this order, so that a composite factor is named as such.
        prime(p, q)?;
        exponents.key(p, q, [dp, dq, qi])
    }

    /// From its modulus and both exponents, big-endian: the other numbers are found (NIST SP 800-56B rev. 2, appendix
    /// C.1), then all are checked as by [`Self::from_numbers`]. Takes up to half a second, and a second and a half for
    /// some numbers that are no key.
    pub fn from_exponents(n: &[u8], e: &[u8], d: &[u8]) -> Result<Self, BadNumbers> {
        let exponents = Exponents::of(n, e, d)?;
        let Exponents { n, e, d } = exponents;
        let [p, q] = recovery::factors(n, e, d).ok_or(BadNumbers::Inconsistent)?;
        prime(&p, &q)?;
        let [dp, dq, qi] = recovery::chinese(e, &p, &q).ok_or(BadNumbers::Inconsistent)?;
        exponents.key(&p, &q, [&dp, &dq, &qi])
    }
}

/// p, q, dp, dq and qi of a key that has only its modulus and exponents. Nothing of them is checked: they are for a key
/// that [`PrivateKey::from_exponents`] took.
pub fn others(n: &[u8], e: &[u8], d: &[u8]) -> Result<[Zeroizing<Vec<u8>>; 5], BadNumbers> {
    let Exponents { n, e, d } = Exponents::of(n, e, d)?;
    let [p, q] = recovery::factors(n, e, d).ok_or(BadNumbers::Inconsistent)?;
    let [dp, dq, qi] = recovery::chinese(e, &p, &q).ok_or(BadNumbers::Inconsistent)?;
    Ok([p, q, dp, dq, qi])
}

/// A modulus of a size that is served, an exponent that is, and a private exponent that is not longer; without leading
/// zeros.
#[derive(Clone, Copy)]
struct Exponents<'a> {
    n: &'a [u8],
    e: &'a [u8],
    d: &'a [u8],
}

impl<'a> Exponents<'a> {
    fn of(n: &'a [u8], e: &'a [u8], d: &'a [u8]) -> Result<Self, BadNumbers> {
        let (n, d) = (stripped(n), stripped(d));
        Size::of(n).ok_or(BadNumbers::Size)?;
        let e = exponent(e).ok_or(BadNumbers::Exponent)?;
        if d.len() > n.len() { Err(BadNumbers::Inconsistent) } else { Ok(Self { n, e, d }) }
    }

    /// The key with these primes, if all belongs together and is not weak.
    fn key(self, p: &[u8], q: &[u8], [dp, dq, qi]: [&[u8]; 3]) -> Result<PrivateKey, BadNumbers> {
        let Self { n, e, d } = self;
        let public_key = PublicKeyComponents { n, e };
        let pair = RsaKeyPair::from_components(&KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi });
        let key = PrivateKey::of(pair.map_err(|_| BadNumbers::Inconsistent)?).map_err(|_| BadNumbers::Size)?;
        if weak(n.len(), d, p, q) { Err(BadNumbers::Weak) } else { Ok(key) }
    }
}

fn prime(p: &[u8], q: &[u8]) -> Result<(), BadNumbers> {
    let prime = |factor: &&[u8]| Number::of(factor).is_some_and(|factor| factor.is_prime());
    if [p, q].iter().all(prime) { Ok(()) } else { Err(BadNumbers::NotPrime) }
}

fn stripped(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}

/// Odd, from 3 to 2^32 - 1.
fn exponent(e: &[u8]) -> Option<&[u8]> {
    let e = stripped(e);
    let odd = e.last().is_some_and(|last| last & 1 == 1);
    (odd && e.len() <= 4 && e != [1]).then_some(e)
}

/// FIPS 186-5, appendix A.1.1 and A.1.3: primes of half the length, their first 100 bits not the same; d above the
/// square root of the modulus.
fn weak(modulus_len: usize, d: &[u8], p: &[u8], q: &[u8]) -> bool {
    let half = modulus_len.checked_div(2).unwrap_or(0);
    let uneven = p.len() != half || q.len() != half;
    let close = match (p.first_chunk::<13>(), q.first_chunk::<13>()) {
        (Some(p), Some(q)) => p == q,
        _ => true,
    };
    uneven || close || d.len() <= half
}
