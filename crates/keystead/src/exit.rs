//! Exit codes, and how a failure is shown. This is the table that `keystead --help` and docs/command-line.md repeat.

use serde::Serialize;
use std::io::Write as _;
use std::process::ExitCode;

/// Done.
pub(crate) const DONE: u8 = 0;
/// A check failed: something is damaged, changed, foreign or false, or is not what was compared with it.
pub(crate) const CHECK: u8 = 1;
/// The command line, the configuration or what was sent is wrong.
pub(crate) const USAGE: u8 = 2;
/// Refused as things stand: not allowed, not there, or in the way of what is there.
pub(crate) const REFUSED: u8 = 3;
/// Not now: the vault is sealed or waits, or the server, the disk, a token or the network is not there.
pub(crate) const UNAVAILABLE: u8 = 4;

/// The table in few words.
pub(crate) const TABLE: &str = "\
Exit codes: 0 done; 1 a check failed; 2 usage; 3 refused: not allowed, not there,
or in the way; 4 unavailable, or sealed. With --output json the last line on
standard error is the error as JSON.";

/// A server's words for what is there and cannot be used now.
const NOT_NOW: &[&str] = &["VaultSealed", "VaultNotActivated"];

/// A server's words for what was checked and is not right.
const NOT_RIGHT: &[&str] = &["NotABackup", "BackupForeign", "BackupTruncated", "BackupAltered", "BackupLost"];

/// The exit code of a server's refusal, by its status and its words.
pub(crate) fn of_refusal(status: u16, words: &[&str]) -> u8 {
    let says = |known: &[&str]| words.iter().any(|word| known.contains(word));
    match status {
        _ if says(NOT_NOW) => UNAVAILABLE,
        _ if says(NOT_RIGHT) => CHECK,
        401 | 403 | 404 | 409 => REFUSED,
        400..=428 | 430..=499 => USAGE,
        _ => UNAVAILABLE,
    }
}

/// What a command ends with when it does not succeed: one line that says what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    /// A server's words, if one refused: its code, and the code within.
    words: Option<(String, Option<String>)>,
}

/// A failure for programs, in the form that the server's refusals have.
#[derive(Serialize)]
struct Document<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    innererror: Option<Inner<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
}

impl Failure {
    const fn new(code: u8, message: String) -> Self {
        Self { code, message, words: None }
    }

    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self::new(CHECK, message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message.into())
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message.into())
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(UNAVAILABLE, message.into())
    }

    /// No failure: what was asked was proposed, as it was asked to be, and there is no result. Goes to standard output.
    pub(crate) fn proposed(message: impl Into<String>) -> Self {
        Self::new(DONE, message.into())
    }

    /// What a server refused.
    pub(crate) fn by_server(status: u16, code: &str, inner: Option<&str>, message: String) -> Self {
        let words: Vec<&str> = [Some(code), inner].into_iter().flatten().collect();
        let exit = of_refusal(status, &words);
        Self { words: Some((code.to_owned(), inner.map(str::to_owned))), ..Self::new(exit, message) }
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

    /// On standard error: a line for people, or one of JSON.
    pub(crate) fn show(&self, json: bool) -> ExitCode {
        let _ = match self.code {
            DONE => writeln!(std::io::stdout(), "{}", self.message),
            _ if json => writeln!(std::io::stderr(), "{}", self.document()),
            _ => writeln!(std::io::stderr(), "keystead: {}", self.message),
        };
        ExitCode::from(self.code)
    }

    fn document(&self) -> String {
        let (code, inner) = match &self.words {
            Some((code, inner)) => (code.as_str(), inner.as_deref()),
            None => (word(self.code), None),
        };
        let innererror = inner.map(|code| Inner { code });
        let error = Body { code, message: &self.message, innererror, exit_code: self.code };
        // Text and numbers always have a form.
        serde_json::to_string(&Document { error }).unwrap_or_default()
    }
}

/// What is said where no server did.
const fn word(code: u8) -> &'static str {
    match code {
        CHECK => "CheckFailed",
        USAGE => "Usage",
        REFUSED => "Refused",
        _ => "Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_exit_code_of_the_table() {
        for (status, words, code) in [
            (403, &["ForbiddenByRbac"][..], REFUSED),
            (404, &["KeyNotFound"], REFUSED),
            (409, &["Conflict", "VaultExists"], REFUSED),
            // Sealed is the same to the operator and to a client.
            (403, &["VaultSealed"], UNAVAILABLE),
            (409, &["Conflict", "VaultSealed"], UNAVAILABLE),
            (403, &["VaultNotActivated"], UNAVAILABLE),
            // A backup that is not whole is the same at the beginning and in the midst of it.
            (400, &["BadParameter", "NotABackup"], CHECK),
            (400, &["BadParameter", "BackupForeign"], CHECK),
            (400, &["BadParameter", "BackupAltered"], CHECK),
            (400, &["BadParameter"], USAGE),
            (429, &["Throttled"], UNAVAILABLE),
            (503, &["ServiceUnavailable", "SharesKept"], UNAVAILABLE),
        ] {
            assert_eq!(of_refusal(status, words), code, "{status} {words:?}");
        }
    }

    #[test]
    fn an_error_for_programs_is_one_line_with_code_message_and_exit_code() {
        let said = |failure: &Failure| serde_json::from_str::<serde_json::Value>(&failure.document()).unwrap();
        let own = said(&Failure::usage("a \"name\" is\nmissing"));
        assert_eq!(
            own["error"],
            serde_json::json!({
                "code": "Usage", "message": "a \"name\" is\nmissing", "exit_code": 2
            })
        );
        let server = Failure::by_server(409, "Conflict", Some("VaultSealed"), "sealed".to_owned());
        assert_eq!(
            said(&server)["error"],
            serde_json::json!({
                "code": "Conflict", "message": "sealed", "innererror": { "code": "VaultSealed" }, "exit_code": 4
            })
        );
        assert!(!server.document().contains('\n'));
    }
}
