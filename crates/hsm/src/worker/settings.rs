//! Which token a worker opens, and how.

use std::fmt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// One token. No `Debug`: it has the PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The vendor's library.
    pub module: PathBuf,
    /// Which of its slots.
    pub select: Select,
    /// The PIN of the normal user.
    pub pin: Zeroizing<String>,
    /// How many sessions to work with; if nothing is said, as many as suit the token.
    pub sessions: Option<u16>,
    /// Whether nothing of ours may stay in the token: its canary goes with the session.
    pub guest: bool,
}

/// What a slot is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// The label of its token.
    Label(String),
    /// The serial number of its token.
    Serial(String),
    /// The only one that the library has.
    Only,
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => write!(f, "label \"{label}\""),
            Self::Serial(serial) => write!(f, "serial \"{serial}\""),
            Self::Only => f.write_str("place of the only one"),
        }
    }
}
