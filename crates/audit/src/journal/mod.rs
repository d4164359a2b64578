//! The journal of one node: what is appended here is durable before anybody is answered.
//!
//! One thread writes ([`Journal::reserve`], then [`Slot::write`]), in groups, with one sync for each. Room is reserved
//! before the work, so a full disk is met there. A second thread publishes tiles and checkpoints of what is durable.
//! After a failed write or sync nothing is accepted until the node is restarted: whether those bytes are on the disk is
//! not known, and only recovery at start finds out.
//!
//! ```text
//! <dir>/vkey                          the node's verifier key, for its own log
//! <dir>/journal/<first frame>.seg     segments; the format is in [`segment`]
//! <dir>/logs/<vault>/checkpoint, tile/...
//! ```

mod beat;
pub(crate) mod disk;
mod read;
mod recover;
mod room;
pub mod scan;
pub mod segment;
mod shared;
mod summary;
#[cfg(test)]
mod tests;
mod writer;

pub use read::Follow;
pub use room::JournalState;
pub use summary::{TurnedAway, TurnedAwayReason};

use crate::error::{JournalDown, OpenError, ReadError};
use crate::receipt::Receipt;
use crate::record::Record;
use crate::tlog::{self, VerifierKey};
use crate::waiting::{NotVouched, Voucher};
use beat::Beat;
use keystead_crypto::ed25519::SigningKey;
use keystead_model::{InstanceId, NodeId, OperationId, Time, VaultId};
use recover::{Recovered, io_at};
use shared::{Core, Durable, LogView};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use summary::Counters;
use tokio::sync::oneshot;
use writer::{Append, Message, Writer, Written};

/// Where the threads of the journal, which work on their own beat, get the time from.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The system's wall clock.
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "time enters here for the work that no request brings")]
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    };
    Arc::new(now)
}

/// Whose journal it is, and the key that signs its checkpoints.
pub struct Node {
    /// The installation.
    pub instance: InstanceId,
    /// The node in it.
    pub node: NodeId,
    /// Random, of this node alone.
    pub key: SigningKey,
}

/// Bounds of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of frames in a segment; at least 64 KiB.
    pub segment_bytes: u64,
    /// Bytes that all segments together may take, the preallocated next one included. Reaching it is like a full disk.
    pub max_bytes: u64,
    /// Records that may be on their way at once; at most as many as four fifths of a segment take, so that a burst
    /// meets [`JournalDown::Busy`] and only a full disk [`JournalDown::Full`].
    pub slots: u32,
}

impl Limits {
    fn bounded(self) -> Self {
        let segment_bytes = self.segment_bytes.max(64 << 10);
        let slot = room::SLOT.unsigned_abs();
        let fit = segment_bytes.checked_div(slot.saturating_add(slot / 4)).unwrap_or(0);
        Self { segment_bytes, slots: self.slots.min(u32::try_from(fit).unwrap_or(u32::MAX)), ..self }
    }
}

impl Default for Limits {
    /// Segments of 16 MiB, as many as the disk takes, and 2,048 records on their way.
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, max_bytes: u64::MAX, slots: 2_048 }
    }
}

/// What opening a journal had to repair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repairs {
    /// Bytes cut off: a group that a crash tore, of which nobody was told that it was durable.
    pub cut: u64,
    /// Logs with records whose checkpoint or newest tiles were damaged or missing: they are made anew from the journal
    /// and signed anew, so only a checkpoint kept elsewhere tells whether the records are those of before. A log so
    /// young that a crash came before its first checkpoint looks the same and is among them.
    pub rebuilt: Vec<VaultId>,
}

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHealth {
    /// Whether records are accepted.
    pub state: JournalState,
    /// Records of all logs that are durable.
    pub frames: u64,
    /// Segments, without the preallocated next one.
    pub segments: usize,
    /// Bytes of all files in the journal's directory, when last looked at.
    pub used_bytes: u64,
    /// The budget they are held against.
    pub max_bytes: u64,
    /// Bytes that the file system has left; 0 if it does not tell.
    pub disk_free_bytes: u64,
    /// Bytes that can still be reserved in what is preallocated.
    pub room_bytes: u64,
    /// Records that are durable but under no checkpoint yet.
    pub unpublished: u64,
    /// Why tiles and checkpoints are not being published.
    pub publish_error: Option<String>,
}

