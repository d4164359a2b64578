//! The pages of `--help`: each has examples, and each example is a command line that the program takes.

use crate::Cli;
use clap::{Command, CommandFactory as _};

/// Each command that is shown, with its words.
fn pages(command: &Command, before: &[String], found: &mut Vec<(String, String)>) {
    let words: Vec<String> = before.iter().cloned().chain([command.get_name().to_owned()]).collect();
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    found.push((words.join(" "), after.map(ToString::to_string).unwrap_or_default()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        pages(below, &words, found);
    }
}

/// The command lines under `Example:` or `Examples:`, and later ones that stand as those do.
fn examples(page: &str) -> Vec<String> {
    let mut parts = page.split("\\\n");
    let mut joined = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| joined.extend([" ", part.trim_start()]));
    let lines = joined.lines().filter_map(|line| line.strip_prefix("  keystead "));
    // What stands far to the right says what it is for.
    let commands = lines.map(|line| line.split("    ").next().unwrap_or(line));
    commands.map(|line| format!("keystead {line}")).collect()
}

/// As a shell splits it, up to what is for the shell alone. What it puts in for a command is a digest.
fn words(line: &str) -> Vec<String> {
    let line = match line.split_once("$(").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1))) {
        Some((before, after)) => format!("{before}{}{after}", "0".repeat(64)),
        None => line.to_owned(),
    };
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            ('|' | '>' | '<', None) => break,
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_page_of_the_help_has_examples_that_are_taken() {
    let mut found = Vec::new();
    pages(&Cli::command(), &[], &mut found);
    let mut wrong = Vec::new();
    for (page, text) in &found {
        let examples = examples(text);
        if !text.contains("Example") || examples.is_empty() {
            wrong.push(format!("{page}: no example"));
        }
        // Some are cut short on purpose.
        for line in examples.iter().filter(|line| !line.contains("...")) {
            if let Err(e) = Cli::command().try_get_matches_from(words(line)) {
                wrong.push(format!("{page}: {line}: {}", e.to_string().lines().next().unwrap_or_default()));
            }
        }
    }
    assert!(found.len() > 100 && wrong.is_empty(), "{} pages:\n{}", found.len(), wrong.join("\n"));
}

#[test]
fn the_policy_on_a_page_of_the_help_can_be_taken_from_it_as_it_stands() {
    let mut program = Cli::command();
    program.build();
    let create = program.find_subcommand_mut("vault").and_then(|vault| vault.find_subcommand_mut("create")).unwrap();
    for page in [create.render_help(), create.render_long_help()] {
        assert!(page.to_string().contains(crate::vault::policy::EXAMPLE.trim_end()), "{page}");
    }
}
