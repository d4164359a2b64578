//! Begin to restore from a backup of the whole vault.

use super::older;
use crate::backup::jobs::{self, Jobs};
use crate::backup::place::PlaceRecord;
use crate::backup::{BackupError, BackupPlace, JobKind, JobView};
use crate::commands::ask;
use crate::error::Refusal;
use crate::notes;
use crate::records::backup::Counts;
use crate::records::job::{AtRecord, JobKey, RestoreWork, Restored};
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::{Ask, Operation, Permit, Policy, Rule, Who};
use keystead_audit::Note;
use keystead_custody::BackupKey;
use keystead_formats::backup::{Header, MAX_START, Said};
use keystead_model::{Name, ObjectId, Target, Time, VaultId};
use serde_json::{Value, json};

/// Begins to restore the whole vault: keys become what they were, those that the backup has not are deleted,
/// recoverably, and no version of a key is lost. An administrator of the vault brings the policy back, too. The whole
/// backup is read and proven before anything is changed.
pub struct StartRestore {
    /// From where.
    pub from: BackupPlace,
    /// The backup's folder there.
    pub folder: String,
    /// Only reads it all, and changes nothing.
    pub check: bool,
    /// Changes since the backup may be taken back.
    pub rollback: bool,
}
ask!(StartRestore, StartRestore, |c| Target::Vault);

/// Begins to restore one key: versions that are missing come back, deleted or purged as it may be; what there is stays.
pub struct RestoreKeyFromBackup {
    /// Which key.
    pub name: Name,
    /// From where.
    pub from: BackupPlace,
    /// The backup's folder there.
    pub folder: String,
}
ask!(RestoreKeyFromBackup, RestoreKeyFromBackup, |c| Target::Key(c.name.clone()));

impl Execute for StartRestore {
    type Output = JobView;

    fn approval(&self, who: &Who, policy: &Policy) -> Option<Operation> {
        if self.check {
            return None;
        }
        // An administrator's restore brings the policy back.
        let rules: &[Rule] = match who {
            Who::Caller(caller) if policy.is_administrator(caller) => &[Rule::Restore, Rule::Policy],
            _ => &[Rule::Restore],
        };
        let (container, folder) = (self.from.shown(), &self.folder);
        let parameters = json!({ "container": container, "folder": folder, "rollback": self.rollback });
        Some(Operation::new(rules, Self::ACTION, &self.target(), &parameters))
    }

    async fn found(&self, room: &Room<'_>) -> Result<Option<Value>, Refusal> {
        Ok(Some(Found::at(room, &self.from, &self.folder).await?.shown()))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<JobView>, Refusal> {
        let ask = permit.ask();
        let (jobs, from) = ready(room, &ask.from, &ask.folder).await?;
        let by_administrator = match permit.who() {
            Who::Caller(caller) => room.open().policy.load().is_administrator(caller),
            Who::Mandate(_) => false,
        };
        let older = older::is_older(room, &from.said, by_administrator).await?;
        let (backup, vault) = (from.said.revision, room.revision().await?.0);
        if older && !ask.rollback && !ask.check {
            return Err(BackupError::Older { backup, vault }.into());
        }
        let how = match (older, ask.check) {
            (_, true) => "looked at, nothing is changed",
            (true, false) => "a rollback: changes since the backup are taken back",
            (false, false) => "nothing was changed since",
        };
        let note = from.noted(Some(how), &room.checkpoint().await);
        let how = How { check: ask.check, policy: by_administrator, rollback: ask.rollback, only: None };
        begin(permit, room, (jobs, from), how, note).await
    }
}

impl Execute for RestoreKeyFromBackup {
    type Output = JobView;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let (container, folder) = (self.from.shown(), &self.folder);
        let parameters = json!({ "name": self.name.as_str(), "container": container, "folder": folder });
        Some(Operation::new(&[Rule::Restore], Self::ACTION, &self.target(), &parameters))
    }

