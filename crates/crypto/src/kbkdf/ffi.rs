//! The one call of AWS-LC that derives in counter mode, which `aws-lc-rs` offers behind a feature of its own.
#![allow(unsafe_code)]

use aws_lc_sys::{EVP_sha512, KBKDF_ctr_hmac};

/// Fills `out`. The info is label, separator, context and length, as they are hashed.
pub(super) fn counter_hmac_sha512(key: &[u8], info: &[u8], out: &mut [u8]) -> Option<()> {
    // The library wants a key of at least one byte; HMAC pads every key with zeros, so this is the same key.
    let key = if key.is_empty() { &[0] } else { key };
    // SAFETY: each pointer goes with the length of its live slice; `out` overlaps neither of the others; the digest is
    // a constant of the library.
    let done = unsafe {
        KBKDF_ctr_hmac(out.as_mut_ptr(), out.len(), EVP_sha512(), key.as_ptr(), key.len(), info.as_ptr(), info.len())
    };
    (done == 1).then_some(())
}
