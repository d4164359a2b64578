//! docs/performance.md.

use super::{Footprint, Report};
use crate::budget::Verdict;
use crate::figures::{Cell, Figures};

/// The whole page.
pub(crate) fn page(report: &Report) -> String {
    let parts = [
        head(report),
        budgets(&report.budgets),
        compared(&report.cells),
        classes(&report.cells),
        servers(&report.cells),
        footprint(report),
        method(report),
    ];
    parts.join("\n")
}

fn head(report: &Report) -> String {
    let m = &report.machine;
    format!(
        "# Performance\n\n\
         Written by the command below; not edited by hand. Numbers are of one machine on one day: the ratios travel, the\n\
         microseconds do not.\n\n\
         | | |\n|---|---|\n\
         | command | `{}` |\n| date | {} |\n| commit | {} |\n| CPU | {}, {} cores |\n| system | {}, kernel {} |\n\
         | filesystem of the state | {} |\n| compiler | {} |\n| load average before the run | {} |\n{}",
        report.command,
        m.date,
        m.commit,
        m.cpu,
        m.cores,
        m.system,
        m.kernel,
        m.filesystem,
        m.rustc,
        m.load_before,
        report.peer_version.as_ref().map(|version| format!("| peer | {version} |\n")).unwrap_or_default()
    )
}

fn budgets(verdicts: &[Verdict]) -> String {
    let mut text = "## Budget\n\nThe lines of ARCHITECTURE.md, \"Performance budget\". A budget that is not met fails \
                    no build.\n\n| budget | at most | measured | |\n|---|---:|---:|---|\n"
        .to_owned();
    for v in verdicts {
        let measured = v.measured.map_or_else(|| "-".to_owned(), |m| format!("{m:.2}{}", v.unit));
        text.push_str(&format!("| {} | {}{} | {measured} | {} |\n", v.what, v.most, v.unit, Verdict::word(v.met())));
    }
    text
}

fn compared(cells: &[Cell]) -> String {
    let mut text = "## Server CPU per operation\n\nMicroseconds. The ratios are medians over rounds of what was \
                    measured side by side in the same round.\n\n\
                    | operation | connections | Keystead | bare handler | raw primitive | to bare | to raw | OpenBao | \
                    OpenBao to Keystead |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for cell in cells.iter().filter(|cell| cell.op.is_main()) {
        let peer = cell.peer.as_ref().map(|peer| peer.cpu_micros);
        text.push_str(&format!(
            "| {} | {} | {:.1} | {:.1} | {} | {:.2} | {} | {} | {} |\n",
            cell.op.title(),
            cell.connections,
            cell.keystead.cpu_micros,
            cell.bare.cpu_micros,
            number(cell.raw_micros(), 1),
            cell.to_bare(),
            number(cell.to_raw(), 2),
            number(peer, 0),
            number(cell.peer_to_us(), 1),
        ));
    }
    text
}

/// One line each for the operations that stand for a class of algorithms.
fn classes(cells: &[Cell]) -> String {
    let mut text = "## Every class of algorithms\n\nServer CPU per operation in microseconds, as above; throughput and \
                    latency as below. Beside the cipher: our CPU\nto the bare handler's, the primitive's taken off both; with \
                    an RSA private key that would be a difference of large\nnumbers.\n\n\
                    | operation | connections | Keystead | bare handler | raw primitive | to raw | beside the cipher | \
                    OpenBao | requests/s | p50 us | p99 us |\n\
                    |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for cell in cells.iter().filter(|cell| !cell.op.is_main()) {
        text.push_str(&format!(
            "| {} | {} | {:.1} | {:.1} | {} | {} | {} | {} | {:.0} | {} | {} |\n",
            cell.op.title(),
            cell.connections,
            cell.keystead.cpu_micros,
            cell.bare.cpu_micros,
            number(cell.raw_micros(), 1),
            number(cell.to_raw(), 2),
            number((!cell.op.is_rsa_private()).then(|| cell.around_cipher()), 2),
            number(cell.peer.as_ref().map(|peer| peer.cpu_micros), 0),
            cell.keystead.per_second,
            cell.keystead.p50_micros,
            cell.keystead.p99_micros,
        ));
    }
    text
}

fn servers(cells: &[Cell]) -> String {
    let mut text = "## Throughput, latency, writes\n\nThe client runs on the same cores, so requests per second are \
                    those of\nthe machine, client included. Latency is as the client sees it, each connection sending its next \
                    request when the last\none is answered. Written: `write_bytes` of `/proc/PID/io` per operation.\n\n\
                    | operation | connections | server | requests/s | p50 us | p99 us | written, bytes |\n\
                    |---|---:|---|---:|---:|---:|---:|\n"
        .to_owned();
    for cell in cells.iter().filter(|cell| cell.op.is_main()) {
        let ours = [("Keystead", Some(&cell.keystead)), ("bare", Some(&cell.bare)), ("OpenBao", cell.peer.as_ref())];
        for (name, figures) in ours.into_iter().filter_map(|(name, figures)| Some((name, figures?))) {
            text.push_str(&row(cell, name, figures));
        }
    }
    text
}

fn row(cell: &Cell, name: &str, figures: &Figures) -> String {
    let refused = if figures.failed == 0 { String::new() } else { format!(" ({} refused)", figures.failed) };
    format!(
        "| {} | {} | {name}{refused} | {:.0} | {} | {} | {} |\n",
        cell.op.title(),
        cell.connections,
        figures.per_second,
        figures.p50_micros,
        figures.p99_micros,
        number(figures.written, 0),
    )
}

fn footprint(report: &Report) -> String {
    let none = Footprint::default();
    let peer = report.peer.as_ref().unwrap_or(&none);
    let mut text = "## Memory, size, start\n\n| | Keystead | OpenBao |\n|---|---:|---:|\n".to_owned();
    let mut line = |what: &str, of: fn(&Footprint) -> Option<f64>| {
        let (ours, theirs) = (number(of(&report.keystead), 1), number(of(peer), 1));
        text.push_str(&format!("| {what} | {ours} | {theirs} |\n"));
    };
    line("resident, idle, MiB", |f| f.idle_mebibytes);
    line("resident after the load, MiB", |f| f.loaded_mebibytes);
    line("most ever resident, MiB", |f| f.peak_mebibytes);
    line("binary, MiB (ours: profile `release`, with line tables)", |f| f.binary_mebibytes);
    line("binary, profile `dist`, MiB", |f| f.dist_mebibytes);
    for (start, profile) in [(&report.start_up, ""), (&report.dist_start_up, ", profile `dist`")] {
        let Some(start) = start else { continue };
        let n = start.starts;
        text.push_str(&format!(
            "| start{profile} to first answer, ms (median of {n}) | {:.1} | |\n",
            start.again_millis
        ));
        text.push_str(&format!(
            "| first start{profile} in an empty directory to first answer, ms (median of {n}) | {:.1} | |\n",
            start.first_millis
        ));
    }
    text
}

fn method(report: &Report) -> String {
    let turn = format!("{:.1}", report.turn_seconds);
    include_str!("method.md").replace("{turn}", &turn).replace("{rounds}", &report.rounds.to_string())
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
