//! Words that a person compares before anything is signed or sent.

use crate::exit::Failure;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Whether they agree: those given on the command line with `flag`, or else whoever sits at the terminal says so.
pub(crate) fn agree(words: &str, given: Option<&str>, flag: &str, question: &str) -> Result<(), Failure> {
    let Some(given) = given else { return ask(words, flag, question) };
    let given = given.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    if given == words {
        return Ok(());
    }
    Err(Failure::check(format!("the words differ: here they are \"{words}\", and {flag} says \"{given}\"")))
}

/// Whether this is what he agrees to, letter by letter.
pub(crate) fn agree_to(what: &str, given: Option<&str>, flag: &str) -> Result<(), Failure> {
    match given {
        None => ask(&crate::output::printable(what), flag, "Is this what you agree to?"),
        Some(given) if given == what => Ok(()),
        Some(given) => Err(Failure::check(format!("the challenge says \"{what}\", and {flag} says \"{given}\""))),
    }
}

fn ask(words: &str, flag: &str, question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "{question} Where nobody can be asked, give them with {flag}: \"{words}\""
        )));
    }
    let _ = write!(std::io::stderr(), "\n    {words}\n\n{question} Type yes if they are the same: ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == "yes" { Ok(()) } else { Err(Failure::check("the words were not agreed to")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_however_they_are_spaced_and_differ_by_one() {
        assert!(agree("one two", Some(" One\n two "), "--words", "?").is_ok());
        for other in ["one", "one two three", "one too", ""] {
            assert_eq!(agree("one two", Some(other), "--words", "?").unwrap_err().code(), 1);
        }
        assert!(agree_to("iss Sub", Some("iss Sub"), "--appoint").is_ok());
        for other in ["iss sub", "iss Sub ", ""] {
            assert_eq!(agree_to("iss Sub", Some(other), "--appoint").unwrap_err().code(), 1);
        }
    }
}
