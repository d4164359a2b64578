//! The primes behind a modulus, from its two exponents (NIST SP 800-56B rev. 2, appendix C.1), and the numbers that
//! follow from them (RFC 8017, section 3.2). Nothing that is found here is believed: it is checked as if it had come
//! with the key.
//!
//! Side channels: this runs once, at import, and never when a key is used. Powers, common divisors and the inverses of
//! the exponents take the same time for all numbers of their lengths; comparisons, sums and products are the library's
//! ordinary ones. How many rounds there are is chance.

use super::ffi::number::Number;
use zeroize::Zeroizing;

/// A round finds nothing in half of all cases at most, if the key is one.
const ROUNDS: usize = 100;

/// The larger and the smaller factor of the modulus. None if the exponents are not those of one key with this modulus.
pub(super) fn factors(n: &[u8], e: &[u8], d: &[u8]) -> Option<[Zeroizing<Vec<u8>>; 2]> {
    let (n, one, two) = (Number::of(n)?, Number::small(1)?, Number::small(2)?);
    let minus_one = n.minus(&one)?;
    // What is raised to this power is 1 if the key is one.
    let whole = Number::of(e)?.times(&Number::of(d)?)?.minus(&one)?;
    let twos = whole.twos();
    let odd = whole.halved(twos)?;
    for _ in 0..ROUNDS {
        let mut root = Number::random_below(&n)?.power(&odd, &n)?;
        let mut left = twos;
        while root != one {
            // Squared as often as it may be, and not 1: there is no such key.
            left = left.checked_sub(1).filter(|left| *left >= 0)?;
            let square = root.power(&two, &n)?;
            if square == one && root != minus_one {
                // (root - 1)(root + 1) is a multiple of the modulus, and neither factor is one.
                let [a, b] = [root.minus(&one)?.common(&n)?, root.plus(&one)?.common(&n)?];
                let (p, q) = if a > b { (a, b) } else { (b, a) };
                return Some([p.to_bytes()?, q.to_bytes()?]);
            }
            root = square;
        }
    }
    None
}

/// The exponents d mod p - 1 and d mod q - 1, and the inverse of q mod p, of two primes of which the first is larger.
/// None if there are none.
pub(super) fn chinese(e: &[u8], p: &[u8], q: &[u8]) -> Option<[Zeroizing<Vec<u8>>; 3]> {
    let (e, p, q, one) = (Number::of(e)?, Number::of(p)?, Number::of(q)?, Number::small(1)?);
    let dp = e.inverse(&p.minus(&one)?)?;
    let dq = e.inverse(&q.minus(&one)?)?;
    // By Fermat's little theorem.
    let qi = q.power(&p.minus(&Number::small(2)?)?, &p)?;
    Some([dp.to_bytes()?, dq.to_bytes()?, qi.to_bytes()?])
}

#[cfg(test)]
mod tests;
