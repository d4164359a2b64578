//! The operations that are measured.

use clap::ValueEnum;
use serde::Serialize;

/// One operation, the same one at each server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Op {
    /// AES-256-GCM, 1 KiB
    Encrypt,
    /// ECDSA P-256 over a digest
    SignP256,
    /// RSA-2048 PKCS#1 v1.5 over a digest
    SignRsa,
    /// RSA-2048 OAEP-256 of 32 bytes
    Unwrap,
    /// Read a P-256 key's public half and attributes
    Get,
    /// Create a P-256 key, durably
    Create,
}

/// Bytes that are encrypted.
pub(crate) const PLAINTEXT: [u8; 1024] = [0x5a; 1024];
/// The digest that is signed, and the key that is wrapped.
pub(crate) const DIGEST: [u8; 32] = [0xa5; 32];

impl Op {
    /// As on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::SignP256 => "sign-p256",
            Self::SignRsa => "sign-rsa",
            Self::Unwrap => "unwrap",
            Self::Get => "get",
            Self::Create => "create",
        }
    }

    /// For a reader of tables.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Encrypt => "AES-256-GCM encrypt, 1 KiB",
            Self::SignP256 => "ECDSA P-256 sign",
            Self::SignRsa => "RSA-2048 sign",
            Self::Unwrap => "RSA-2048 OAEP unwrap",
            Self::Get => "get a key",
            Self::Create => "create a P-256 key",
        }
    }
}
