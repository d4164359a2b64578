//! Keys at work.

use super::opened::Key;
use super::public::Hash;
use super::rsa::Oaep;
use super::rv::{Tried, Trouble};
use super::seat::Seat;
use super::templates::Purpose;
use super::token::Shared;
use super::{aes, ec, keywrap, rsa, rsa15};
use crate::call::{Held, Reply};
use crate::describe::Native;
use crate::error::HsmError;
use keystead_model::{CipherAlgorithm, CipherMode, Curve, SignAlgorithm, Size};
use zeroize::Zeroizing;

/// What goes with a ciphertext.
pub(super) struct Beside<'a> {
    pub(super) iv: &'a [u8],
    pub(super) tag: &'a [u8],
    pub(super) aad: &'a [u8],
}

/// How a signature is made.
#[derive(Clone, Copy)]
enum How {
    Ecdsa(Curve),
    Pkcs1(Hash),
    Pss(Hash),
    Hmac(Hash),
}

const fn how(algorithm: SignAlgorithm) -> How {
    match algorithm {
        SignAlgorithm::Es256 => How::Ecdsa(Curve::P256),
        SignAlgorithm::Es384 => How::Ecdsa(Curve::P384),
        SignAlgorithm::Es512 => How::Ecdsa(Curve::P521),
        SignAlgorithm::Es256K => How::Ecdsa(Curve::P256K),
        SignAlgorithm::Rs256 => How::Pkcs1(Hash::Sha256),
        SignAlgorithm::Rs384 => How::Pkcs1(Hash::Sha384),
        SignAlgorithm::Rs512 => How::Pkcs1(Hash::Sha512),
        SignAlgorithm::Ps256 => How::Pss(Hash::Sha256),
        SignAlgorithm::Ps384 => How::Pss(Hash::Sha384),
        SignAlgorithm::Ps512 => How::Pss(Hash::Sha512),
        SignAlgorithm::Hs256 => How::Hmac(Hash::Sha256),
        SignAlgorithm::Hs384 => How::Hmac(Hash::Sha384),
        SignAlgorithm::Hs512 => How::Hmac(Hash::Sha512),
    }
}

fn not_supported(what: impl Into<String>) -> Trouble {
    HsmError::NotSupported { what: what.into() }.into()
}

/// A length that the algorithm does not take.
fn length(algorithm: &str, what: &str, found: usize) -> Trouble {
    not_supported(format!("{algorithm} with {what} of {found} bytes"))
}

impl Shared {
    pub(super) fn sign(&self, seat: &Seat, held: &Held, algorithm: SignAlgorithm, digest: &[u8]) -> Tried<Reply> {
        let has = self.abilities.signs.iter().any(|(found, _)| *found == algorithm);
        if !has || !algorithm.fits(held.spec) {
            return Err(not_supported(algorithm.wire()));
        }
        let how = how(algorithm);
        if !matches!(how, How::Hmac(_)) && digest.len() != algorithm.digest_len() {
            return Err(length(algorithm.wire(), "a digest", digest.len()));
        }
        let purpose = if matches!(how, How::Hmac(_)) { Purpose::Mac } else { Purpose::Work };
        let key = self.key(seat, held, purpose)?;
        let signature = match how {
            How::Ecdsa(curve) => ec::sign(seat, key.handle, curve, digest),
            How::Pkcs1(hash) => rsa::sign_pkcs1(seat, key.handle, hash, digest),
            How::Pss(hash) => rsa::sign_pss(seat, key.handle, hash, digest),
            How::Hmac(hash) => aes::hmac(seat, key.handle, hash, digest),
        }?;
        Ok(Reply::Bytes(signature))
    }

