//! RSA keys of the token's owner at work, in the token: a custodian's. They sign and decrypt by one scheme each, and
//! whether they may leave is of no interest.

use super::public::{self, Hash};
use super::rsa::{self, Oaep};
use super::rv::{Class, Tried, Trouble};
use super::seat::Seat;
use super::token::Shared;
use super::wrapped_export::found;
use crate::call::Reply;
use crate::error::HsmError;
use crate::export::Wanted;
use cryptoki::error::RvError;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki_sys::{CKF_DECRYPT, CKF_SIGN, CKM_RSA_PKCS_OAEP, CKM_RSA_PKCS_PSS, CKM_RSA_X_509};
use keystead_model::{KeySpec, PublicKey, Size};

const SIGNATURE: &str = "RSASSA-PSS with SHA-256 (CKM_RSA_PKCS_PSS)";
const DECRYPTION: &str = "RSA-OAEP with SHA-256 (CKM_RSA_PKCS_OAEP)";
const BARE: &str = "bare RSA (CKM_RSA_X_509)";
const EITHER: &str = "RSA-OAEP with SHA-256 (CKM_RSA_PKCS_OAEP) or bare RSA (CKM_RSA_X_509)";
const DIGEST_LEN: usize = 32;

impl Shared {
    /// The public half, as the token shows it beside the private one.
    pub(super) fn owned_public(&self, seat: &Seat, wanted: &Wanted) -> Tried<Reply> {
        owned(seat, wanted).map(|(_, public)| Reply::OwnedPublic(public))
    }

    /// RSASSA-PSS over a digest of SHA-256.
    pub(super) fn owned_sign(&self, seat: &Seat, wanted: &Wanted, digest: &[u8]) -> Tried<Reply> {
        let (key, _) = owned(seat, wanted)?;
        if digest.len() != DIGEST_LEN || !self.mechanisms.can(CKM_RSA_PKCS_PSS, CKF_SIGN) {
            return Err(cannot(SIGNATURE));
        }
        asks_once(seat, key)?;
        let signed = rsa::sign_pss(seat, key, Hash::Sha256, digest);
        signed.map(Reply::Bytes).map_err(|trouble| named(trouble, SIGNATURE))
    }

    /// RSAES-OAEP with SHA-256 for hash and MGF1; in a token that lacks it the bare operation, whose result is proven
    /// and decoded by whoever asked. No server's worker does that: among the keys of its token are a vault's.
    pub(super) fn owned_decrypt(&self, seat: &Seat, wanted: &Wanted, cipher: &[u8]) -> Tried<Reply> {
        let (key, public) = owned(seat, wanted)?;
        asks_once(seat, key)?;
        let PublicKey::Rsa { n, .. } = &public else { return Err(HsmError::NotRsa.into()) };
        // A number below the modulus: as long, and before it in the order of bytes.
        if n.len() != cipher.len() || cipher >= n.as_slice() {
            return Err(HsmError::DecryptFailed.into());
        }
        if self.mechanisms.can(CKM_RSA_PKCS_OAEP, CKF_DECRYPT) {
            match Oaep::Sha256.decrypt(seat, key, cipher) {
                Ok(plain) => return Ok(Reply::Plain(plain)),
                Err(trouble) if lacks(&trouble) => {}
                Err(trouble) if self.abilities.refusals.of_decryption(&trouble) => {
                    return Err(HsmError::DecryptFailed.into());
                }
                Err(trouble) => return Err(named(trouble, DECRYPTION)),
            }
        }
        if self.guest { self.owned_block(seat, key, cipher) } else { Err(cannot(DECRYPTION)) }
    }

    fn owned_block(&self, seat: &Seat, key: ObjectHandle, cipher: &[u8]) -> Tried<Reply> {
        if !self.mechanisms.can(CKM_RSA_X_509, CKF_DECRYPT) {
            return Err(cannot(EITHER));
        }
        match rsa::bare(seat, key, cipher) {
            Ok(block) => Ok(Reply::Block(block)),
            Err(trouble) if trouble.class() == Class::Data => Err(HsmError::DecryptFailed.into()),
            Err(trouble) => Err(named(trouble, BARE)),
        }
    }
}

/// Whether the token has no OAEP with this hash. SoftHSM2 says `ArgumentsBad` of any but SHA-1.
fn lacks(trouble: &Trouble) -> bool {
    use RvError::{ArgumentsBad, FunctionNotSupported, MechanismInvalid, MechanismParamInvalid};
    let of_these = [ArgumentsBad, FunctionNotSupported, MechanismInvalid, MechanismParamInvalid];
    trouble.code().is_some_and(|code| of_these.contains(&code))
}

pub(super) fn cannot(what: &str) -> Trouble {
    HsmError::NotSupported { what: what.to_owned() }.into()
}

/// What is refused as such is refused by the name of what was tried.
pub(super) fn named(trouble: Trouble, what: &str) -> Trouble {
    match trouble.class() {
        Class::Caller | Class::Data => trouble.told(what).into(),
        _ => trouble,
    }
}

/// A private RSA key of a size that custodians have, and its public half.
fn owned(seat: &Seat, wanted: &Wanted) -> Tried<(ObjectHandle, PublicKey)> {
    let key = found(seat, wanted, &[ObjectClass::PRIVATE_KEY])?;
    let numbers = [AttributeType::Modulus, AttributeType::PublicExponent];
    let public = public::rsa(&seat.session.get_attributes(key, &numbers)?);
    let known = public.filter(|public| {
        let PublicKey::Rsa { n, .. } = public else { return false };
        u16::try_from(public::bits(n)).is_ok_and(|bits| KeySpec::of_size(Size::Modulus(bits)).is_some())
    });
    Ok((key, known.ok_or(HsmError::NotRsa)?))
}

/// A key that wants its PIN at each use is not for us: the PIN was for the login alone.
pub(super) fn asks_once(seat: &Seat, key: ObjectHandle) -> Tried<()> {
    match seat.attribute(key, AttributeType::AlwaysAuthenticate) {
        Ok(Some(Attribute::AlwaysAuthenticate(true))) => {
            Err(cannot("keys that ask for their PIN at each use (CKA_ALWAYS_AUTHENTICATE)"))
        }
        Err(lost) if lost.is_lost() => Err(lost),
        _ => Ok(()),
    }
}
