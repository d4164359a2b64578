//! Key kinds, algorithms and operations, each with its name on the Key Vault wire.

/// What kind of key, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeySpec {
    /// NIST P-256 (FIPS 186-5).
    EcP256,
    /// RSA with a modulus of 2,048 bits.
    Rsa2048,
    /// An AES or HMAC key of 256 bits.
    Oct256,
    /// NIST P-384 (FIPS 186-5).
    EcP384,
    /// NIST P-521 (FIPS 186-5).
    EcP521,
    /// secp256k1 (SEC 2).
    EcP256K,
    /// RSA with a modulus of 3,072 bits.
    Rsa3072,
    /// RSA with a modulus of 4,096 bits.
    Rsa4096,
    /// An AES or HMAC key of 128 bits.
    Oct128,
    /// An AES or HMAC key of 192 bits.
    Oct192,
}

impl KeySpec {
    /// Every kind, for tables and tests.
    pub const ALL: &[Self] = &[
        Self::EcP256,
        Self::Rsa2048,
        Self::Oct256,
        Self::EcP384,
        Self::EcP521,
        Self::EcP256K,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Oct128,
        Self::Oct192,
    ];

    /// The number that stands in records; never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::EcP256 => 1,
            Self::Rsa2048 => 2,
            Self::Oct256 => 3,
            Self::EcP384 => 4,
            Self::EcP521 => 5,
            Self::EcP256K => 6,
            Self::Rsa3072 => 7,
            Self::Rsa4096 => 8,
            Self::Oct128 => 9,
            Self::Oct192 => 10,
        }
    }

    /// The number's kind, if this release knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|spec| spec.code() == code)
    }

    /// `kty` of a JWK.
    pub const fn kty(self) -> &'static str {
        match self.size() {
            Size::Curve(_) => "EC",
            Size::Modulus(_) => "RSA",
            Size::Secret(_) => "oct",
        }
    }

    /// The curve or the number of bits.
    pub const fn size(self) -> Size {
        match self {
            Self::EcP256 => Size::Curve(Curve::P256),
            Self::EcP384 => Size::Curve(Curve::P384),
            Self::EcP521 => Size::Curve(Curve::P521),
            Self::EcP256K => Size::Curve(Curve::P256K),
            Self::Rsa2048 => Size::Modulus(2048),
            Self::Rsa3072 => Size::Modulus(3072),
            Self::Rsa4096 => Size::Modulus(4096),
            Self::Oct128 => Size::Secret(128),
            Self::Oct192 => Size::Secret(192),
            Self::Oct256 => Size::Secret(256),
        }
    }

    /// The kind of this size, if there is one.
    pub fn of_size(size: Size) -> Option<Self> {
        Self::ALL.iter().copied().find(|spec| spec.size() == size)
    }

    /// Its curve, if it is an elliptic-curve key.
    pub const fn curve(self) -> Option<Curve> {
        match self.size() {
            Size::Curve(curve) => Some(curve),
            Size::Modulus(_) | Size::Secret(_) => None,
        }
    }

    /// Its size in bits, if it has no curve: of the modulus or of the secret.
    pub const fn bits(self) -> Option<u16> {
        match self.size() {
            Size::Modulus(bits) | Size::Secret(bits) => Some(bits),
            Size::Curve(_) => None,
        }
    }

    /// The operations this kind of key can have.
    pub const fn possible(self) -> &'static [KeyOperation] {
        use KeyOperation::*;
        match self.size() {
            Size::Curve(_) => &[Sign, Verify, Export],
            Size::Modulus(_) => &[Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey, Import, Export],
            Size::Secret(_) => &[Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey, Export],
        }
    }

    /// The operations it gets if nothing is said. A secret that authenticates is asked for by name.
    pub const fn usual(self) -> &'static [KeyOperation] {
        use KeyOperation::*;
        match self.size() {
            Size::Curve(_) => &[Sign, Verify],
            Size::Modulus(_) => &[Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey],
            Size::Secret(_) => &[Encrypt, Decrypt, WrapKey, UnwrapKey],
        }
    }
}

/// How large a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// Of an elliptic-curve key.
    Curve(Curve),
    /// Bits of an RSA modulus.
    Modulus(u16),
    /// Bits of a symmetric key.
    Secret(u16),
}

/// The public exponent of an RSA key to be made: odd, from 3 to 2^32 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicExponent(u32);

