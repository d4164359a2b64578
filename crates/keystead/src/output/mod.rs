//! What commands print: tables for people, JSON for programs, and bytes. All of it through `io::Write`.

pub(crate) mod time;

use crate::exit::Failure;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::io::{ErrorKind, Write};

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// The flag of every command that shows a result.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct OutputArgs {
    /// How the result is shown
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) output: Format,
}

impl OutputArgs {
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

/// Prints rows under their headings.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    text(&table_text(headings, rows))
}

/// Prints one thing, a line for each of its parts.
pub(crate) fn fields<'a>(parts: impl IntoIterator<Item = (&'a str, String)>) -> Result<(), Failure> {
    text(&fields_text(parts))
}

/// The text that [`fields`] prints.
pub(crate) fn fields_text<'a>(parts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    table_text(&[], parts.into_iter().map(|(name, value)| vec![name.to_owned(), value]))
}

/// Prints JSON, indented, with a newline at its end.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    bytes(&json_bytes(value)?)
}

/// Prints JSON on one line, for lists without an end.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value).map_err(not_json)?;
    text(&line)
}

/// The bytes that [`json`] prints.
pub(crate) fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(not_json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Prints text and a newline.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// A line about the work, to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The receipt, if it was asked for: to standard error, so that it never mixes with a result.
pub(crate) fn receipt(wanted: bool, receipt: Option<&str>) {
    match receipt {
        Some(receipt) if wanted => note(&format!("receipt: {}", printable(receipt))),
        None if wanted => note("receipt: none (the server gave none)"),
        _ => {}
    }
}

/// Text from elsewhere for a terminal: control characters and those that turn the direction become visible.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// A value that may be absent, for a table.
pub(crate) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

fn table_text(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !headings.is_empty() {
        table.set_header(headings.iter().map(|h| h.to_uppercase()));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        // The reader has seen enough, as in `keystead audit tail | head`.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(i32::from(crate::exit::DONE)),
        Err(e) => Err(Failure::unavailable(format!("cannot write to standard output: {e}"))),
    }
}

fn not_json(e: serde_json::Error) -> Failure {
    Failure::unavailable(format!("the result cannot be written as JSON: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(table_text(&["name", "n"], rows), "NAME    N\na       1\nlonger");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n\u{202e}c"), "a\\u{1b}[2Jb\\u{a}\\u{202e}c");
        assert!(!table_text(&["t"], [vec!["\u{1b}]0;x\u{7}".to_owned()]]).contains('\u{1b}'));
        assert_eq!(printable("Zürich 東京"), "Zürich 東京");
    }
}
