//! What AES and HMAC keys do in a token, key wrapping apart.

use super::public::Hash;
use super::rv::{Tried, Trouble};
use super::seat::Seat;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

/// Bytes of a block of AES.
pub(super) const BLOCK: usize = 16;

/// Bytes of a nonce and of a tag of AES-GCM.
pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;

/// What AES-GCM makes.
pub(super) struct Sealed {
    pub(super) nonce: [u8; NONCE],
    pub(super) value: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// AES-GCM. The nonce comes from the token's generator, or from the mechanism itself where the token writes it over
/// ours.
pub(super) fn seal(seat: &Seat, key: ObjectHandle, aad: &[u8], plain: &[u8], own_nonce: bool) -> Tried<Sealed> {
    let mut nonce = if own_nonce { [0; NONCE] } else { seat.random()? };
    let mut value = {
        let mechanism = gcm(&mut nonce, aad)?;
        seat.session.encrypt(&mechanism, key, plain)?
    };
    let length = value.len().checked_sub(TAG).filter(|length| *length == plain.len());
    let tag = value.split_off(length.ok_or_else(|| odd("AES-GCM gave a text of another length"))?);
    if own_nonce && nonce == [0; NONCE] {
        return Err(odd("AES-GCM gave no nonce"));
    }
    Ok(Sealed { nonce, value, tag })
}

pub(super) fn open(
    seat: &Seat,
    key: ObjectHandle,
    nonce: &[u8; NONCE],
    aad: &[u8],
    cipher: &[u8],
    tag: &[u8],
) -> Tried<Zeroizing<Vec<u8>>> {
    let mut nonce = *nonce;
    let mechanism = gcm(&mut nonce, aad)?;
    let whole = [cipher, tag].concat();
    Ok(Zeroizing::new(seat.session.decrypt(&mechanism, key, &whole)?))
}

fn gcm<'a>(nonce: &'a mut [u8], aad: &'a [u8]) -> Tried<Mechanism<'a>> {
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, aad, Ulong::new(128))?))
}

/// AES-CBC over whole blocks; nothing is padded.
pub(super) fn cbc_encrypt(seat: &Seat, key: ObjectHandle, iv: [u8; BLOCK], plain: &[u8]) -> Tried<Vec<u8>> {
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    same_length(plain, seat.session.encrypt(&Mechanism::AesCbc(iv), key, plain)?)
}

pub(super) fn cbc_decrypt(seat: &Seat, key: ObjectHandle, iv: [u8; BLOCK], cipher: &[u8]) -> Tried<Zeroizing<Vec<u8>>> {
    if cipher.is_empty() {
        return Ok(Zeroizing::new(Vec::new()));
    }
    same_length(cipher, seat.session.decrypt(&Mechanism::AesCbc(iv), key, cipher)?).map(Zeroizing::new)
}

/// One block or more, each by itself: for what is composed of it, never for a caller's data.
pub(super) fn ecb_encrypt(seat: &Seat, key: ObjectHandle, blocks: &[u8]) -> Tried<Vec<u8>> {
    same_length(blocks, seat.session.encrypt(&Mechanism::AesEcb, key, blocks)?)
}

pub(super) fn ecb_decrypt(seat: &Seat, key: ObjectHandle, blocks: &[u8]) -> Tried<Zeroizing<Vec<u8>>> {
    same_length(blocks, seat.session.decrypt(&Mechanism::AesEcb, key, blocks)?).map(Zeroizing::new)
}

fn same_length(given: &[u8], made: Vec<u8>) -> Tried<Vec<u8>> {
    if made.len() == given.len() { Ok(made) } else { Err(odd("AES gave a text of another length")) }
}

/// With zeros behind it up to the end of its last block.
pub(super) fn zero_filled(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut filled = Zeroizing::new(Vec::with_capacity(plain.len().next_multiple_of(BLOCK)));
    filled.extend_from_slice(plain);
    filled.resize(plain.len().next_multiple_of(BLOCK), 0);
    filled
}

/// With the padding of PKCS#7 (RFC 5652, section 6.3).
pub(super) fn padded(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let lacking = BLOCK.saturating_sub(plain.len().checked_rem(BLOCK).unwrap_or(0));
    let mut padded = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(lacking)));
    padded.extend_from_slice(plain);
    padded.extend(std::iter::repeat_n(u8::try_from(lacking).unwrap_or(0), lacking));
    padded
}

/// Without that padding. Looks at every byte of the last block in the same way.
pub(super) fn unpadded(mut text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let block = text.last_chunk::<BLOCK>()?;
    let [.., last] = *block;
    let length = usize::from(last);
    let mut wrong = u8::from(length == 0) | u8::from(length > BLOCK);
    for (from_end, byte) in block.iter().rev().enumerate() {
        let within = 0u8.wrapping_sub(std::hint::black_box(u8::from(from_end < length)));
        wrong |= within & (byte ^ last);
    }
    let rest = text.len().saturating_sub(length);
    text.truncate(rest);
    (std::hint::black_box(wrong) == 0).then_some(text)
}

/// HMAC (RFC 2104) over data.
pub(super) fn hmac(seat: &Seat, key: ObjectHandle, hash: Hash, data: &[u8]) -> Tried<Vec<u8>> {
    let (mechanism, length) = match hash {
        Hash::Sha256 => (Mechanism::Sha256Hmac, 32),
        Hash::Sha384 => (Mechanism::Sha384Hmac, 48),
        Hash::Sha512 => (Mechanism::Sha512Hmac, 64),
    };
    let tag = seat.session.sign(&mechanism, key, data)?;
    if tag.len() == length { Ok(tag) } else { Err(odd("HMAC gave a tag of another length")) }
}

pub(super) fn odd(what: &str) -> Trouble {
    Trouble::Library(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_comes_off_again_and_nothing_else_does() {
        for length in 0..40 {
            let plain = vec![7; length];
            let padded = padded(&plain);
            assert_eq!(padded.len(), (length / 16 + 1) * 16);
            assert_eq!(unpadded(padded).as_deref(), Some(&plain));
            let filled = zero_filled(&plain);
            assert!(filled.len() == length.next_multiple_of(16) && filled.starts_with(&plain));
        }
        for bad in [vec![], vec![0; 16], vec![17; 16], [vec![9; 15], vec![2]].concat(), vec![1; 15]] {
            assert_eq!(unpadded(Zeroizing::new(bad)), None);
        }
    }
}
