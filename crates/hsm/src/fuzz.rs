//! Entry points for fuzzing: each takes any bytes and must return.

use crate::codec::{Frames, FromWorker, ToWorker, message};

/// What a worker hears, without its frame.
pub fn to_worker(bytes: &[u8]) {
    let _ = message::<ToWorker>(bytes);
}

/// What a server hears, without its frame.
pub fn from_worker(bytes: &[u8]) {
    let _ = message::<FromWorker>(bytes);
}

/// What comes on a socket, in pieces.
pub fn frames(bytes: &[u8]) {
    let mut frames = Frames::new();
    for piece in bytes.chunks((bytes.len() % 61).max(1)) {
        let mut rest = piece;
        while !rest.is_empty() {
            let space = frames.space();
            let (now, later) = rest.split_at(rest.len().min(space.len()));
            space.iter_mut().zip(now).for_each(|(into, from)| *into = *from);
            frames.filled(now.len());
            rest = later;
            loop {
                match frames.next::<ToWorker>() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    }
}
