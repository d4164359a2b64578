//! What people read while a run goes on.

use std::io::{IsTerminal as _, Write as _};

/// A line of the result.
pub(crate) fn say(line: &str) {
    clear();
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line that is no result.
pub(crate) fn warn(line: &str) {
    clear();
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// What is being done now; the next line takes its place. Nothing where nobody watches.
pub(crate) fn progress(text: &str) {
    let mut err = std::io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[2K{text}");
        let _ = err.flush();
    }
}

fn clear() {
    progress("");
}