impl PublicExponent {
    /// A number that can be one.
    pub const fn new(number: u32) -> Option<Self> {
        if number > 2 && number % 2 == 1 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// 65,537.
impl Default for PublicExponent {
    fn default() -> Self {
        Self(65_537)
    }
}

/// The public half of a key, for JWKs. Symmetric keys have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point on a curve.
    Ec {
        /// Which curve.
        curve: Curve,
        /// x, big-endian, as long as the curve's field.
        x: Vec<u8>,
        /// y, big-endian, as long as the curve's field.
        y: Vec<u8>,
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
    /// Elliptic curves (`crv` of a JWK).
    Curve {
        /// NIST P-256.
        P256 = 1, "P-256";
        /// NIST P-384.
        P384 = 2, "P-384";
        /// NIST P-521.
        P521 = 3, "P-521";
        /// secp256k1.
        P256K = 4, "P-256K";
    }
}

impl Curve {
    /// Bytes of a coordinate, and of each half of a signature.
    pub const fn field_len(self) -> usize {
        match self {
            Self::P256 | Self::P256K => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
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
        /// Unwrap a key that comes into the vault (BYOK). Goes with no other.
        Import = 7, "import";
        /// Be released, if it is exportable.
        Export = 8, "export";
    }
}

wire_names! {
    /// Signature algorithms (RFC 7518, section 3.1; RFC 8812) over a digest the caller computed.
    SignAlgorithm {
        /// ECDSA P-256 with SHA-256; raw r|s, 64 bytes.
        Es256 = 1, "ES256";
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = 2, "RS256";
        /// RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
        Ps256 = 3, "PS256";
        /// ECDSA P-384 with SHA-384; raw r|s, 96 bytes.
        Es384 = 4, "ES384";
        /// ECDSA P-521 with SHA-512; raw r|s, 132 bytes.
        Es512 = 5, "ES512";
        /// ECDSA secp256k1 with SHA-256; raw r|s, 64 bytes.
        Es256K = 6, "ES256K";
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = 7, "RS384";
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = 8, "RS512";
        /// RSASSA-PSS with SHA-384, MGF1-SHA-384 and a salt of 48 bytes.
        Ps384 = 9, "PS384";
        /// RSASSA-PSS with SHA-512, MGF1-SHA-512 and a salt of 64 bytes.
        Ps512 = 10, "PS512";
        /// HMAC with SHA-256 over the digest.
        Hs256 = 11, "HS256";
        /// HMAC with SHA-384 over the digest.
        Hs384 = 12, "HS384";
        /// HMAC with SHA-512 over the digest.
        Hs512 = 13, "HS512";
    }
}

wire_names! {
    /// Encryption and key-wrapping algorithms.
    CipherAlgorithm {
        /// RSAES-OAEP with SHA-256 and MGF1-SHA-256 (RFC 8017), empty label.
        RsaOaep256 = 1, "RSA-OAEP-256";
        /// AES-256-GCM (NIST SP 800-38D): nonce of 12 bytes made by the server, tag of 16 bytes.
        A256Gcm = 2, "A256GCM";
        /// RSAES-OAEP with SHA-1 and MGF1-SHA-1 (RFC 8017), empty label.
        RsaOaep = 3, "RSA-OAEP";
        /// RSAES-PKCS1-v1_5 (RFC 8017); a damaged ciphertext decrypts to something else.
        Rsa15 = 4, "RSA1_5";
        /// AES-128-GCM.
        A128Gcm = 5, "A128GCM";
        /// AES-192-GCM.
        A192Gcm = 6, "A192GCM";
        /// AES-128-CBC (NIST SP 800-38A), the last block filled with zeros.
        A128Cbc = 7, "A128CBC";
        /// AES-192-CBC, the last block filled with zeros.
        A192Cbc = 8, "A192CBC";
        /// AES-256-CBC, the last block filled with zeros.
        A256Cbc = 9, "A256CBC";
        /// AES-128-CBC with the padding of PKCS#7 (RFC 5652, section 6.3).
        A128CbcPad = 10, "A128CBCPAD";
        /// AES-192-CBC with the padding of PKCS#7.
        A192CbcPad = 11, "A192CBCPAD";
        /// AES-256-CBC with the padding of PKCS#7.
        A256CbcPad = 12, "A256CBCPAD";
        /// AES key wrap (RFC 3394) with 128 bits.
        A128Kw = 13, "A128KW";
        /// AES key wrap with 192 bits.
        A192Kw = 14, "A192KW";
        /// AES key wrap with 256 bits.
        A256Kw = 15, "A256KW";
        /// AES key wrap (RFC 3394) with a key of any size.
        CkmAesKeyWrap = 16, "CKM_AES_KEY_WRAP";
        /// AES key wrap with padding (RFC 5649) with a key of any size.
        CkmAesKeyWrapPad = 17, "CKM_AES_KEY_WRAP_PAD";
    }
}

const ANY_RSA: &[KeySpec] = &[KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096];
const ANY_OCT: &[KeySpec] = &[KeySpec::Oct128, KeySpec::Oct192, KeySpec::Oct256];

impl SignAlgorithm {
    /// Bytes of the digest it signs.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Es256 | Self::Es256K | Self::Rs256 | Self::Ps256 | Self::Hs256 => 32,
            Self::Es384 | Self::Rs384 | Self::Ps384 | Self::Hs384 => 48,
            Self::Es512 | Self::Rs512 | Self::Ps512 | Self::Hs512 => 64,
        }
    }

    /// The kinds of key it works with.
    pub const fn specs(self) -> &'static [KeySpec] {
        match self {
            Self::Es256 => &[KeySpec::EcP256],
            Self::Es384 => &[KeySpec::EcP384],
            Self::Es512 => &[KeySpec::EcP521],
            Self::Es256K => &[KeySpec::EcP256K],
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => ANY_RSA,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => ANY_OCT,
        }
    }

