//! The writer: one thread, one connection, group commit.
//!
//! It takes what is queued, runs each job in a savepoint of one transaction, commits once, then answers all. A refused
//! job rolls back only itself; a failed COMMIT fails the whole group. After a disk failure nothing more is written:
//! what a failed fsync left behind is known only after the file was opened again.

use super::change::{self, Landed, Work};
use crate::error::{CommitError, Unavailable};
use crate::health::Health;
use crate::row::Committed;
use keystead_model::OperationId;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Most jobs in one transaction.
const GROUP: usize = 256;

/// How long forgotten records wait for a group that takes them along.
const LINGER: Duration = Duration::from_millis(500);

/// What travels to the writer.
pub(super) enum Message {
    Job(Job),
    /// Look at [`Control`].
    Wake,
}

/// A write, and where its answer goes.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<Committed, CommitError>>,
}

/// What the writer is told beside the queue.
#[derive(Default)]
pub(super) struct Control {
    pub(super) closing: AtomicBool,
    /// Nothing of what was removed is to be left beside the database.
    pub(super) scrub: AtomicBool,
    forgotten: Mutex<Vec<OperationId>>,
}

impl Control {
    /// Whether the writer has to be woken for it.
    pub(super) fn forget(&self, op: OperationId) -> bool {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        forgotten.push(op);
        forgotten.len() == 1
    }