    /// Encrypts with a secret. Encryption to a public half needs no token.
    pub(super) fn encrypt(
        &self,
        seat: &Seat,
        held: &Held,
        algorithm: CipherAlgorithm,
        plain: &[u8],
        beside: &Beside<'_>,
    ) -> Tried<Reply> {
        let native = self.can(held, algorithm)?;
        let name = algorithm.wire();
        let iv = |found: &[u8]| found.try_into().map_err(|_| length(name, "an initialisation vector", found.len()));
        let bare = |value| Reply::Encrypted { value, iv: None, tag: None };
        Ok(match algorithm.mode() {
            CipherMode::Pkcs1 | CipherMode::Oaep => {
                return Err(not_supported(format!("{name} to a public half, which software does")));
            }
            CipherMode::Gcm => {
                let key = self.key(seat, held, Purpose::Work)?;
                let sealed = aes::seal(seat, key.handle, beside.aad, plain, self.abilities.own_nonce)?;
                Reply::Encrypted { value: sealed.value, iv: Some(sealed.nonce.to_vec()), tag: Some(sealed.tag) }
            }
            mode @ (CipherMode::Cbc | CipherMode::CbcPad) => {
                let iv = iv(beside.iv)?;
                let key = self.key(seat, held, Purpose::Work)?;
                let filled = if mode == CipherMode::Cbc { aes::zero_filled(plain) } else { aes::padded(plain) };
                let value = aes::cbc_encrypt(seat, key.handle, iv, &filled)?;
                Reply::Encrypted { value, iv: Some(iv.to_vec()), tag: None }
            }
            CipherMode::KeyWrap => {
                let most = most(native);
                if !(16..=most).contains(&plain.len()) || !plain.len().is_multiple_of(keywrap::STEP) {
                    return Err(length(name, "a plaintext", plain.len()));
                }
                let key = self.key(seat, held, Purpose::Work)?;
                bare(self.wraps(seat, &key, plain, self.abilities.wraps_bytes, keywrap::wrap)?)
            }
            CipherMode::KeyWrapPad => {
                if !(1..=most(native)).contains(&plain.len()) {
                    return Err(length(name, "a plaintext", plain.len()));
                }
                let key = self.key(seat, held, Purpose::Work)?;
                bare(self.wraps(seat, &key, plain, self.abilities.wraps_bytes_padded, keywrap::wrap_padded)?)
            }
        })
    }

    pub(super) fn decrypt(
        &self,
        seat: &Seat,
        held: &Held,
        algorithm: CipherAlgorithm,
        cipher: &[u8],
        beside: &Beside<'_>,
    ) -> Tried<Reply> {
        let native = self.can(held, algorithm)?;
        let failed = || Trouble::from(HsmError::DecryptFailed);
        let plain = match algorithm.mode() {
            CipherMode::Pkcs1 | CipherMode::Oaep => self.decrypt_rsa(seat, held, algorithm, native, cipher)?,
            CipherMode::Gcm => {
                let nonce = beside.iv.try_into().map_err(|_| failed())?;
                let tag: &[u8; aes::TAG] = beside.tag.try_into().map_err(|_| failed())?;
                let key = self.key(seat, held, Purpose::Work)?;
                self.refusable(seat, || aes::open(seat, key.handle, nonce, beside.aad, cipher, tag))?
            }
            mode @ (CipherMode::Cbc | CipherMode::CbcPad) => {
                let iv = beside.iv.try_into().map_err(|_| failed())?;
                if !cipher.len().is_multiple_of(aes::BLOCK) {
                    return Err(failed());
                }
                let key = self.key(seat, held, Purpose::Work)?;
                let text = aes::cbc_decrypt(seat, key.handle, iv, cipher)?;
                if mode == CipherMode::Cbc { text } else { aes::unpadded(text).ok_or_else(failed)? }
            }
            CipherMode::KeyWrap | CipherMode::KeyWrapPad => self.unwraps(seat, held, algorithm, native, cipher)?,
        };
        Ok(Reply::Plain(plain))
    }

