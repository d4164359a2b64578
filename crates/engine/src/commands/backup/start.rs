//! Begin a backup of the whole vault.

use crate::backup::jobs::{self, Jobs};
use crate::backup::place::{self, PlaceRecord};
use crate::backup::{BackupPlace, JobKind, JobView};
use crate::commands::ask;
use crate::error::Refusal;
use crate::notes;
use crate::operate::OperateError;
use crate::records::backup::Counts;
use crate::records::job::{AtRecord, BackupWork, JobKey};
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::wraps;
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_custody::BackupKey;
use keystead_formats::backup::{Header, Said};
use keystead_model::{ObjectId, Target};
use serde_json::json;

/// Begins a backup: policy, and all keys with their versions, live and deleted. Each key is as it was at some moment
/// between the backup's begin and its end. A random key seals it, which the security domain opens.
pub struct StartBackup {
    /// To where.
    pub to: BackupPlace,
    /// Only looks whether it could be made.
    pub check: bool,
}
ask!(StartBackup, StartBackup, |c| Target::Vault);

impl Execute for StartBackup {
    type Output = JobView;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        if self.check {
            return None;
        }
        // A vault of the same domain restores single keys of it: it lets each key out as a key's own backup does.
        let (rules, parameters) = (&[Rule::Export, Rule::Backup], json!({ "container": self.to.shown() }));
        Some(Operation::new(rules, Self::ACTION, &self.target(), &parameters))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<JobView>, Refusal> {
        let jobs = Jobs::none_runs(room).await?;
        let (ask, vault, now) = (permit.ask(), room.vault(), room.at.now);
        let place = PlaceRecord::new(&ask.to, &place::folder(&vault.info().name, now))?;
        let target = vault.storage.target(vault.info(), &place)?;
        let (id, key) = (ObjectId::from_bytes(keystead_crypto::random()), BackupKey::generate());
        let header = header(room, id, &key).await?.to_bytes();
        // Whether the place can be written to shows now. The first part is written over it.
        vault.storage.put(&target, (0, 0), header.clone()).await?;
        let work = BackupWork {
            key: JobKey(*key.expose()),
            at: AtRecord::first(&header),
            header: header.into(),
            parts: 0,
            pass: 0,
            after: None,
            inside: None,
            counts: Counts::default(),
        };
        let note = notes::backup(&place.folder_url());
        let record = jobs::record(permit, room, (place, ask.check), work)?;
        let changes = jobs.begin(room, JobKind::Backup, id, &record).await?;
        Ok(Effect::change(jobs::begun(JobKind::Backup, id, &record), changes).about(id, None).note(note))
    }
}

async fn header(room: &Room<'_>, id: ObjectId, key: &BackupKey) -> Result<Header, Refusal> {
    let domain = room.domain();
    let public = wraps::public(room.vault(), room.open()).await.map_err(|why| match why {
        OperateError::Refused(why) => why,
        _ => Refusal::Damaged,
    })?;
    let said = Said {
        id: (*id.as_bytes()).into(),
        domain: (*domain.as_bytes()).into(),
        vault: (*room.vault().info().id.as_bytes()).into(),
        revision: room.revision().await?.0,
        checkpoint: room.checkpoint().await,
        taken: room.at.now.0,
        domain_id: Some((*public.id().as_bytes()).into()),
    };
    let said = said.to_bytes();
    let sealed = public.seal_backup(domain, &said, key).map_err(|_| Refusal::Damaged)?;
    let wrapped = key.wrap(&room.open().blobs, domain, *id.as_bytes(), &said);
    Ok(Header { said: said.into(), sealed_key: sealed.into(), wrapped_key: wrapped.into() })
}
