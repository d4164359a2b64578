//! The lines of a run as it goes on.

use crate::budget::Verdict;
use crate::figures::{Cell, Figures};
use crate::out;

/// The head of the table.
pub(crate) fn heading() {
    out::say(&format!(
        "{:<10} {:>5} {:<9} {:>10} {:>10} {:>9} {:>9} {:>11}  {}",
        "operation", "conns", "server", "requests/s", "CPU us/op", "p50 us", "p99 us", "written B", "CPU ratio"
    ));
}

/// The lines of one cell.
pub(crate) fn cell(cell: &Cell) {
    let line = |name: &str, of: &Figures, ratio: &str| {
        let written = of.written.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes:.0}"));
        out::say(&format!(
            "{:<10} {:>5} {:<9} {:>10.0} {:>10.1} {:>9} {:>9} {:>11}  {}",
            cell.op.name(),
            cell.connections,
            name,
            of.per_second,
            of.cpu_micros,
            of.p50_micros,
            of.p99_micros,
            written,
            ratio
        ));
    };
    let to_raw = cell.to_raw().map(|ratio| format!(", {ratio:.2} x raw")).unwrap_or_default();
    line("keystead", &cell.keystead, &format!("{:.2} x bare{to_raw}", cell.to_bare()));
    line("bare", &cell.bare, "");
    if let (Some(peer), Some(ratio)) = (&cell.peer, cell.peer_to_us()) {
        line("openbao", peer, &format!("{ratio:.1} x keystead"));
    }
    if let Some(raw) = cell.raw_micros() {
        out::say(&format!("{:<10} {:>5} {:<9} {:>10} {raw:>10.1}", cell.op.name(), "", "raw", ""));
    }
}

/// Which budgets are met.
pub(crate) fn budgets(verdicts: &[Verdict]) {
    out::say("");
    for verdict in verdicts {
        let measured = verdict.measured.map_or_else(|| "-".to_owned(), |m| format!("{m:.2}"));
        let word = Verdict::word(verdict.met());
        let (what, most, unit) = (&verdict.what, verdict.most, verdict.unit);
        out::say(&format!("{what:<56} {measured:>8} of at most {most}{unit}: {word}"));
    }
}
