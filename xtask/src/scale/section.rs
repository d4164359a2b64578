//! The scale section of docs/performance.md: one column for each size, and how the last compares with the first.

use super::{CONNECTIONS, MEASURED, Many, STARTS, Scale, Step};
use crate::figures::Figures;
use crate::out;

type Line = (&'static str, fn(&Step) -> f64);

const LINES: &[Line] = &[
    ("start to first answer, ms", |s| s.start_millis),
    ("start to the first key read, ms", |s| s.start_key_millis),
    ("resident after the start, MiB", |s| s.idle_mebibytes),
    ("resident after the load, MiB", |s| s.loaded_mebibytes),
    ("get, server CPU us", |s| s.get.cpu_micros),
    ("get, p50 us", |s| f64::from(s.get.p50_micros)),
    ("get, p99 us", |s| f64::from(s.get.p99_micros)),
    ("first page of the list, server CPU us", |s| s.first_page.cpu_micros),
    ("first page of the list, p50 us", |s| f64::from(s.first_page.p50_micros)),
    ("page half-way, server CPU us", |s| s.middle_page.cpu_micros),
    ("page half-way, p50 us", |s| f64::from(s.middle_page.p50_micros)),
    ("create, per second", |s| s.create.per_second),
    ("create, server CPU us", |s| s.create.cpu_micros),
    ("create, p50 us", |s| f64::from(s.create.p50_micros)),
    ("create, p99 us", |s| f64::from(s.create.p99_micros)),
    ("create, bytes written", |s| s.create.written.unwrap_or(f64::NAN)),
    ("stored, bytes each", |s| s.stored_bytes),
];

impl Scale {
    /// For docs/performance.md.
    pub(crate) fn section(&self) -> String {
        let mut text = format!(
            "A vault is filled through the public API with P-256 keys, another with versions of one key; each size is \
             measured on the way\nto the next. Reads are of random names (of random versions) over {CONNECTIONS} \
             connections; a page has 25 items. Creation is that of\nthe last {MEASURED} before the size, or of all: of keys \
             over {CONNECTIONS} connections, of versions over one, since they follow one another.\nStarts are medians of \
             {STARTS}. Behind 4,096 opened keys a read goes to the store: the step in `get` is that, once. A start reads\nthe \
             last segment of the journal, of 16 MiB at most. All lists were walked through and held every key.\n"
        );
        for (title, steps) in [("keys in the vault", &self.keys), ("versions of one key", &self.versions)] {
            if !steps.is_empty() {
                text.push_str(&format!("\n{}", table(title, steps)));
            }
        }
        text
    }
}

fn table(title: &str, steps: &[Step]) -> String {
    let sizes: String = steps.iter().map(|step| format!(" {} |", grouped(step.size))).collect();
    let rules: String = steps.iter().map(|_| "---:|").collect();
    let mut text = format!("| {title} |{sizes} last to first |\n|---|{rules}---:|\n");
    for (what, of) in LINES {
        let values: Vec<f64> = steps.iter().map(of).collect();
        let cells: String = values.iter().map(|value| format!(" {} |", number(*value))).collect();
        text.push_str(&format!("| {what} |{cells} {} |\n", last_to_first(&values)));
    }
    text
}

fn last_to_first(values: &[f64]) -> String {
    match values {
        [first, .., last] if (last / first).is_finite() => format!("{:.2}", last / first),
        _ => "-".to_owned(),
    }
}

/// With as many digits as it is worth.
fn number(value: f64) -> String {
    match value {
        value if !value.is_finite() => "-".to_owned(),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// A comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Step {
    /// For the terminal.
    pub(super) fn say(&self, many: Many) {
        let of = |what: &str, f: &Figures| {
            format!(
                "{what} {:.0}/s, {:.1} us CPU, p50 {} p99 {} us",
                f.per_second, f.cpu_micros, f.p50_micros, f.p99_micros
            )
        };
        out::say(&format!(
            "{:>7} {}: start {:.1} ms, a key {:.1} ms; RSS {:.1} MiB idle, {:.1} loaded; {:.0} bytes stored each",
            self.size,
            many.word(),
            self.start_millis,
            self.start_key_millis,
            self.idle_mebibytes,
            self.loaded_mebibytes,
            self.stored_bytes
        ));
        out::say(&format!(
            "        {}; {:.0} bytes",
            of("create", &self.create),
            self.create.written.unwrap_or(f64::NAN)
        ));
        out::say(&format!("        {}", of("get", &self.get)));
        out::say(&format!("        {}; {}", of("first page", &self.first_page), of("half-way", &self.middle_page)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Turn;

    fn step(size: u64, millis: f64) -> Step {
        let figures = || Figures::of(vec![Turn { done: 1, seconds: 1.0, cpu_micros: millis, ..Turn::default() }]);
        Step {
            size,
            create: figures(),
            get: figures(),
            first_page: figures(),
            middle_page: figures(),
            start_millis: millis,
            start_key_millis: millis,
            idle_mebibytes: 1.0,
            loaded_mebibytes: 1.0,
            stored_bytes: 1.0,
        }
    }

    #[test]
    fn each_size_has_a_column_and_each_line_says_how_the_last_compares_with_the_first() {
        let scale = Scale { keys: vec![step(1_000, 50.0), step(100_000, 60.0)], versions: Vec::new() };
        let text = scale.section();
        assert!(text.contains("| keys in the vault | 1,000 | 100,000 | last to first |\n"), "{text}");
        assert!(text.contains("| start to first answer, ms | 50.0 | 60.0 | 1.20 |\n"), "{text}");
        assert!(text.contains("| create, bytes written | - | - | - |\n"), "{text}");
        assert!(!text.contains("versions of one key |"));
        assert_eq!(
            (grouped(7), grouped(1_234_567), last_to_first(&[1.0])),
            ("7".into(), "1,234,567".into(), "-".into())
        );
    }
}
