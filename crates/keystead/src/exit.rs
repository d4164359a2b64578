//! Exit codes, and how a failure is shown.

use std::io::Write as _;
use std::process::ExitCode;

/// Done.
pub(crate) const DONE: u8 = 0;
/// A check failed: the log is damaged, a proof does not hold.
pub(crate) const CHECK: u8 = 1;
/// The command line or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;
/// Not allowed, or not found.
pub(crate) const DENIED: u8 = 3;
/// The server, the disk or the network is not there.
pub(crate) const UNAVAILABLE: u8 = 4;

/// What a command ends with when it does not succeed: one line that says what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self { code: CHECK, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self { code: DENIED, message: message.into() }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, message: message.into() }
    }

    /// No failure: what was asked was proposed, as it was asked to be, and there is no result. Goes to standard output.
    pub(crate) fn proposed(message: impl Into<String>) -> Self {
        Self { code: DONE, message: message.into() }
    }

    /// The same, about something that is named.
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// What to do, for whoever says it elsewhere.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    pub(crate) fn show(&self) -> ExitCode {
        let _ = match self.code {
            DONE => writeln!(std::io::stdout(), "{}", self.message),
            _ => writeln!(std::io::stderr(), "keystead: {}", self.message),
        };
        ExitCode::from(self.code)
    }
}
