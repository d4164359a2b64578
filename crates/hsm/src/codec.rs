//! What server and worker say to each other, as bytes on a socket pair.
//!
//! ```text
//! length u32, big-endian, of what follows | version 1 byte | one message in deterministic CBOR
//! ```
//!
//! It does not outlive a process, but a server that was upgraded while it ran can meet a worker of another release: the
//! version says so. What is read is bounded, and only what would have been written the same is taken.

mod settings;
pub(crate) mod words;

use crate::call::{Answer, Call};
use crate::error::HsmError;
use crate::worker::confine::Confinement;
use crate::worker::{Found, Settings};
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::{Zeroize as _, Zeroizing};

/// Changes with any change of a message.
const VERSION: u8 = 5;

/// Longest message in bytes.
pub(crate) const MAX: usize = 1 << 20;

const HEAD: usize = 5;

/// What the server says. `C` is a call or a reference to one.
#[derive(Encode, Decode)]
pub(crate) enum ToWorker<C = Call> {
    /// First: what the worker gives up before it loads anything. Answered by [`FromWorker::Confined`] or
    /// [`FromWorker::Failed`].
    #[n(0)]
    Confine(#[n(0)] Confinement),
    /// Second, once it is [`FromWorker::Confined`]: which token, its PIN, and what an earlier worker's self-test found,
    /// so that it need not be made again. Answered by [`FromWorker::Ready`] or [`FromWorker::Failed`].
    #[n(1)]
    Open(#[cbor(n(0), with = "settings")] Settings, #[n(1)] Option<Box<Found>>),
    /// Then, at most as many at once as the worker has sessions. Answered by [`FromWorker::Answered`].
    #[n(2)]
    Ask {
        /// Says which answer is whose.
        #[n(0)]
        id: u64,
        /// When it is too late to begin: nanoseconds of the host's monotonic clock.
        #[n(1)]
        by: u64,
        /// What is asked.
        #[n(2)]
        call: C,
    },
}

/// What the worker says.
#[derive(Encode, Decode)]
pub(crate) enum FromWorker {
    /// It may have the PIN.
    #[n(0)]
    Confined,
    /// The token is open, with this many sessions; what its self-test found is for the worker that comes after this
    /// one.
    #[n(1)]
    Ready(#[n(0)] u16, #[n(1)] Box<Found>),
    /// It is not; the worker ends.
    #[n(2)]
    Failed(#[n(0)] HsmError),
    /// To [`ToWorker::Ask`].
    #[n(3)]
    Answered {
        /// The question's.
        #[n(0)]
        id: u64,
        /// The answer.
        #[n(1)]
        answer: Answer,
    },
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("a message has at most 1 MiB")]
    TooLong,
    #[error("the other side speaks version {found} of the messages, this one {VERSION}: start the server again")]
    Version { found: u8 },
    #[error("a message is damaged")]
    Damaged,
}

/// A message as it travels.
pub(crate) fn frame<T: Encode<()>>(message: &T) -> Result<Zeroizing<Vec<u8>>, BadFrame> {
    let mut out = Bytes(Zeroizing::new(Vec::with_capacity(1 << 10)));
    out.write_all(&[0; HEAD])?;
    Encoder::new(&mut out).encode(message).map_err(|_| BadFrame::TooLong)?;
    let length = out.0.len().checked_sub(HEAD - 1).and_then(|length| u32::try_from(length).ok());
    let [a, b, c, d] = length.ok_or(BadFrame::TooLong)?.to_be_bytes();
    if let Some(head) = out.0.get_mut(..HEAD) {
        head.copy_from_slice(&[a, b, c, d, VERSION]);
    }
    Ok(out.0)
}

/// Bounded, and leaves no copy behind as it grows.
struct Bytes(Zeroizing<Vec<u8>>);

impl Write for Bytes {
    type Error = BadFrame;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), BadFrame> {
        let length = self.0.len().saturating_add(bytes.len());
        if length > MAX.saturating_add(HEAD) {
            return Err(BadFrame::TooLong);
        }
        if length > self.0.capacity() {
            self.0 = larger(&self.0, length.saturating_mul(2));
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn larger(old: &[u8], capacity: usize) -> Zeroizing<Vec<u8>> {
    let mut new = Zeroizing::new(Vec::with_capacity(capacity));
    new.extend_from_slice(old);
    new
}

/// One message, alone in its bytes.
pub(crate) fn message<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, BadFrame> {
    let mut decoder = Decoder::new(bytes);
    let message: T = decoder.decode().map_err(|_| BadFrame::Damaged)?;
    let again = frame(&message)?;
    if again.get(HEAD..) == Some(bytes) { Ok(message) } else { Err(BadFrame::Damaged) }
}

/// Cuts what was read into messages. Cleared as it goes.
pub(crate) struct Frames {
    bytes: Zeroizing<Vec<u8>>,
    /// Read and not yet taken.
    from: usize,
    to: usize,
}

/// What is kept to read into; more only while a longer message comes.
const ROOM: usize = 16 << 10;

impl Frames {
    pub(crate) fn new() -> Self {
        Self { bytes: Zeroizing::new(vec![0; ROOM]), from: 0, to: 0 }
    }

    /// Where to read into: not empty once [`Self::next`] has given nothing.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.from > 0 {
            self.bytes.copy_within(self.from..self.to, 0);
            let moved = self.to.saturating_sub(self.from);
            self.bytes.get_mut(moved..self.to).unwrap_or_default().zeroize();
            (self.from, self.to) = (0, moved);
        }
        let waiting = self.bytes.get(..self.to).unwrap_or_default();
        let coming = head(waiting).map_or(0, |(length, _)| length.min(MAX).saturating_add(HEAD));
        let room = coming.max(ROOM).max(self.to);
        if room != self.bytes.len() {
            let mut other = larger(waiting, room);
            other.resize(room, 0);
            self.bytes = other;
        }
        self.bytes.get_mut(self.to..).unwrap_or_default()
    }

    /// So many bytes were read into [`Self::space`].
    pub(crate) fn filled(&mut self, count: usize) {
        self.to = self.to.saturating_add(count).min(self.bytes.len());
    }

    /// The next message, if all of it is there.
    pub(crate) fn next<T: Encode<()> + for<'b> Decode<'b, ()>>(&mut self) -> Result<Option<T>, BadFrame> {
        let waiting = self.bytes.get_mut(self.from..self.to).unwrap_or_default();
        let Some((length, version)) = head(waiting) else { return Ok(None) };
        if version != VERSION {
            return Err(BadFrame::Version { found: version });
        }
        if length > MAX.saturating_add(1) {
            return Err(BadFrame::TooLong);
        }
        let end = length.saturating_add(HEAD - 1);
        if waiting.len() < end {
            return Ok(None);
        }
        let body = waiting.get_mut(HEAD..end).ok_or(BadFrame::Damaged)?;
        let message = message(body);
        body.zeroize();
        self.from = self.from.saturating_add(end);
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        message.map(Some)
    }
}

/// Length and version, if they are there.
fn head(bytes: &[u8]) -> Option<(usize, u8)> {
    let ([a, b, c, d, version], _) = bytes.split_first_chunk()?;
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    Some((usize::try_from(length).unwrap_or(usize::MAX), *version))
}

#[cfg(test)]
mod tests;