    /// Whether it works with this kind of key.
    pub fn fits(self, spec: KeySpec) -> bool {
        self.specs().contains(&spec)
    }
}

impl CipherAlgorithm {
    /// The kinds of key it works with.
    pub const fn specs(self) -> &'static [KeySpec] {
        match self {
            Self::Rsa15 | Self::RsaOaep | Self::RsaOaep256 => ANY_RSA,
            Self::A128Gcm | Self::A128Cbc | Self::A128CbcPad | Self::A128Kw => &[KeySpec::Oct128],
            Self::A192Gcm | Self::A192Cbc | Self::A192CbcPad | Self::A192Kw => &[KeySpec::Oct192],
            Self::A256Gcm | Self::A256Cbc | Self::A256CbcPad | Self::A256Kw => &[KeySpec::Oct256],
            Self::CkmAesKeyWrap | Self::CkmAesKeyWrapPad => ANY_OCT,
        }
    }

    /// Whether it works with this kind of key.
    pub fn fits(self, spec: KeySpec) -> bool {
        self.specs().contains(&spec)
    }

    /// How it works, whatever the size of its key.
    pub const fn mode(self) -> CipherMode {
        match self {
            Self::Rsa15 => CipherMode::Pkcs1,
            Self::RsaOaep | Self::RsaOaep256 => CipherMode::Oaep,
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm => CipherMode::Gcm,
            Self::A128Cbc | Self::A192Cbc | Self::A256Cbc => CipherMode::Cbc,
            Self::A128CbcPad | Self::A192CbcPad | Self::A256CbcPad => CipherMode::CbcPad,
            Self::A128Kw | Self::A192Kw | Self::A256Kw | Self::CkmAesKeyWrap => CipherMode::KeyWrap,
            Self::CkmAesKeyWrapPad => CipherMode::KeyWrapPad,
        }
    }

    /// Whether an operation takes it: those named after a key size wrap keys or encrypt data, not both. AES-GCM does
    /// both, as the first release served it so.
    pub const fn serves(self, op: KeyOperation) -> bool {
        let data = matches!(op, KeyOperation::Encrypt | KeyOperation::Decrypt);
        let keys = matches!(op, KeyOperation::WrapKey | KeyOperation::UnwrapKey);
        match self {
            Self::A128Kw | Self::A192Kw | Self::A256Kw => keys,
            _ => match self.mode() {
                CipherMode::Cbc | CipherMode::CbcPad => data,
                _ => data || keys,
            },
        }
    }
}

/// How an encryption algorithm works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CipherMode {
    /// RSAES-PKCS1-v1_5.
    Pkcs1,
    /// RSAES-OAEP.
    Oaep,
    /// AES-GCM: a nonce from the server, a tag, additional data.
    Gcm,
    /// AES-CBC, filled with zeros: an initialisation vector from the caller.
    Cbc,
    /// AES-CBC with PKCS#7 padding: an initialisation vector from the caller.
    CbcPad,
    /// AES key wrap (RFC 3394).
    KeyWrap,
    /// AES key wrap with padding (RFC 5649).
    KeyWrapPad,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_kind_and_survives() {
        for spec in KeySpec::ALL {
            assert_eq!(KeySpec::from_code(spec.code()), Some(*spec));
            assert_eq!(KeySpec::of_size(spec.size()), Some(*spec));
            assert!(spec.usual().iter().all(|op| spec.possible().contains(op)));
        }
        assert_eq!(KeySpec::from_code(0), None);
        assert_eq!(KeySpec::from_code(11), None);
        assert_eq!(KeySpec::of_size(Size::Modulus(1024)), None);
        assert_eq!(KeySpec::of_size(Size::Secret(2048)), None);
    }

    #[test]
    fn an_algorithm_named_after_a_size_takes_that_size() {
        for algorithm in CipherAlgorithm::ALL {
            let size = algorithm.wire().strip_prefix('A').and_then(|rest| rest.get(..3)?.parse().ok());
            if let Some(bits) = size {
                assert_eq!(algorithm.specs().iter().map(|s| s.bits()).collect::<Vec<_>>(), [Some(bits)]);
            }
            assert!(KeyOperation::ALL.iter().any(|op| algorithm.serves(*op)));
            assert!(!algorithm.serves(KeyOperation::Sign) && !algorithm.serves(KeyOperation::Verify));
        }
    }

    #[test]
    fn a_public_exponent_is_odd_and_above_two() {
        for number in [0, 1, 2, 4, 65_536, u32::MAX - 1] {
            assert_eq!(PublicExponent::new(number), None);
        }
        for number in [3, 17, 65_537, u32::MAX] {
            assert_eq!(PublicExponent::new(number).map(PublicExponent::get), Some(number));
        }
    }
}
