//! OAEP's decoding where the private key is elsewhere. AWS-LC undoes the padding only as the end of a decryption by a
//! key, so it is given a key whose private operation is done already: what it is asked to decrypt is handed on as it
//! is.
#![allow(unsafe_code)]

use super::Key;
use super::number::Number;
use crate::library::Parsed;
use crate::rsa::Size;
use aws_lc_sys::{
    EVP_PKEY_CTX, EVP_PKEY_CTX_free, EVP_PKEY_CTX_new, EVP_PKEY_CTX_set_rsa_mgf1_md, EVP_PKEY_CTX_set_rsa_oaep_md,
    EVP_PKEY_CTX_set_rsa_padding, EVP_PKEY_decrypt, EVP_PKEY_decrypt_init, EVP_PKEY_new, EVP_PKEY_set1_RSA, EVP_sha256,
    RSA, RSA_METHOD, RSA_NO_PADDING, RSA_PKCS1_OAEP_PADDING, RSA_encrypt, RSA_meth_free, RSA_meth_new,
    RSA_meth_set_priv_dec, RSA_new_public_key, RSA_set_method, RSA_size,
};
use std::ffi::c_int;
use std::ptr::{self, NonNull};
use zeroize::Zeroizing;

/// A public key, and in place of the private operation one that changes nothing. Its fields are dropped in this order:
/// the method after whatever refers to it.
pub(in crate::rsa) struct Handed {
    whole: Parsed,
    key: Key,
    size: Size,
    _method: Method,
}

impl Handed {
    /// None if it is no key of this size.
    pub(in crate::rsa) fn of(n: &[u8], e: &[u8], size: Size) -> Option<Self> {
        // Before the key, so that it outlives the key on each way out of here.
        let method = Method::handing_on()?;
        let (n, e) = (Number::of(n)?, Number::of(e)?);
        // SAFETY: both numbers are live and copied; the result is null or owned here.
        let key = Key(NonNull::new(unsafe { RSA_new_public_key(n.as_ptr(), e.as_ptr()) })?);
        // SAFETY: key and method are live, and the method outlives the key: see above.
        if unsafe { RSA_set_method(key.0.as_ptr(), method.0.as_ptr()) } != 1 {
            return None;
        }
        // SAFETY: no arguments; the result is null or owned here.
        let whole = unsafe { Parsed::owned(EVP_PKEY_new()) }?;
        // SAFETY: both are live; on success the first has a reference of its own to the second.
        let done = unsafe { EVP_PKEY_set1_RSA(whole.as_ptr(), key.0.as_ptr()) };
        (done == 1).then_some(Self { whole, key, size, _method: method })
    }

    /// The block to the power of the public exponent. None if it is not as long as the modulus and below it.
    pub(in crate::rsa) fn encrypted(&self, block: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut length) = (vec![0; self.size.modulus_len()], 0);
        // SAFETY: the key is live; at most `out.len()` bytes are written to `out`, which does not overlap `block`,
        // whose length goes with it. The method leaves the public operation to the library.
        let done = unsafe {
            RSA_encrypt(
                self.key.0.as_ptr(),
                &mut length,
                out.as_mut_ptr(),
                out.len(),
                block.as_ptr(),
                block.len(),
                RSA_NO_PADDING,
            )
        };
        (done == 1 && length == out.len()).then_some(out)
    }

    /// What was padded by RSAES-OAEP with SHA-256 for hash and MGF1 and an empty label. None if the block is not.
    pub(in crate::rsa) fn unpadded(&self, block: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let context = Context::decrypting(&self.whole)?;
        let (mut out, mut length) = (Zeroizing::new(vec![0; self.size.modulus_len()]), self.size.modulus_len());
        // SAFETY: the context is set up to decrypt; at most `length` bytes, which is what `out` has, are written to
        // `out`; it does not overlap `block`, whose length goes with it.
        let done =
            unsafe { EVP_PKEY_decrypt(context.0.as_ptr(), out.as_mut_ptr(), &mut length, block.as_ptr(), block.len()) };
        if done != 1 || length > out.len() {
            return None;
        }
        out.truncate(length);
        Some(out)
    }
}

/// What the library calls in place of the private operation: it copies, and calls nobody.
unsafe extern "C" fn hand_on(length: c_int, from: *const u8, to: *mut u8, key: *mut RSA, padding: c_int) -> c_int {
    // SAFETY: the library calls it with the live key that it decrypts with.
    let size = unsafe { RSA_size(key) };
    let (Ok(given), Ok(room)) = (usize::try_from(length), usize::try_from(size)) else { return -1 };
    if padding != RSA_NO_PADDING || given != room {
        return -1;
    }
    // SAFETY: `from` is `length` bytes of the caller's; `to` is the library's own buffer, as long as the modulus.
    unsafe { ptr::copy_nonoverlapping(from, to, given) };
    length
}

/// A table of operations, owned.
struct Method(NonNull<RSA_METHOD>);

impl Method {
    fn handing_on() -> Option<Self> {
        // SAFETY: the name is not used and may be null; a null result is met by NonNull.
        let method = Self(NonNull::new(unsafe { RSA_meth_new(ptr::null(), 0) })?);
        // SAFETY: the table is live and owned; the function lives for ever.
        let done = unsafe { RSA_meth_set_priv_dec(method.0.as_ptr(), Some(hand_on)) };
        (done == 1).then_some(method)
    }
}

impl Drop for Method {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once, after the key that refers to it.
        unsafe { RSA_meth_free(self.0.as_ptr()) }
    }
}

/// One decryption, owned.
struct Context(NonNull<EVP_PKEY_CTX>);

impl Context {
    fn decrypting(key: &Parsed) -> Option<Self> {
        // SAFETY: the key is live, and the context takes a reference of its own; a null engine is none.
        let context = Self(NonNull::new(unsafe { EVP_PKEY_CTX_new(key.as_ptr(), ptr::null_mut()) })?);
        let at = context.0.as_ptr();
        // SAFETY: the context is live and owned; the digest is a constant of the library.
        let set = unsafe {
            EVP_PKEY_decrypt_init(at) == 1
                && EVP_PKEY_CTX_set_rsa_padding(at, RSA_PKCS1_OAEP_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_oaep_md(at, EVP_sha256()) == 1
                && EVP_PKEY_CTX_set_rsa_mgf1_md(at, EVP_sha256()) == 1
        };
        set.then_some(context)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone, freed once.
        unsafe { EVP_PKEY_CTX_free(self.0.as_ptr()) }
    }
}
