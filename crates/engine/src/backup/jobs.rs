//! The rows of jobs. Each stands at a tag of its id; one more row names the newest, and is written by whoever begins
//! one, so that of two that begin at once one finds the other.

use super::place::{PlaceRecord, Target};
use super::{BackupError, JobKind, JobState, JobView};
use crate::birth::singleton;
use crate::error::Refusal;
use crate::records;
use crate::records::job::{ByRecord, ErrorRecord, JobRecord, JobsRecord, RecentJob};
use crate::room::{Place, Room, row_binding};
use keystead_access::{AdministersBy, Ask, Ground, Permit, Policy, Who};
use keystead_identity::Principal;
use keystead_model::{Action, AssignmentId, ObjectId, Target as Scope, Time};
use keystead_store::{Changes, Kind, Row, RowKey};
use minicbor::{Decode, Encode};

/// Jobs that are remembered.
const MOST: usize = 64;
/// How long a job may come no further before it is given up, ms.
const PATIENCE: i64 = 15 * 60_000;

/// Where the row stands that names the newest jobs.
const JOBS: RowKey = singleton(Kind::Backup);

/// A job with its row.
pub(crate) struct Job<W> {
    pub(crate) kind: JobKind,
    pub(crate) row: Row,
    pub(crate) record: JobRecord<W>,
}

const fn kind_of(kind: JobKind) -> Kind {
    match kind {
        JobKind::Backup => Kind::Backup,
        JobKind::Restore => Kind::Restore,
    }
}

/// The two differ in kind, so one tag is enough.
fn tag(room: &Room<'_>, id: ObjectId) -> [u8; 32] {
    room.open().index.of(&[&[Kind::Backup.code()], id.as_bytes()])
}

fn opened<T: for<'b> Decode<'b, ()>>(room: &Room<'_>, row: &Row) -> Result<T, Refusal> {
    records::decode(&room.records().open(&row_binding(room.vault(), row), &[], &row.sealed)?)
}

/// The job of this id.
pub(crate) async fn find<W>(room: &Room<'_>, kind: JobKind, id: ObjectId) -> Result<Option<Job<W>>, Refusal>
where
    JobRecord<W>: for<'b> Decode<'b, ()>,
{
    let at = RowKey { kind: kind_of(kind), lookup: tag(room, id), version: None };
    let Some(row) = room.row_at(at).await? else { return Ok(None) };
    if row.id != id {
        return Err(Refusal::Damaged);
    }
    let record = opened(room, &row)?;
    Ok(Some(Job { kind, row, record }))
}

/// Which jobs there are, as it was read: whoever begins one writes over what was read before he found that none runs.
pub(crate) struct Jobs {
    row: Option<Row>,
    record: JobsRecord,
}

impl Jobs {
    async fn read(room: &Room<'_>) -> Result<Self, Refusal> {
        let row = room.row_at(JOBS).await?;
        let record = row.as_ref().map(|row| opened(room, row)).transpose()?.unwrap_or_default();
        Ok(Self { row, record })
    }

    /// Refused while another one runs.
    pub(crate) async fn none_runs(room: &Room<'_>) -> Result<Self, Refusal> {
        let jobs = Self::read(room).await?;
        let running = |view: &JobView| view.state == JobState::Running;
        match jobs.views(room).await?.into_iter().find(running) {
            Some(job) => Err(BackupError::Running { job: job.id }.into()),
            None => Ok(jobs),
        }
    }

    async fn views(&self, room: &Room<'_>) -> Result<Vec<JobView>, Refusal> {
        let mut views = Vec::new();
        for job in self.record.recent.iter().rev() {
            let kind = if job.restore { JobKind::Restore } else { JobKind::Backup };
            if let Some(found) = find::<Anything>(room, kind, ObjectId::from_bytes(*job.id)).await? {
                views.push(found.view());
            }
        }
        Ok(views)
    }

    /// The rows of a job that begins now. The oldest make room.
    pub(crate) async fn begin<W: Encode<()>>(
        self,
        room: &Room<'_>,
        kind: JobKind,
        id: ObjectId,
        record: &JobRecord<W>,
    ) -> Result<Changes, Refusal> {
        let Self { row, record: mut jobs } = self;
        let mut removes = Vec::new();
        while jobs.recent.len() >= MOST {
            let old = jobs.recent.remove(0);
            let kind = if old.restore { Kind::Restore } else { Kind::Backup };
            let at = RowKey { kind, lookup: tag(room, ObjectId::from_bytes(*old.id)), version: None };
            removes.extend(room.row_at(at).await?.map(|row| (at, row.counter)));
        }
        jobs.recent.push(RecentJob { id: (*id.as_bytes()).into(), restore: kind == JobKind::Restore });
        let place = Place::behind(JOBS, row.as_ref());
        let (kind, tag, due) = (kind_of(kind), tag(room, id), Some(room.at.now));
        let own = Place { kind, tag, version: None, id, counter: 1, due };
        let puts = vec![room.row(place, &jobs)?, room.row(own, record)?];
        Ok(Changes { puts, removes, ..Changes::default() })
    }
}

/// What is read of a job whatever it does.
#[derive(Decode)]
#[cbor(map)]
struct Anything {}

impl<C> Encode<C> for Anything {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(0)?.ok()
    }
}

/// The newest jobs, the newest first.
pub(crate) async fn list(room: &Room<'_>) -> Result<Vec<JobView>, Refusal> {
    Jobs::read(room).await?.views(room).await
}

