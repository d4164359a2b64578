//! List keys, and the versions of one.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::{KeyView, Page, PageToken};
use keystead_access::Permit;
use keystead_model::{Name, Target};
use keystead_store::Kind;

/// Lists the newest version of each key, in an order that does not move.
pub struct ListKeys {
    /// Where to start.
    pub after: Option<PageToken>,
    /// Most items.
    pub limit: u8,
}
ask!(ListKeys, ListKeys, |c| Target::Keys);

impl Execute for ListKeys {
    type Output = Page<KeyView>;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Page<KeyView>>, Refusal> {
        let ask = permit.ask();
        let keys = room.keys(Kind::Key, PageToken::key(ask.after)?, u16::from(ask.limit)).await?;
        let full = keys.len() >= usize::from(ask.limit);
        let next = keys.last().filter(|_| full).map(|k| PageToken::Key(k.tag));
        let mut items = Vec::with_capacity(keys.len());
        for key in &keys {
            // A key deleted since the page was read still has its versions; a purged one is not listed.
            items.extend(room.newest(key).await?.map(|newest| room.view(&newest)));
        }
        Ok(Effect::read(Page { items, next }))
    }
}

/// Lists the versions of a key, in the order of their ids. A name that no live key has gives an empty list, as Key
/// Vault does.
pub struct ListVersions {
    /// Which key.
    pub name: Name,
    /// Where to start.
    pub after: Option<PageToken>,
    /// Most items.
    pub limit: u8,
}
ask!(ListVersions, ListKeys, |c| Target::Key(c.name.clone()));

impl Execute for ListVersions {
    type Output = Page<KeyView>;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Page<KeyView>>, Refusal> {
        let ask = permit.ask();
        let Some(head) = room.key(Kind::Key, &ask.name).await? else {
            return Ok(Effect::read(Page { items: Vec::new(), next: None }));
        };
        let (versions, next) = room.versions(&head, PageToken::version(ask.after)?, u16::from(ask.limit)).await?;
        let next = next.map(PageToken::Version);
        let items = versions.iter().map(|v| room.view(v)).collect();
        Ok(Effect::read(Page { items, next }).about(head.id, None))
    }
}
