//! Key kinds, algorithms and operations, each with its name on the Key Vault wire.

/// What kind of key, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeySpec {
    /// NIST P-256 (FIPS 186-5).
    EcP256,
    /// RSA with a modulus of 2,048 bits and exponent 65,537.
    Rsa2048,
    /// An AES key of 256 bits.
    Oct256,
}

impl KeySpec {
    /// Every kind, for tables and tests.
    pub const ALL: &[Self] = &[Self::EcP256, Self::Rsa2048, Self::Oct256];

    /// The number that stands in records; never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::EcP256 => 1,
            Self::Rsa2048 => 2,
            Self::Oct256 => 3,
        }
    }

    /// The number's kind, if this release knows it.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::EcP256),
            2 => Some(Self::Rsa2048),
            3 => Some(Self::Oct256),
            _ => None,
        }
    }

    /// `kty` of a JWK.
    pub const fn kty(self) -> &'static str {
        match self {
            Self::EcP256 => "EC",
            Self::Rsa2048 => "RSA",
            Self::Oct256 => "oct",
        }
    }

    /// The operations this kind of key can have.
    pub const fn possible(self) -> &'static [KeyOperation] {
        use KeyOperation::*;
        match self {
            Self::EcP256 => &[Sign, Verify],
            Self::Rsa2048 => &[Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey],
            Self::Oct256 => &[Encrypt, Decrypt, WrapKey, UnwrapKey],
        }
    }
}

/// The public half of a key, for JWKs. Symmetric keys have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Coordinates, 32 bytes each.
    EcP256 {
        /// x, big-endian.
        x: [u8; 32],
        /// y, big-endian.
        y: [u8; 32],
    },
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Public exponent.
        e: Vec<u8>,
    },
    /// Nothing to show.
    Symmetric,
}

macro_rules! wire_names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $wire:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $code,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands in records; never reused.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The number's meaning, if this release knows it.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name on the wire.
            pub const fn wire(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)+
                }
            }

            /// Compared exactly, as the API does.
            pub fn from_wire(text: &str) -> Option<Self> {
                match text {
                    $($wire => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

wire_names! {
    /// What a key may be used for (`key_ops` of a JWK).
    KeyOperation {
        /// Encrypt data.
        Encrypt = 1, "encrypt";
        /// Decrypt data.
        Decrypt = 2, "decrypt";
        /// Sign a digest.
        Sign = 3, "sign";
        /// Check a signature.
        Verify = 4, "verify";
        /// Wrap another key.
        WrapKey = 5, "wrapKey";
        /// Unwrap another key.
        UnwrapKey = 6, "unwrapKey";
    }
}

wire_names! {
    /// Signature algorithms (RFC 7518, section 3.1) over a digest the caller computed.
    SignAlgorithm {
        /// ECDSA P-256 with SHA-256; raw r|s, 64 bytes.
        Es256 = 1, "ES256";
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = 2, "RS256";
        /// RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
        Ps256 = 3, "PS256";
    }
}

wire_names! {
    /// Encryption and key-wrapping algorithms.
    CipherAlgorithm {
        /// RSAES-OAEP with SHA-256 and MGF1-SHA-256 (RFC 8017), empty label.
        RsaOaep256 = 1, "RSA-OAEP-256";
        /// AES-256-GCM (NIST SP 800-38D): nonce of 12 bytes made by the server, tag of 16 bytes.
        A256Gcm = 2, "A256GCM";
    }
}

impl SignAlgorithm {
    /// Bytes of the digest it signs.
    pub const fn digest_len(self) -> usize {
        32
    }

    /// The kind of key it works with.
    pub const fn spec(self) -> KeySpec {
        match self {
            Self::Es256 => KeySpec::EcP256,
            Self::Rs256 | Self::Ps256 => KeySpec::Rsa2048,
        }
    }
}

impl CipherAlgorithm {
    /// The kind of key it works with.
    pub const fn spec(self) -> KeySpec {
        match self {
            Self::RsaOaep256 => KeySpec::Rsa2048,
            Self::A256Gcm => KeySpec::Oct256,
        }
    }
}