/// The record of a job that begins now.
pub(crate) fn record<C: Ask, W>(
    permit: &Permit<C>,
    room: &Room<'_>,
    (place, check): (PlaceRecord, bool),
    work: W,
) -> Result<JobRecord<W>, Refusal> {
    let Who::Caller(caller) = permit.who() else { return Err(Refusal::Fault) };
    let (policy, now) = (room.open().policy.load(), room.at.now);
    let administers = policy.administers_by(caller);
    let by = ByRecord {
        issuer: caller.principal().issuer().to_owned(),
        subject: caller.principal().subject().to_owned(),
        assignment: match permit.ground() {
            Ground::Role(id) => Some((*id.as_bytes()).into()),
            _ => None,
        },
        administers,
    };
    Ok(JobRecord {
        state: JobState::Running.code(),
        started: now.0,
        ended: None,
        place,
        by,
        check,
        error: None,
        progressed: now.0,
        details: None,
        work: Some(work),
    })
}

/// Whether he who began it still administers the vault by what he administered it by. Jobs that were begun before it
/// was kept have it from his own name alone.
pub(crate) fn administers(policy: &Policy, by: &ByRecord) -> bool {
    let own = || AdministersBy::Listed(Principal::new(&by.issuer, &by.subject));
    policy.still_administers(&by.administers.clone().unwrap_or_else(own))
}

/// What is told of a job that begins now.
pub(crate) fn begun<W>(kind: JobKind, id: ObjectId, record: &JobRecord<W>) -> JobView {
    view(kind, id, record)
}

/// Who began the job of this row, and whether it came no further for too long.
pub(crate) fn standing(room: &Room<'_>, row: &Row) -> Result<(String, bool), Refusal> {
    let JobRecord { by, progressed, .. } = opened::<JobRecord<Anything>>(room, row)?;
    Ok((format!("{}|{}", by.issuer, by.subject), is_stuck(progressed, room.at.now)))
}

fn is_stuck(progressed: i64, now: Time) -> bool {
    now.0.saturating_sub(progressed) > PATIENCE
}

/// The row of the job that runs, if one does: only the newest can.
pub(crate) async fn running(room: &Room<'_>) -> Result<Option<Row>, Refusal> {
    let Some(newest) = Jobs::read(room).await?.record.recent.pop() else { return Ok(None) };
    let kind = if newest.restore { Kind::Restore } else { Kind::Backup };
    let at = RowKey { kind, lookup: tag(room, ObjectId::from_bytes(*newest.id)), version: None };
    Ok(room.row_at(at).await?.filter(|row| row.due.is_some()))
}

fn view<W>(kind: JobKind, id: ObjectId, record: &JobRecord<W>) -> JobView {
    let state = JobState::from_code(record.state);
    let shown = kind == JobKind::Restore || (state == JobState::Succeeded && !record.check);
    JobView {
        id,
        kind,
        state,
        started: Time(record.started),
        ended: record.ended.map(Time),
        check: record.check,
        folder: shown.then(|| record.place.folder_url()),
        details: record.details.clone(),
        error: record.error.as_ref().map(|e| (BackupError::word(e.code), e.message.clone())),
    }
}

impl<W> Job<W> {
    pub(crate) fn is_running(&self) -> bool {
        JobState::from_code(self.record.state) == JobState::Running
    }

    /// Where its backup is.
    pub(crate) fn target(&self, room: &Room<'_>) -> Result<Target, BackupError> {
        let vault = room.vault();
        vault.storage.target(vault.info(), &self.record.place)
    }

    /// Who began it must still have the right.
    pub(crate) fn still_permitted(&self, room: &Room<'_>, action: Action, scope: &Scope) -> Result<(), BackupError> {
        let (by, policy) = (&self.record.by, room.open().policy.load());
        let stands = match by.assignment {
            Some(id) => policy.stands(AssignmentId::from_bytes(*id), action, scope),
            None => administers(&policy, by),
        };
        stands.then_some(()).ok_or(BackupError::Revoked)
    }

    /// What a step that failed makes of it: tried again for a while where that may help.
    pub(crate) fn given_up(&self, room: &Room<'_>, why: Refusal) -> Result<BackupError, Refusal> {
        let now = room.at.now;
        match why {
            Refusal::Damaged if room.is_overtaken() => Err(why),
            Refusal::Damaged => Ok(BackupError::RowDamaged),
            Refusal::Backup(why @ BackupError::NoProgress { .. }) if is_stuck(self.record.progressed, now) => Ok(why),
            Refusal::Backup(BackupError::NoProgress { .. }) => Err(Refusal::Conflict),
            Refusal::Backup(why) if !why.may_pass() => Ok(why),
            why if !is_stuck(self.record.progressed, now) => Err(why),
            Refusal::Backup(why) => Ok(BackupError::Stuck { why: why.to_string() }),
            why => Ok(BackupError::NoProgress { why: why.to_string() }),
        }
    }

    /// It ends here, well or not.
    pub(crate) fn end(&mut self, now: Time, error: Option<&BackupError>) {
        let record = &mut self.record;
        record.state = if error.is_none() { JobState::Succeeded } else { JobState::Failed }.code();
        record.ended = Some(now.0);
        record.error = error.map(|why| ErrorRecord { code: why.code(), message: why.to_string() });
        record.work = None;
        record.place.token = None;
    }

    pub(crate) fn view(&self) -> JobView {
        view(self.kind, self.row.id, &self.record)
    }
}

impl<W: Encode<()>> Job<W> {
    /// Its next row. It is due again at once while it runs.
    pub(crate) fn next(&mut self, room: &Room<'_>) -> Result<Row, Refusal> {
        let now = room.at.now;
        self.record.progressed = now.0;
        let place = Place { due: self.is_running().then_some(now), ..Place::behind(self.row.key(), Some(&self.row)) };
        room.row(place, &self.record)
    }
}
