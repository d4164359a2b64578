//! Change attributes, tags and permitted operations of a version.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::lifecycle;
use crate::room::{Key, KeyVersion, Place, Room};
use crate::run::{Effect, Execute};
use crate::view::{KeyView, ReleasePolicy, SetAttributes};
use keystead_access::Permit;
use keystead_model::{KeyOperation, KeyRef, Target, Time};
use keystead_store::{Changes, Row};
use std::collections::BTreeMap;

/// Changes what is given; `None` leaves a member as it is.
pub struct UpdateKey {
    /// Which version; the newest if none.
    pub key: KeyRef,
    /// Replaces the permitted operations.
    pub ops: Option<Vec<KeyOperation>>,
    /// Merged one by one.
    pub attributes: SetAttributes,
    /// Replaces all tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Replaces the release policy.
    pub release: Option<ReleasePolicy>,
}
ask!(UpdateKey, UpdateKey, |c| Target::Key(c.key.name.clone()));

impl Execute for UpdateKey {
    type Output = KeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let ask = permit.ask();
        let head = room.live(&ask.key.name).await?;
        let wanted = ask.key.version.unwrap_or_else(|| head.record.newest());
        let missing = || Refusal::KeyNotFound { name: ask.key.name.clone(), version: ask.key.version };
        let found = room.stored_version(&head, wanted).await?.ok_or_else(missing)?;

        let mut record = found.record.clone();
        if let Some(ops) = &ask.ops {
            record.ops = lifecycle::other_operations(&record, ops)?;
        }
        if let Some(tags) = &ask.tags {
            lifecycle::check_tags(tags)?;
            record.tags.clone_from(tags);
        }
        lifecycle::set_attributes(&mut record, &ask.attributes)?;
        lifecycle::set_release(&mut record, ask.attributes.exportable, ask.release.as_ref())?;
        record.updated = moved(Time(found.record.updated), room.at.now).0;

        let row = room.row(Place::next_version(&found), &record)?;
        let changes = with_head(room, head, &found, row, record.expires)?;
        let view = KeyView::new(found.name.clone(), found.version, &record, room.recovery());
        Ok(Effect::change(view, changes).about(found.id, Some(found.version)))
    }
}

/// The key's own row must still stand there; it says when the newest version expires.
fn with_head(
    room: &Room<'_>,
    mut head: Key,
    found: &KeyVersion,
    row: Row,
    expires: Option<i64>,
) -> Result<Changes, Refusal> {
    let newest = found.version == head.record.newest();
    if newest && head.record.newest_expires != expires {
        head.record.newest_expires = expires;
        let puts = vec![row, room.row(Place::next(&head), &head.record)?];
        return Ok(Changes { puts, ..Changes::default() });
    }
    Ok(Changes { puts: vec![row], checks: vec![(head.at(), head.counter)], ..Changes::default() })
}

/// `updated` must be seen to move, and clients see whole seconds.
fn moved(before: Time, now: Time) -> Time {
    if now.secs() > before.secs() { now } else { Time::from_secs(before.secs().saturating_add(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updated_moves_by_at_least_a_second_as_clients_see_it() {
        assert_eq!(moved(Time(1_000), Time(5_000)), Time(5_000));
        assert_eq!(moved(Time(5_400), Time(5_900)).secs(), 6);
        assert_eq!(moved(Time(5_400), Time(1_000)).secs(), 6);
    }
}
