//! Bring in a key that was made elsewhere.

use super::create::{NewVersion, Source, add_version, free_or_live};
use crate::commands::ask;
use crate::error::Refusal;
use crate::lifecycle;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::{KeyView, ReleasePolicy, SetAttributes};
use keystead_access::Permit;
use keystead_model::{KeyOperation, Name, Target};
use keystead_protection::ImportedKey;
use std::collections::BTreeMap;

/// Imports a key; on an existing name, as a new version that becomes the newest.
pub struct ImportKey {
    /// Its name.
    pub name: Name,
    /// Its parts. They must belong together.
    pub key: ImportedKey,
    /// What it may be used for; `None`: all that its kind can do.
    pub ops: Option<Vec<KeyOperation>>,
    /// Its attributes.
    pub attributes: SetAttributes,
    /// Free text.
    pub tags: BTreeMap<String, String>,
    /// To whom it may be released, if it is exportable.
    pub release: Option<ReleasePolicy>,
}
ask!(ImportKey, ImportKey, |c| Target::Key(c.name.clone()));

impl Execute for ImportKey {
    type Output = KeyView;

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let ask = permit.ask();
        lifecycle::check_tags(&ask.tags)?;
        let ops = lifecycle::operations(ask.key.spec().map_err(Refusal::BadImport)?, ask.ops.as_deref())?;
        let head = free_or_live(room, &ask.name).await?;
        let new = NewVersion {
            source: Source::Import(&ask.key),
            ops,
            attributes: &ask.attributes,
            tags: &ask.tags,
            release: ask.release.as_ref(),
        };
        add_version(room, &ask.name, head, new).await
    }
}
