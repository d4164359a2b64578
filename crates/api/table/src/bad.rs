//! What can be wrong with a request that names a route: facts, which each protocol puts in its own words or shape.

use thiserror::Error;

/// A piece of a request that may be shown in an error: bounded, and without control characters. Never a body's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// Most characters that are shown.
    pub const MAX: usize = 128;

    /// The beginning of `text`, with control characters replaced.
    pub fn of(text: &str) -> Self {
        Self(text.chars().take(Self::MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a request cannot become a command. Its text never holds anything of the body's values, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadParameter {
    /// The body is not JSON at all.
    #[error("The request body is not valid JSON (line {line}, column {column}).")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The body is JSON, and a member has the wrong type.
    #[error("A member of the request body has a wrong type, or stands there twice (line {line}, column {column}).")]
    WrongType {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Something required is not there.
    #[error("Property {what} is missing.")]
    Missing {
        /// Which.
        what: &'static str,
    },
    /// The name in the path is none.
    #[error("The request URI contains an invalid name: {given}")]
    Name {
        /// What stands there.
        given: Shown,
    },
    /// The version in the path is none.
    #[error("The request URI contains an invalid version: {given}. A version has 32 hexadecimal digits.")]
    Version {
        /// What stands there.
        given: Shown,
    },
    /// A word, size or algorithm that is not served.
    #[error("Property {what} has the value '{given}', which is not supported. Supported: {supported}.")]
    Unsupported {
        /// Which.
        what: &'static str,
        /// What stands there.
        given: Shown,
        /// What would be accepted.
        supported: &'static str,
    },
    /// Not base64url.
    #[error("Property {what} is not base64url.")]
    NotBase64 {
        /// Which.
        what: &'static str,
    },
    /// Too long.
    #[error("Property {what} is longer than {max} {unit}.")]
    TooLong {
        /// Which.
        what: &'static str,
        /// The bound.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
    /// Not a number between the bounds.
    #[error("Property {what} must be an integer from {min} to {max}.")]
    Range {
        /// Which.
        what: &'static str,
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Something given that may not be.
    #[error("Property {what} must not be given: {why}.")]
    NotAllowed {
        /// Which.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The path names something that cannot be there.
    #[error("Requested {what} not found: '{given}' is no name of one.")]
    NoSuch {
        /// What.
        what: &'static str,
        /// The protocol's code for that.
        code: &'static str,
        /// What stands there.
        given: Shown,
    },
    /// A value of the wrong form.
    #[error("Property {what} has an invalid value: {expected} is expected.")]
    Malformed {
        /// Which.
        what: &'static str,
        /// The form.
        expected: &'static str,
    },
}

impl BadParameter {
    /// From a JSON error: where, never what, because the values of a body may be secret.
    pub fn json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => Self::WrongType { line, column },
            _ => Self::NotJson { line, column },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_never_repeats_a_value_of_the_body() {
        for body in [r#"{"value":["cGxhaW4"]}"#, r#"{"value":"cGxhaW4"#, r#"{"value":cGxhaW4}"#] {
            let error = serde_json::from_str::<std::collections::BTreeMap<String, u8>>(body).unwrap_err();
            assert!(!BadParameter::json(&error).to_string().contains("cGx"), "{body}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        let shown = Shown::of(&format!("a\r\n{}", "x".repeat(500))).to_string();
        assert!(shown.chars().count() == Shown::MAX && !shown.contains(['\r', '\n']));
    }
}
