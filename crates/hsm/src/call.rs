//! What is asked of a token, in the field's words: no mechanism numbers, no handles. Every call says all it needs, so a
//! worker that was killed leaves nothing behind that a new one would miss.

use crate::describe::Description;
use crate::error::HsmError;
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, PublicKey, SignAlgorithm};
use std::fmt;
use zeroize::Zeroizing;

/// A key's id in the token (CKA_ID): the id of its version, or of a wrapping key. A wrapping key's id is a value that only
/// it makes: see [`IDENTIFYING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 16]);

/// What a wrapping key wraps (RFC 5649) to make its own id: the last 16 bytes of the result. So nobody with the PIN can put
/// a key that he knows in its place, and have new keys wrapped for him.
pub const IDENTIFYING: [u8; 16] = *b"keystead key id.";

/// What is kept of a key outside the token.
#[derive(Clone, PartialEq, Eq)]
pub enum Stored {
    /// Nothing: the token has it.
    Resident,
    /// The private key, wrapped inside the token.
    Wrapped {
        /// By which wrapping key.
        wrapping: KeyId,
        /// AES key wrap with padding, as the token's mechanism makes it.
        blob: Vec<u8>,
    },
}

/// A key as its row keeps it: all that a token needs to work with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: KeyId,
    /// What kind of key.
    pub spec: KeySpec,
    /// Where it is.
    pub stored: Stored,
}

/// Where a new key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Into the token, for good.
    Resident,
    /// Out again at once, wrapped by this key.
    Wrapped(KeyId),
}

/// A private key made elsewhere, in clear: big-endian numbers or the secret itself. Cleared when dropped.
#[derive(Clone, PartialEq, Eq)]
pub enum Parts {
    /// Private scalar and public point.
    Ec {
        /// The scalar, as long as the field.
        d: Zeroizing<Vec<u8>>,
        /// x.
        x: Vec<u8>,
        /// y.
        y: Vec<u8>,
    },
    /// n, e, d, p, q, dp, dq, qi.
    Rsa(Box<[Zeroizing<Vec<u8>>; 8]>),
    /// A symmetric key.
    Oct(Zeroizing<Vec<u8>>),
}

/// What is asked.
#[derive(Clone, PartialEq, Eq)]
pub enum Call {
    /// What the token is and can. The self-test ran when the worker started.
    Describe,
    /// Whether the token still answers and still has its canary, which is made if there never was one. A token whose
    /// directory vanished still opens sessions.
    Check,
    /// Whether the token holds this wrapping key.
    HoldsWrapping(KeyId),
    /// Makes an RSA-3072 key in the token that lives until the next of these calls, or the worker's end. For bringing in a
    /// wrapping key.
    TransferKey,
    /// Unwraps a wrapping key of 32 bytes (RSAES-OAEP under the transfer key, SHA-1 if the token has no SHA-256) into a
    /// token object that can wrap and unwrap and nothing else, and whose attributes nobody changes.
    InstallWrapping {
        /// Its id, which must be the one that it makes.
        id: KeyId,
        /// The wrapping key under the transfer key.
        wrapped: Vec<u8>,
    },
    /// Makes a key.
    Generate {
        /// Its id.
        id: KeyId,
        /// What kind.
        spec: KeySpec,
        /// If it is RSA.
        exponent: PublicExponent,
        /// Where it goes.
        to: Destination,
    },
    /// Takes a key from outside, in clear.
    Import {
        /// Its id.
        id: KeyId,
        /// What kind.
        spec: KeySpec,
        /// The key.
        parts: Parts,
        /// Where it goes.
        to: Destination,
    },
    /// Takes a key from outside, wrapped as CKM_RSA_AES_KEY_WRAP with SHA-1 does (Azure's `.byok`): it never shows outside
    /// the token.
    ImportWrapped {
        /// Its id.
        id: KeyId,
        /// What kind.
        spec: KeySpec,
        /// The key exchange key: RSA.
        kek: Held,
        /// The wrapped key.
        wrapped: Vec<u8>,
        /// Where it goes.
        to: Destination,
    },
    /// Signs a digest of the algorithm's length. ECDSA gives r|s.
    Sign {
        /// With which key.
        key: Held,
        /// How.
        algorithm: SignAlgorithm,
        /// The digest; of HMAC, the data.
        digest: Vec<u8>,
    },
    /// Encrypts with a symmetric key.
    Encrypt {
        /// With which key.
        key: Held,
        /// How.
        algorithm: CipherAlgorithm,
        /// The plaintext.
        data: Zeroizing<Vec<u8>>,
        /// Initialisation vector; of AES-GCM none: it is made anew, in the token if the token insists.
        iv: Vec<u8>,
        /// Associated data.
        aad: Vec<u8>,
    },
    /// Decrypts.
    Decrypt {
        /// With which key.
        key: Held,
        /// How.
        algorithm: CipherAlgorithm,
        /// The ciphertext.
        data: Vec<u8>,
        /// Initialisation vector or nonce.
        iv: Vec<u8>,
        /// Tag.
        tag: Vec<u8>,
        /// Associated data.
        aad: Vec<u8>,
    },
    /// Random bytes of the token: 1 to 128.
    Random {
        /// How many.
        count: u8,
    },
    /// Destroys a resident key. One that is not there is gone already.
    Destroy(KeyId),
    /// The ids of all keys of ours in the token, but wrapping keys and the canary: for the sweep of orphans.
    Residents,
}

/// What is answered to each call.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Call::Describe`].
    Description(Box<Description>),
    /// To [`Call::Check`], [`Call::InstallWrapping`], [`Call::Destroy`].
    Done,
    /// To [`Call::HoldsWrapping`].
    Holds(bool),
    /// To [`Call::TransferKey`].
    Transfer {
        /// Its public half.
        public: PublicKey,
        /// Whether OAEP is with SHA-256; with SHA-1 if not.
        sha256: bool,
    },
    /// To [`Call::Generate`], [`Call::Import`], [`Call::ImportWrapped`].
    Made {
        /// The public half.
        public: PublicKey,
        /// What is to be kept.
        stored: Stored,
    },
    /// To [`Call::Sign`], [`Call::Random`].
    Bytes(Vec<u8>),
    /// To [`Call::Encrypt`].
    Encrypted {
        /// The ciphertext.
        value: Vec<u8>,
        /// The nonce, if one was made.
        iv: Option<Vec<u8>>,
        /// The tag, if the algorithm has one.
        tag: Option<Vec<u8>>,
    },
    /// To [`Call::Decrypt`].
    Plain(Zeroizing<Vec<u8>>),
    /// To [`Call::Residents`].
    Ids(Vec<KeyId>),
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
                | Self::Destroy(_)
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
            Self::Destroy(_) => "destroy",
            Self::Residents => "residents",
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
