//! List and read deleted keys.

use super::delete;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::{DeletedKeyView, Page, PageToken};
use keystead_access::Permit;
use keystead_model::{Name, Target};
use keystead_store::Kind;

/// Lists deleted keys.
pub struct ListDeletedKeys {
    /// Where to start.
    pub after: Option<PageToken>,
    /// Most items.
    pub limit: u8,
}
ask!(ListDeletedKeys, ReadDeletedKeys, |c| Target::Keys);

impl Execute for ListDeletedKeys {
    type Output = Page<DeletedKeyView>;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Page<DeletedKeyView>>, Refusal> {
        let ask = permit.ask();
        let keys = room.keys(Kind::DeletedKey, PageToken::key(ask.after)?, u16::from(ask.limit)).await?;
        let full = keys.len() >= usize::from(ask.limit);
        let next = keys.last().filter(|_| full).map(|k| PageToken::Key(k.tag));
        let mut items = Vec::with_capacity(keys.len());
        for key in &keys {
            // A key purged since the page was read is not listed.
            items.extend(delete::view(room, key).await?);
        }
        Ok(Effect::read(Page { items, next }))
    }
}

/// Reads a deleted key.
pub struct GetDeletedKey {
    /// Which.
    pub name: Name,
}
ask!(GetDeletedKey, ReadDeletedKeys, |c| Target::Key(c.name.clone()));

impl Execute for GetDeletedKey {
    type Output = DeletedKeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<DeletedKeyView>, Refusal> {
        let name = &permit.ask().name;
        let key = room.deleted(name).await?;
        let view = delete::view(room, &key).await?;
        let view = view.ok_or_else(|| Refusal::DeletedKeyNotFound { name: name.clone() })?;
        Ok(Effect::read(view).about(key.id, None))
    }
}
