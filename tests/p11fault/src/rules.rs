//! The file of rules. A line that is none ends the process: a test that says nothing would prove nothing.

use crate::codes::code;
use cryptoki_sys::CK_RV;
use std::path::PathBuf;
use std::time::Duration;

/// What the file says now.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) token_gone: bool,
    pub(crate) rules: Vec<Rule>,
}

/// A line.
pub(crate) struct Rule {
    /// The line itself, by which its calls are counted.
    pub(crate) line: String,
    pub(crate) function: String,
    which: Which,
    /// Only once in all processes.
    pub(crate) once: bool,
    /// After the real module did its work.
    pub(crate) after: bool,
    pub(crate) deed: Deed,
}

#[derive(Clone, Copy)]
enum Which {
    Nth(u64),
    From(u64),
    Every(u64),
}

#[derive(Clone, Copy)]
pub(crate) enum Deed {
    Return(CK_RV),
    Sleep(Duration),
    Abort,
}

impl Rule {
    /// Whether it is about its n-th call.
    pub(crate) fn fits(&self, n: u64) -> bool {
        match self.which {
            Which::Nth(which) => n == which,
            Which::From(first) => n >= first,
            Which::Every(step) => n.is_multiple_of(step),
        }
    }
}

/// Where the file is.
pub(crate) fn control() -> Option<PathBuf> {
    std::env::var_os("KEYSTEAD_P11FAULT_CONTROL").map(PathBuf::from)
}

pub(crate) fn read() -> Rules {
    let text = control().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let mut all = Rules::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match (line, parse(line)) {
            ("token gone", _) => all.token_gone = true,
            (_, Some(rule)) => all.rules.push(rule),
            (_, None) => std::process::abort(),
        }
    }
    all
}

fn parse(line: &str) -> Option<Rule> {
    let mut words = line.split_whitespace().peekable();
    let function = words.next()?.to_owned();
    let which = which(words.next()?)?;
    let once = words.next_if_eq(&"once").is_some();
    let after = words.next_if_eq(&"then").is_some();
    let deed = match (words.next()?, words.next()) {
        ("abort", None) => Deed::Abort,
        ("sleep", Some(millis)) => Deed::Sleep(Duration::from_millis(millis.parse().ok()?)),
        ("rv", Some(text)) => Deed::Return(code(text)?),
        _ => return None,
    };
    words.next().is_none().then(|| Rule { line: line.to_owned(), function, which, once, after, deed })
}

fn which(word: &str) -> Option<Which> {
    let (which, number): (fn(u64) -> Which, _) = match (word.strip_prefix('/'), word.strip_suffix("..")) {
        (Some(step), _) => (Which::Every, step),
        (None, Some(first)) => (Which::From, first),
        (None, None) => (Which::Nth, word),
    };
    number.parse().ok().filter(|number| *number > 0).map(which)
}
