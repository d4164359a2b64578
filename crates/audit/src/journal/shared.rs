//! What the threads of one journal share: what is durable, and what waits to be published.

use super::room::Room;
use super::segment::path_of;
use super::{Clock, Limits};
use crate::tlog;
use keystead_model::{InstanceId, NodeId, VaultId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Records of one log between two marks, and frames between two.
const LOG_STEP: u64 = 64;
const FRAME_STEP: u64 = 256;
/// Entries of one log kept for the publisher; beyond, it reads them from the journal.
const KEEP: usize = 65_536;
/// Unpublished records at which the publisher does not wait any longer.
const PROMPT: usize = 1_024;

pub(super) struct Core {
    pub(super) journal_dir: PathBuf,
    pub(super) logs_dir: PathBuf,
    pub(super) instance: InstanceId,
    pub(super) node: NodeId,
    pub(super) public: [u8; 32],
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) room: Room,
    pub(super) frames: AtomicU64,
    pub(super) used: AtomicU64,
    durable: Mutex<Durable>,
    grown: Condvar,
    prompt: Condvar,
    closing: AtomicBool,
}

/// What is on disk.
pub(super) struct Durable {
    pub(super) logs: HashMap<VaultId, LogView>,
    /// First frames of all segments, ascending; the last is written to.
    pub(super) segments: Vec<u64>,
    /// End of the last frame in the last segment.
    pub(super) end: u64,
    /// Offset of every 256th frame of the last segment.
    pub(super) marks: Vec<u64>,
    /// Entries that are durable and not yet published.
    pub(super) pending: HashMap<VaultId, Vec<[u8; 32]>>,
    pending_records: usize,
    pub(super) publish_error: Option<String>,
    pub(super) unpublished: u64,
}

/// One log, as far as it is durable.
#[derive(Default)]
pub(super) struct LogView {
    pub(super) size: u64,
    /// Its size when the last segment began.
    pub(super) start: u64,
    /// Some of its records in the last segment, ascending.
    pub(super) marks: Vec<Mark>,
}

/// Where one record lies.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) index: u64,
    pub(super) frame: u64,
    pub(super) offset: u64,
}

impl Durable {
    pub(super) fn new(segments: Vec<u64>, end: u64) -> Self {
        Self {
            logs: HashMap::new(),
            segments,
            end,
            marks: Vec::new(),
            pending: HashMap::new(),
            pending_records: 0,
            publish_error: None,
            unpublished: 0,
        }
    }

    /// First frame of the segment that is written to.
    pub(super) fn current(&self) -> u64 {
        self.segments.last().copied().unwrap_or(0)
    }

    /// Notes that a frame of the last segment is durable.
    pub(super) fn add(&mut self, log: VaultId, frame: u64, offset: u64) {
        let place = frame.saturating_sub(self.current());
        let view = self.logs.entry(log).or_default();
        if view.marks.is_empty() || view.size.is_multiple_of(LOG_STEP) {
            view.marks.push(Mark { index: view.size, frame, offset });
        }
        view.size = view.size.saturating_add(1);
        if place.is_multiple_of(FRAME_STEP) {
            self.marks.push(offset);
        }
    }

    /// Hands an entry to the publisher.
    pub(super) fn publish(&mut self, log: VaultId, entry: [u8; 32]) {
        let waiting = self.pending.entry(log).or_default();
        if waiting.len() >= KEEP {
            waiting.clear();
        }
        waiting.push(entry);
        self.pending_records = self.pending_records.saturating_add(1);
    }

    /// Another segment is written to from now on.
    pub(super) fn roll(&mut self, first: u64, end: u64) {
        self.segments.push(first);
        self.end = end;
        self.marks.clear();
        for view in self.logs.values_mut() {
            view.start = view.size;
            view.marks.clear();
        }
    }

    /// Has the publisher catch up with every log that is not published to its end, from the journal.
    pub(super) fn catch_up(&mut self, published: impl Fn(VaultId) -> u64) {
        let behind = self.logs.iter().filter(|(log, view)| published(**log) < view.size);
        let behind: Vec<_> = behind.map(|(log, _)| (*log, Vec::new())).collect();
        self.pending.extend(behind);
    }

    /// Everything to publish, with the size each log now has.
    pub(super) fn take_pending(&mut self) -> Vec<(VaultId, u64, Vec<[u8; 32]>)> {
        self.pending_records = 0;
        let sizes = |log| self.logs.get(&log).map_or(0, |view| view.size);
        std::mem::take(&mut self.pending).into_iter().map(|(log, e)| (log, sizes(log), e)).collect()
    }

    /// The nearest known place at or before a frame of the last segment: its number and offset.
    pub(super) fn near(&self, frame: u64) -> Option<(u64, u64)> {
        let mark = frame.checked_sub(self.current())?.checked_div(FRAME_STEP)?;
        let offset = self.marks.get(usize::try_from(mark).ok()?)?;
        Some((self.current().saturating_add(mark.saturating_mul(FRAME_STEP)), *offset))
    }
}

impl Core {
    pub(super) fn new(
        dirs: (PathBuf, PathBuf),
        ids: (InstanceId, NodeId),
        public: [u8; 32],
        limits: Limits,
        clock: Clock,
        durable: Durable,
        frames: u64,
    ) -> Self {
        Self {
            journal_dir: dirs.0,
            logs_dir: dirs.1,
            instance: ids.0,
            node: ids.1,
            public,
            limits,
            clock,
            room: Room::new(limits.slots),
            frames: AtomicU64::new(frames),
            used: AtomicU64::new(0),
            durable: Mutex::new(durable),
            grown: Condvar::new(),
            prompt: Condvar::new(),
            closing: AtomicBool::new(false),
        }
    }

    /// A panicking thread leaves only counters behind, so its lock is still good.
    pub(super) fn durable(&self) -> MutexGuard<'_, Durable> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn segment_path(&self, first: u64) -> PathBuf {
        path_of(&self.journal_dir, first)
    }

    pub(super) fn log_dir(&self, log: VaultId) -> PathBuf {
        self.logs_dir.join(log.to_string())
    }

    pub(super) fn origin(&self, log: VaultId) -> String {
        tlog::origin(self.instance, log, self.node)
    }

    pub(super) fn log_id(&self, log: VaultId) -> [u8; 16] {
        tlog::log_id(&self.origin(log))
    }

    /// Tells readers and, if much waits, the publisher that more is durable.
    pub(super) fn announce(&self, durable: MutexGuard<'_, Durable>) {
        let prompt = durable.pending_records >= PROMPT;
        drop(durable);
        self.grown.notify_all();
        if prompt {
            self.prompt.notify_all();
        }
    }

    /// Waits until more than `frames` are durable, the journal closes, or a second has passed.
    pub(super) fn wait_grown(&self, frames: u64) {
        let still = |_: &mut Durable| self.frames.load(SeqCst) <= frames && !self.is_closing();
        let _ = self.grown.wait_timeout_while(self.durable(), Duration::from_secs(1), still);
    }

    /// Waits for the next beat: a second, or less if many records wait to be published or the journal closes.
    pub(super) fn wait_beat(&self) {
        let still = |d: &mut Durable| d.pending_records < PROMPT && !self.is_closing();
        let _ = self.prompt.wait_timeout_while(self.durable(), Duration::from_secs(1), still);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(SeqCst)
    }

    /// Asks the threads to end.
    pub(super) fn start_closing(&self) {
        let durable = self.durable();
        self.closing.store(true, SeqCst);
        drop(durable);
        self.grown.notify_all();
        self.prompt.notify_all();
    }
}
