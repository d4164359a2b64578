//! `keystead unseal`: the custodians of a vault open it, each from his own machine.

use crate::domain::files;
use crate::exit::Failure;
use crate::key::connection::failure;
use crate::new_files;
use crate::output::{self, OutputArgs, time};
use crate::socket::SocketArgs;
use keystead_client::{AnswerInfo, AnsweredInfo, AskedInfo};
use keystead_custody::challenge::MAX_TEXT;
use keystead_model::Name;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead unseal payments --out challenge.txt
  keystead unseal payments --answer alice.answer --answer carol.answer

The first shows what the custodians are asked; it stays the same for an hour,
or until the server ends. The second brings answers, in any order and in as
many steps as you like. Exit code 1 if an answer was refused. Where all answers
are there and the vault did not open because the store or the log was away, the
first tries again. A vault with custody `file` opens by `keystead vault unseal`.")]
pub(crate) struct Args {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
    /// What `keystead custodian answer` printed; repeat for more
    #[arg(long, value_name = "FILE")]
    answer: Vec<PathBuf>,
    /// A new file for the challenge
    #[arg(long, value_name = "FILE", conflicts_with = "answer")]
    out: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|e| e.to_string())
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.socket.client();
    if args.answer.is_empty() {
        let asked = client.ask_quorum(&args.name).await.map_err(|e| failure(&e))?.value;
        if asked.missing == 0 {
            let done = client.answer_quorum(&args.name, &[]).await.map_err(|e| failure(&e))?.value;
            return report(&args.name, &[], &done, "", args.output);
        }
        if let Some(out) = &args.out {
            new_files::write(out, format!("{}\n", asked.challenge).as_bytes())?;
        }
        let command = format!("keystead unseal {}", args.name);
        return if args.output.is_json() { output::json(&asked) } else { output::text(&in_words(&asked, &command)) };
    }
    let answers = args.answer.iter().map(|file| answer(file)).collect::<Result<Vec<_>, _>>()?;
    let done = client.answer_quorum(&args.name, &answers).await.map_err(|e| failure(&e))?.value;
    report(&args.name, &args.answer, &done, "", args.output)
}

pub(crate) fn answer(file: &Path) -> Result<String, Failure> {
    let bytes = files::read(file, MAX_TEXT.saturating_mul(2))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not an answer", file.display())))
}

/// What the custodians have to do, and how the operator brings what they answer.
pub(crate) fn in_words(asked: &AskedInfo, command: &str) -> String {
    let says = asked.store_says.as_ref().and_then(|told| told.get("says")?.as_str());
    let whose = match (says, &asked.domain) {
        (Some(says), _) => format!("Of the vault: {says}.\n"),
        (None, Some(id)) => format!("Asked are the custodians of the security domain {id}.\n"),
        (None, None) => String::new(),
    };
    if asked.missing == 0 {
        return format!(
            "{}\n\nAll answers are there ({}), and it was not done yet. Go on without another one, before {}:\n    {command}",
            asked.challenge,
            progress(asked),
            time::millis(asked.expires)
        );
    }
    format!(
        "{}\n\nThe words of this node, for custodians who do not know it:\n    {}\n{whose}\
         {} of {} custodians must answer before {}; {}.\n\
         Each runs, where his key is:\n    \
         keystead custodian answer --challenge FILE --domain DIR --key KEY.pem --out ANSWER\n\
         and you bring what it writes:\n    {command} --answer ANSWER",
        asked.challenge,
        asked.node_words,
        asked.required,
        asked.custodians,
        time::millis(asked.expires),
        progress(asked)
    )
}

/// Whose shares are there.
fn progress(asked: &AskedInfo) -> String {
    let given: Vec<String> = asked.given.iter().map(u8::to_string).collect();
    match given.is_empty() {
        true => format!("no shares are there yet; missing: {}", asked.missing),
        false => format!("shares there: {}; missing: {}", given.join(", "), asked.missing),
    }
}

/// What came of answers, and that what they agreed to is done: exit code 1 if one was refused.
pub(crate) fn report(
    name: &Name,
    files: &[PathBuf],
    done: &AnsweredInfo,
    agreed: &str,
    shown: OutputArgs,
) -> Result<(), Failure> {
    if shown.is_json() {
        output::json(done)?;
    } else {
        let state = done.asked.as_ref().map_or_else(String::new, |asked| format!("; {}", progress(asked)));
        output::text(&format!("{name} is {}{state}", done.status))?;
        if done.asked.is_none() && !agreed.is_empty() {
            output::text(agreed)?;
        }
    }
    all_taken(files, done)
}

/// Names each answer that was refused: one that is there already, too.
pub(crate) fn all_taken(files: &[PathBuf], done: &AnsweredInfo) -> Result<(), Failure> {
    let named = |(file, answer): (&PathBuf, &AnswerInfo)| {
        answer.refused.as_ref().map(|why| format!("{}: {why}", output::printable(&file.display().to_string())))
    };
    let refused: Vec<String> = files.iter().zip(&done.answers).filter_map(named).collect();
    if refused.is_empty() { Ok(()) } else { Err(Failure::check(refused.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        Args::augment_args(clap::Command::new("unseal")).debug_assert();
    }
}
