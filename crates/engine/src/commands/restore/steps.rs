//! The steps of a restore: reading it all, restoring it, deleting what it has not.

use super::apply::Applying;
use super::proceed::Step;
use super::source::Source;
use crate::backup::BackupError;
use crate::backup::place::Target;
use crate::backup::stream::Opened;
use crate::commands::key::moved;
use crate::error::Refusal;
use crate::records::DeletionRecord;
use crate::records::KeyRecord;
use crate::records::backup::{Counts, Item, Trailer};
use crate::records::job::{AtRecord, RestoreWork};
use crate::room::Room;
use keystead_custody::BackupKey;
use keystead_model::{Name, ProtectionLevel};
use keystead_store::{Changes, Kind};

/// Keys looked at and deleted in a step.
const SWEPT: u16 = 256;

fn source<'a>(room: &'a Room<'_>, target: &'a Target, work: &RestoreWork) -> Source<'a> {
    let frames = BackupKey::from_bytes(&work.key.0).frames(&work.header);
    Source::new(&room.vault().storage, target, frames, work.at)
}

/// Reads the next part and proves it. Nothing is changed before all of it was.
pub(super) async fn read(
    room: &Room<'_>,
    target: &Target,
    work: &mut RestoreWork,
    check: bool,
) -> Result<Step, Refusal> {
    let mut source = source(room, target, work);
    while !source.had_enough() {
        let opened = source.next().await?;
        let before = source.at;
        let altered = || BackupError::Altered { frame: before.number };
        look(room, work, &opened).ok_or_else(altered)??;
        source.pass(&opened);
        work.at = source.at;
        if !opened.last {
            continue;
        }
        source.ends_here().await?;
        let trailer = Trailer { counts: work.counts, before: before.before };
        if opened.items != [Item::Trailer(trailer)] {
            return Err(altered().into());
        }
        if check {
            return Ok(Step::Done(Changes::default()));
        }
        if let Some(name) = work.only.as_deref().filter(|_| !work.found) {
            let name = Name::parse(name).map_err(|_| Refusal::Damaged)?;
            return Err(BackupError::NoSuchKey { name }.into());
        }
        (work.phase, work.at, work.inside) = (1, AtRecord::first(&work.header), None);
        return Ok(Step::More(Changes::default()));
    }
    Ok(Step::More(Changes::default()))
}

/// Counts what is in a frame. None where it is not what a backup holds.
fn look(room: &Room<'_>, work: &mut RestoreWork, opened: &Opened) -> Option<Result<(), BackupError>> {
    let Counts { keys, deleted, versions, .. } = &mut work.counts;
    for item in &opened.items {
        let count = match item {
            Item::Key(key) => {
                let name = key.record.name().ok()?;
                let only = work.only.as_deref().map(Name::parse);
                work.found |= only.is_some_and(|only| only == Ok(name));
                if key.record.deletion.is_some() { &mut *deleted } else { &mut *keys }
            }
            Item::Version(version) => {
                let hsm = version.record.level().ok()? == ProtectionLevel::Hsm;
                if hsm && room.open().protection.tokens().is_err() {
                    return Some(Err(BackupError::NoHsm));
                }
                &mut *versions
            }
            Item::Trailer(trailer) if opened.last => {
                work.counts.left_out = trailer.counts.left_out;
                return Some(Ok(()));
            }
            Item::Trailer(_) => return None,
            Item::Vault(_) | Item::End(_) => continue,
        };
        *count = count.saturating_add(1);
    }
    Some(Ok(()))
}

/// Restores the next part.
pub(super) async fn restore(room: &Room<'_>, target: &Target, work: &mut RestoreWork) -> Result<Step, Refusal> {
    let mut source = source(room, target, work);
    let work_at = work.at;
    let mut applying = Applying::new(room, work)?;
    while !source.had_enough() {
        let opened = source.next().await?;
        if !applying.takes(&opened, source.at.number)? {
            if source.at == work_at {
                return Err(BackupError::Altered { frame: source.at.number }.into());
            }
            // A key that this step wrote already: what it reads is not yet what is stored.
            break;
        }
        applying.apply(&opened, source.at.number).await?;
        source.pass(&opened);
        if opened.last {
            let (changes, whole) = applying.into_changes();
            work.phase = 2;
            return Ok(if whole { Step::More(changes) } else { Step::Done(changes) });
        }
    }
    let (changes, _) = applying.into_changes();
    work.at = source.at;
    Ok(Step::More(changes))
}

/// Deletes live keys that neither the restore nor anybody else wrote since it was begun, recoverably.
pub(super) async fn sweep(room: &Room<'_>, work: &mut RestoreWork) -> Result<Step, Refusal> {
    let (vault, now, mut changes) = (room.vault(), room.at.now, Changes::default());
    let since = work.since.unwrap_or_default();
    let rows = vault.store.page(vault.info().id, Kind::Key, work.after.map(|tag| *tag), SWEPT).await?;
    if rows.len() < usize::from(SWEPT) {
        work.phase = 3;
    }
    work.after = rows.last().map(|row| row.lookup.into());
    for row in rows.iter().filter(|row| row.revision.0 <= since) {
        let key = room.key_of(row)?;
        let purge_at = now.plus_days(u32::from(vault.info().retention_days));
        let deletion = Some(DeletionRecord { deleted: now.0, purge_at: purge_at.0 });
        let more = moved(room, &key, Kind::DeletedKey, &KeyRecord { deletion, ..key.record.clone() })?;
        changes.puts.extend(more.puts);
        changes.removes.extend(more.removes);
        work.done.deleted = work.done.deleted.saturating_add(1);
    }
    Ok(Step::More(changes))
}
