//! What is asked of a token, in the field's words: no mechanism numbers, no handles. Every call says all it needs, so a
//! worker that was killed leaves nothing behind that a new one would miss.

use crate::codec::words;
use crate::describe::Description;
use crate::error::HsmError;
use crate::export::{Recipe, Subject, Wanted};
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, PublicKey, SignAlgorithm};
use minicbor::{Decode, Encode};
use std::fmt;
use zeroize::Zeroizing;

/// A key's id in the token (CKA_ID): the id of its version, or of a wrapping key. A wrapping key's id is a value that
/// only it makes: see [`IDENTIFYING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct KeyId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// Whose a resident key is: the vault's id. Several vaults, and other servers, may have keys in one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Owner(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// What a wrapping key wraps (RFC 5649) to make its own id: the last 16 bytes of the result. So nobody with the PIN can
/// put a key that he knows in its place, and have new keys wrapped for him.
pub const IDENTIFYING: [u8; 16] = *b"keystead key id.";

/// What is kept of a key outside the token.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Stored {
    /// Nothing: the token has it.
    #[n(0)]
    Resident,
    /// The private key, wrapped inside the token.
    #[n(1)]
    Wrapped {
        /// By which wrapping key.
        #[n(0)]
        wrapping: KeyId,
        /// AES key wrap with padding, as the token's mechanism makes it.
        #[cbor(n(1), with = "minicbor::bytes")]
        blob: Vec<u8>,
    },
}

/// A key as its row keeps it: all that a token needs to work with it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// Its id.
    #[n(0)]
    pub id: KeyId,
    /// What kind of key.
    #[cbor(n(1), with = "words::spec")]
    pub spec: KeySpec,
    /// Where it is.
    #[n(2)]
    pub stored: Stored,
}

