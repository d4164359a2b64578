//! AES key wrap (RFC 3394) and key wrap with padding (RFC 5649). What was changed does not unwrap.
//!
//! Calls AWS-LC itself, as `aws-lc-rs` offers neither for 192 bits.
#![allow(unsafe_code)]

use crate::CryptoError;
use aws_lc_sys::{
    AES_KEY, AES_set_decrypt_key, AES_set_encrypt_key, AES_unwrap_key, AES_unwrap_key_padded, AES_wrap_key,
    AES_wrap_key_padded,
};
use std::mem::MaybeUninit;
use std::ptr;
use zeroize::{Zeroize, Zeroizing};

/// How many bytes at most are wrapped: as much as is encrypted otherwise, and a bound on the work.
pub const MOST: usize = 64 * 1024;

/// Bytes that wrapping adds; what is wrapped is a multiple of it.
pub const STEP: usize = 8;

/// An expanded key, cleared when dropped.
struct Schedule(Box<AES_KEY>);

impl Schedule {
    fn wrapping(key: &[u8]) -> Result<Self, CryptoError> {
        Self::made(key, AES_set_encrypt_key)
    }

    fn unwrapping(key: &[u8]) -> Result<Self, CryptoError> {
        Self::made(key, AES_set_decrypt_key)
    }

    fn made(
        key: &[u8],
        expand: unsafe extern "C" fn(*const u8, std::ffi::c_uint, *mut AES_KEY) -> std::ffi::c_int,
    ) -> Result<Self, CryptoError> {
        let bits = match key.len() {
            16 => 128,
            24 => 192,
            32 => 256,
            _ => return Err(CryptoError::BadKey),
        };
        let mut schedule = Box::new(MaybeUninit::<AES_KEY>::zeroed());
        // SAFETY: the key has as many bits as are said; the schedule is writable and as large as the library's type.
        let done = unsafe { expand(key.as_ptr(), bits, schedule.as_mut_ptr()) };
        // SAFETY: plain integers, for which all zeros is a value, and which the call filled.
        let schedule = Self(unsafe { schedule.assume_init() });
        if done == 0 { Ok(schedule) } else { Err(CryptoError::BadKey) }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.rd_key.zeroize();
    }
}

/// Wraps a multiple of 8 bytes, at least 16: 8 bytes more.
pub fn wrap(key: &[u8], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let schedule = Schedule::wrapping(key)?;
    if !(2 * STEP..=MOST).contains(&plain.len()) || !plain.len().is_multiple_of(STEP) {
        return Err(CryptoError::BadLength);
    }
    let mut out = vec![0; plain.len().saturating_add(STEP)];
    // SAFETY: the schedule is live; a null IV is the standard's; `out` has the 8 bytes more that are written and does
    // not overlap `plain`, whose length goes with it.
    let done = unsafe { AES_wrap_key(&*schedule.0, ptr::null(), out.as_mut_ptr(), plain.as_ptr(), plain.len()) };
    if usize::try_from(done) == Ok(out.len()) { Ok(out) } else { Err(CryptoError::Exhausted) }
}

/// Unwraps what [`wrap`] made.
pub fn unwrap(key: &[u8], cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let schedule = Schedule::unwrapping(key)?;
    let length = cipher.len().saturating_sub(STEP);
    if !(2 * STEP..=MOST).contains(&length) || !length.is_multiple_of(STEP) {
        return Err(CryptoError::NotDecrypted);
    }
    let mut out = Zeroizing::new(vec![0; length]);
    // SAFETY: the schedule is live; a null IV is the standard's; `out` has the 8 bytes fewer that are written and does
    // not overlap `cipher`, whose length goes with it.
    let done = unsafe { AES_unwrap_key(&*schedule.0, ptr::null(), out.as_mut_ptr(), cipher.as_ptr(), cipher.len()) };
    if usize::try_from(done) == Ok(out.len()) { Ok(out) } else { Err(CryptoError::NotDecrypted) }
}

