//! The node's note of its clock, in a file beside the node's key: read at the start, written when something is new.

use crate::exit::Failure;
use crate::node_key::write_private;
use keystead_engine::ClockNote;
use std::path::{Path, PathBuf};

/// The file in the data directory.
const FILE: &str = "clock";
/// How old the time in it may become, in ms: of this much less is known after a crash.
const EVERY: i64 = 600_000;

/// Where the note is kept, and what stands there.
pub(crate) struct Keeper {
    file: PathBuf,
    kept: Option<ClockNote>,
    /// Whether it was said that it cannot be written.
    said: bool,
}

impl Keeper {
    pub(crate) fn new(data: &Path) -> Self {
        Self { file: data.join(FILE), kept: None, said: false }
    }

    /// What the node noted last. What cannot be read is as good as nothing: the clock is doubted then.
    pub(crate) fn read(&self) -> Result<Option<ClockNote>, Failure> {
        let bytes = match std::fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::unavailable(format!("cannot read {}: {e}", self.file.display()))),
        };
        let note = ClockNote::parse(&bytes);
        Ok(note.inspect_err(|e| tracing::warn!("{} is no note of the clock: {e}", self.file.display())).ok())
    }

    /// Writes the note: durable when it returns.
    pub(crate) fn write(&mut self, note: ClockNote) -> Result<(), Failure> {
        write_private(&self.file, &note.to_bytes())?;
        self.kept = Some(note);
        Ok(())
    }

    /// Writes the note if it says something new, and tries again with the next where that fails: a doubt holds in
    /// memory meanwhile.
    pub(crate) fn keep(&mut self, note: ClockNote) {
        if self.kept.is_some_and(|kept| !new(&kept, &note)) {
            return;
        }
        match self.write(note) {
            Ok(()) => self.said = false,
            Err(e) if !self.said => {
                tracing::warn!("the clock may be doubted after a restart: {}", e.into_message());
                self.said = true;
            }
            Err(_) => {}
        }
    }
}

fn new(kept: &ClockNote, note: &ClockNote) -> bool {
    kept.doubt != note.doubt || note.seen.0.saturating_sub(kept.seen.0).saturating_abs() >= EVERY
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_engine::{Doubt, Why};
    use keystead_model::Time;
    use std::os::unix::fs::PermissionsExt as _;

    fn note(seen: i64, id: Option<u8>) -> ClockNote {
        let doubt = id.map(|id| Doubt { id: [id; 16], why: Why::Step, said: Time(1), expected: None });
        ClockNote { seen: Time(seen), doubt }
    }

    #[test]
    fn a_new_doubt_is_written_at_once_and_the_time_every_ten_minutes() {
        let dir = tempfile::tempdir().unwrap();
        let stands = || Keeper::new(dir.path()).read().ok().unwrap();
        let mut keeper = Keeper::new(dir.path());
        assert_eq!(stands(), None);
        for (given, expected) in [
            (note(0, None), note(0, None)),
            (note(EVERY - 1, None), note(0, None)),
            (note(EVERY, None), note(EVERY, None)),
            (note(EVERY + 1, Some(1)), note(EVERY + 1, Some(1))),
            (note(EVERY + 2, Some(1)), note(EVERY + 1, Some(1))),
            (note(EVERY + 3, Some(2)), note(EVERY + 3, Some(2))),
            (note(0, Some(2)), note(0, Some(2))),
        ] {
            keeper.keep(given);
            assert_eq!(stands(), Some(expected));
        }
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let later = dir.path().join("later");
        let mut keeper = Keeper::new(&later);
        keeper.keep(note(0, Some(1)));
        assert!(keeper.said);
        std::fs::create_dir(&later).unwrap();
        keeper.keep(note(1, Some(1)));
        assert_eq!(Keeper::new(&later).read().ok().unwrap(), Some(note(1, Some(1))));
        assert!(!keeper.said);
    }

    #[test]
    fn a_damaged_note_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "\u{1}nonsense").unwrap();
        assert_eq!(Keeper::new(dir.path()).read().ok().unwrap(), None);
    }
}
