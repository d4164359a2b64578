//! Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root of a log, signed by its node.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::ed25519::SigningKey;

use super::note::{self, BadNote, VerifierKey};
use super::{EMPTY_ROOT, Hash};

/// Why a checkpoint was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not a note signed by the key.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// The text is not origin, size and root.
    #[error("not a checkpoint: the text must be the origin, the size and the root, a line each")]
    Malformed,
    /// The origin is not the name of the key that signed.
    #[error("the checkpoint is of another log than the key that signed it")]
    WrongOrigin,
}

/// What a log states about itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Entries in the tree.
    pub size: u64,
    /// Merkle tree hash of those entries.
    pub root: Hash,
    /// Lines after the first three, each without its newline. We write none.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// Without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// From the text of a note. Nothing is proven yet.
    pub fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        parse(text).filter(|c| c.to_text() == text).ok_or(BadCheckpoint::Malformed)
    }

    /// The text that is signed: one line each, every line ended by a newline.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The signed note, as it is published.
    pub fn sign(&self, key: &SigningKey) -> String {
        note::sign(&self.to_text(), &self.origin, key)
    }

    /// From a published note that the key of this very log signed.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, BadCheckpoint> {
        let checkpoint = Self::parse(note::open(note, key)?)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(BadCheckpoint::WrongOrigin) }
    }

    /// What a note says, whoever signed it: to find out which log it is about.
    pub fn unproven(note: &[u8]) -> Result<Self, BadCheckpoint> {
        Self::parse(note::split(note)?.0)
    }
}

fn parse(text: &str) -> Option<Checkpoint> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let root: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
    let size: u64 = size.parse().ok()?;
    let extensions: Vec<String> = lines.map(str::to_owned).collect();
    let valid = !origin.is_empty() && extensions.iter().all(|l| !l.is_empty()) && (size > 0 || root == EMPTY_ROOT);
    // What can be written two ways (signs, leading zeros) is caught by printing it again.
    valid.then(|| Checkpoint { origin: origin.to_owned(), size, root, extensions })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "keystead/a/b/c";

    #[test]
    fn a_checkpoint_opens_as_it_was_signed() {
        let key = SigningKey::from_seed(&[5; 32]);
        let vkey = VerifierKey::new(ORIGIN, key.public());
        let mut checkpoint = Checkpoint::new(ORIGIN, 12, [7; 32]);
        assert_eq!(Checkpoint::open(checkpoint.sign(&key).as_bytes(), &vkey), Ok(checkpoint.clone()));
        checkpoint.extensions.push("more".into());
        assert_eq!(Checkpoint::open(checkpoint.sign(&key).as_bytes(), &vkey), Ok(checkpoint.clone()));
        let foreign = note::sign(&Checkpoint::new("other", 12, [7; 32]).to_text(), ORIGIN, &key);
        assert_eq!(Checkpoint::open(foreign.as_bytes(), &vkey), Err(BadCheckpoint::WrongOrigin));
        assert_eq!(Checkpoint::unproven(foreign.as_bytes()).map(|c| c.origin).as_deref(), Ok("other"));
    }

    #[test]
    fn any_other_way_to_write_a_checkpoint_is_refused() {
        let root = STANDARD.encode([7; 32]);
        for text in [
            String::new(),
            format!("{ORIGIN}\n12\n{root}"),
            format!("\n12\n{root}\n"),
            format!("{ORIGIN}\n+12\n{root}\n"),
            format!("{ORIGIN}\n012\n{root}\n"),
            format!("{ORIGIN}\n0\n{root}\n"),
            format!("{ORIGIN}\n-1\n{root}\n"),
            format!("{ORIGIN}\n12\n{}\n", STANDARD.encode([7; 31])),
            format!("{ORIGIN}\n12\n{root}\n\nmore\n"),
            format!("{ORIGIN}\n12\n"),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(BadCheckpoint::Malformed), "{text:?}");
        }
    }
}
