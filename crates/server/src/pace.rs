//! What a connection is doing and since when, and the stream that notices it.
//!
//! The connection's task and its stream share one [`Pace`]; one coarse timer per connection reads it, so that a
//! request arms no timer of its own for its head, its answer or the rest after it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::Limits;

/// How long, and over how many bytes, a refused body's rest is read and thrown away, so that its sender reads the
/// refusal instead of a reset connection.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;
const LINGER_PIECE: usize = 64 << 10;

/// A stage of a connection. The discriminants stand in [`Pace::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between two requests.
    Idle = 0,
    /// A head is awaited (after the handshake) or under way.
    Head = 1,
    /// Body or handler: `exchange` keeps the time.
    Busy = 2,
    /// An answer is being written.
    Writing = 3,
    /// Nothing more is answered.
    Closing = 4,
}

/// The phase and its start, in one word.
pub(crate) struct Pace {
    born: Instant,
    /// Milliseconds from `born` to the phase's start, then three bits of the phase.
    state: AtomicU64,
    /// Places of those who may linger, and this connection's once it has one.
    lingering: Arc<Semaphore>,
    linger: OnceLock<OwnedSemaphorePermit>,
}

/// What the connection's timer has to do.
pub(crate) enum Next {
    /// Look again then.
    Check(Instant),
    /// This phase is over time.
    Over(Phase),
}

impl Pace {
    /// A connection that may now send its first request.
    pub(crate) fn new(lingering: Arc<Semaphore>) -> Self {
        let state = AtomicU64::new(Phase::Head as u64);
        Self { born: Instant::now(), state, lingering, linger: OnceLock::new() }
    }

    /// Starts a phase.
    pub(crate) fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX >> 3);
        self.state.store((millis << 3) | phase as u64, Relaxed);
    }

    /// The close to come waits for the peer to read what was said, unless too many others wait.
    pub(crate) fn linger_at_close(&self) {
        if let Ok(place) = Arc::clone(&self.lingering).try_acquire_owned() {
            // Said twice, the first place stays and the second is given back.
            let _ = self.linger.set(place);
        }
    }

    /// When the connection must be looked at again.
    pub(crate) fn next(&self, limits: &Limits) -> Next {
        let now = Instant::now();
        let (phase, since) = self.read();
        let allowed = match phase {
            Phase::Idle => Some(limits.idle_timeout),
            Phase::Head => Some(limits.header_read_timeout),
            Phase::Busy => None,
            Phase::Writing => Some(limits.write_timeout),
            Phase::Closing => Some(LINGER),
        };
        // A phase that begins after this look is met at most one tick later, before its own time is over.
        let tick = limits.header_read_timeout.min(limits.write_timeout).min(LINGER);
        let look = after(now, tick);
        match allowed.map(|allowed| after(since, allowed)) {
            Some(end) if end <= now => Next::Over(phase),
            Some(end) => Next::Check(end.min(look)),
            None => Next::Check(look),
        }
    }

    fn read(&self) -> (Phase, Instant) {
        let state = self.state.load(Relaxed);
        let phase = match state & 7 {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Busy,
            3 => Phase::Writing,
            _ => Phase::Closing,
        };
        (phase, after(self.born, Duration::from_millis(state >> 3)))
    }

    fn phase(&self) -> Phase {
        self.read().0
    }

    fn bytes_came(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    fn flushed(&self) {
        if self.phase() == Phase::Writing {
            self.enter(Phase::Idle);
        }
    }
}

fn after(start: Instant, by: Duration) -> Instant {
    start.checked_add(by).unwrap_or(start)
}

/// A stream that keeps its connection's [`Pace`] and closes politely.
pub(crate) struct Paced<S> {
    inner: S,
    pace: Arc<Pace>,
    /// Bytes still to be thrown away; none until the write half is shut.
    rest: Option<usize>,
}

impl<S> Paced<S> {
    pub(crate) fn new(inner: S, pace: Arc<Pace>) -> Self {
        Self { inner, pace, rest: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.pace.bytes_came();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        self.pace.flushed();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let phase = this.pace.phase();
        if phase != Phase::Closing {
            // Ending while a head is under way means that the parser refused it.
            if phase == Phase::Head {
                this.pace.linger_at_close();
            }
            this.pace.enter(Phase::Closing);
        }
        if this.rest.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            this.rest = Some(if this.pace.linger.get().is_some() { LINGER_BYTES } else { 0 });
        }
        throw_away(&mut this.inner, &mut this.rest, cx)
    }
}

/// Reads up to the end, an error, or as many bytes as are left in `rest`; a piece at a time, so that whoever sends as
/// fast as it can leaves others their turn.
fn throw_away<S: AsyncRead + Unpin>(
    stream: &mut S,
    rest: &mut Option<usize>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut scratch = [0; 4096];
    let mut piece = LINGER_PIECE;
    while let Some(left) = rest.filter(|left| *left > 0) {
        let mut buf = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
            Ok(()) if !buf.filled().is_empty() => *rest = Some(left.saturating_sub(buf.filled().len())),
            _ => *rest = Some(0),
        }
        piece = piece.saturating_sub(scratch.len());
        if piece == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
    }
    Poll::Ready(Ok(()))
}