/// A handle to the journal. Clones share it; it closes with [`Journal::close`], or when the last clone is dropped.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    to_writer: SyncSender<Message>,
    counters: Arc<Counters>,
    voucher: Voucher,
    key: SigningKey,
    beat: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal in `dir`, or begins one. Reads the last segment and each log's newest tiles; blocks.
    pub fn open(dir: &Path, node: Node, limits: Limits, clock: Clock) -> Result<(Self, Repairs), OpenError> {
        let (journal_dir, logs_dir) = (dir.join("journal"), dir.join("logs"));
        for made in [&journal_dir, &logs_dir] {
            disk::make_dir(made).map_err(io_at(made))?;
        }
        let lock_path = journal_dir.join("lock");
        let lock = disk::lock(&lock_path).map_err(io_at(&lock_path))?.ok_or(OpenError::Locked { path: lock_path })?;
        check_vkey(dir, &node)?;
        let limits = limits.bounded();
        let (mut publishers, damaged) = beat::open_published(&logs_dir, &node)?;
        let published = publishers.iter().map(|(log, p)| (*log, (p.published_size(), p.root()))).collect();
        let found = match recover::recover(&journal_dir, &node, &published)? {
            Some(found) => found,
            None => recover::begin(&journal_dir, &node, limits)?,
        };
        if found.cut > 0 {
            tracing::warn!(bytes = found.cut, segment = %found.path.display(), "cut a group off the audit journal that a crash had torn");
        }
        let mut repairs = Repairs { cut: found.cut, rebuilt: damaged };
        let core = Arc::new(share(&found, (journal_dir, logs_dir), &node, limits, clock));
        for log in &repairs.rebuilt {
            publishers.insert(*log, beat::rebuild(&core, &node, *log)?);
        }
        // Those without a checkpoint begin anew with the first beat, and there is nothing that it could contradict.
        let bare = |log: &&VaultId| publishers.get(*log).is_none_or(|p| p.published_size() == 0);
        repairs.rebuilt.extend(core.durable().logs.keys().filter(bare));
        repairs.rebuilt.sort_unstable();
        core.durable().catch_up(|log| publishers.get(&log).map_or(0, tlog::Publisher::published_size));
        Ok((Self::start(core, found, node, publishers, lock)?, repairs))
    }

    fn start(
        core: Arc<Core>,
        found: Recovered,
        node: Node,
        publishers: std::collections::HashMap<VaultId, tlog::Publisher>,
        lock: std::fs::File,
    ) -> Result<Self, OpenError> {
        let slots = usize::try_from(core.limits.slots).unwrap_or(usize::MAX);
        // Every message but one has a slot, so sending never waits.
        let (to_writer, inbox) = sync_channel(slots.saturating_add(1));
        let counters = Arc::new(Counters::new());
        let (voucher, key) = (Voucher::new(&node.key), node.key.clone());
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(work).map_err(io_at(&core.journal_dir))
        };
        let writer = Writer::new(Arc::clone(&core), inbox, found);
        let writer = spawn("journal", Box::new(move || writer.run()))?;
        let beat = Beat {
            core: Arc::clone(&core),
            node,
            to_writer: to_writer.clone(),
            writer: Some(writer),
            counters: Arc::clone(&counters),
            publishers,
            lock,
        };
        let beat = Mutex::new(Some(spawn("checkpoints", Box::new(move || beat.run()))?));
        Ok(Self { inner: Arc::new(Inner { core: Arc::clone(&core), to_writer, counters, voucher, key, beat }) })
    }

    /// The node's key, which signs checkpoints and what else the node says.
    pub fn node_key(&self) -> &SigningKey {
        &self.inner.key
    }

    /// Frames ever made durable. A record written later has this number or a higher one: where a replay of it starts
    /// looking.
    pub fn position(&self) -> u64 {
        self.inner.core.frames.load(SeqCst)
    }

    /// Room for one record, before the work that it will be about.
    pub fn reserve(&self) -> Result<Slot, JournalDown> {
        self.inner.core.room.reserve()?;
        Ok(Slot { inner: Arc::clone(&self.inner), held: true })
    }

    /// What the store keeps of a record until the journal has it; `position` as it stands beside it there.
    pub fn vouch(&self, position: u64, record: &Record) -> Vec<u8> {
        self.inner.voucher.vouch(position, record)
    }

    /// The record that the store kept, if it is this node that wrote it there.
    pub fn vouched(&self, position: u64, bytes: &[u8]) -> Result<Record, NotVouched> {
        self.inner.voucher.vouched(position, bytes)
    }

    /// Appends a record whose operation may have been appended before, exactly once: looks for the operation from
    /// frame `position` on, and appends `bytes` only if it is not there. True if it was appended now.
    pub async fn replay(&self, operation: OperationId, position: u64, bytes: Vec<u8>) -> Result<bool, JournalDown> {
        let record = Record::parse(&bytes).map_err(|_| JournalDown::BadRecord)?;
        if record.operation() != operation {
            return Err(JournalDown::BadRecord);
        }
        let slot = self.reserve()?;
        let core = Arc::clone(&self.inner.core);
        // Most of the way is looked through here, the rest by the writer, between two groups.
        let look = tokio::task::spawn_blocking(move || read::has_operation(&core, operation, position));
        let seen = look.await.map_err(|_| JournalDown::Closed)?;
        match seen.map_err(|_| JournalDown::Unreadable)? {
            (true, _) => Ok(false),
            (false, from) => {
                let (written, _) = slot.send(record, |append| Message::Replay { operation, from, append }).await?;
                Ok(written.fresh)
            }
        }
    }

    /// Counts a request that was turned away before a decision, for the summaries of this log (`None`: the node's).
    pub fn turned_away(&self, log: Option<VaultId>, reason: TurnedAwayReason) {
        self.inner.counters.add(log, reason);
    }

    /// How many requests were turned away since the start, by reason, over all logs.
    pub fn turned_away_so_far(&self) -> Vec<(TurnedAwayReason, u64)> {
        self.inner.counters.so_far()
    }

    /// Records of a log from an index on, at most `n`, with their indices. Reads files; blocks.
    pub fn read(&self, log: VaultId, from: u64, n: u16) -> Result<Vec<(u64, Record)>, ReadError> {
        read::records(&self.inner.core, log, from, usize::from(n))
    }

    /// The last `n` records of a log. Reads files; blocks.
    pub fn tail(&self, log: VaultId, n: u16) -> Result<Vec<(u64, Record)>, ReadError> {
        self.read(log, self.size(log).saturating_sub(u64::from(n)), n)
    }

    /// Reads all logs in the order of writing, from a frame on, as a sink does. Reads files; blocks.
    pub fn follow(&self, frame: u64) -> Result<Follow, ReadError> {
        Follow::from(&self.inner.core, frame)
    }

    /// Durable records of a log.
    pub fn size(&self, log: VaultId) -> u64 {
        self.inner.core.durable().logs.get(&log).map_or(0, |view| view.size)
    }

    /// Every log with a record, in the order of vault ids.
    pub fn logs(&self) -> Vec<VaultId> {
        let mut logs: Vec<_> = self.inner.core.durable().logs.keys().copied().collect();
        logs.sort_unstable();
        logs
    }

    /// Where a log's checkpoint and tiles are: `checkpoint` and `tile/...` in here.
    pub fn log_dir(&self, log: VaultId) -> PathBuf {
        self.inner.core.log_dir(log)
    }

    /// The key that a log's checkpoints are verified with, as text (c2sp.org/signed-note). Its name is the log's
    /// origin.
    pub fn vkey(&self, log: VaultId) -> String {
        let core = &self.inner.core;
        VerifierKey::new(&core.origin(log), core.public).to_string()
    }

    /// How it is.
    pub fn health(&self) -> JournalHealth {
        let core = &self.inner.core;
        let disk_free_bytes = disk::free(&core.journal_dir).unwrap_or(0);
        let durable = core.durable();
        let waiting = durable.pending.values().fold(0_u64, |n, e| n.saturating_add(e.len() as u64));
        JournalHealth {
            state: core.room.state(),
            frames: core.frames.load(SeqCst),
            segments: durable.segments.len(),
            used_bytes: core.used.load(SeqCst),
            max_bytes: core.limits.max_bytes,
            disk_free_bytes,
            room_bytes: core.room.free(),
            unpublished: durable.unpublished.saturating_add(waiting),
            publish_error: durable.publish_error.clone(),
        }
    }

    /// Writes what is queued, publishes all of it and ends. What is reserved and not yet written is refused.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // Fails only if the runtime is ending, and then the last clone's drop does the same.
        let _ = tokio::task::spawn_blocking(move || inner.end()).await;
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.inner.core))
    }
}

