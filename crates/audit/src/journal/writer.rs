//! The one thread that writes. It takes what is queued, gives each record its index, writes the group at once, syncs
//! once, and only then answers all of them.

use super::disk;
use super::read;
use super::recover::Recovered;
use super::room::SLOT;
use super::segment::{Header, LogStart, put_frame};
use super::shared::Core;
use crate::error::JournalDown;
use crate::record::Record;
use crate::tlog::Tree;
use keystead_model::{OperationId, Time, VaultId};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Most records in a group.
const GROUP: usize = 1_024;
/// With more than so many others on their way, a group waits for them.
const MANY: u32 = 4;
/// How long: less than a sync takes.
const PAUSE: Duration = Duration::from_micros(50);
/// A header without logs.
const BARE_HEADER: usize = 96;

/// What the writer is told. Each append comes with a reserved slot, which the writer gives back.
pub(super) enum Message {
    Append(Append),
    /// Append, unless the operation has a record at frame `from` or later.
    Replay {
        operation: OperationId,
        from: u64,
        append: Append,
    },
    /// Write what is queued and end.
    Close,
}

pub(super) struct Append {
    pub(super) record: Record,
    pub(super) entry: [u8; 32],
    pub(super) reply: Reply,
}

type Reply = oneshot::Sender<Result<Written, JournalDown>>;

/// Where a record is, durably.
pub(super) struct Written {
    pub(super) log: [u8; 16],
    pub(super) index: u64,
    /// False if a replayed record was there before.
    pub(super) fresh: bool,
}

/// The file written to.
struct Segment {
    file: File,
    path: PathBuf,
    len: u64,
    /// End of what is durable.
    at: u64,
}

/// The next segment, preallocated.
struct Spare {
    file: File,
    path: PathBuf,
    len: u64,
}

struct Member {
    log: VaultId,
    id: [u8; 16],
    index: u64,
    offset: u64,
    entry: [u8; 32],
    reply: Reply,
}

pub(super) struct Writer {
    core: Arc<Core>,
    inbox: Receiver<Message>,
    segment: Segment,
    spare: Option<Spare>,
    /// Wall clock of the last attempt to preallocate that met a full disk.
    refused: Option<Time>,
    trees: HashMap<VaultId, (Tree, [u8; 16])>,
    next_frame: u64,
    /// Bytes of the header that the next segment would have.
    header_len: usize,
    /// What of the room counted in [`Core::room`] comes from the segments.
    counted: i64,
    bytes: Vec<u8>,
    members: Vec<Member>,
}

impl Writer {
    pub(super) fn new(core: Arc<Core>, inbox: Receiver<Message>, found: Recovered) -> Self {
        let header_len = found.trees.values().fold(BARE_HEADER, |n, t| n.saturating_add(LogStart::len(t.size())));
        let with_id = |(log, tree)| (log, (tree, core.log_id(log)));
        let trees = found.trees.into_iter().map(with_id).collect();
        let segment = Segment { file: found.file, path: found.path, len: found.len, at: found.at };
        let mut writer = Self {
            core,
            inbox,
            segment,
            spare: None,
            refused: None,
            trees,
            next_frame: found.frames,
            header_len,
            counted: 0,
            bytes: Vec::new(),
            members: Vec::new(),
        };
        let used = disk::used(&writer.core.journal_dir).unwrap_or(0);
        writer.core.used.store(used, SeqCst);
        writer.recount();
        if writer.is_nearly_full() {
            writer.prepare();
        }
        writer
    }

    pub(super) fn run(mut self) {
        let mut open = true;
        self.prepare();
        while open {
            match self.receive() {
                Ok(message) => open = self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
            open &= self.drain();
            if self.more_are_coming() {
                std::thread::sleep(PAUSE);
                open &= self.drain();
            }
            self.commit();
            self.prepare();
        }
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
        }
        self.commit();
    }