/// Wraps any bytes, at least one: the next multiple of 8, and 8 bytes more.
pub fn wrap_padded(key: &[u8], plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let schedule = Schedule::wrapping(key)?;
    if plain.is_empty() || plain.len() > MOST {
        return Err(CryptoError::BadLength);
    }
    let mut out = vec![0; plain.len().next_multiple_of(STEP).saturating_add(STEP)];
    let mut length = 0;
    // SAFETY: the schedule is live; at most `out.len()` bytes are written to `out`, which does not overlap `plain`,
    // whose length goes with it.
    let done = unsafe {
        AES_wrap_key_padded(&*schedule.0, out.as_mut_ptr(), &mut length, out.len(), plain.as_ptr(), plain.len())
    };
    if done == 1 && length == out.len() { Ok(out) } else { Err(CryptoError::Exhausted) }
}

/// Unwraps what [`wrap_padded`] made.
pub fn unwrap_padded(key: &[u8], cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let schedule = Schedule::unwrapping(key)?;
    let room = cipher.len().saturating_sub(STEP);
    if !(STEP..=MOST).contains(&room) || !room.is_multiple_of(STEP) {
        return Err(CryptoError::NotDecrypted);
    }
    let mut out = Zeroizing::new(vec![0; room]);
    let mut length = 0;
    // SAFETY: the schedule is live; at most `out.len()` bytes are written to `out`, which does not overlap `cipher`,
    // whose length goes with it.
    let done = unsafe {
        AES_unwrap_key_padded(&*schedule.0, out.as_mut_ptr(), &mut length, out.len(), cipher.as_ptr(), cipher.len())
    };
    if done != 1 || length > out.len() {
        return Err(CryptoError::NotDecrypted);
    }
    out.truncate(length);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_unwraps_and_what_was_changed_does_not() {
        for key in [16, 24, 32].map(|length| vec![3; length]) {
            for length in [16, 24, 32, 2400, MOST] {
                let mut cipher = wrap(&key, &vec![5; length]).unwrap();
                assert_eq!(cipher.len(), length + 8);
                assert_eq!(*unwrap(&key, &cipher).unwrap(), vec![5; length]);
                assert_eq!(unwrap_padded(&key, &cipher).err(), Some(CryptoError::NotDecrypted));
                cipher[9] ^= 1;
                assert_eq!(unwrap(&key, &cipher).err(), Some(CryptoError::NotDecrypted));
            }
            for length in [1, 7, 8, 9, 16, 31, MOST] {
                let mut cipher = wrap_padded(&key, &vec![5; length]).unwrap();
                assert_eq!(cipher.len(), length.next_multiple_of(8) + 8);
                assert_eq!(*unwrap_padded(&key, &cipher).unwrap(), vec![5; length]);
                assert_eq!(unwrap(&key, &cipher).err(), Some(CryptoError::NotDecrypted));
                cipher[9] ^= 1;
                assert_eq!(unwrap_padded(&key, &cipher).err(), Some(CryptoError::NotDecrypted));
            }
        }
    }

    #[test]
    fn lengths_that_the_algorithm_does_not_take_are_refused() {
        for length in [0, 8, 15, 17, MOST + 8] {
            assert_eq!(wrap(&[7; 16], &vec![0; length]).err(), Some(CryptoError::BadLength));
        }
        for length in [0, MOST + 1] {
            assert_eq!(wrap_padded(&[7; 16], &vec![0; length]).err(), Some(CryptoError::BadLength));
        }
        for length in [0, 8, 16, 23, 25, MOST + 16, 70_000] {
            assert_eq!(unwrap(&[7; 16], &vec![0; length]).err(), Some(CryptoError::NotDecrypted));
            assert_eq!(unwrap_padded(&[7; 16], &vec![0; length]).err(), Some(CryptoError::NotDecrypted));
        }
        assert_eq!(wrap(&[7; 17], &[0; 16]).err(), Some(CryptoError::BadKey));
        assert_eq!(unwrap_padded(&[], &[0; 16]).err(), Some(CryptoError::BadKey));
    }
}