    fn take_forgotten(&self) -> Vec<OperationId> {
        std::mem::take(&mut self.forgotten.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where each record in the outbox stands.
pub(super) type Outbox = HashMap<OperationId, i64>;

pub(super) struct Writer {
    conn: Connection,
    queue: Receiver<Message>,
    control: Arc<Control>,
    health: Arc<Health>,
    outbox: Outbox,
    /// Records the journal has, to be removed with the next group, at the latest at `flush_at`.
    leaving: Vec<OperationId>,
    flush_at: Option<Instant>,
    /// Why nothing is written any more.
    broken: Option<CommitError>,
    /// Held as long as anything may be written.
    _lock: File,
}

enum Next {
    Job(Job),
    Flush,
    End,
}

impl Writer {
    pub(super) fn new(
        conn: Connection,
        lock: File,
        queue: Receiver<Message>,
        control: Arc<Control>,
        health: Arc<Health>,
    ) -> Result<Self, Unavailable> {
        let outbox = change::load_outbox(&conn)?;
        Ok(Self {
            conn,
            queue,
            control,
            health,
            outbox,
            leaving: Vec::new(),
            flush_at: None,
            broken: None,
            _lock: lock,
        })
    }

    /// Until the store is closed or its last handle is gone, and the queue is empty.
    pub(super) fn run(mut self, closed: &watch::Sender<bool>) {
        loop {
            match self.next() {
                Next::Job(first) => {
                    let jobs = self.with_queued(first);
                    self.group(jobs);
                    self.scrub();
                }
                Next::Flush => self.group(Vec::new()),
                Next::End => break,
            }
        }
        self.group(Vec::new());
        self.finish();
        closed.send_replace(true);
    }

    fn next(&mut self) -> Next {
        loop {
            let message = if self.control.closing.load(Ordering::SeqCst) {
                self.queue.try_recv().map_err(|_| Next::End)
            } else if let Some(at) = self.flush_at {
                self.queue.recv_timeout(at.saturating_duration_since(now())).map_err(|e| match e {
                    RecvTimeoutError::Timeout => Next::Flush,
                    RecvTimeoutError::Disconnected => Next::End,
                })
            } else {
                self.queue.recv().map_err(|_| Next::End)
            };
            match message {
                Ok(Message::Job(job)) => return Next::Job(job),
                Ok(Message::Wake) => {
                    self.note_forgotten();
                    self.scrub();
                }
                Err(next) => return next,
            }
        }
    }

    /// Moves the WAL into the database and empties it, if that was asked for. Where a reader is in the way, the next
    /// group or wake tries it again.
    fn scrub(&self) {
        if self.broken.is_some() || !self.control.scrub.load(Ordering::SeqCst) {
            return;
        }
        let busy: Result<i64, _> = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0));
        match busy {
            Ok(0) => self.control.scrub.store(false, Ordering::SeqCst),
            Ok(_) => {}
            Err(e) => tracing::warn!(error = %e, "the write-ahead log was not emptied; the next stop does it"),
        }
    }

    fn note_forgotten(&mut self) {
        self.leaving.append(&mut self.control.take_forgotten());
        if !self.leaving.is_empty() && self.flush_at.is_none() {
            self.flush_at = now().checked_add(LINGER);
        }
    }

    fn with_queued(&self, first: Job) -> Vec<Job> {
        let queued = self.queue.try_iter().take(GROUP.saturating_sub(1)).filter_map(|message| match message {
            Message::Job(job) => Some(job),
            Message::Wake => None, // the group looks at what was forgotten anyway
        });
        std::iter::once(first).chain(queued).collect()
    }

    fn group(&mut self, jobs: Vec<Job>) {
        self.leaving.append(&mut self.control.take_forgotten());
        self.flush_at = None;
        let mut answers = Vec::with_capacity(jobs.len());
        let removes = jobs.iter().any(|job| job.work.removes());
        let outcome = match self.broken {
            None => self.transact(jobs, &mut answers),
            Some(why) => {
                answers.extend(jobs.into_iter().map(|job| (job.answer, Err(why))));
                Err(why)
            }
        };
        if let Err(why) = outcome {
            self.give_up(why);
            self.health.wrote(Err(why));
        } else if removes {
            self.control.scrub.store(true, Ordering::SeqCst);
        }
        for (answer, result) in answers {
            let result = outcome.and(result);
            self.health.wrote(result.as_ref().map(drop).map_err(|why| *why));
            // Who asked may be gone; the commit stands all the same.
            let _ = answer.send(result);
        }
    }

    /// One transaction. An error is the group's: nothing of it stands.
    fn transact(&mut self, jobs: Vec<Job>, answers: &mut Vec<Answered>) -> Result<(), CommitError> {
        let mut landed: Vec<Landed> = Vec::with_capacity(jobs.len());
        let mut lost = self.begin().err();
        for job in jobs {
            let result = match lost {
                Some(why) => Err(why),
                None => change::in_savepoint(&self.conn, &self.outbox, job.work),
            };
            // SQLite ends the whole transaction on some errors (full, I/O): then nothing of the group stands.
            if let (Err(why), true) = (&result, self.conn.is_autocommit()) {
                lost.get_or_insert(*why);
            }
            answers.push((job.answer, result.map(|done| done.settle(&mut self.outbox, &mut landed))));
        }
        let outcome = match lost {
            Some(why) => Err(why),
            None => self.conn.execute_batch("COMMIT").map_err(CommitError::from),
        };
        if outcome.is_err() {
            for record in landed {
                self.outbox.remove(&record.operation);
            }
        } else {
            for op in self.leaving.drain(..) {
                self.outbox.remove(&op);
            }
        }
        outcome
    }

    fn begin(&self) -> Result<(), CommitError> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let mut remove = self.conn.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?;
        for seq in self.leaving.iter().filter_map(|op| self.outbox.get(op)) {
            remove.execute([seq])?;
        }
        Ok(())
    }

    fn give_up(&mut self, why: CommitError) {
        if !self.conn.is_autocommit()
            && let Err(e) = self.conn.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %e, "a failed group of writes did not roll back");
        }
        if let CommitError::Unavailable(cause) = why
            && cause.is_final()
            && self.broken.is_none()
        {
            tracing::error!(error = %cause, "the store takes no more writes");
            self.broken = Some(why);
        }
    }

    /// Leaves a database without a WAL, unless the disk failed: then the WAL is evidence.
    fn finish(self) {
        let done = if self.broken.is_some() {
            self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
        } else {
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        if let Err(e) = done.and_then(|()| self.conn.close().map_err(|(_, e)| e)) {
            tracing::warn!(error = %e, "the store closed without a checkpoint; the next start does it");
        }
    }
}

type Answered = (oneshot::Sender<Result<Committed, CommitError>>, Result<Committed, CommitError>);

