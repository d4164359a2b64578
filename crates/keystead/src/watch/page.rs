//! Numbers as Prometheus reads them: the text exposition format, version 0.0.4.

use std::fmt::Write as _;

/// What a family is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A page of metrics, written family by family.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    /// Begins a family: what follows belongs to it.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let word = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing into memory cannot fail; here and below.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {word}\n");
        self.family = name;
    }

    /// A family of one number.
    pub(super) fn one(&mut self, name: &'static str, kind: Kind, help: &str, value: u64) {
        self.family(name, kind, help);
        self.number(&[], value);
    }

    /// A number of the family.
    pub(super) fn number(&mut self, labels: &[(&str, &str)], value: u64) {
        self.part("", labels, &value.to_string());
    }

    /// A number whose name has an ending.
    pub(super) fn part(&mut self, ending: &str, labels: &[(&str, &str)], value: &str) {
        let _ = write!(self.text, "{}{ending}", self.family);
        for (at, (name, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// Microseconds as seconds, without digits that say nothing.
pub(super) fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_the_format_says() {
        let mut page = Page::default();
        page.one("a_total", Kind::Counter, "As.", 7);
        page.family("b", Kind::Gauge, "Bs.");
        page.number(&[("x", "1"), ("y", "a\"b\\\n")], 0);
        let text = "# HELP a_total As.\n# TYPE a_total counter\na_total 7\n\
                    # HELP b Bs.\n# TYPE b gauge\nb{x=\"1\",y=\"a\\\"b\\\\\\n\"} 0\n";
        assert_eq!(page.into_text(), text);
    }

    #[test]
    fn seconds_are_exact_and_short() {
        for (micros, text) in [(0, "0"), (100, "0.0001"), (1_000_000, "1"), (2_500_001, "2.500001"), (10_000_000, "10")]
        {
            assert_eq!(seconds(micros), text);
        }
    }
}
