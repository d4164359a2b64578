//! The primitives behind the operations, with keys of their own and nothing around them.

use crate::Failure;
use crate::op::{IV, Op, PLAINTEXT};
use keystead_crypto::aes::{Aes256Gcm, cbc, wrap};
use keystead_crypto::{Hash, ec, hmac, rsa};
use std::sync::LazyLock;

/// One parsed key of each kind. Those that take long to make are made when they are first used.
pub(crate) struct Ciphers {
    secret: [u8; 32],
    gcm: Aes256Gcm,
    p256: ec::PrivateKey,
    p384: ec::PrivateKey,
    p521: ec::PrivateKey,
    p256k: ec::PrivateKey,
    rsa: Lazy<Rsa>,
    rsa_3072: Lazy<rsa::PrivateKey>,
    rsa_4096: Lazy<rsa::PrivateKey>,
    signed: Vec<u8>,
}

type Lazy<T> = LazyLock<Option<T>>;

/// A key of 2,048 bits with something to open and something to verify.
struct Rsa {
    key: rsa::PrivateKey,
    oaep: Vec<u8>,
    pkcs1: Vec<u8>,
    signed: Vec<u8>,
}

/// What an operation gives.
pub(crate) enum Output {
    /// Nonce, ciphertext, tag.
    Sealed([u8; 12], Vec<u8>, [u8; 16]),
    /// A signature, a ciphertext or an opened value.
    Bytes(Vec<u8>),
    /// A new key's public point.
    Point(Vec<u8>, Vec<u8>),
    /// Whether a signature is right.
    Verdict(bool),
}

impl Rsa {
    fn make() -> Option<Self> {
        let (key, digest) = (generate(rsa::Size::Bits2048)?, Op::VerifyRsa.digest());
        let oaep = key.encrypt(rsa::Scheme::OaepSha256, digest).ok()?;
        let pkcs1 = key.encrypt(rsa::Scheme::Pkcs1, digest).ok()?;
        let signed = key.sign_digest(rsa::Padding::Pkcs1, Hash::Sha256, digest).ok()?;
        Some(Self { key, oaep, pkcs1, signed })
    }
}

fn generate(size: rsa::Size) -> Option<rsa::PrivateKey> {
    rsa::PrivateKey::generate(size, rsa::EXPONENT).ok()
}

impl Ciphers {
    pub(crate) fn new() -> Result<Self, Failure> {
        let (secret, p256) = (keystead_crypto::random(), ec::PrivateKey::generate(ec::Curve::P256));
        let signed = p256.sign_digest(Op::VerifyP256.digest())?;
        Ok(Self {
            gcm: Aes256Gcm::new(&secret),
            secret,
            p256,
            p384: ec::PrivateKey::generate(ec::Curve::P384),
            p521: ec::PrivateKey::generate(ec::Curve::P521),
            p256k: ec::PrivateKey::generate(ec::Curve::P256K1),
            rsa: LazyLock::new(Rsa::make),
            rsa_3072: LazyLock::new(|| generate(rsa::Size::Bits3072)),
            rsa_4096: LazyLock::new(|| generate(rsa::Size::Bits4096)),
            signed,
        })
    }

    /// Does the cipher's work once; none for an operation without a cipher.
    pub(crate) fn run(&self, op: Op) -> Result<Option<Output>, Failure> {
        let digest = op.digest();
        let bytes = match op {
            Op::Get => return Ok(None),
            Op::Encrypt => {
                let (iv, text, tag) = self.gcm.seal(&[], &PLAINTEXT);
                return Ok(Some(Output::Sealed(iv, text, tag)));
            }
            Op::Create => {
                return Ok(Some(point(&ec::PrivateKey::generate(ec::Curve::P256))));
            }
            Op::VerifyP256 => return self.verify_p256(digest).map(Some),
            Op::VerifyRsa => return self.verify_rsa(digest).map(Some),
            Op::SignP256 => self.p256.sign_digest(digest)?,
            Op::SignP384 => self.p384.sign_digest(digest)?,
            Op::SignP521 => self.p521.sign_digest(digest)?,
            Op::SignP256K => self.p256k.sign_digest(digest)?,
            Op::SignRsa => rsa_signature(&made(&self.rsa)?.key, rsa::Padding::Pkcs1, digest)?,
            Op::SignPss => rsa_signature(&made(&self.rsa)?.key, rsa::Padding::Pss, digest)?,
            Op::SignRsa3072 => rsa_signature(made(&self.rsa_3072)?, rsa::Padding::Pkcs1, digest)?,
            Op::SignRsa4096 => rsa_signature(made(&self.rsa_4096)?, rsa::Padding::Pkcs1, digest)?,
            Op::Unwrap | Op::Decrypt => {
                let rsa = made(&self.rsa)?;
                rsa.key.decrypt(rsa::Scheme::OaepSha256, &rsa.oaep)?.to_vec()
            }
            Op::DecryptOld => {
                let rsa = made(&self.rsa)?;
                rsa.key.decrypt(rsa::Scheme::Pkcs1, &rsa.pkcs1)?.to_vec()
            }
            Op::EncryptCbc => cbc::encrypt(&self.secret, &IV, cbc::Fill::Pkcs7, &PLAINTEXT)?,
            Op::WrapAes => wrap::wrap(&self.secret, digest)?,
            Op::SignHmac => hmac(Hash::Sha256, &self.secret, digest),
        };
        Ok(Some(Output::Bytes(bytes)))
    }

    /// With the public half as it stands in a row: parsed each time.
    fn verify_p256(&self, digest: &[u8]) -> Result<Output, Failure> {
        let (x, y) = self.p256.public();
        right(ec::verify_digest(ec::Curve::P256, x, y, digest, &self.signed))
    }

    fn verify_rsa(&self, digest: &[u8]) -> Result<Output, Failure> {
        let rsa = made(&self.rsa)?;
        let (n, e) = rsa.key.public();
        right(rsa::verify_digest(n, e, rsa::Padding::Pkcs1, Hash::Sha256, digest, &rsa.signed))
    }

    /// The public point of the P-256 key.
    pub(crate) fn point(&self) -> Output {
        point(&self.p256)
    }
}

fn point(key: &ec::PrivateKey) -> Output {
    let (x, y) = key.public();
    Output::Point(x.to_vec(), y.to_vec())
}

fn rsa_signature(key: &rsa::PrivateKey, padding: rsa::Padding, digest: &[u8]) -> Result<Vec<u8>, Failure> {
    Ok(key.sign_digest(padding, Hash::Sha256, digest)?)
}

fn made<T>(lazy: &Lazy<T>) -> Result<&T, Failure> {
    lazy.as_ref().ok_or_else(|| "no RSA key could be made".into())
}

fn right(verdict: bool) -> Result<Output, Failure> {
    if verdict { Ok(Output::Verdict(verdict)) } else { Err("a right signature was not found right".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_but_get_has_a_primitive_that_works() {
        let ciphers = Ciphers::new().unwrap();
        for op in Op::ALL {
            let done = ciphers.run(*op).unwrap_or_else(|e| panic!("{op:?}: {e}"));
            assert_eq!(done.is_none(), *op == Op::Get, "{op:?}");
        }
    }
}