#[expect(clippy::disallowed_methods, reason = "a pause of the writer, on which no decision depends")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::StoreState;
    use crate::row::{Changes, Kind, OutboxRow, Row, VaultRow};
    use crate::sqlite::schema;
    use keystead_model::{ObjectId, Revision, Time, VaultId, VaultKind, VaultStatus};
    use std::sync::mpsc::sync_channel;
    use tempfile::TempDir;

    const V: VaultId = VaultId::from_bytes([1; 16]);

    fn writer() -> (Writer, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        File::create(&path).unwrap();
        let (conn, lock) = (schema::open_writer(&path).unwrap(), File::open(&path).unwrap());
        let mut writer = Writer::new(conn, lock, sync_channel(1).1, Arc::default(), Arc::default()).unwrap();
        let vault = VaultRow {
            id: V,
            name: "v".into(),
            kind: VaultKind::Vault,
            status: VaultStatus::Active,
            authorities: Vec::new(),
            custody: "file".into(),
            created: Time(0),
            retention_days: 7,
            tenant: String::new(),
            revision: Revision(0),
        };
        let created = group(&mut writer, vec![Work::CreateVault(Box::new(vault), Changes::default(), record(0))]);
        assert_eq!(created, [Ok(Revision(1))]);
        (writer, dir)
    }

    fn record(op: u8) -> crate::MakeRecord {
        let operation = OperationId::from_bytes([op; 16]);
        Box::new(move |_| OutboxRow { operation, log: V, position: 0, bytes: Vec::new() })
    }

    fn put(op: u8, lookup: u8, size: usize) -> Work {
        let id = ObjectId::from_bytes([0; 16]);
        let (kind, version, due) = (Kind::Key, None, None);
        let row = Row {
            kind,
            lookup: [lookup; 32],
            version,
            id,
            counter: 1,
            revision: Revision(0),
            due,
            sealed: vec![9; size],
        };
        Work::Commit(V, Changes { puts: vec![row], ..Changes::default() }, record(op))
    }

    fn group(writer: &mut Writer, work: Vec<Work>) -> Vec<Result<Revision, CommitError>> {
        let (jobs, answers): (Vec<_>, Vec<_>) = work
            .into_iter()
            .map(|work| {
                let (answer, result) = oneshot::channel();
                (Job { work, answer }, result)
            })
            .unzip();
        writer.group(jobs);
        answers.into_iter().map(|mut a| a.try_recv().unwrap().map(|done| done.revision)).collect()
    }

    #[test]
    fn a_conflict_rolls_back_only_itself() {
        let (mut w, _dir) = writer();
        let results = group(&mut w, vec![put(1, 1, 10), put(2, 1, 10), put(3, 2, 10), put(3, 3, 10)]);
        let conflict = Err(CommitError::Conflict);
        assert_eq!(results, [Ok(Revision(2)), conflict, Ok(Revision(3)), conflict]);
        assert_eq!(w.outbox.len(), 3);
    }

    #[test]
    fn a_full_disk_fails_the_group_and_nothing_else() {
        let (mut w, _dir) = writer();
        let pages: i64 = w.conn.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
        w.conn.pragma_update(None, "max_page_count", pages + 4).unwrap();
        let results = group(&mut w, vec![put(1, 1, 10), put(2, 2, 1 << 20), put(3, 3, 10)]);
        assert!(results.contains(&Err(CommitError::DiskFull)), "{results:?}");
        let landed = results.iter().filter(|r| r.is_ok()).count();
        assert_eq!(w.outbox.len(), 1 + landed, "the outbox in memory is the one on disk");
        assert_eq!(group(&mut w, vec![put(4, 5, 1 << 20)]), [Err(CommitError::DiskFull)]);
        assert_eq!(w.health.state(), StoreState::Full);
        w.group(Vec::new());
        assert_eq!(w.health.state(), StoreState::Full, "that nothing was asked of it does not show that there is room");
        assert_eq!(group(&mut w, vec![put(2, 4, 10)]), [Ok(Revision(2 + landed as u64))]);
        assert_eq!(w.health.state(), StoreState::Ok);
    }

    #[test]
    fn after_a_disk_failure_nothing_more_is_written() {
        let (mut w, dir) = writer();
        let failed = CommitError::Unavailable(Unavailable::Disk { code: 1034 });
        w.give_up(failed);
        assert_eq!(group(&mut w, vec![put(1, 1, 10)]), [Err(failed)]);
        assert_eq!(w.health.state(), StoreState::Unavailable);
        w.finish();
        assert!(dir.path().join("db-wal").exists(), "the WAL is left for the next start");
    }
}
