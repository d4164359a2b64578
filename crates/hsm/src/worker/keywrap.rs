//! AES key wrap (RFC 3394) and with padding (RFC 5649), composed of single AES blocks in the token: for tokens that
//! wrap their own objects but not a caller's bytes. The key never leaves; what is wrapped is the caller's.

use super::aes::{self, BLOCK};
use super::rv::Tried;
use super::seat::Seat;
use cryptoki::object::ObjectHandle;
use zeroize::Zeroizing;

/// Bytes of a half block, in which both count.
pub(super) const STEP: usize = 8;

/// How many bytes are wrapped at most when it is composed: each eight of them take six calls of the token.
pub(super) const MOST_COMPOSED: usize = 1024;

/// How many are by one mechanism.
pub(super) const MOST: usize = 4096;

const IV: [u8; STEP] = [0xa6; STEP];
const IV_PADDED: [u8; 4] = [0xa6, 0x59, 0x59, 0xa6];

type Half = [u8; STEP];
type Block = [u8; BLOCK];

/// One block forwards or backwards under some key.
type Cipher<'a> = &'a mut dyn FnMut(&Block) -> Tried<Block>;

/// RFC 3394 of a multiple of eight bytes, at least two of them.
pub(super) fn wrap(seat: &Seat, key: ObjectHandle, plain: &[u8]) -> Tried<Option<Vec<u8>>> {
    wrap_with(&mut forwards(seat, key), plain)
}

/// Nothing, if it was not wrapped under this key.
pub(super) fn unwrap(seat: &Seat, key: ObjectHandle, cipher: &[u8]) -> Tried<Option<Zeroizing<Vec<u8>>>> {
    unwrap_with(&mut backwards(seat, key), cipher)
}

/// RFC 5649 of one byte or more.
pub(super) fn wrap_padded(seat: &Seat, key: ObjectHandle, plain: &[u8]) -> Tried<Option<Vec<u8>>> {
    wrap_padded_with(&mut forwards(seat, key), plain)
}

/// Nothing, if it was not wrapped under this key.
pub(super) fn unwrap_padded(seat: &Seat, key: ObjectHandle, cipher: &[u8]) -> Tried<Option<Zeroizing<Vec<u8>>>> {
    unwrap_padded_with(&mut backwards(seat, key), cipher)
}

fn forwards(seat: &Seat, key: ObjectHandle) -> impl FnMut(&Block) -> Tried<Block> {
    move |block| one(&aes::ecb_encrypt(seat, key, block)?)
}

fn backwards(seat: &Seat, key: ObjectHandle) -> impl FnMut(&Block) -> Tried<Block> {
    move |block| one(&aes::ecb_decrypt(seat, key, block)?)
}

fn one(block: &[u8]) -> Tried<Block> {
    block.try_into().map_err(|_| aes::odd("AES gave a text of another length"))
}

fn wrap_with(cipher: Cipher<'_>, plain: &[u8]) -> Tried<Option<Vec<u8>>> {
    match plain.as_chunks() {
        (halves @ [_, _, ..], []) if plain.len() <= MOST_COMPOSED => forth(cipher, IV, halves).map(Some),
        _ => Ok(None),
    }
}

fn unwrap_with(cipher: Cipher<'_>, wrapped: &[u8]) -> Tried<Option<Zeroizing<Vec<u8>>>> {
    let Some((first, halves @ [_, _, ..])) = whole(wrapped) else { return Ok(None) };
    let (iv, plain) = back(cipher, first, halves)?;
    Ok(same(&iv, &IV).then_some(plain))
}

fn wrap_padded_with(cipher: Cipher<'_>, plain: &[u8]) -> Tried<Option<Vec<u8>>> {
    let length = u32::try_from(plain.len()).ok().filter(|_| (1..=MOST_COMPOSED).contains(&plain.len()));
    let Some(length) = length else { return Ok(None) };
    let mut iv = [0; STEP];
    iv.copy_from_slice(&[IV_PADDED, length.to_be_bytes()].concat());
    let mut filled = Zeroizing::new(plain.to_vec());
    filled.resize(plain.len().next_multiple_of(STEP), 0);
    match filled.as_chunks().0 {
        [only] => Ok(Some(cipher(&joined(iv, *only))?.to_vec())),
        halves => forth(cipher, iv, halves).map(Some),
    }
}

fn unwrap_padded_with(cipher: Cipher<'_>, wrapped: &[u8]) -> Tried<Option<Zeroizing<Vec<u8>>>> {
    let (iv, mut plain) = match whole(wrapped) {
        Some((first, [only])) => {
            let (iv, half) = halves(cipher(&joined(first, *only))?);
            (iv, Zeroizing::new(half.to_vec()))
        }
        Some((first, halves)) if !halves.is_empty() => back(cipher, first, halves)?,
        _ => return Ok(None),
    };
    let (constant, length) = iv.split_at(IV_PADDED.len());
    let length = length.iter().fold(0usize, |sum, byte| sum.wrapping_shl(8) | usize::from(*byte));
    let padding = plain.len().wrapping_sub(length);
    // All is looked at, whatever was wrong first.
    let mut good = same(constant, &IV_PADDED) & (padding < STEP);
    for (from_end, byte) in plain.iter().rev().take(STEP).enumerate() {
        good &= (from_end >= padding) | (*byte == 0);
    }
    plain.truncate(length);
    Ok(good.then_some(plain))
}

/// The first half block and the others, if there are only whole ones and not too many.
fn whole(wrapped: &[u8]) -> Option<(Half, &[Half])> {
    match wrapped.as_chunks() {
        ([first, rest @ ..], []) if wrapped.len() <= MOST_COMPOSED.saturating_add(STEP) => Some((*first, rest)),
        _ => None,
    }
}

/// The function W of NIST SP 800-38F.
fn forth(cipher: Cipher<'_>, iv: Half, plain: &[Half]) -> Tried<Vec<u8>> {
    let (mut a, mut r, mut t) = (iv, Zeroizing::new(plain.to_vec()), 0u64);
    for _ in 0..6 {
        for half in r.iter_mut() {
            t = t.wrapping_add(1);
            (a, *half) = halves(cipher(&joined(a, *half))?);
            a = xor(a, t);
        }
    }
    Ok([a.as_slice(), r.as_flattened()].concat())
}

/// Its inverse.
fn back(cipher: Cipher<'_>, first: Half, wrapped: &[Half]) -> Tried<(Half, Zeroizing<Vec<u8>>)> {
    let (mut a, mut r) = (first, Zeroizing::new(wrapped.to_vec()));
    let mut t = u64::try_from(wrapped.len()).unwrap_or(u64::MAX).saturating_mul(6);
    for _ in 0..6 {
        for half in r.iter_mut().rev() {
            (a, *half) = halves(cipher(&joined(xor(a, t), *half))?);
            t = t.wrapping_sub(1);
        }
    }
    Ok((a, Zeroizing::new(r.as_flattened().to_vec())))
}

fn xor(half: Half, t: u64) -> Half {
    (u64::from_be_bytes(half) ^ t).to_be_bytes()
}

fn joined(a: Half, b: Half) -> Block {
    let mut block = [0; BLOCK];
    let (left, right) = block.split_at_mut(STEP);
    left.copy_from_slice(&a);
    right.copy_from_slice(&b);
    block
}

fn halves(block: Block) -> (Half, Half) {
    let (left, right) = block.split_at(STEP);
    let (mut a, mut b) = ([0; STEP], [0; STEP]);
    a.copy_from_slice(left);
    b.copy_from_slice(right);
    (a, b)
}

/// Whether both are the same, in a time that depends on their lengths only.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests;
