//! From items to sealed frames and back.

use super::BackupError;
use crate::error::Refusal;
use crate::records::backup::Item;
use crate::records::job::AtRecord;
use keystead_custody::{BackupKey, FrameAt, Frames};
use keystead_formats::backup::{FRAME_HEAD, Piece, frame, piece};
use minicbor::Decoder;
use zeroize::Zeroizing;

/// A frame is sealed when it has so many bytes.
const FRAME: usize = 64 << 10;

impl AtRecord {
    /// Behind the header.
    pub(crate) fn first(header: &[u8]) -> Self {
        let at = FrameAt::first(header);
        let byte = u64::try_from(header.len()).unwrap_or(u64::MAX);
        Self { number: at.number, before: at.before.into(), byte }
    }

    fn frame(&self) -> FrameAt {
        FrameAt { number: self.number, before: *self.before }
    }

    fn behind(&self, sealed: &[u8]) -> Self {
        let at = self.frame().next(sealed);
        let length = u64::try_from(sealed.len().saturating_add(FRAME_HEAD)).unwrap_or(u64::MAX);
        Self { number: at.number, before: at.before.into(), byte: self.byte.saturating_add(length) }
    }
}

/// Writes the frames of one part.
pub(crate) struct Writer {
    frames: Frames,
    /// The next frame.
    pub(crate) at: AtRecord,
    plain: Zeroizing<Vec<u8>>,
    frame: usize,
    /// What was sealed.
    pub(crate) out: Vec<u8>,
}

impl Writer {
    /// Of a backup with this header, from there on, in a part of about so many bytes.
    pub(crate) fn new(key: &BackupKey, header: &[u8], at: AtRecord, part: usize) -> Self {
        let (frames, frame) = (key.frames(header), FRAME.min(part));
        Self { frames, at, plain: Zeroizing::default(), frame, out: Vec::new() }
    }

    pub(crate) fn add(&mut self, item: &Item) -> Result<(), Refusal> {
        minicbor::encode(item, &mut *self.plain).map_err(|_| Refusal::Fault)?;
        if self.plain.len() >= self.frame {
            self.seal(false);
        }
        Ok(())
    }

    /// Seals what was added since the last frame, if anything was.
    pub(crate) fn flush(&mut self) {
        if !self.plain.is_empty() {
            self.seal(false);
        }
    }

    /// Seals the last frame with this item alone.
    pub(crate) fn end(&mut self, item: &Item) -> Result<(), Refusal> {
        self.flush();
        minicbor::encode(item, &mut *self.plain).map_err(|_| Refusal::Fault)?;
        self.seal(true);
        Ok(())
    }

    fn seal(&mut self, last: bool) {
        let sealed = self.frames.seal(&self.at.frame(), last, &self.plain);
        self.at = self.at.behind(&sealed);
        self.out.extend_from_slice(&frame(last, &sealed));
        self.plain = Zeroizing::default();
    }
}

/// A frame that was opened.
pub(crate) struct Opened {
    pub(crate) items: Vec<Item>,
    pub(crate) last: bool,
    /// What stands behind it.
    pub(crate) next: AtRecord,
}

/// What stands at a place.
pub(crate) enum Read {
    Frame(Opened),
    /// So many bytes are needed.
    Needs(usize),
}

/// Opens the frame that begins with these bytes.
pub(crate) fn open(frames: &Frames, at: AtRecord, bytes: &[u8]) -> Result<Read, BackupError> {
    let altered = || BackupError::Altered { frame: at.number };
    match piece(bytes) {
        Piece::Needs(n) => Ok(Read::Needs(n)),
        Piece::Bad => Err(altered()),
        Piece::Frame { last, sealed } => {
            let plain = frames.open(&at.frame(), last, sealed).map_err(|_| altered())?;
            let items = items(&plain).ok_or_else(altered)?;
            Ok(Read::Frame(Opened { items, last, next: at.behind(sealed) }))
        }
    }
}

fn items(plain: &[u8]) -> Option<Vec<Item>> {
    let (mut decoder, mut items) = (Decoder::new(plain), Vec::new());
    while decoder.position() < plain.len() {
        items.push(decoder.decode().ok()?);
    }
    Some(items)
}
