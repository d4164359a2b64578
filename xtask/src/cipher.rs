//! The primitives behind the operations, with keys of their own and nothing around them.

use crate::Failure;
use crate::op::{DIGEST, Op, PLAINTEXT};
use keystead_crypto::aes::Aes256Gcm;
use keystead_crypto::{Hash, p256, rsa};

/// One parsed key of each kind.
pub(crate) struct Ciphers {
    aes: Aes256Gcm,
    p256: p256::PrivateKey,
    rsa: rsa::PrivateKey,
    wrapped: Vec<u8>,
}

/// What an operation gives.
pub(crate) enum Output {
    /// Nonce, ciphertext, tag.
    Sealed([u8; 12], Vec<u8>, [u8; 16]),
    /// A signature or an opened value.
    Bytes(Vec<u8>),
    /// A new key's public point.
    Point([u8; 32], [u8; 32]),
}

impl Ciphers {
    pub(crate) fn new() -> Result<Self, Failure> {
        let rsa = rsa::PrivateKey::generate(rsa::Size::Bits2048, rsa::EXPONENT)?;
        let wrapped = rsa.encrypt(rsa::Scheme::OaepSha256, &DIGEST)?;
        Ok(Self { aes: Aes256Gcm::new(&keystead_crypto::random()), p256: p256::PrivateKey::generate(), rsa, wrapped })
    }

    /// Does the cipher's work once; none for an operation without a cipher.
    pub(crate) fn run(&self, op: Op) -> Result<Option<Output>, Failure> {
        Ok(Some(match op {
            Op::Encrypt => {
                let (iv, text, tag) = self.aes.seal(&[], &PLAINTEXT);
                Output::Sealed(iv, text, tag)
            }
            Op::SignP256 => Output::Bytes(self.p256.sign_digest(&DIGEST)?.to_vec()),
            Op::SignRsa => Output::Bytes(self.rsa.sign_digest(rsa::Padding::Pkcs1, Hash::Sha256, &DIGEST)?),
            Op::Unwrap => Output::Bytes(self.rsa.decrypt(rsa::Scheme::OaepSha256, &self.wrapped)?.to_vec()),
            Op::Create => {
                let (x, y) = p256::PrivateKey::generate().public();
                Output::Point(x, y)
            }
            Op::Get => return Ok(None),
        }))
    }

    /// The public point of the P-256 key.
    pub(crate) fn point(&self) -> ([u8; 32], [u8; 32]) {
        self.p256.public()
    }
}
