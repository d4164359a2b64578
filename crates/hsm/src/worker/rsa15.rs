//! RSAES-PKCS1-v1_5 decryption that is no oracle to callers: what is not padded decrypts to other bytes, always the
//! same ones, with the same calls of the token. They come from a signature that only the token can make and that no
//! caller is given, as it is over no digest. The bare RSA operation is not used.
//!
//! What is left is the time that the token's own decryption takes to say that a padding is wrong.

use super::aes::odd;
use super::rv::{Tried, Trouble};
use super::seat::Seat;
use super::{public, rsa};
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{AttributeType, ObjectHandle};
use keystead_model::PublicKey;
use std::hint::black_box;
use zeroize::Zeroizing;

/// What is signed to have a secret that hangs on the key: no DigestInfo starts so.
const SIGNED: &[u8] = b"Keystead: what a wrong RSA1_5 ciphertext decrypts to";

/// Candidates for the length of what a wrong ciphertext decrypts to, two bytes each.
const CANDIDATES: usize = 16;

/// The shortest padding: 0, 2, eight bytes that are not zero, 0.
const PADDING: usize = 11;

/// What goes with a key: made once, when it first decrypts.
pub(super) struct Guard {
    /// The signature over [`SIGNED`].
    secret: Zeroizing<Vec<u8>>,
    /// A ciphertext of [`KNOWN`].
    control: Vec<u8>,
}

const KNOWN: &[u8] = b"a key to be unwrapped, 32 bytes.";

impl Guard {
    pub(super) fn of(seat: &Seat, key: ObjectHandle) -> Tried<Self> {
        let numbers = seat.session.get_attributes(key, &[AttributeType::Modulus, AttributeType::PublicExponent])?;
        let Some(PublicKey::Rsa { n, e }) = public::rsa(&numbers) else { return Err(odd("no public half is shown")) };
        let public = rsa::object(seat, &n, &e)?;
        let control = seat.session.encrypt(&Mechanism::RsaPkcs, public.handle, KNOWN)?;
        Ok(Self { secret: Zeroizing::new(seat.session.sign(&Mechanism::RsaPkcs, key, SIGNED)?), control })
    }
}

/// Decrypts as many bytes as the modulus has. `wrong` are the codes by which the token says that a padding is wrong; as
/// they may be those of a broken device, too, each decryption is made twice, and one whose result is known besides.
pub(super) fn decrypt(
    seat: &Seat,
    key: ObjectHandle,
    guard: &Guard,
    cipher: &[u8],
    wrong: &[RvError],
) -> Tried<Zeroizing<Vec<u8>>> {
    let (other, length) = rejected(seat, guard, cipher)?;
    let once = said(seat, key, cipher, wrong)?;
    let known = said(seat, key, &guard.control, wrong)?;
    let again = said(seat, key, cipher, wrong)?;
    match (once, again) {
        _ if known.as_ref().is_none_or(|plain| plain.as_slice() != KNOWN) => Err(odd("the token does not decrypt")),
        (Some(plain), Some(same)) if plain == same => Ok(plain),
        (None, None) => Ok(Zeroizing::new(other.get(..length).unwrap_or_default().to_vec())),
        _ => Err(odd("the token decrypts the same text in two ways")),
    }
}

/// The plaintext, or nothing if the token says that it has none.
fn said(seat: &Seat, key: ObjectHandle, cipher: &[u8], wrong: &[RvError]) -> Tried<Option<Zeroizing<Vec<u8>>>> {
    match seat.session.decrypt(&Mechanism::RsaPkcs, key, cipher).map_err(Trouble::from) {
        Ok(plain) => Ok(Some(Zeroizing::new(plain))),
        Err(trouble) if trouble.code().is_some_and(|code| wrong.contains(&code)) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// The other bytes, and how many of them.
fn rejected(seat: &Seat, guard: &Guard, cipher: &[u8]) -> Tried<(Zeroizing<Vec<u8>>, usize)> {
    let mut stream = Zeroizing::new(Vec::new());
    let mut counter = 0u8;
    while stream.len() < cipher.len().saturating_add(CANDIDATES.saturating_mul(2)) {
        // All of fixed length, so nothing can be taken for something else.
        let block = Zeroizing::new([guard.secret.as_slice(), &[counter], cipher].concat());
        stream.extend_from_slice(&seat.session.digest(&Mechanism::Sha256, &block)?);
        counter = counter.wrapping_add(1);
    }
    let bytes = stream.split_off(CANDIDATES.saturating_mul(2));
    Ok((Zeroizing::new(bytes), length(&stream, cipher.len())))
}

/// The last candidate that the modulus has room for.
fn length(candidates: &[u8], modulus_len: usize) -> usize {
    let most = modulus_len.saturating_sub(PADDING);
    let mask = most.next_power_of_two().wrapping_sub(1);
    candidates.as_chunks::<2>().0.iter().fold(0, |length, pair| {
        let candidate = usize::from(u16::from_be_bytes(*pair)) & mask;
        // All bits set if the candidate is no more than the most; numbers stay far below half of a word.
        let fits = black_box(0usize.wrapping_sub(usize::from(candidate <= most)));
        (fits & candidate) | (!fits & length)
    })
}

/// Whether the token decrypts RSAES-PKCS1-v1_5 with this key pair, and by which codes it says that a padding is wrong:
/// by none if it never says so.
pub(super) fn probe(seat: &Seat, public: ObjectHandle, key: ObjectHandle) -> Tried<Option<Vec<RvError>>> {
    let cipher = seat.session.encrypt(&Mechanism::RsaPkcs, public, KNOWN)?;
    if seat.session.decrypt(&Mechanism::RsaPkcs, key, &cipher)? != KNOWN {
        return Ok(None);
    }
    let mut wrong = Vec::new();
    // Padded for another scheme, for a signature, and the same with one bit changed.
    let other = rsa::Oaep::Sha1.encrypt(seat, public, KNOWN)?;
    let signature = seat.session.sign(&Mechanism::RsaPkcs, key, KNOWN)?;
    let mut changed = cipher;
    changed.last_mut().into_iter().for_each(|byte| *byte ^= 1);
    for text in [other, signature, changed] {
        match seat.session.decrypt(&Mechanism::RsaPkcs, key, &text).map_err(Trouble::from) {
            Ok(_) => {}
            Err(trouble) => match trouble.code() {
                Some(code) if !trouble.is_lost() => wrong.push(code),
                _ => return Err(trouble),
            },
        }
    }
    // What is left must work, too.
    rejected(seat, &Guard::of(seat, key)?, &[0; 256])?;
    wrong.dedup();
    Ok(Some(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_other_bytes_is_one_that_the_modulus_has_room_for() {
        for modulus_len in [256, 384, 512] {
            for seed in 0..=255u8 {
                let candidates: Vec<u8> = (0..32).map(|at: u8| seed.wrapping_mul(31).wrapping_add(at * 7)).collect();
                assert!(length(&candidates, modulus_len) <= modulus_len - PADDING);
            }
        }
        assert_eq!(length(&[0xff; 32], 256), 0);
        assert_eq!(length(&[0, 245, 0, 246], 256), 245);
    }
}
