//! Bring in a key that was made elsewhere.

use super::create::{NewVersion, Source, add_version, free_or_live, level};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::lifecycle;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::{KeyView, ReleasePolicy, SetAttributes};
use keystead_access::Permit;
use keystead_model::{KeyOperation, KeyRef, KeySpec, Name, ProtectionLevel, Target};
use keystead_protection::ImportedKey;
use std::collections::BTreeMap;

/// Imports a key; on an existing name, as a new version that becomes the newest.
pub struct ImportKey {
    /// Its name.
    pub name: Name,
    /// The key.
    pub key: Incoming,
    /// What is to protect it. A vault of kind hsm has HSM keys only.
    pub level: ProtectionLevel,
    /// What it may be used for; `None`: all that its kind can do.
    pub ops: Option<Vec<KeyOperation>>,
    /// Its attributes.
    pub attributes: SetAttributes,
    /// Free text.
    pub tags: BTreeMap<String, String>,
    /// To whom it may be released, if it is exportable.
    pub release: Option<ReleasePolicy>,
}
// A wrapped key needs a right that reaches it and the key that unwraps it.
ask!(ImportKey, ImportKey, |c| match c.key {
    Incoming::Clear(_) => Target::Key(c.name.clone()),
    Incoming::Wrapped { .. } => Target::Keys,
});

/// How a key comes in.
pub enum Incoming {
    /// As its parts, which must belong together.
    Clear(ImportedKey),
    /// Wrapped for one of the vault's own keys (`.byok`): of an HSM's it never shows outside.
    Wrapped {
        /// The key exchange key: RSA, for `import` and nothing else.
        kek: KeyRef,
        /// What kinds of key it may be: of one family.
        specs: Vec<KeySpec>,
        /// The wrapped key, as CKM_RSA_AES_KEY_WRAP with SHA-1 makes it.
        wrapped: Vec<u8>,
    },
}

/// Longest wrapped key: an RSA-4096 modulus and a PKCS#8 document of an RSA-4096 key, with room to spare.
const MAX_WRAPPED: usize = 4096;

impl Execute for ImportKey {
    type Output = KeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let ask = permit.ask();
        lifecycle::check_tags(&ask.tags)?;
        let level = level(room, ask.level);
        let (spec, source) = match &ask.key {
            Incoming::Clear(key) => (key.spec().map_err(Refusal::BadImport)?, Source::Import(key, level)),
            Incoming::Wrapped { wrapped, .. } if wrapped.len() > MAX_WRAPPED => {
                return Err(Refusal::OverBound { what: "a wrapped key has at most 4,096 bytes" });
            }
            Incoming::Wrapped { kek, specs, wrapped } => {
                let kek = room.usable(permit, kek, KeyOperation::Import).await?.key;
                let family = *specs.first().ok_or(Refusal::Fault)?;
                (family, Source::Unwrap { kek, wrapped, specs, level })
            }
        };
        let ops = lifecycle::operations(spec, ask.ops.as_deref())?;
        let head = free_or_live(room, &ask.name).await?;
        let new =
            NewVersion { source, ops, attributes: &ask.attributes, tags: &ask.tags, release: ask.release.as_ref() };
        add_version(room, &ask.name, head, new).await
    }
}
