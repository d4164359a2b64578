//! The file that `keystead dev` writes for shells, read without a shell: lines of `NAME=value`.

use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The settings in it. Values may be secrets, so they are cleared when dropped and have no Debug.
pub(crate) type Settings = BTreeMap<String, Zeroizing<String>>;

/// Reads `NAME=value` with or without `export`, plain or in quotes. What only a shell could work out (`$`, a backquote)
/// stays out: the error is the line's number, from 1.
pub(crate) fn parse(text: &str) -> Result<Settings, usize> {
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, number)| setting(line).ok_or(number)).collect()
}

fn setting(line: &str) -> Option<(String, Zeroizing<String>)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).trim_start().split_once('=')?;
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty();
    good.then_some(())?;
    Some((name.to_owned(), Zeroizing::new(unquoted(value)?.to_owned())))
}

fn unquoted(value: &str) -> Option<&str> {
    if let Some(inner) = value.strip_prefix('\'') {
        return inner.strip_suffix('\'').filter(|v| !v.contains('\''));
    }
    let inner = match value.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"').filter(|v| !v.contains('"'))?,
        None => value,
    };
    (!inner.contains(['$', '`', '\\', '\'', '"'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<String, usize> {
        parse(text).map(|found| found["A"].to_string())
    }

    #[test]
    fn a_setting_is_read_as_a_shell_reads_it() {
        for text in ["A=b c", "export A='b c'", "# comment\n\n  A=\"b c\"  \nOTHER=1"] {
            assert_eq!(value(text).as_deref(), Ok("b c"), "{text}");
        }
        assert_eq!(value("A=").as_deref(), Ok(""));
        assert_eq!(value("A=1\nA='$2'").as_deref(), Ok("$2"));
    }

    #[test]
    fn what_needs_a_shell_is_refused_with_its_line() {
        for bad in ["A=$HOME", "A=`id`", "A=\"$B\"", "A='b", "A=b'c'", "A", "=b", "A B=c", "source x"] {
            assert_eq!(value(&format!("B=1\n{bad}")), Err(2), "{bad}");
        }
    }
}
