//! The second thread: at most a second, or 1,024 records, behind what is durable it publishes tiles and checkpoints,
//! and each minute it writes what was turned away.

use super::read;
use super::shared::Core;
use super::summary::Counters;
use super::writer::{Append, Message};
use super::{Node, recover};
use crate::draft::{Draft, Outcome};
use crate::error::OpenError;
use crate::tlog::{Hash, PublishError, Publisher};
use keystead_model::{OperationId, Time, VaultId};
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Entries read from the journal at once where the publisher has fallen behind.
const PAGE: usize = 4_096;

pub(super) struct Beat {
    pub(super) core: Arc<Core>,
    pub(super) node: Node,
    pub(super) to_writer: SyncSender<Message>,
    pub(super) writer: Option<JoinHandle<()>>,
    pub(super) counters: Arc<Counters>,
    pub(super) publishers: HashMap<VaultId, Publisher>,
    /// Held as long as the journal is written to.
    pub(super) lock: File,
}

impl Beat {
    pub(super) fn run(mut self) {
        self.publishers.values().for_each(Publisher::mend_partials);
        let mut before = (self.core.clock)();
        while !self.core.is_closing() {
            self.core.wait_beat();
            let now = (self.core.clock)();
            self.summaries(before, now, false);
            self.publish();
            before = now;
        }
        self.summaries(before, (self.core.clock)(), true);
        self.core.room.close();
        // Refused only if the writer is gone already.
        let _ = self.to_writer.send(Message::Close);
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the audit journal's writer ended abnormally");
        }
        self.publish();
        drop(self.lock);
    }

    /// Writes the summaries that are due, as far as there is room; the rest is counted on.
    fn summaries(&self, before: Time, now: Time, last: bool) {
        while self.core.room.reserve().is_ok() {
            let Some((log, summary)) = self.counters.next_due(before, now, last) else {
                return self.core.room.release(1);
            };
            let operation = OperationId::from_bytes(keystead_crypto::random());
            let draft = Draft::summary(log, summary.to_cbor(), operation, now);
            let record = draft.encode(Outcome::DONE, None, self.node.node);
            let entry = record.entry();
            // Nobody waits for the answer.
            let append = Append { record, entry, reply: oneshot::channel().0 };
            if self.to_writer.send(Message::Append(append)).is_err() {
                return;
            }
        }
    }

    fn publish(&mut self) {
        let pending = self.core.durable().take_pending();
        let mut error = None;
        let mut behind = 0_u64;
        for (log, size, entries) in pending {
            if let Err(e) = self.publish_log(log, size, &entries) {
                let published = self.publishers.get(&log).map_or(0, Publisher::published_size);
                behind = behind.saturating_add(size.saturating_sub(published));
                error = Some((log, e));
                // An empty entry: at the next beat the log is caught up with from the journal.
                self.core.durable().pending.entry(log).or_default();
            }
        }
        let mut durable = self.core.durable();
        durable.unpublished = behind;
        let error = error.map(|(log, e)| format!("log {log}: {e}"));
        let before = std::mem::replace(&mut durable.publish_error, error.clone());
        drop(durable);
        if let Some(error) = error.filter(|e| before.as_ref() != Some(e)) {
            tracing::warn!(%error, "tiles and checkpoint could not be published; they will be tried again");
        }
    }

    /// Publishes a log up to `size`; `entries` are its last ones, as far as they were kept.
    fn publish_log(&mut self, log: VaultId, size: u64, entries: &[Hash]) -> Result<(), String> {
        let publisher = match self.publishers.entry(log) {
            std::collections::hash_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::hash_map::Entry::Vacant(e) => {
                let opened = Publisher::open(&self.core.log_dir(log), &self.core.origin(log), &self.node.key);
                e.insert(opened.map_err(|e| e.to_string())?)
            }
        };
        if publisher.published_size().checked_add(entries.len() as u64) == Some(size) {
            return publisher.publish(entries, &self.node.key).map_err(|e| e.to_string());
        }
        while publisher.published_size() < size {
            let from = publisher.published_size();
            let n = usize::try_from(size.saturating_sub(from)).unwrap_or(PAGE).min(PAGE);
            let page = read::entries(&self.core, log, from, n).map_err(|e| e.to_string())?;
            publisher.publish(&page, &self.node.key).map_err(|e| e.to_string())?;
            if page.is_empty() {
                return Err("the journal has fewer records than it should".to_owned());
            }
        }
        Ok(())
    }
}

/// Opens what is published of each log. Logs whose checkpoint or tiles are missing or damaged are returned apart, to
/// be rebuilt from the journal.
pub(super) fn open_published(
    logs: &Path,
    node: &Node,
) -> Result<(HashMap<VaultId, Publisher>, Vec<VaultId>), OpenError> {
    let mut publishers = HashMap::new();
    let mut damaged = Vec::new();
    for entry in std::fs::read_dir(logs).map_err(recover::io_at(logs))? {
        let dir = entry.map_err(recover::io_at(logs))?.path();
        let name = dir.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<VaultId>().ok());
        let Some(log) = name else { continue };
        match Publisher::open(&dir, &crate::tlog::origin(node.instance, log, node.node), &node.key) {
            Ok(publisher) => _ = publishers.insert(log, publisher),
            Err(PublishError::Io { path, source }) => return Err(OpenError::Io { path, source }),
            Err(why) => {
                tracing::warn!(%log, error = %why, "tiles or checkpoint are damaged; rebuilding them from the journal");
                damaged.push(log);
            }
        }
    }
    Ok((publishers, damaged))
}

/// Writes a log's tiles and checkpoint anew. The journal is read twice: only if all of it can be read is anything
/// replaced or signed.
pub(super) fn rebuild(core: &Arc<Core>, node: &Node, log: VaultId) -> Result<Publisher, OpenError> {
    let size = core.durable().logs.get(&log).map_or(0, |view| view.size);
    let mut error = None;
    let found = read::all_entries(core, log, &mut error).count() as u64;
    if let Some(e) = error {
        return Err(OpenError::Published { log, why: format!("its tiles must be rebuilt, but {e}") });
    }
    if found != size {
        return Err(OpenError::Published { log, why: format!("{found} of its {size} records can be read") });
    }
    let mut error = None;
    let entries = read::all_entries(core, log, &mut error).take(usize::try_from(size).unwrap_or(usize::MAX));
    Publisher::rebuild(&core.log_dir(log), &core.origin(log), &node.key, entries).map_err(|e| match e {
        PublishError::Io { path, source } => OpenError::Io { path, source },
        PublishError::Contradicts { signed, found } if found < signed => {
            OpenError::Short { log, path: core.journal_dir.clone(), records: found, checkpoint: signed }
        }
        PublishError::Contradicts { signed, .. } => {
            OpenError::Forked { log, path: core.journal_dir.clone(), size: signed }
        }
        other => OpenError::Published { log, why: other.to_string() },
    })
}
