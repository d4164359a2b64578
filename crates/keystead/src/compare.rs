//! What a person compares before anything is signed or sent. What stands in a file proves nothing by itself: it is
//! shown to somebody who is asked at a terminal, and nowhere else, so that no error offers what would be pasted back.

use crate::exit::Failure;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// One comparison: how it is asked at a terminal, and where the other half of it comes from.
#[derive(Clone, Copy)]
pub(crate) struct Comparison {
    /// Says it without asking.
    pub(crate) flag: &'static str,
    /// What is asked.
    pub(crate) question: &'static str,
    /// Who says what it must be, and over which way.
    pub(crate) told: &'static str,
}

/// The words of a node, of whoever runs it.
pub(crate) const NODE: Comparison = Comparison {
    flag: "--node",
    question: "Are these the words of the node, as its operator reads them from the server?",
    told: "the operator reads them to you from the server (`keystead vault offer` shows them there, and so does each \
           command that asks custodians), over another way than the file took: by telephone",
};

/// The words of an activation record, of whoever else has it.
pub(crate) const RECORD: Comparison = Comparison {
    flag: "--words",
    question: "Are these the words of the activation record that the others see?",
    told: "whoever made the domain and the other custodians read them to you from theirs (`keystead domain show`), by \
           telephone",
};

/// Whether somebody can be asked.
pub(crate) fn at_a_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Whether words agree: those given on the command line, or else whoever sits at the terminal says so.
pub(crate) fn agree(words: &str, given: Option<&str>, with: Comparison) -> Result<(), Failure> {
    let Some(given) = given else { return ask(words, with) };
    let given = given.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    if given == words { Ok(()) } else { Err(differs("the words differ from those", with)) }
}

/// Whether this is what he agrees to, letter by letter.
pub(crate) fn agree_to(what: &str, given: Option<&str>, with: Comparison) -> Result<(), Failure> {
    match given {
        None => ask(&crate::output::printable(what), with),
        Some(given) if given == what => Ok(()),
        Some(_) => Err(differs("the challenge asks for something else than what", with)),
    }
}

fn differs(what: &str, with: Comparison) -> Failure {
    let Comparison { flag, told, .. } = with;
    Failure::check(format!("{what} that {flag} says: do not go on before you know why; {told}"))
}

fn ask(words: &str, with: Comparison) -> Result<(), Failure> {
    let Comparison { flag, question, told } = with;
    if !at_a_terminal() {
        return Err(Failure::usage(format!("nobody can be asked here: say it with {flag}; {told}")));
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
        assert!(agree("one two", Some(" One\n two "), NODE).is_ok());
        for other in ["one", "one two three", "one too", ""] {
            assert_eq!(agree("one two", Some(other), NODE).unwrap_err().code(), 1);
        }
        assert!(agree_to("iss Sub", Some("iss Sub"), RECORD).is_ok());
        for other in ["iss sub", "iss Sub ", ""] {
            assert_eq!(agree_to("iss Sub", Some(other), RECORD).unwrap_err().code(), 1);
        }
    }

    #[test]
    fn no_error_says_what_would_have_been_right() {
        for with in [NODE, RECORD] {
            let wrong = agree("toy junior", Some("toy senior"), with).unwrap_err().into_message();
            let other = agree_to("toy junior", Some("toy senior"), with).unwrap_err().into_message();
            for said in [wrong, other] {
                assert!(!said.contains("junior") && said.contains(with.flag) && said.contains("telephone"), "{said}");
            }
        }
    }
}