impl Inner {
    fn end(&self) {
        self.core.start_closing();
        // Held until the thread has ended: whoever closes at the same time finds everything published, too.
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        if beat.take().is_some_and(|beat| beat.join().is_err()) {
            tracing::error!("the thread that publishes checkpoints ended abnormally");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a sink's pump keeps of the journal: it does not hold it open.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Core>);

impl Watch {
    pub(crate) fn follow(&self, frame: u64) -> Result<Follow, ReadError> {
        Follow::from(&self.0, frame)
    }

    pub(crate) fn position(&self) -> u64 {
        self.0.frames.load(SeqCst)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    /// Waits until more than `frames` are durable, the journal closes, or a second has passed.
    pub(crate) fn wait(&self, frames: u64) {
        self.0.wait_grown(frames);
    }
}

/// Room for one record. Given back if dropped unused.
#[must_use]
pub struct Slot {
    inner: Arc<Inner>,
    held: bool,
}

impl Slot {
    /// Appends the record; it is on disk when this returns. If the future is dropped after it was first polled, the
    /// record is written all the same.
    pub async fn write(self, record: Record) -> Result<Receipt, JournalDown> {
        let operation = record.operation();
        let (written, entry) = self.send(record, Message::Append).await?;
        Ok(Receipt::new(written.log, written.index, entry, operation))
    }

    async fn send(
        mut self,
        record: Record,
        message: impl FnOnce(Append) -> Message,
    ) -> Result<(Written, [u8; 32]), JournalDown> {
        if record.bytes().len() > Record::MAX || record.node() != self.inner.core.node {
            return Err(JournalDown::BadRecord);
        }
        let entry = record.entry();
        let (reply, answer) = oneshot::channel();
        match self.inner.to_writer.try_send(message(Append { record, entry, reply })) {
            // The writer gives the slot back.
            Ok(()) => self.held = false,
            Err(TrySendError::Full(_)) => return Err(JournalDown::Busy),
            Err(TrySendError::Disconnected(_)) => return Err(JournalDown::Closed),
        }
        let written = answer.await.map_err(|_| JournalDown::Closed)??;
        Ok((written, entry))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.held {
            self.inner.core.room.release(1);
        }
    }
}

/// The verifier key beside the logs is the node's, or is written now.
fn check_vkey(dir: &Path, node: &Node) -> Result<(), OpenError> {
    let path = dir.join("vkey");
    let own = tlog::origin(node.instance, VaultId::from_bytes([0; 16]), node.node);
    let text = format!("{}\n", VerifierKey::new(&own, node.key.public()));
    match std::fs::read(&path) {
        Ok(found) if found == text.as_bytes() => Ok(()),
        Ok(_) => Err(OpenError::OtherKey { path }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            disk::replace(&path, text.as_bytes()).map_err(io_at(&path))
        }
        Err(e) => Err(io_at(&path)(e)),
    }
}

fn share(found: &Recovered, dirs: (PathBuf, PathBuf), node: &Node, limits: Limits, clock: Clock) -> Core {
    let mut durable = Durable::new(found.segments.clone(), found.at);
    for (log, start) in &found.starts {
        durable.logs.insert(*log, LogView { size: *start, start: *start, marks: Vec::new() });
    }
    for (log, frame, offset) in &found.placed {
        durable.add(*log, *frame, *offset);
    }
    Core::new(dirs, (node.instance, node.node), node.key.public(), limits, clock, durable, found.frames)
}
