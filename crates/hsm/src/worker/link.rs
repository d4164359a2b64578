//! The worker's end of the socket. Its threads take turns: one waits for the next question, each writes its own answer.

use crate::codec::{BadFrame, Frames, FromWorker, ToWorker, frame};
use crate::error::HsmError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// The socket, which was the process's standard input.
pub(crate) struct Link {
    socket: UnixStream,
    frames: Mutex<Frames>,
    writing: Mutex<()>,
}

impl Link {
    /// Takes the socket away from standard input, where a library might read.
    pub(crate) fn take_stdin() -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(stdin)?.st_mode) != rustix::fs::FileType::Socket {
            return Err(ErrorKind::InvalidInput.into());
        }
        let socket = UnixStream::from(stdin.try_clone_to_owned()?);
        let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::stdio::dup2_stdin(nothing)?;
        Ok(Self { socket, frames: Mutex::new(Frames::new()), writing: Mutex::new(()) })
    }

    /// The next thing that the server says; nothing once it hung up.
    pub(crate) fn next(&self) -> Result<Option<ToWorker>, BadFrame> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(message) = frames.next()? {
                return Ok(Some(message));
            }
            match (&self.socket).read(frames.space()) {
                Ok(0) => return Ok(None),
                Ok(count) => frames.filled(count),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// Says something to the server. False once it hung up.
    pub(crate) fn say(&self, message: &FromWorker) -> bool {
        let Ok(bytes) = framed(message) else { return false };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        (&self.socket).write_all(&bytes).is_ok()
    }

    /// Nothing more is heard: every thread ends after what it does now.
    pub(crate) fn close_ears(&self) {
        let _ = self.socket.shutdown(Shutdown::Read);
    }

    /// Waits until the server hung up, or [`Self::close_ears`] was called.
    pub(crate) fn wait_for_end(&self) {
        loop {
            let mut watched = [PollFd::new(&self.socket, PollFlags::RDHUP)];
            match poll(&mut watched, None) {
                Err(rustix::io::Errno::INTR) => {}
                _ => return,
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// An answer that is too long for a message is one itself.
fn framed(message: &FromWorker) -> Result<zeroize::Zeroizing<Vec<u8>>, BadFrame> {
    match (frame(message), message) {
        (Err(e), FromWorker::Answered { id, .. }) => {
            frame(&FromWorker::Answered { id: *id, answer: Err(HsmError::Failed { code: e.to_string() }) })
        }
        (framed, _) => framed,
    }
}
