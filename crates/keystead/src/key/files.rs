//! Where values come from and go to: files, standard input and output.

use crate::exit::Failure;
use crate::new_files;
use crate::output;
use keystead_crypto::Hash;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most bytes of a value to be encrypted or decrypted. The server's own bound is below it.
pub(crate) const MAX_VALUE: u64 = 1 << 20;

/// Where a value comes from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InputArgs {
    /// Read from this file; `-` is standard input
    #[arg(long = "in", value_name = "FILE", default_value = "-")]
    input: PathBuf,
}

/// Where a result goes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OutArgs {
    /// Write to this file; default: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl From<PathBuf> for InputArgs {
    fn from(input: PathBuf) -> Self {
        Self { input }
    }
}

impl InputArgs {
    /// Its digest, however long it is.
    pub(crate) fn digest(&self, with: Hash) -> Result<Vec<u8>, Failure> {
        if self.input == Path::new("-") {
            return hash(with, std::io::stdin().lock(), "standard input");
        }
        let name = self.input.display().to_string();
        let file = std::fs::File::open(&self.input).map_err(|e| Failure::usage(format!("cannot read {name}: {e}")))?;
        hash(with, file, &name)
    }

    /// All of it, if it has at most `bound` bytes.
    pub(crate) fn read(&self, bound: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self.input == Path::new("-") {
            return read_bounded(std::io::stdin().lock(), "standard input", bound);
        }
        let name = self.input.display().to_string();
        let file = std::fs::File::open(&self.input).map_err(|e| Failure::usage(format!("cannot read {name}: {e}")))?;
        read_bounded(file, &name, bound)
    }
}

impl OutArgs {
    /// Whether a file was named.
    pub(crate) fn is_file(&self) -> bool {
        self.out.is_some()
    }

    /// Writes a result. A file is for its owner alone.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match &self.out {
            None => output::bytes(bytes),
            Some(file) if is_special(file) => write_into(file, bytes)
                .map_err(|e| Failure::unavailable(format!("cannot write {}: {e}", file.display()))),
            Some(file) => new_files::replace(file, bytes),
        }
    }
}

/// A device or a pipe.
fn is_special(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn write_into(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(file)?.write_all(bytes)
}

fn hash(with: Hash, mut from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let (mut digest, mut chunk) = (with.hasher(), vec![0; 1 << 16]);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(digest.finish()),
            Ok(n) => digest.update(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Failure::usage(format!("cannot read {name}: {e}"))),
        }
    }
}

fn read_bounded(from: impl Read, name: &str, bound: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = from.take(bound.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|e| Failure::usage(format!("cannot read {name}: {e}")))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > bound {
        return Err(Failure::usage(format!("{name} has more than {bound} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_the_bound_is_refused_and_not_cut() {
        assert_eq!(read_bounded(&b"abc"[..], "x", 3).ok().unwrap().as_slice(), b"abc");
        assert!(read_bounded(&b"abcd"[..], "x", 3).is_err());
    }
}
