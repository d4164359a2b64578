//! Copies of the journal for elsewhere. A sink has its own thread and its own cursor and reads what is already durable,
//! so one that is slow, blocked or failing holds up nothing but itself.

use crate::error::ReadError;
use crate::journal::{Journal, disk};
use crate::record::Record;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

/// Most records given to a sink at once.
const BATCH: usize = 256;

/// One record on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its number over all logs of the node.
    pub frame: u64,
    /// Its index in its log.
    pub index: u64,
    /// The record; its vault names the log.
    pub record: Record,
}

/// Somewhere records go.
pub trait Sink: Send + 'static {
    /// What it is called in health and configuration.
    fn name(&self) -> &str;
    /// The frame it wants next. Read once, when its pump starts.
    fn position(&self) -> u64;
    /// Takes records in the order of their frames and moves its cursor past them. May block. After an error it is given
    /// the same records again, a second later.
    fn deliver(&mut self, batch: &[Delivery]) -> io::Result<()>;
}

/// How a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkHealth {
    /// Its name.
    pub name: String,
    /// Durable records it does not have yet.
    pub behind: u64,
    /// Why it is not getting on.
    pub error: Option<String>,
}

/// The thread that feeds a sink. It ends when the journal closes, after what was durable then, or when this is dropped;
/// nobody waits for it.
pub struct Pump {
    journal: crate::journal::Watch,
    state: Arc<State>,
}

struct State {
    name: String,
    next: AtomicU64,
    error: Mutex<Option<String>>,
    stop: AtomicBool,
}

impl Pump {
    /// Starts feeding.
    pub fn start(journal: &Journal, mut sink: impl Sink) -> io::Result<Self> {
        let journal = journal.watch();
        let state = Arc::new(State {
            name: sink.name().to_owned(),
            next: AtomicU64::new(sink.position()),
            error: Mutex::new(None),
            stop: AtomicBool::new(false),
        });
        let pump = Self { journal: journal.clone(), state: Arc::clone(&state) };
        let name = format!("sink {}", state.name);
        std::thread::Builder::new().name(name).spawn(move || feed(&journal, &mut sink, &state))?;
        Ok(pump)
    }

    /// How its sink is.
    pub fn health(&self) -> SinkHealth {
        SinkHealth {
            name: self.state.name.clone(),
            behind: self.journal.position().saturating_sub(self.state.next.load(SeqCst)),
            error: self.state.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.state.stop.store(true, SeqCst);
    }
}

fn feed(journal: &crate::journal::Watch, sink: &mut impl Sink, state: &State) {
    while !state.stop.load(SeqCst) {
        // Read before the look for more: what became durable until then is still delivered.
        let closing = journal.is_closing();
        let outcome = feed_all(journal, sink, state);
        let failed = outcome.is_err();
        let text = outcome.err().map(|e| e.to_string());
        if let Some(error) = &text {
            tracing::warn!(sink = %state.name, %error, "the audit sink is not getting on; it will be tried again");
        }
        *state.error.lock().unwrap_or_else(PoisonError::into_inner) = text;
        if closing {
            return;
        }
        // After an error nothing but a second helps: wait for frames that cannot come.
        journal.wait(if failed { u64::MAX } else { state.next.load(SeqCst) });
    }
}

/// Why a sink does not get on.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Sink(#[from] io::Error),
}

fn feed_all(journal: &crate::journal::Watch, sink: &mut impl Sink, state: &State) -> Result<(), Stuck> {
    let mut next = state.next.load(SeqCst);
    if next >= journal.position() {
        return Ok(());
    }
    let mut from = journal.follow(next)?;
    while !state.stop.load(SeqCst) {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(found) = from.next()?
        {
            batch.push(Delivery { frame: found.number, index: found.frame.index, record: found.frame.record });
        }
        let Some(last) = batch.last().map(|d| d.frame) else { return Ok(()) };
        sink.deliver(&batch)?;
        next = last.saturating_add(1);
        state.next.store(next, SeqCst);
    }
    Ok(())
}

/// Appends one line of JSON per record to a file: the clear fields, and the whole record in base64. Each record stands
/// there exactly once, also after a crash: the cursor beside it (`<file>.cursor`) notes how far the file is good.
///
/// A FIFO is written to while somebody reads it. Of it the cursor notes what was put in: a crash of ours may bring
/// records again, and what is in the pipe when its last reader leaves is gone.
pub struct FileSink {
    path: PathBuf,
    to: To,
    cursor: Cursor,
}

enum To {
    File(File),
    /// Opened when there is something to write, as that waits for a reader.
    Fifo(Option<File>),
}

/// Version, frame wanted next and good length of the file, as text on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    next: u64,
    len: u64,
}

