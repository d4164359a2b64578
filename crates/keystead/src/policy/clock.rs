//! `keystead clock`.

use super::Common;
use crate::exit::Failure;
use crate::output::{self, time};
use crate::policy::millis;
use keystead_client::{ClockState, Done};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead clock show
  keystead clock confirm 2027-01-31T12:00:00Z

A server that was off for long, or whose clock was set, does not trust its clock: deleted keys are not purged at the end
of their retention until an administrator of the vault has confirmed it. Look at a clock that you trust, not at the
server's, before you do. A clock that is wrong is set right first.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what the server's clock says, and whether it is doubted
    #[command(after_help = "Example:\n  keystead clock show")]
    Show,
    /// Say that the server's clock is right, so that what waits for it goes on
    #[command(after_help = "Example:\n  keystead clock confirm 2027-01-31T12:00:00Z")]
    Confirm {
        /// What time it is now; refused if the server's clock is more than an hour from it
        #[arg(value_name = "TIME", value_parser = millis)]
        time: i64,
    },
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let common = args.common;
    let client = common.client().await?;
    let failed = |e| common.shown.failure(&e);
    let done = match args.command {
        Command::Show => client.clock().await.map_err(failed)?,
        Command::Confirm { time } => client.confirm_clock(time).await.map_err(failed)?,
    };
    let Done { value, receipt } = done;
    if common.shown.is_json() {
        let value = serde_json::to_value(value).map_err(|e| Failure::unavailable(e.to_string()))?;
        return output::json(&super::with_receipt(Done { value, receipt }));
    }
    output::fields(lines(&value))?;
    common.shown.receipt(receipt.as_deref());
    Ok(())
}

fn lines(clock: &ClockState) -> Vec<(&'static str, String)> {
    let mut all = vec![("time", time::millis(clock.time))];
    let Some(doubt) = &clock.doubt else {
        all.push(("clock", if clock.doubted { "doubted" } else { "believed" }.to_owned()));
        return all;
    };
    all.push(("clock", format!("doubted: {}", why(&doubt.why, doubt.said, doubt.expected))));
    all.push(("waiting", "purges at the end of a retention, the sweep of HSMs".to_owned()));
    all.push(("if it is right", format!("keystead clock confirm {}", time::seconds(clock.time.div_euclid(1000)))));
    all
}

/// Why a clock is doubted, as a sentence goes on after "doubted: ".
pub(crate) fn why(why: &str, said: i64, expected: Option<i64>) -> String {
    let said = time::millis(said);
    match (why, expected.map(time::millis)) {
        ("start", Some(expected)) => {
            format!(
                "the server last ran at {expected} and started at {said}, so it was off for long or the clock was set"
            )
        }
        ("step", Some(expected)) => format!("it was set to {said} when it was {expected}, while the server ran"),
        (_, Some(expected)) => {
            format!("at {said} there was no note of when the server last ran; its newest record is of {expected}")
        }
        (_, None) => format!("at {said} there was no note of when the server last ran"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_client::ClockDoubt;

    #[test]
    fn a_doubted_clock_is_shown_with_its_reason_and_what_to_do() {
        let doubt = |why: &str, expected| ClockDoubt { why: why.to_owned(), said: 86_400_000, expected };
        let doubted = |doubt| ClockState { time: 90_000_123, doubted: true, doubt: Some(doubt) };
        for (doubt, part) in [
            (doubt("start", Some(0)), "last ran at 1970-01-01T00:00:00.000Z and started at 1970-01-02T00:00:00.000Z"),
            (doubt("step", Some(0)), "set to 1970-01-02T00:00:00.000Z when it was 1970-01-01T00:00:00.000Z"),
            (doubt("no-note", Some(0)), "its newest record is of 1970-01-01T00:00:00.000Z"),
            (doubt("no-note", None), "no note of when"),
            (doubt("another", None), "1970-01-02"),
        ] {
            let lines = lines(&doubted(doubt));
            assert!(lines[1].1.starts_with("doubted: ") && lines[1].1.contains(part), "{lines:?}");
            assert_eq!(lines[3].1, "keystead clock confirm 1970-01-02T01:00:00Z");
        }
        let fine = lines(&ClockState { time: 0, doubted: false, doubt: None });
        assert_eq!(fine, [("time", "1970-01-01T00:00:00.000Z".to_owned()), ("clock", "believed".to_owned())]);
    }
}
