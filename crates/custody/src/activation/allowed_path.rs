//! An unseal path as customers allow it. The name alone would say nothing: what stands behind it is the operator's
//! configuration.

use std::fmt;
use std::str::FromStr;

/// The name and the kind of an unseal path: `boot:credential`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPath {
    name: String,
    kind: Option<String>,
}

/// No such text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an unseal path is NAME:KIND, a name of 1 to 24 characters of a-z, 0-9 and -, and the kind file, credential or hsm"
)]
pub struct BadPath;

const MAX_NAME: usize = 24;
const KINDS: [&str; 3] = ["file", "credential", "hsm"];

impl AllowedPath {
    /// As records have it. The first ones named no kind: what they name allows nothing.
    pub(crate) fn stored(text: &str) -> Result<Self, BadPath> {
        match text.contains(':') {
            true => text.parse(),
            false => Ok(Self { name: named(text)?, kind: None }),
        }
    }

    /// As nodes are configured with it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `file`, `credential` or `hsm`; none in the first records.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

fn named(name: &str) -> Result<String, BadPath> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(good) { Ok(name.to_owned()) } else { Err(BadPath) }
}

impl FromStr for AllowedPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let (name, kind) = text.split_once(':').ok_or(BadPath)?;
        if !KINDS.contains(&kind) {
            return Err(BadPath);
        }
        Ok(Self { name: named(name)?, kind: Some(kind.to_owned()) })
    }
}

impl fmt::Display for AllowedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{}:{kind}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