/// Where a new key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Destination {
    /// Into the token, for good, as this owner's.
    #[n(0)]
    Resident(#[n(0)] Owner),
    /// Out again at once, wrapped by this key.
    #[n(1)]
    Wrapped(#[n(0)] KeyId),
}

/// A private key made elsewhere, in clear: big-endian numbers or the secret itself. Cleared when dropped.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Parts {
    /// Private scalar and public point.
    #[n(0)]
    Ec {
        /// The scalar, as long as the field.
        #[cbor(n(0), with = "words::secret")]
        d: Zeroizing<Vec<u8>>,
        /// x.
        #[cbor(n(1), with = "minicbor::bytes")]
        x: Vec<u8>,
        /// y.
        #[cbor(n(2), with = "minicbor::bytes")]
        y: Vec<u8>,
    },
    /// n, e, d, p, q, dp, dq, qi.
    #[n(1)]
    Rsa(#[cbor(n(0), with = "words::rsa")] Box<[Zeroizing<Vec<u8>>; 8]>),
    /// A symmetric key.
    #[n(2)]
    Oct(#[cbor(n(0), with = "words::secret")] Zeroizing<Vec<u8>>),
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Call {
    /// What the token is and can. The self-test ran when the worker started.
    #[n(0)]
    Describe,
    /// Whether the token still answers and still has its canary, which is made if there never was one. A token whose
    /// directory vanished still opens sessions.
    #[n(1)]
    Check,
    /// Whether the token holds this wrapping key.
    #[n(2)]
    HoldsWrapping(#[n(0)] KeyId),
    /// Makes an RSA-3072 key in the token that lives until the next of these calls, or the worker's end. For bringing
    /// in a wrapping key.
    #[n(3)]
    TransferKey,
    /// Unwraps a wrapping key of 32 bytes (RSAES-OAEP under the transfer key, SHA-1 if the token has no SHA-256) into a
    /// token object that can wrap and unwrap and nothing else, and whose attributes nobody changes.
    #[n(4)]
    InstallWrapping {
        /// Its id, which must be the one that it makes.
        #[n(0)]
        id: KeyId,
        /// The wrapping key under the transfer key.
        #[cbor(n(1), with = "minicbor::bytes")]
        wrapped: Vec<u8>,
    },
    /// Makes a key.
    #[n(5)]
    Generate {
        /// Its id.
        #[n(0)]
        id: KeyId,
        /// What kind.
        #[cbor(n(1), with = "words::spec")]
        spec: KeySpec,
        /// If it is RSA.
        #[cbor(n(2), with = "words::exponent")]
        exponent: PublicExponent,
        /// Where it goes.
        #[n(3)]
        to: Destination,
    },
    /// Takes a key from outside, in clear.
    #[n(6)]
    Import {
        /// Its id.
        #[n(0)]
        id: KeyId,
        /// What kind.
        #[cbor(n(1), with = "words::spec")]
        spec: KeySpec,
        /// The key.
        #[n(2)]
        parts: Parts,
        /// Where it goes.
        #[n(3)]
        to: Destination,
    },
    /// Takes a key from outside, wrapped as CKM_RSA_AES_KEY_WRAP with SHA-1 does (Azure's `.byok`): it never shows
    /// outside the token.
    #[n(7)]
    ImportWrapped {
        /// Its id.
        #[n(0)]
        id: KeyId,
        /// What kind.
        #[cbor(n(1), with = "words::spec")]
        spec: KeySpec,
        /// The key exchange key: RSA.
        #[n(2)]
        kek: Held,
        /// The wrapped key.
        #[cbor(n(3), with = "minicbor::bytes")]
        wrapped: Vec<u8>,
        /// Where it goes.
        #[n(4)]
        to: Destination,
    },
    /// Signs a digest of the algorithm's length. ECDSA gives r|s.
    #[n(8)]
    Sign {
        /// With which key.
        #[n(0)]
        key: Held,
        /// How.
        #[cbor(n(1), with = "words::sign")]
        algorithm: SignAlgorithm,
        /// The digest; of HMAC, the data.
        #[cbor(n(2), with = "minicbor::bytes")]
        digest: Vec<u8>,
    },
    /// Encrypts with a symmetric key.
    #[n(9)]
    Encrypt {
        /// With which key.
        #[n(0)]
        key: Held,
        /// How.
        #[cbor(n(1), with = "words::cipher")]
        algorithm: CipherAlgorithm,
        /// The plaintext.
        #[cbor(n(2), with = "words::secret")]
        data: Zeroizing<Vec<u8>>,
        /// Initialisation vector; of AES-GCM none: it is made anew, in the token if the token insists.
        #[cbor(n(3), with = "minicbor::bytes")]
        iv: Vec<u8>,
        /// Associated data.
        #[cbor(n(4), with = "minicbor::bytes")]
        aad: Vec<u8>,
    },
    /// Decrypts.
    #[n(10)]
    Decrypt {
        /// With which key.
        #[n(0)]
        key: Held,
        /// How.
        #[cbor(n(1), with = "words::cipher")]
        algorithm: CipherAlgorithm,
        /// The ciphertext.
        #[cbor(n(2), with = "minicbor::bytes")]
        data: Vec<u8>,
        /// Initialisation vector or nonce.
        #[cbor(n(3), with = "minicbor::bytes")]
        iv: Vec<u8>,
        /// Tag.
        #[cbor(n(4), with = "minicbor::bytes")]
        tag: Vec<u8>,
        /// Associated data.
        #[cbor(n(5), with = "minicbor::bytes")]
        aad: Vec<u8>,
    },
    /// Random bytes of the token: 1 to 128.
    #[n(11)]
    Random {
        /// How many.
        #[n(0)]
        count: u8,
    },
    /// Destroys a resident key of this owner's. One that is not there is gone already.
    #[n(12)]
    Destroy(#[n(0)] Owner, #[n(1)] KeyId),
    /// The ids of all resident keys of this owner's: for the sweep of orphans.
    #[n(13)]
    Residents(#[n(0)] Owner),
    /// What a key of the token's owner is, and how it might leave. Refused if it may not.
    #[n(14)]
    Locate(#[n(0)] Wanted),
    /// Wraps a key of the token's owner, or one to try it on, for a key exchange key.
    #[n(15)]
    WrapOut {
        /// Which.
        #[n(0)]
        subject: Subject,
        /// The key exchange key: RSA.
        #[cbor(n(1), with = "words::public")]
        kek: PublicKey,
        /// How.
        #[n(2)]
        recipe: Recipe,
    },
    /// The public half of an RSA key of the token's owner.
    #[n(16)]
    OwnedPublic(#[n(0)] Wanted),
    /// Signs with it: RSASSA-PSS, SHA-256 for hash and MGF1, a salt of 32 bytes.
    #[n(17)]
    OwnedSign {
        /// Which.
        #[n(0)]
        key: Wanted,
        /// The digest.
        #[cbor(n(1), with = "minicbor::bytes")]
        digest: Vec<u8>,
    },
    /// Decrypts with it: RSAES-OAEP, SHA-256 for hash and MGF1, an empty label. A guest in a token without that gives
    /// the bare operation's result.
    #[n(18)]
    OwnedDecrypt {
        /// Which.
        #[n(0)]
        key: Wanted,
        /// The ciphertext.
        #[cbor(n(1), with = "minicbor::bytes")]
        cipher: Vec<u8>,
    },
    /// The public half of a key of the token's owner that signs texts.
    #[n(19)]
    TextKey(#[n(0)] Wanted),
    /// Signs with it: what its algorithm takes.
    #[n(20)]
    SignText {
        /// Which.
        #[n(0)]
        key: Wanted,
        /// The text for Ed25519, its SHA-256 for P-256.
        #[cbor(n(1), with = "minicbor::bytes")]
        message: Vec<u8>,
    },
}

/// What is answered to each call.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// To [`Call::Describe`].
    #[n(0)]
    Description(#[n(0)] Box<Description>),
    /// To [`Call::Check`], [`Call::InstallWrapping`], [`Call::Destroy`].
    #[n(1)]
    Done,
    /// To [`Call::HoldsWrapping`].
    #[n(2)]
    Holds(#[n(0)] bool),
    /// To [`Call::TransferKey`].
    #[n(3)]
    Transfer {
        /// Its public half.
        #[cbor(n(0), with = "words::public")]
        public: PublicKey,
        /// Whether OAEP is with SHA-256; with SHA-1 if not.
        #[n(1)]
        sha256: bool,
    },
    /// To [`Call::Generate`], [`Call::Import`], [`Call::ImportWrapped`].
    #[n(4)]
    Made {
        /// The public half.
        #[cbor(n(0), with = "words::public")]
        public: PublicKey,
        /// What is to be kept.
        #[n(1)]
        stored: Stored,
    },
    /// To [`Call::Sign`], [`Call::OwnedSign`], [`Call::SignText`], [`Call::Random`]; and to [`Call::TextKey`]: 32 bytes of
    /// Ed25519, or an uncompressed point of P-256.
    #[n(5)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// To [`Call::Encrypt`].
    #[n(6)]
    Encrypted {
        /// The ciphertext.
        #[cbor(n(0), with = "minicbor::bytes")]
        value: Vec<u8>,
        /// The nonce, if one was made.
        #[cbor(n(1), with = "minicbor::bytes")]
        iv: Option<Vec<u8>>,
        /// The tag, if the algorithm has one.
        #[cbor(n(2), with = "minicbor::bytes")]
        tag: Option<Vec<u8>>,
    },
    /// To [`Call::Decrypt`], [`Call::OwnedDecrypt`].
    #[n(7)]
    Plain(#[cbor(n(0), with = "words::secret")] Zeroizing<Vec<u8>>),
    /// To [`Call::Residents`].
    #[n(8)]
    Ids(#[n(0)] Vec<KeyId>),
    /// To [`Call::Locate`].
    #[n(9)]
    Located {
        /// What kind of key.
        #[cbor(n(0), with = "words::spec")]
        spec: KeySpec,
        /// Its CKA_ID.
        #[cbor(n(1), with = "minicbor::bytes")]
        id: Vec<u8>,
        /// Ways that the token lists, to be tried in this order.
        #[n(2)]
        recipes: Vec<Recipe>,
    },
    /// To [`Call::WrapOut`].
    #[n(10)]
    WrappedOut {
        /// What kind of key.
        #[cbor(n(0), with = "words::spec")]
        spec: KeySpec,
        /// As CKM_RSA_AES_KEY_WRAP with SHA-1 wraps, if the recipe is right.
        #[cbor(n(1), with = "minicbor::bytes")]
        wrapped: Vec<u8>,
        /// The public half of a throw-away key.
        #[cbor(n(2), with = "words::public")]
        public: PublicKey,
        /// What a throw-away symmetric key makes of a block of zeros.
        #[cbor(n(3), with = "minicbor::bytes")]
        check: Vec<u8>,
    },
    /// To [`Call::OwnedPublic`].
    #[n(11)]
    OwnedPublic(#[cbor(n(0), with = "words::public")] PublicKey),
    /// To [`Call::OwnedDecrypt`]: the ciphertext to the power of the private exponent, still padded, as the token gave
    /// it.
    #[n(12)]
    Block(#[cbor(n(0), with = "words::secret")] Zeroizing<Vec<u8>>),
}

impl Call {
    /// Whether doing it twice is as good as once: only such calls are tried again with a new worker.
    pub const fn is_idempotent(&self) -> bool {
        !matches!(
            self,
            Self::Generate { .. }
                | Self::Import { .. }
                | Self::ImportWrapped { .. }
                | Self::InstallWrapping { .. }
                | Self::TransferKey
                | Self::Destroy(..)
        )
    }

    /// Its name, for metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Check => "check",
            Self::HoldsWrapping(_) => "holds_wrapping",
            Self::TransferKey => "transfer_key",
            Self::InstallWrapping { .. } => "install_wrapping",
            Self::Generate { .. } => "generate",
            Self::Import { .. } => "import",
            Self::ImportWrapped { .. } => "import_wrapped",
            Self::Sign { .. } => "sign",
            Self::Encrypt { .. } => "encrypt",
            Self::Decrypt { .. } => "decrypt",
            Self::Random { .. } => "random",
            Self::Destroy(..) => "destroy",
            Self::Residents(_) => "residents",
            Self::Locate(_) => "locate",
            Self::WrapOut { .. } => "wrap_out",
            Self::OwnedPublic(_) => "owned_public",
            Self::OwnedSign { .. } => "owned_sign",
            Self::OwnedDecrypt { .. } => "owned_decrypt",
            Self::TextKey(_) => "text_key",
            Self::SignText { .. } => "sign_text",
        }
    }
}

/// Its name alone: calls carry secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a worker answers.
pub type Answer = Result<Reply, HsmError>;
