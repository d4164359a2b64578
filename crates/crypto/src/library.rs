//! What AWS-LC hands over to whoever calls it directly: a parsed key, and memory that it allocated.
#![allow(unsafe_code)]

use aws_lc_sys::{EVP_PKEY, EVP_PKEY_free, OPENSSL_free};
use std::ptr::NonNull;
use zeroize::{Zeroize, Zeroizing};

/// A key of the library. It clears the key when that is freed, as this is dropped.
pub(crate) struct Parsed(NonNull<EVP_PKEY>);

impl Parsed {
    /// What a parser of the library returned.
    ///
    /// # Safety
    /// Null, or a key that nobody else frees.
    pub(crate) unsafe fn owned(parsed: *mut EVP_PKEY) -> Option<Self> {
        NonNull::new(parsed).map(Self)
    }

    pub(crate) const fn as_ptr(&self) -> *mut EVP_PKEY {
        self.0.as_ptr()
    }
}

impl Drop for Parsed {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}

/// The bytes of an allocation, which is cleared and freed.
///
/// # Safety
/// `bytes` is an allocation of the library, of at least `length` bytes that are all written; nobody else has it.
pub(crate) unsafe fn taken(bytes: NonNull<u8>, length: usize) -> Zeroizing<Vec<u8>> {
    // SAFETY: so many bytes, all written, and nothing else refers to them until they are freed below.
    let written = unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr(), length) };
    let copy = Zeroizing::new(written.to_vec());
    written.zeroize();
    // SAFETY: allocated by the library, freed once, not used afterwards.
    unsafe { OPENSSL_free(bytes.as_ptr().cast()) };
    copy
}