    /// Takes what has come, as far as the group has room; false if the last was among it.
    fn drain(&mut self) -> bool {
        let mut open = true;
        while self.members.len() < GROUP
            && let Ok(message) = self.inbox.try_recv()
        {
            open &= self.take(message);
        }
        open
    }

    /// Whether so many records are under way that waiting for them costs less than a sync of their own.
    fn more_are_coming(&self) -> bool {
        let here = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        here > 0 && self.members.len() < GROUP && self.core.room.slots().saturating_sub(here) > MANY
    }

    /// Whether what is left here may be used up before the thread has prepared the next segment.
    fn is_nearly_full(&self) -> bool {
        self.segment.len.saturating_sub(self.segment.at) < self.core.limits.segment_bytes / 2
    }

    /// Waits for work; with no next segment ready, no longer than until it is time to try again.
    fn receive(&self) -> Result<Message, RecvTimeoutError> {
        if self.spare.is_none() && self.core.room.accepting().is_ok() {
            self.inbox.recv_timeout(Duration::from_secs(1))
        } else {
            self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        }
    }

    /// Takes a message into the group; false if it was the last.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Close => return false,
            Message::Append(append) => self.append(append),
            Message::Replay { operation, from, append } => {
                // Earlier records of this group must be readable first.
                self.commit();
                match read::has_operation(&self.core, operation, from) {
                    Ok((false, _)) => self.append(append),
                    Ok((true, _)) => self.answer(append.reply, Ok(Written { log: [0; 16], index: 0, fresh: false })),
                    Err(_) => self.answer(append.reply, Err(JournalDown::Unreadable)),
                }
            }
        }
        true
    }

    /// Answers an append that takes no room.
    fn answer(&self, reply: Reply, answer: Result<Written, JournalDown>) {
        self.core.room.release(1);
        // Whoever asked may be gone.
        let _ = reply.send(answer);
    }

    fn append(&mut self, append: Append) {
        let Append { record, entry, reply } = append;
        if let Err(down) = self.core.room.accepting()
            && down == JournalDown::Failed
        {
            return self.answer(reply, Err(down));
        }
        let frame_len = (record.bytes().len() as u64).saturating_add(super::segment::FRAME_HEAD as u64);
        let end = self.segment.at.saturating_add(self.bytes.len() as u64);
        if end.saturating_add(frame_len) > self.segment.len {
            self.commit();
            if let Err(e) = self.roll() {
                self.fail(&e);
            }
            // After a failure this answers, or else there is room now.
            return self.append(Append { record, entry, reply });
        }
        let log = record.vault();
        let core = &self.core;
        let (tree, id) = self.trees.entry(log).or_insert_with(|| (Tree::new(), core.log_id(log)));
        let index = tree.append(&entry);
        let before = if index == 0 { 0 } else { LogStart::len(index) };
        let now = LogStart::len(tree.size());
        self.header_len = self.header_len.saturating_add(now).saturating_sub(before);
        let starts_group = self.members.is_empty();
        put_frame(&mut self.bytes, index, starts_group, &record, &entry);
        self.members.push(Member { log, id: *id, index, offset: end, entry, reply });
    }

    /// Makes the group durable, then answers.
    fn commit(&mut self) {
        if self.members.is_empty() {
            return;
        }
        match self.sync() {
            Ok(()) => self.durable(),
            Err(e) => self.fail(&e),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let Segment { file, path, len, at } = &mut self.segment;
        file.write_all_at(&self.bytes, *at)?;
        file.sync_data()?;
        disk::still_there(file, path, *len)?;
        *at = at.saturating_add(self.bytes.len() as u64);
        self.bytes.clear();
        Ok(())
    }

    /// The group is on disk: shows it to readers and publisher, gives back its room, answers.
    fn durable(&mut self) {
        let mut durable = self.core.durable();
        for member in &self.members {
            durable.add(member.log, self.next_frame, member.offset);
            durable.publish(member.log, member.entry);
            self.next_frame = self.next_frame.saturating_add(1);
        }
        durable.end = self.segment.at;
        self.core.frames.store(self.next_frame, SeqCst);
        self.core.announce(durable);
        self.recount();
        self.core.room.release(u32::try_from(self.members.len()).unwrap_or(u32::MAX));
        for member in self.members.drain(..) {
            // Whoever asked may be gone; the record stands.
            let _ = member.reply.send(Ok(Written { log: member.id, index: member.index, fresh: true }));
        }
    }

    /// Takes the journal out of service. The records of this group may or may not be on disk.
    fn fail(&mut self, error: &io::Error) {
        let reason = format!("{}: {error}", self.segment.path.display());
        tracing::error!(%reason, "the audit journal failed and is out of service until the node is restarted");
        self.core.room.fail(reason);
        self.bytes.clear();
        for member in std::mem::take(&mut self.members) {
            self.answer(member.reply, Err(JournalDown::Failed));
        }
    }

    /// Goes on in the next segment. Reservations guarantee that it is there.
    fn roll(&mut self) -> io::Result<()> {
        let spare = self.spare.take().ok_or_else(|| io::Error::other("no preallocated segment"))?;
        let header = self.header().encode();
        let path = self.core.segment_path(self.next_frame);
        spare.file.write_all_at(&header, 0)?;
        spare.file.sync_all()?;
        fs::rename(&spare.path, &path)?;
        disk::sync_dir(&self.core.journal_dir)?;
        let at = header.len() as u64;
        self.segment = Segment { file: spare.file, path, len: spare.len, at };
        self.core.durable().roll(self.next_frame, at);
        self.recount();
        Ok(())
    }

    fn header(&self) -> Header {
        let mut logs: Vec<_> = self.trees.iter().map(|(log, (tree, _))| LogStart::of(*log, tree)).collect();
        logs.sort_unstable_by_key(|log| log.vault);
        Header { instance: self.core.instance, node: self.core.node, first: self.next_frame, logs }
    }

    /// Has the next segment ready before it is needed. A full disk is met here and nowhere else.
    fn prepare(&mut self) {
        if self.spare.is_some() || self.core.room.accepting() == Err(JournalDown::Failed) || self.too_soon() {
            return;
        }
        match self.allocate() {
            Ok(spare) => {
                self.spare = Some(spare);
                self.refused = None;
                self.recount();
                self.core.room.set_low(false);
            }
            Err(e) if disk::is_full(&e) => {
                if self.refused.is_none() {
                    tracing::warn!(error = %e, "no room for another segment of the audit journal");
                }
                self.refused = Some((self.core.clock)());
                self.recount();
                self.core.room.set_low(true);
            }
            Err(e) => self.fail(&e),
        }
    }

    /// Whether the last refusal is less than a second old. A clock set back does not count.
    fn too_soon(&self) -> bool {
        self.refused.is_some_and(|at| (at..at.plus_millis(1_000)).contains(&(self.core.clock)()))
    }

    fn allocate(&self) -> io::Result<Spare> {
        let path = self.core.journal_dir.join("spare");
        let len = self.core.limits.segment_bytes.saturating_add(self.header_len as u64);
        let used = disk::used(&self.core.journal_dir)?;
        self.core.used.store(used, SeqCst);
        if used.saturating_add(len) > self.core.limits.max_bytes {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the journal's budget is used up"));
        }
        let file = disk::allocate(&path, len)?;
        self.core.used.store(used.saturating_add(len), SeqCst);
        Ok(Spare { file, path, len })
    }

    /// Brings the counted room up to date. With a next segment, the end of this one may stay empty by less than a
    /// frame, so one slot is not counted.
    fn recount(&mut self) {
        let left = self.segment.len.saturating_sub(self.segment.at);
        let next = self.spare.as_ref().map_or(0, |spare| {
            let left = i64::try_from(spare.len.saturating_sub(self.header_len as u64)).unwrap_or(0);
            left.saturating_sub(SLOT)
        });
        let room = i64::try_from(left).unwrap_or(i64::MAX).saturating_add(next);
        self.core.room.grow(room.saturating_sub(self.counted));
        self.counted = room;
    }
}
