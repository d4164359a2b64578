//! `keystead approval verify`: whether signatures hold, believing nothing but the approvers' public keys.

use super::file::{Exported, bytes};
use crate::exit::Failure;
use crate::key::Shown;
use crate::output;
use keystead_access::{Approvals, Approver, Proposal, RecordedVote, Rule, Verdict, Vote};
use keystead_model::Action;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead approval verify --file proposal.json --approver alice.pub.pem \\
    --approver bob.pub.pem --needed 2
  keystead approval verify 0123456789abcdef0123456789abcdef --approvers rules.toml")]
pub(super) struct Verify {
    /// Which proposal, of the server's
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    id: Option<String>,
    /// The proposal, as `approval show --out` wrote it: no server is asked
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An approver's public key, PEM; repeat for each
    #[arg(long, value_name = "PUBLIC.pem", required_unless_present = "approvers")]
    approver: Vec<PathBuf>,
    /// A file with `[[approvers]]` and `[approvals]`, as for `approval rules --set`
    #[arg(long, value_name = "FILE", conflicts_with = "approver")]
    approvers: Option<PathBuf>,
    /// Records of the audit log, as `audit search --output json` prints them: their votes count, and no others
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// How many have to have approved; default: what the file with the approvers says, else all who are named
    #[arg(long, value_name = "K")]
    needed: Option<u8>,
}

impl Verify {
    /// The proposal to ask a server for.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn read(&self) -> Result<Exported, Failure> {
        let file = self.file.as_deref().ok_or_else(|| Failure::usage("name a proposal, or a --file"))?;
        Exported::read(file)
    }

    pub(super) fn run(&self, mut exported: Exported, shown: Shown) -> Result<(), Failure> {
        let approvals = self.approvals()?;
        if let Some(file) = &self.records {
            exported.votes = recorded(&bytes(file)?, &exported.proposal, &approvals)
                .ok_or_else(|| Failure::usage(format!("{} has no records of `keystead audit`", file.display())))?;
        }
        let counted = Counted::of(&exported, &approvals, self.needed);
        counted.print(&exported, shown)?;
        let Counted { approved, needed, bad, .. } = counted;
        match (bad, counted.holds()) {
            (_, true) => Ok(()),
            (0, false) => Err(Failure::check(format!("{approved} approvals hold, and {needed} are needed"))),
            (n, false) => Err(Failure::check(format!("{n} votes do not hold"))),
        }
    }

    fn approvals(&self) -> Result<Approvals, Failure> {
        if let Some(file) = &self.approvers {
            return super::rules::read(file);
        }
        let approver = |file: &PathBuf| {
            let text = String::from_utf8_lossy(&bytes(file)?).into_owned();
            let key = Approver::key_of_pem(&text);
            let key = key.ok_or_else(|| Failure::usage(format!("{} has no public key in PEM", file.display())))?;
            let name = file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            Ok(Approver { name, key })
        };
        let approvers = self.approver.iter().map(approver).collect::<Result<_, Failure>>()?;
        Ok(Approvals { approvers, ..Approvals::default() })
    }
}

/// The votes on a proposal that records of the log have.
fn recorded(file: &[u8], proposal: &Proposal, approvals: &Approvals) -> Option<Vec<Vote>> {
    #[derive(Deserialize)]
    struct Records {
        records: Vec<Record>,
    }
    #[derive(Deserialize)]
    struct Record {
        action: String,
        outcome: String,
        reason: Option<String>,
    }
    let all = serde_json::from_slice::<Records>(file).ok()?.records;
    let vote = |record: &Record| {
        let taken = (record.action.as_str(), record.outcome.as_str()) == (Action::VoteOnProposal.name(), "done");
        let vote = record.reason.as_deref().filter(|_| taken).and_then(RecordedVote::parse)?;
        (vote.proposal == proposal.id).then(|| vote.vote(proposal, approvals))
    };
    Some(all.iter().filter_map(vote).collect())
}

/// What the votes come to.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    /// Approver, verdict and result of each.
    rows: Vec<[String; 3]>,
    approved: usize,
    needed: usize,
    bad: usize,
}

impl Counted {
    fn of(exported: &Exported, approvals: &Approvals, needed: Option<u8>) -> Self {
        let proposal = &exported.proposal;
        // The first release's text does not say which rules applied: then the one that takes most counts.
        let rules = if proposal.signs_rules() { proposal.rules.as_slice() } else { Rule::ALL };
        let needed = needed.or_else(|| approvals.needed(rules)).map(usize::from);
        let needed = needed.unwrap_or(approvals.approvers.len());
        let (mut rows, mut approved, mut bad) = (Vec::new(), 0_usize, 0_usize);
        for (at, vote) in exported.votes.iter().enumerate() {
            let named = approvals.with_key(&vote.key);
            let twice = exported.votes.iter().take(at).any(|before| before.key == vote.key);
            let why = match named {
                None => "of nobody who was named",
                Some(_) if twice => "a second vote",
                Some(_) if !vote.is_proven(proposal) => "the signature does not hold",
                Some(_) => "holds",
            };
            match (why, vote.verdict) {
                ("holds", Verdict::Approve) => approved = approved.saturating_add(1),
                ("holds", Verdict::Reject) => {}
                _ => bad = bad.saturating_add(1),
            }
            let name = named.map_or_else(|| output::printable(&vote.approver), |a| a.name.clone());
            rows.push([name, vote.verdict.word().to_owned(), why.to_owned()]);
        }
        Self { rows, approved, needed, bad }
    }

    const fn holds(&self) -> bool {
        self.bad == 0 && self.approved >= self.needed && self.needed > 0
    }

    fn print(&self, exported: &Exported, shown: Shown) -> Result<(), Failure> {
        let Self { rows, approved, needed, .. } = self;
        if !shown.is_json() {
            output::note(&exported.proposal.text(Verdict::Approve));
            output::table(&["approver", "verdict", "signature"], rows.iter().map(|row| row.to_vec()))?;
            return output::text(&format!("{approved} of {needed} approvals hold"));
        }
        let vote = |[approver, verdict, result]: &[String; 3]| serde_json::json!({ "approver": approver, "verdict": verdict, "result": result });
        output::json(&serde_json::json!({
            "proposal": exported.proposal.id,
            "approved": approved,
            "needed": needed,
            "holds": self.holds(),
            "votes": rows.iter().map(vote).collect::<Vec<_>>(),
        }))
    }
}

#[cfg(test)]
mod tests;
