//! Sections of docs/performance.md that have runs of their own: each says what it was measured on, and outlives a run
//! that does not measure it.

use crate::machine::Machine;

/// Their headings, in the order they stand.
pub(crate) const FAIRNESS: &str = "## Fairness";
pub(crate) const ABUSE: &str = "## Memory under abuse";
pub(crate) const SCALE: &str = "## Many keys, many versions";
pub(crate) const HSM: &str = "## HSM";
const ALL: [&str; 4] = [FAIRNESS, ABUSE, SCALE, HSM];

/// The page with this section new, at its old place or at the end.
pub(crate) fn put(page: &str, heading: &str, command: &str, machine: &Machine, text: &str) -> String {
    let m = machine;
    let whole = format!(
        "{heading}\n\n| | |\n|---|---|\n| command | `{command}` |\n| date | {} |\n| commit | {} |\n| CPU | {}, {} cores |\n\
         | load average before the run | {} |\n| build | {} |\n\n{}\n",
        m.date,
        m.commit,
        m.cpu,
        m.cores,
        m.load_before,
        build(),
        text.trim_end()
    );
    let (before, rest) = match find(page, heading) {
        Some(at) => page.split_at(at),
        None => (page, ""),
    };
    let after = rest.get(1..).and_then(|rest| rest.find("\n## ")).and_then(|at| rest.get(at.saturating_add(2)..));
    let mut parts = vec![before.trim_end().to_owned(), whole];
    parts.extend(after.map(str::to_owned));
    parts.join("\n\n").trim_start().replace("\n\n\n", "\n\n")
}

/// The profile of the server, and what the environment changed about it.
fn build() -> String {
    let changed = std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PROFILE_RELEASE_"));
    let mut changed: Vec<_> = changed.map(|(name, value)| format!("{name}={value}")).collect();
    changed.sort();
    if changed.is_empty() { "release".to_owned() } else { format!("release, with {}", changed.join(" ")) }
}

/// The new page with the sections that only the old one has.
pub(crate) fn keep(new: &str, old: &str) -> String {
    let mut page = new.trim_end().to_owned();
    for heading in ALL.into_iter().filter(|heading| find(new, heading).is_none()) {
        if let Some(section) = find(old, heading).and_then(|at| old.get(at..)) {
            let end =
                section.get(1..).and_then(|rest| rest.find("\n## ")).map_or(section.len(), |at| at.saturating_add(1));
            page.push_str("\n\n");
            page.push_str(section.get(..end).unwrap_or(section).trim_end());
        }
    }
    page.push('\n');
    page
}

/// Where a heading's line begins.
fn find(page: &str, heading: &str) -> Option<usize> {
    let line = format!("{heading}\n");
    if page.starts_with(&line) {
        return Some(0);
    }
    page.find(&format!("\n{line}")).map(|at| at.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine::look(std::path::Path::new("/"))
    }

    #[test]
    fn a_section_is_put_at_the_end_replaced_in_its_place_and_kept_over_a_new_page() {
        let page = "# Performance\n\ntext\n\n## Last\n\nend\n";
        let once = put(page, FAIRNESS, "run", &machine(), "first");
        let both = put(&once, ABUSE, "run", &machine(), "other");
        let again = put(&both, FAIRNESS, "run", &machine(), "second");
        assert!(once.starts_with(page.trim_end()) && once.ends_with("first\n"), "{once}");
        assert!(again.contains("second") && !again.contains("first") && again.ends_with("other\n"), "{again}");
        assert_eq!(again.matches("## ").count(), 3);
        let kept = keep("# Performance\n\nnew\n", &again);
        assert!(kept.contains("new") && kept.contains("second") && kept.ends_with("other\n"), "{kept}");
        assert!(!kept.contains("## Last"));
        assert_eq!(keep("# Performance\n", "# Performance\n"), "# Performance\n");
    }
}
