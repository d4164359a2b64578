//! What RSA keys do in a token. Never the bare operation with a vault's key: its answers would forge signatures and
//! open other keys' wraps.

use super::public::Hash;
use super::rv::Tried;
use super::seat::{Passing, Seat};
use super::templates;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::types::Ulong;
use keystead_model::KeySpec;
use zeroize::Zeroizing;

/// RSASSA-PKCS1-v1_5 over a digest.
pub(super) fn sign_pkcs1(seat: &Seat, key: ObjectHandle, hash: Hash, digest: &[u8]) -> Tried<Vec<u8>> {
    let info = [hash.digest_info().as_slice(), digest].concat();
    Ok(seat.session.sign(&Mechanism::RsaPkcs, key, &info)?)
}

pub(super) fn verify_pkcs1(seat: &Seat, key: ObjectHandle, hash: Hash, digest: &[u8], signature: &[u8]) -> Tried<()> {
    let info = [hash.digest_info().as_slice(), digest].concat();
    Ok(seat.session.verify(&Mechanism::RsaPkcs, key, &info, signature)?)
}

/// RSASSA-PSS over a digest, with a salt as long as it.
pub(super) fn sign_pss(seat: &Seat, key: ObjectHandle, hash: Hash, digest: &[u8]) -> Tried<Vec<u8>> {
    Ok(seat.session.sign(&Mechanism::RsaPkcsPss(pss(hash)), key, digest)?)
}

pub(super) fn verify_pss(seat: &Seat, key: ObjectHandle, hash: Hash, digest: &[u8], signature: &[u8]) -> Tried<()> {
    Ok(seat.session.verify(&Mechanism::RsaPkcsPss(pss(hash)), key, digest, signature)?)
}

fn pss(hash: Hash) -> PkcsPssParams {
    let (hash_alg, mgf, length) = match hash {
        Hash::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        Hash::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        Hash::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
    };
    PkcsPssParams { hash_alg, mgf, s_len: Ulong::new(length) }
}

/// The hash of RSAES-OAEP and of its MGF1. The label is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oaep {
    Sha1,
    Sha256,
}

impl Oaep {
    pub(super) fn mechanism(self) -> Mechanism<'static> {
        let (hash, mgf) = match self {
            Self::Sha1 => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
            Self::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        };
        Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash, mgf, PkcsOaepSource::empty()))
    }

    pub(super) fn encrypt(self, seat: &Seat, public: ObjectHandle, plain: &[u8]) -> Tried<Vec<u8>> {
        Ok(seat.session.encrypt(&self.mechanism(), public, plain)?)
    }

    pub(super) fn decrypt(self, seat: &Seat, key: ObjectHandle, cipher: &[u8]) -> Tried<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(seat.session.decrypt(&self.mechanism(), key, cipher)?))
    }
}

/// The bare private operation, of a key that is its owner's alone: as many bytes as the modulus, or fewer without
/// leading zeros.
pub(super) fn bare(seat: &Seat, key: ObjectHandle, cipher: &[u8]) -> Tried<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(seat.library.functions.decrypt_bare(&seat.session, key, cipher)?))
}

/// Makes a public key object.
pub(super) fn object<'a>(seat: &'a Seat, n: &[u8], e: &[u8]) -> Tried<Passing<'a>> {
    let mut template = templates::public_rights(KeySpec::Rsa2048);
    template.extend([Attribute::Modulus(n.to_vec()), Attribute::PublicExponent(e.to_vec())]);
    seat.create(&template)
}
