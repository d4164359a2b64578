//! The operations that are measured: a table, and what each server does with a row.

use clap::ValueEnum;
use serde::Serialize;

macro_rules! table {
    ($($(#[$doc:meta])* $op:ident, $name:literal, $title:literal;)+) => {
        /// One operation, the same one at each server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Op {
            $($(#[$doc])* #[value(name = $name)] #[serde(rename = $name)] $op,)+
        }

        impl Op {
            /// All of them, in the order of the tables.
            pub(crate) const ALL: &[Self] = &[$(Self::$op,)+];

            /// As on the command line.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$op => $name,)+
                }
            }

            /// For a reader of tables.
            pub(crate) const fn title(self) -> &'static str {
                match self {
                    $(Self::$op => $title,)+
                }
            }
        }
    };
}

table! {
    /// AES-256-GCM, 1 KiB
    Encrypt, "encrypt", "AES-256-GCM encrypt, 1 KiB";
    /// ECDSA P-256 over a digest
    SignP256, "sign-p256", "ECDSA P-256 sign";
    /// RSA-2048 PKCS#1 v1.5 over a digest
    SignRsa, "sign-rsa", "RSA-2048 sign";
    /// RSA-2048 OAEP-256 of 32 bytes
    Unwrap, "unwrap", "RSA-2048 OAEP unwrap";
    /// Read a P-256 key's public half and attributes
    Get, "get", "get a key";
    /// Create a P-256 key, durably
    Create, "create", "create a P-256 key";
    /// ECDSA P-384 over a digest
    SignP384, "sign-p384", "ECDSA P-384 sign";
    /// ECDSA P-521 over a digest
    SignP521, "sign-p521", "ECDSA P-521 sign";
    /// ECDSA secp256k1 over a digest
    SignP256K, "sign-p256k", "ECDSA P-256K sign";
    /// RSA-3072 PKCS#1 v1.5 over a digest
    SignRsa3072, "sign-rsa3072", "RSA-3072 sign";
    /// RSA-4096 PKCS#1 v1.5 over a digest
    SignRsa4096, "sign-rsa4096", "RSA-4096 sign";
    /// RSA-2048 PSS over a digest
    SignPss, "sign-pss", "RSA-2048 PSS sign";
    /// RSA-2048 OAEP-256 of 32 bytes
    Decrypt, "decrypt", "RSA-2048 OAEP-256 decrypt";
    /// RSA-2048 PKCS#1 v1.5 of 32 bytes
    DecryptOld, "decrypt-rsa15", "RSA-2048 PKCS#1 v1.5 decrypt";
    /// AES-256-CBC with padding, 1 KiB
    EncryptCbc, "encrypt-cbc", "AES-256-CBC encrypt, 1 KiB";
    /// AES-256 key wrap of 32 bytes
    WrapAes, "wrap-aes", "AES-256 key wrap";
    /// HMAC-SHA-256 over a digest
    SignHmac, "sign-hmac", "HMAC-SHA-256";
    /// ECDSA P-256, a right signature
    VerifyP256, "verify-p256", "ECDSA P-256 verify";
    /// RSA-2048 PKCS#1 v1.5, a right signature
    VerifyRsa, "verify-rsa", "RSA-2048 verify";
}

/// Bytes that are encrypted.
pub(crate) const PLAINTEXT: [u8; 1024] = [0x5a; 1024];
/// What is signed, as far as the algorithm's digest is long; its first 32 bytes are the key that is wrapped.
const BYTES: [u8; 64] = [0xa5; 64];
/// The initialisation vector where the caller brings one.
pub(crate) const IV: [u8; 16] = [0x17; 16];

impl Op {
    /// Whether it is measured at every number of connections, beside the ones that stand for a class of algorithms and
    /// are measured at one.
    pub(crate) const fn is_main(self) -> bool {
        matches!(self, Self::Encrypt | Self::SignP256 | Self::SignRsa | Self::Unwrap | Self::Get | Self::Create)
    }

    /// Whether the product does it on its cipher pool, and so the bare handler on a pool of its own.
    pub(crate) const fn is_pooled(self) -> bool {
        self.is_rsa_private() || matches!(self, Self::SignP384 | Self::SignP521 | Self::SignP256K)
    }

    /// Whether it is work with an RSA private key, beside which all else is to be small.
    pub(crate) const fn is_rsa_private(self) -> bool {
        use Op::{Decrypt, DecryptOld, SignPss, SignRsa, SignRsa3072, SignRsa4096, Unwrap};
        matches!(self, SignRsa | SignRsa3072 | SignRsa4096 | SignPss | Unwrap | Decrypt | DecryptOld)
    }

    /// The digest that it signs or verifies, or the key that it wraps.
    pub(crate) fn digest(self) -> &'static [u8] {
        let len = match self {
            Self::SignP384 => 48,
            Self::SignP521 => 64,
            _ => 32,
        };
        BYTES.get(..len).unwrap_or(&BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_name_and_a_title_of_its_own() {
        for (n, op) in Op::ALL.iter().enumerate() {
            let others = Op::ALL.iter().skip(n.saturating_add(1));
            for other in others {
                assert!(op.name() != other.name() && op.title() != other.title(), "{op:?} and {other:?}");
            }
            assert_eq!(Op::from_str(op.name(), false), Ok(*op));
        }
    }

    #[test]
    fn what_the_command_line_takes_stands_in_the_order_of_the_table() {
        assert_eq!(Op::value_variants(), Op::ALL);
    }
}
