//! Object names, and references to a key or one of its versions.

use crate::Version;
use std::fmt;

/// Text that cannot be an object name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadName;

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name has 1 to 127 characters of 0-9, a-z, A-Z and -")
    }
}

impl std::error::Error for BadName {}

/// The name of an object in a vault: `^[0-9a-zA-Z-]{1,127}$`, compared without regard to case, shown as given at
/// creation.
#[derive(Clone, Debug)]
pub struct Name(String);

impl Name {
    /// Longest name, in characters.
    pub const MAX: usize = 127;

    /// Checks the alphabet and the length.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let good =
            (1..=Self::MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if good { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }

    /// As given at creation.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that names the object for lookup and comparison.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key, or one version of it. No version means the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// Which key.
    pub name: Name,
    /// Which version; `None` is the newest.
    pub version: Option<Version>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_show_as_given() {
        let name = Name::parse("Payments-2026").unwrap();
        assert_eq!(name, Name::parse("payments-2026").unwrap());
        assert_eq!(name.to_string(), "Payments-2026");
    }

    #[test]
    fn bad_names_are_refused() {
        for text in ["", "a_b", "a b", "é", "a/b", &"x".repeat(128)] {
            assert_eq!(Name::parse(text), Err(BadName), "{text}");
        }
    }
}