    fn decrypt_rsa(
        &self,
        seat: &Seat,
        held: &Held,
        algorithm: CipherAlgorithm,
        native: Native,
        cipher: &[u8],
    ) -> Tried<Zeroizing<Vec<u8>>> {
        let Size::Modulus(bits) = held.spec.size() else { return Err(not_supported(algorithm.wire())) };
        if native == Native::PublicOnly {
            return Err(not_supported(format!("{} decryption", algorithm.wire())));
        }
        let modulus_len = usize::from(bits / 8);
        if cipher.len() != modulus_len {
            return Err(HsmError::DecryptFailed.into());
        }
        let key = self.key(seat, held, Purpose::Work)?;
        match algorithm {
            CipherAlgorithm::Rsa15 => {
                let wrong = self.abilities.refusals.pkcs1.as_deref().unwrap_or_default();
                let guard = match key.rsa15.get() {
                    Some(guard) => guard,
                    None => {
                        let made = rsa15::Guard::of(seat, key.handle)?;
                        key.rsa15.get_or_init(|| made)
                    }
                };
                let plain = rsa15::decrypt(seat, key.handle, guard, cipher, wrong).map_err(|trouble| {
                    // A number above the modulus, which everyone can see.
                    let refused = self.abilities.refusals.of_decryption(&trouble);
                    if refused { HsmError::DecryptFailed.into() } else { trouble }
                })?;
                // The codes above may be those of a lost token. Asked for good texts, too: it is the same in time.
                self.check(seat)?;
                Ok(plain)
            }
            CipherAlgorithm::RsaOaep => self.refusable(seat, || Oaep::Sha1.decrypt(seat, key.handle, cipher)),
            _ => self.refusable(seat, || Oaep::Sha256.decrypt(seat, key.handle, cipher)),
        }
    }

    fn unwraps(
        &self,
        seat: &Seat,
        held: &Held,
        algorithm: CipherAlgorithm,
        native: Native,
        cipher: &[u8],
    ) -> Tried<Zeroizing<Vec<u8>>> {
        let failed = || Trouble::from(HsmError::DecryptFailed);
        let least = if algorithm.mode() == CipherMode::KeyWrap { 16 } else { keywrap::STEP };
        let inside = cipher.len().checked_sub(keywrap::STEP).filter(|length| *length >= least).ok_or_else(failed)?;
        if !cipher.len().is_multiple_of(keywrap::STEP) || inside > keywrap::MOST {
            return Err(failed());
        }
        if inside > most(native) {
            return Err(length(algorithm.wire(), "a ciphertext", cipher.len()));
        }
        let key = self.key(seat, held, Purpose::Work)?;
        let native = |number| {
            self.refusable(seat, || {
                let functions = &seat.library.functions;
                Ok(Zeroizing::new(functions.decrypt(&seat.session, number, key.handle, cipher)?))
            })
        };
        match (algorithm.mode(), self.abilities.wraps_bytes, self.abilities.wraps_bytes_padded) {
            (CipherMode::KeyWrap, Some(number), _) | (CipherMode::KeyWrapPad, _, Some(number)) => native(number),
            (CipherMode::KeyWrap, ..) => keywrap::unwrap(seat, key.handle, cipher)?.ok_or_else(failed),
            _ => keywrap::unwrap_padded(seat, key.handle, cipher)?.ok_or_else(failed),
        }
    }

    fn wraps(
        &self,
        seat: &Seat,
        key: &Key,
        plain: &[u8],
        number: Option<u64>,
        composed: impl Fn(&Seat, cryptoki::object::ObjectHandle, &[u8]) -> Tried<Option<Vec<u8>>>,
    ) -> Tried<Vec<u8>> {
        match number {
            Some(number) => Ok(seat.library.functions.encrypt(&seat.session, number, key.handle, plain)?),
            None => composed(seat, key.handle, plain)?.ok_or_else(|| aes::odd("a length that was checked")),
        }
    }

    /// How the token does it, if it does.
    fn can(&self, held: &Held, algorithm: CipherAlgorithm) -> Tried<Native> {
        let found = self.abilities.ciphers.iter().find(|(found, _)| *found == algorithm).map(|(_, native)| *native);
        found.filter(|_| algorithm.fits(held.spec)).ok_or_else(|| not_supported(algorithm.wire()))
    }

    /// What fails twice with the code by which this token refuses wrong data has wrong data.
    fn refusable(&self, seat: &Seat, decrypt: impl Fn() -> Tried<Zeroizing<Vec<u8>>>) -> Tried<Zeroizing<Vec<u8>>> {
        let is_refusal = |trouble: &Trouble| self.abilities.refusals.of_decryption(trouble);
        match decrypt() {
            Err(first) if is_refusal(&first) => {
                decrypt().map_err(|second| self.refused(seat, &first, second, HsmError::DecryptFailed))
            }
            other => other,
        }
    }
}

/// How much is wrapped or unwrapped at once.
const fn most(native: Native) -> usize {
    match native {
        Native::Mechanism => keywrap::MOST,
        Native::Composed | Native::PublicOnly => keywrap::MOST_COMPOSED,
    }
}
