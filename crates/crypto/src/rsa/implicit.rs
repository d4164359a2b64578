//! RSAES-PKCS1-v1_5 decryption that cannot be made an oracle (Bleichenbacher 1998, "Marvin" 2023): a number whose
//! padding is wrong decrypts to bytes that only the key's owner could tell from a plaintext, always the same ones, in
//! the same time. This is the implicit rejection of draft-irtf-cfrg-rsa-guidance, as OpenSSL has it since 3.2, so both
//! give the same bytes.

use super::{Size, ffi};
use crate::{CryptoError, hmac_of, sha256};
use std::hint::black_box;
use zeroize::Zeroizing;

/// How many candidates there are for the length of what a wrong number decrypts to.
const CANDIDATES: usize = 128;

/// The shortest padding: 0, 2, eight bytes that are not zero.
const SHORTEST: usize = 10;

pub(super) struct Key {
    raw: ffi::Key,
    /// SHA-256 of the private exponent.
    secret: Zeroizing<[u8; 32]>,
    size: Size,
}

impl Key {
    pub(super) fn from_pkcs8(pkcs8: &[u8], size: Size) -> Option<Self> {
        let raw = ffi::Key::from_pkcs8(pkcs8)?;
        let secret = Zeroizing::new(sha256(&[&raw.private_exponent(size)?]));
        Some(Self { raw, secret, size })
    }

    /// Decrypts a number of the modulus's length. Fails only if it is not above 1 and below the modulus
    /// less one, which everyone can see.
    pub(super) fn decrypt(&self, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        // Made for good numbers too: the time is the same.
        let secret = Zeroizing::new(hmac_of(self.secret.as_slice(), &[cipher]));
        let other = stream(&secret, b"message", self.size.modulus_len());
        let other_length = length(&secret, self.size.modulus_len());
        let padded = self.raw.decrypt(cipher, self.size).ok_or(CryptoError::NotDecrypted)?;
        Ok(chosen(&padded, &other, other_length))
    }
}

/// The message behind the padding if it is one, else the end of the other bytes. Which of the two, only the length and
/// the bytes themselves tell.
fn chosen(padded: &[u8], other: &[u8], other_length: usize) -> Zeroizing<Vec<u8>> {
    let (mut good, mut found, mut zero_at) = (ones(true), 0, 0);
    for (at, byte) in padded.iter().enumerate() {
        let byte = usize::from(*byte);
        match at {
            0 => good &= equal(byte, 0),
            1 => good &= equal(byte, 2),
            _ => {
                let zero = equal(byte, 0);
                zero_at = select(!found & zero, at, zero_at);
                found |= zero;
            }
        }
    }
    // No zero at all leaves the place 0, which is below the shortest padding.
    good &= !less(zero_at, SHORTEST);
    let start = select(good, zero_at.wrapping_add(1), padded.len().wrapping_sub(other_length));
    let good = black_box(good).to_le_bytes()[0];
    let bytes = padded.iter().zip(other).skip(start).map(|(a, b)| (good & a) | (!good & b));
    Zeroizing::new(bytes.collect())
}

/// The length of what a wrong number decrypts to: the last candidate that the modulus has room for.
fn length(secret: &[u8; 32], modulus_len: usize) -> usize {
    let most = modulus_len.saturating_sub(SHORTEST);
    let mask = most.next_power_of_two().wrapping_sub(1);
    let mut length = 0;
    let candidates = stream(secret, b"length", CANDIDATES.saturating_mul(2));
    for pair in candidates.as_chunks::<2>().0 {
        let candidate = usize::from(u16::from_be_bytes(*pair)) & mask;
        length = select(less(candidate, most), candidate, length);
    }
    length
}

/// The draft's PRF: HMAC-SHA-256 in counter mode.
fn stream(secret: &[u8; 32], label: &[u8], bytes: usize) -> Zeroizing<Vec<u8>> {
    let bits = u16::try_from(bytes.saturating_mul(8)).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.next_multiple_of(32)));
    let mut counter = 0u16;
    while out.len() < bytes {
        out.extend_from_slice(&hmac_of(secret, &[&counter.to_be_bytes(), label, &bits]));
        counter = counter.wrapping_add(1);
    }
    out.truncate(bytes);
    out
}

// All bits set or none; no branch and no table. Numbers stay far below half of a word.

const fn ones(yes: bool) -> usize {
    0usize.wrapping_sub(yes as usize)
}

fn less(a: usize, b: usize) -> usize {
    black_box(0usize.wrapping_sub(a.wrapping_sub(b) >> usize::BITS.wrapping_sub(1)))
}

fn equal(a: usize, b: usize) -> usize {
    less(a ^ b, 1)
}

fn select(yes: usize, a: usize, b: usize) -> usize {
    (yes & a) | (!yes & b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_whole() {
        for (a, b) in [(0, 0), (0, 1), (1, 0), (255, 255), (10, 512), (512, 10)] {
            assert_eq!(less(a, b), ones(a < b));
            assert_eq!(equal(a, b), ones(a == b));
        }
        assert_eq!((select(ones(true), 3, 5), select(ones(false), 3, 5)), (3, 5));
    }

    #[test]
    fn a_message_is_taken_only_behind_a_whole_padding() {
        let other = [7; 32];
        let mut good = [1; 32];
        (good[0], good[1], good[20]) = (0, 2, 0);
        assert_eq!(*chosen(&good, &other, 5), [1; 11]);
        (good[20], good[31]) = (1, 0);
        assert!(chosen(&good, &other, 5).is_empty());
        good[10] = 0;
        assert_eq!(chosen(&good, &other, 5).len(), 21);
        let at = |changes: &[(usize, u8)]| {
            let mut bytes = good;
            changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
            bytes
        };
        for bad in [at(&[(0, 1)]), at(&[(1, 1)]), at(&[(2, 0)]), at(&[(9, 0)]), at(&[(10, 1), (31, 1)]), [0; 32]] {
            assert_eq!(*chosen(&bad, &other, 5), [7; 5]);
        }
    }
}
