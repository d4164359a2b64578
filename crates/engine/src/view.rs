//! What commands take and give: validated words, no rows and no secrets at rest.

use crate::error::Refusal;
use crate::records::{ReleaseRecord, VersionRecord};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_model::{KeyOperation, KeySpec, Name, ProtectionLevel, PublicKey, Time, Version};
use std::collections::BTreeMap;
use thiserror::Error;
use zeroize::Zeroizing;

/// Attributes as a request sets them: `None` leaves a member as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetAttributes {
    /// Usable at all.
    pub enabled: Option<bool>,
    /// Not for new data before this.
    pub not_before: Option<Time>,
    /// Not for new data from this on.
    pub expires: Option<Time>,
    /// Whether it may be released. Settled when a version is made.
    pub exportable: Option<bool>,
}

/// To whom a key may be released: a document of its owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasePolicy {
    /// What the document is.
    pub content_type: String,
    /// The document.
    pub data: Vec<u8>,
    /// Never to be changed from then on.
    pub immutable: bool,
}

impl ReleasePolicy {
    /// Longest document, in bytes.
    pub const MAX_DATA: usize = 16 << 10;
    /// Longest content type, in bytes.
    pub const MAX_CONTENT_TYPE: usize = 255;

    pub(crate) fn of(r: &ReleaseRecord) -> Self {
        Self { content_type: r.content_type.clone(), data: r.data.clone(), immutable: r.immutable }
    }

    pub(crate) fn record(&self) -> ReleaseRecord {
        let (content_type, data) = (self.content_type.clone(), self.data.clone());
        ReleaseRecord { content_type, data, immutable: self.immutable }
    }
}

/// What becomes of deleted keys in a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// How many days they can be recovered.
    pub days: u8,
    /// Whether nobody may purge them before.
    pub purge_protection: bool,
}

/// A key version as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// As given at creation.
    pub name: Name,
    /// Which version.
    pub version: Version,
    /// What kind of key.
    pub spec: KeySpec,
    /// What protects it.
    pub level: ProtectionLevel,
    /// The public half.
    pub public: PublicKey,
    /// What it may be used for.
    pub ops: Vec<KeyOperation>,
    /// Usable at all.
    pub enabled: bool,
    /// `nbf`.
    pub not_before: Option<Time>,
    /// `exp`.
    pub expires: Option<Time>,
    /// When the version was made.
    pub created: Time,
    /// When its attributes last changed.
    pub updated: Time,
    /// Free text of its owner.
    pub tags: BTreeMap<String, String>,
    /// Whether it may be released.
    pub exportable: bool,
    /// To whom it may be released.
    pub release: Option<ReleasePolicy>,
    /// What becomes of it once it is deleted.
    pub recovery: Recovery,
}

impl KeyView {
    pub(crate) fn new(name: Name, version: Version, v: &VersionRecord, recovery: Recovery) -> Self {
        Self {
            name,
            version,
            spec: v.spec,
            // A level that a later release wrote is never taken for an HSM's.
            level: v.level().unwrap_or_default(),
            public: v.public.clone(),
            ops: v.ops.clone(),
            enabled: v.enabled,
            not_before: v.not_before.map(Time),
            expires: v.expires.map(Time),
            created: Time(v.created),
            updated: Time(v.updated),
            tags: v.tags.clone(),
            exportable: v.exportable.unwrap_or(false),
            release: v.release.as_ref().map(ReleasePolicy::of),
            recovery,
        }
    }
}

/// A deleted key: its newest version, and when it goes for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedKeyView {
    /// The newest version.
    pub key: KeyView,
    /// When it was deleted.
    pub deleted: Time,
    /// When it is purged by itself.
    pub purge_at: Time,
}

/// The outcome of a cryptographic operation. The value may be a plaintext, so it is cleared when dropped and has no
/// Debug.
pub struct KeyResult {
    /// Which key.
    pub name: Name,
    /// Which version did the work.
    pub version: Version,
    /// Signature, ciphertext or plaintext.
    pub value: Zeroizing<Vec<u8>>,
    /// The nonce of an AES-GCM encryption, or the initialisation vector of an AES-CBC one.
    pub iv: Option<Vec<u8>>,
    /// The tag of an AES-GCM encryption.
    pub tag: Option<[u8; 16]>,
    /// The additional data, echoed.
    pub aad: Option<Vec<u8>>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What it holds.
    pub items: Vec<T>,
    /// Where the next page starts, if there may be one.
    pub next: Option<PageToken>,
}

/// Where a page starts: after this lookup tag, or after this version. Stateless, and stable under concurrent deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageToken {
    /// After the key with this lookup tag.
    Key([u8; 32]),
    /// After this version.
    Version(Version),
}

/// Text that is not a page token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the paging token is not one of this server's")]
pub struct BadPageToken;

impl PageToken {
    /// base64url without padding: survives every client's quoting.
    pub fn encode(&self) -> String {
        match self {
            Self::Key(tag) => URL_SAFE_NO_PAD.encode(tag),
            Self::Version(v) => URL_SAFE_NO_PAD.encode(v.as_bytes()),
        }
    }

    /// The reverse of [`Self::encode`].
    pub fn parse(text: &str) -> Result<Self, BadPageToken> {
        if text.len() > 64 {
            return Err(BadPageToken);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadPageToken)?;
        if let Ok(tag) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::Key(tag));
        }
        <[u8; 16]>::try_from(bytes.as_slice()).map(|v| Self::Version(Version::from_bytes(v))).map_err(|_| BadPageToken)
    }

    pub(crate) fn key(token: Option<Self>) -> Result<Option<[u8; 32]>, Refusal> {
        match token {
            None => Ok(None),
            Some(Self::Key(tag)) => Ok(Some(tag)),
            Some(Self::Version(_)) => Err(Refusal::BadPageToken),
        }
    }

    pub(crate) fn version(token: Option<Self>) -> Result<Option<Version>, Refusal> {
        match token {
            None => Ok(None),
            Some(Self::Version(v)) => Ok(Some(v)),
            Some(Self::Key(_)) => Err(Refusal::BadPageToken),
        }
    }
}
