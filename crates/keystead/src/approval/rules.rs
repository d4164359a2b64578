//! `keystead approval rules`.

use super::file::bytes;
use crate::exit::Failure;
use crate::key::Session;
use crate::output;
use keystead_access::{Approvals, Approver};
use keystead_client::PolicyPart;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead approval rules
  keystead approval rules --set rules.toml
  keystead approval rules --set rules.toml --propose 'carol follows bob'

A file of rules:
  [[approvers]]
  name = \"alice\"
  key = \"\"\"
  -----BEGIN PUBLIC KEY-----
  ...
  -----END PUBLIC KEY-----
  \"\"\"

  [approvals]
  purge = 1

The kinds of operations: purge, backup, restore, roles, policy, approvers,
path-removal, path-addition, export, erase. Changing approvers and rules takes as many
approvals as the rule that needs most. Only administrators of the vault may do this.")]
pub(super) struct Rules {
    /// A file (TOML) with all approvers and rules that are to stand
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
}

impl Rules {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (client, shown) = (&session.client, session.shown);
        let done = match &self.set {
            Some(file) => {
                let approvals = read(file)?;
                approvals.check().map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?;
                client.set_approvals(&json!(approvals)).await
            }
            None => client.policy(PolicyPart::Whole).await,
        };
        let done = done.map_err(|e| shown.failure(&e))?;
        let part = json!({ "approvers": done.value.get("approvers"), "approvals": done.value.get("approvals") });
        if shown.is_json() {
            return output::json(&part);
        }
        output::fields(lines(&part))?;
        shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

fn lines(part: &Value) -> Vec<(&'static str, String)> {
    let Ok(approvals) = Approvals::deserialize(part) else { return vec![("approvers", "none".to_owned())] };
    let print = |a: &Approver| hex::encode(keystead_crypto::sha256(&[&a.key]));
    let approvers = approvals.approvers.iter();
    let mut all: Vec<_> = approvers
        .map(|a| ("approver", format!("{}, SHA-256 of the key {}", output::printable(&a.name), print(a))))
        .collect();
    all.extend(approvals.rules.iter().map(|(rule, k)| ("needs", format!("{}: {k} approvals", rule.name()))));
    if all.is_empty() {
        all.push(("approvers", "none: nothing needs approvals".to_owned()));
    }
    all
}

/// Approvers and rules in a TOML file.
pub(super) fn read(file: &Path) -> Result<Approvals, Failure> {
    let text = bytes(file)?;
    let text = str::from_utf8(&text).map_err(|_| Failure::usage(format!("{} is not UTF-8", file.display())))?;
    toml::from_str(text).map_err(|e: toml::de::Error| Failure::usage(format!("{}: {}", file.display(), e.message())))
}