impl Cursor {
    pub(crate) const fn at(next: u64) -> Self {
        Self { next, len: 0 }
    }

    pub(crate) const fn next(self) -> u64 {
        self.next
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let mut parts = line.strip_prefix("1 ")?.split(' ');
        let cursor = Self { next: parts.next()?.parse().ok()?, len: parts.next()?.parse().ok()? };
        (parts.next().is_none() && cursor.to_text().as_bytes() == text).then_some(cursor)
    }

    pub(crate) fn to_text(self) -> String {
        format!("1 {} {}\n", self.next, self.len)
    }
}

impl FileSink {
    /// Goes on where the file's cursor stands, or begins a new file with the journal's first record.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fifo = std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo());
        let to = if fifo { To::Fifo(None) } else { To::File(open_file(path)?) };
        let cursor = match std::fs::read(cursor_path(path)) {
            Ok(text) => Cursor::parse(&text).ok_or_else(|| {
                io::Error::other("the sink's cursor is damaged; remove file and cursor to begin anew")
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Cursor::default(),
            Err(e) => return Err(e),
        };
        if let To::File(file) = &to {
            if file.metadata()?.len() < cursor.len {
                return Err(io::Error::other(
                    "the sink's file is shorter than its cursor says; restore it, or remove both",
                ));
            }
            // Lines whose cursor was not written yet come again.
            file.set_len(cursor.len)?;
        }
        Ok(Self { path: path.to_owned(), to, cursor })
    }

    /// Puts lines behind those of the cursor; how long the good part then is.
    fn append(&mut self, lines: &[u8]) -> io::Result<u64> {
        match &mut self.to {
            To::File(file) => {
                // Half a batch, left by an error, goes first.
                file.set_len(self.cursor.len)?;
                file.write_all(lines)?;
                file.sync_data()?;
                Ok(self.cursor.len.saturating_add(lines.len() as u64))
            }
            To::Fifo(pipe) => {
                // Closed by an error: the next reader begins with a whole line.
                let mut file = match pipe.take() {
                    Some(file) => file,
                    None => OpenOptions::new().write(true).open(&self.path)?,
                };
                file.write_all(lines)?;
                *pipe = Some(file);
                Ok(0)
            }
        }
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    if disk::hold(&file)? {
        return Ok(file);
    }
    Err(io::Error::other("another sink is writing to this file; give each its own"))
}

impl Sink for FileSink {
    fn name(&self) -> &str {
        self.path.to_str().unwrap_or("file")
    }

    fn position(&self) -> u64 {
        self.cursor.next
    }

    fn deliver(&mut self, batch: &[Delivery]) -> io::Result<()> {
        let mut lines = Vec::new();
        for delivery in batch {
            serde_json::to_writer(&mut lines, &line(delivery))?;
            lines.push(b'\n');
        }
        let len = self.append(&lines)?;
        let next = batch.last().map_or(self.cursor.next, |d| d.frame.saturating_add(1));
        let cursor = Cursor { next, len };
        disk::replace(&cursor_path(&self.path), cursor.to_text().as_bytes())?;
        self.cursor = cursor;
        Ok(())
    }
}

fn cursor_path(path: &Path) -> PathBuf {
    path.with_added_extension("cursor")
}

/// The clear fields of a record.
pub(crate) fn fields(delivery: &Delivery) -> serde_json::Value {
    let Delivery { frame, index, record } = delivery;
    json!({
        "frame": frame,
        "log": record.vault().to_string(),
        "index": index,
        "time_ms": record.at().0,
        "node": record.node().to_string(),
        "operation": record.operation().to_string(),
        "action": record.action().map_or_else(|| record.action_code().to_string(), |a| a.name().to_owned()),
        "outcome": record.outcome().0,
        "object": record.object().map(|o| o.to_string()),
        "version": record.version().map(|v| v.to_string()),
        "revision": record.revision().map(|r| r.0),
        "policy": record.policy().0,
    })
}

/// The clear fields and the whole record.
fn line(delivery: &Delivery) -> serde_json::Value {
    let mut line = fields(delivery);
    if let Some(line) = line.as_object_mut() {
        line.insert("record".to_owned(), STANDARD.encode(delivery.record.bytes()).into());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_parses_as_it_prints_and_only_so() {
        let cursor = Cursor { next: 12, len: 3_456 };
        assert_eq!(Cursor::parse(cursor.to_text().as_bytes()), Some(cursor));
        for text in
            ["", "1 12 3456", "2 12 3456\n", "1 12\n", "1 12 3456 7\n", "1 +12 3456\n", "1 012 3456\n", "1  12 3456\n"]
        {
            assert_eq!(Cursor::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