    async fn found(&self, room: &Room<'_>) -> Result<Option<Value>, Refusal> {
        Ok(Some(Found::at(room, &self.from, &self.folder).await?.shown()))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<JobView>, Refusal> {
        let ask = permit.ask();
        let (jobs, from) = ready(room, &ask.from, &ask.folder).await?;
        let note = from.noted(None, &room.checkpoint().await);
        let only = Some(ask.name.as_str().to_owned());
        let how = How { check: false, policy: false, rollback: false, only };
        begin(permit, room, (jobs, from), how, note).await
    }
}

/// Nothing else runs, and the backup is there, as approvers saw it.
async fn ready(room: &Room<'_>, from: &BackupPlace, folder: &str) -> Result<(Jobs, Found), Refusal> {
    let jobs = Jobs::none_runs(room).await?;
    let found = Found::at(room, from, folder).await?;
    room.still_approved(&found.shown())?;
    Ok((jobs, found))
}

/// What is to be done with a backup.
struct How {
    check: bool,
    policy: bool,
    rollback: bool,
    only: Option<String>,
}

async fn begin<C: Ask>(
    permit: &Permit<C>,
    room: &Room<'_>,
    (jobs, from): (Jobs, Found),
    how: How,
    note: Note,
) -> Result<Effect<JobView>, Refusal> {
    let id = ObjectId::from_bytes(keystead_crypto::random());
    let work = RestoreWork {
        key: JobKey(*from.key.expose()),
        backup: from.said.id,
        at: AtRecord::first(&from.header),
        header: from.header.into(),
        phase: 0,
        counts: Counts::default(),
        since: None,
        after: None,
        inside: None,
        only: how.only,
        found: false,
        policy: how.policy,
        done: Restored::default(),
        rollback: how.rollback.then_some(true),
        seen: None,
    };
    let record = jobs::record(permit, room, (from.place, how.check), work)?;
    let changes = jobs.begin(room, JobKind::Restore, id, &record).await?;
    Ok(Effect::change(jobs::begun(JobKind::Restore, id, &record), changes).about(id, None).note(note))
}

/// A backup whose key was opened; its frames are not read yet.
struct Found {
    place: PlaceRecord,
    header: Vec<u8>,
    said: Said,
    key: BackupKey,
}

impl Found {
    async fn at(room: &Room<'_>, from: &BackupPlace, folder: &str) -> Result<Self, Refusal> {
        let (vault, domain) = (room.vault(), room.domain());
        let place = PlaceRecord::new(from, folder)?;
        let target = vault.storage.target(vault.info(), &place)?;
        let mut start = vault.storage.read(&target, 0, MAX_START).await?;
        let (header, length) = Header::parse(&start).map_err(BackupError::from)?;
        start.truncate(length);
        let said = header.said().ok_or(BackupError::Altered { frame: 0 })?;
        if *said.domain != *domain.as_bytes() {
            let own = room.open().public.map(|public| public.id().to_string());
            let (backup, vault) = (said.domain_name(), own.unwrap_or_else(|| domain.to_string()));
            return Err(BackupError::Foreign { backup, vault }.into());
        }
        let key = BackupKey::unwrap(&room.open().blobs, domain, *said.id, &header.said, &header.wrapped_key);
        let key = key.map_err(|_| BackupError::Altered { frame: 0 })?;
        Ok(Self { place, header: start, said, key })
    }

    /// Which backup it is. The header has the key, sealed, and so stands for all that is behind it.
    fn shown(&self) -> Value {
        json!({
            "backup": ObjectId::from_bytes(*self.said.id).to_string(),
            "vault": VaultId::from_bytes(*self.said.vault).to_string(),
            "taken": Time(self.said.taken).to_string(),
            "header_sha256": hex::encode(keystead_crypto::sha256(&[&self.header])),
        })
    }

    /// Which backup and both checkpoints, for the record; then where it lies, which whoever restores has chosen.
    fn noted(&self, how: Option<&str>, now: &str) -> Note {
        notes::restore(&self.said, how, now, &self.place.folder_url())
    }
}
