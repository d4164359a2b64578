//! `keystead approval list` and `show`.

use super::file::Exported;
use crate::audit::last_use;
use crate::exit::Failure;
use crate::key::Session;
use crate::new_files;
use crate::output::{self, time};
use keystead_access::{Proposal, Verdict};
use keystead_model::Name;
use serde_json::Value;
use std::path::PathBuf;

/// What an approver says, on the command line.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum VerdictArg {
    Approve,
    Reject,
}

impl From<VerdictArg> for Verdict {
    fn from(verdict: VerdictArg) -> Self {
        match verdict {
            VerdictArg::Approve => Self::Approve,
            VerdictArg::Reject => Self::Reject,
        }
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead approval show 0123456789abcdef0123456789abcdef
  keystead approval show 0123456789abcdef0123456789abcdef --out proposal.json")]
pub(super) struct Show {
    /// Which proposal
    id: String,
    /// Print exactly the text that is signed for this verdict, and nothing else: for tools that sign with a card
    #[arg(long, value_name = "VERDICT", value_enum)]
    text: Option<VerdictArg>,
    /// A new file for the proposal with its votes, for `sign` and `verify`
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    out: Option<PathBuf>,
}

impl Show {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let shown = session.shown;
        let done = session.client.proposal(&self.id).await.map_err(|e| shown.failure(&e))?;
        let exported = Exported::of(&done.value)?;
        if let Some(verdict) = self.text {
            return output::bytes(exported.proposal.text(verdict.into()).as_bytes());
        }
        if let Some(out) = &self.out {
            new_files::write(out, format!("{:#}\n", done.value).as_bytes())?;
        }
        if shown.is_json() {
            return output::json(&done.value);
        }
        let mut lines = lines(&exported, &done.value);
        if let Some(key) = purged(&exported.proposal) {
            lines.push(("last use", last_use(&session.client, &key).await));
        }
        output::fields(lines)?;
        output::text(&format!(
            "\nWhat is signed to approve it (--text approve prints it alone):\n\n{}",
            exported.proposal.text(Verdict::Approve)
        ))?;
        shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

fn lines(exported: &Exported, value: &Value) -> Vec<(&'static str, String)> {
    let number = |member: &str| value.get(member).and_then(Value::as_u64);
    let mut all = vec![
        ("proposal", exported.proposal.id.clone()),
        ("state", text(value, "state")),
        ("proposed", time::millis(exported.proposal.proposed)),
        ("expires", time::millis(exported.proposal.expires)),
    ];
    if let (Some(needed), Some(approvers)) = (number("needed"), number("approvers")) {
        all.push(("needs", format!("{needed} of {approvers} approvers")));
    }
    all.extend(exported.votes.iter().map(|vote| {
        let (name, word, at) = (output::printable(&vote.approver), vote.verdict.word(), time::millis(vote.at));
        let proof = if vote.is_proven(&exported.proposal) { "" } else { ", AND THE SIGNATURE DOES NOT HOLD" };
        ("vote", format!("{word} by {name} at {at}{proof}"))
    }));
    if let Some(operation) = value.get("operation").and_then(Value::as_str) {
        all.push(("executed", format!("operation {}", output::printable(operation))));
    }
    all
}

/// The key that is to go for good.
fn purged(proposal: &Proposal) -> Option<Name> {
    let name = proposal.target.strip_prefix("/keys/").filter(|_| proposal.operation == "keys/purge")?;
    Name::parse(name).ok()
}

/// Lists all that are kept.
pub(super) async fn list(session: &Session) -> Result<(), Failure> {
    let shown = session.shown;
    let done = session.client.proposals().await.map_err(|e| shown.failure(&e))?;
    if shown.is_json() {
        return output::json(&done.value);
    }
    let row = |value: &Value| {
        let member = |name: &str| text(value.get("proposal").unwrap_or(&Value::Null), name);
        let count = |name: &str| value.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        let needed = value.get("needed").and_then(Value::as_u64).unwrap_or_default();
        let votes = format!("{} of {needed}", count("approved"));
        vec![member("id"), text(value, "state"), member("operation"), member("target"), votes, member("reason")]
    };
    let all = done.value.get("value").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    output::table(&["proposal", "state", "operation", "target", "approved", "reason"], all.iter().map(row))?;
    shown.receipt(done.receipt.as_deref());
    Ok(())
}

fn text(value: &Value, member: &str) -> String {
    value.get(member).and_then(Value::as_str).map_or_else(|| "-".to_owned(), output::printable)
}
