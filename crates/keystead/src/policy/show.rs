//! `keystead policy`.

use super::{Common, items, millis, text};
use crate::exit::Failure;
use crate::output::{self, time};
use keystead_client::PolicyPart;
use serde_json::{Value, json};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead policy show --output json
  keystead policy revoke built-in --subject 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11
  keystead policy revoke https://login.example/tenant/v2.0 --before 2027-01-31T12:00:00Z

Only administrators of the vault may do this.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show who is believed and who may do what
    #[command(after_help = "Example:\n  keystead policy show --output json")]
    Show,
    /// Refuse tokens that were issued before a time
    #[command(
        after_help = "Example:\n  keystead policy revoke https://login.example/tenant/v2.0 --before 2027-01-31T12:00:00Z"
    )]
    Revoke {
        /// `iss` of the tokens; `built-in` means the vault's own
        issuer: String,
        /// Their subject; default: everybody's
        #[arg(long, value_name = "SUBJECT")]
        subject: Option<String>,
        /// Issued before this time; default: now
        #[arg(long, value_name = "TIME", value_parser = millis)]
        before: Option<i64>,
    },
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let common = args.common;
    let client = common.client().await?;
    let failed = |e| common.shown.failure(&e);
    match args.command {
        Command::Show => {
            common.show(client.policy(PolicyPart::Whole).await.map_err(failed)?, |policy| output::fields(lines(policy)))
        }
        Command::Revoke { issuer, subject, before } => {
            let document = json!({ "issuer": issuer, "subject": subject, "before": before });
            common.show(client.revoke_tokens(&document).await.map_err(failed)?, |set| {
                output::fields([("refused", revoked(set))])
            })
        }
    }
}

fn lines(policy: &Value) -> Vec<(&'static str, String)> {
    // Whoever has an id whose principal is not known there has the id alone.
    let principal = |p: &Value| match p.get("id") {
        Some(_) => text(p, "id"),
        None => format!("{} of {}", text(p, "subject"), text(p, "issuer")),
    };
    let mut all = vec![("revision", text(policy, "revision")), ("own issuer", text(policy, "own_issuer"))];
    all.extend(items(policy, "administrators").iter().map(|p| ("administrator", principal(p))));
    all.extend(items(policy, "assignments").iter().map(|a| {
        let who = a.get("principal").map(principal).unwrap_or_default();
        ("assignment", format!("{} on {} to {who}", text(a, "role"), text(a, "scope")))
    }));
    all.extend(items(policy, "issuers").iter().map(|i| ("issuer", text(i, "iss"))));
    all.extend(items(policy, "clients").iter().map(|c| ("client", format!("{} {}", text(c, "id"), text(c, "name")))));
    all.extend(items(policy, "certificates").iter().map(|c| ("certificate", text(c, "thumbprint"))));
    all.extend(items(policy, "not_before").iter().map(|n| ("refused", revoked(n))));
    all.extend(items(policy, "approvers").iter().map(|a| ("approver", text(a, "name"))));
    if let Some(rules) = policy.get("approvals").and_then(Value::as_object) {
        all.extend(rules.iter().map(|(rule, k)| ("needs", format!("{rule}: {k} approvals"))));
    }
    all
}

fn revoked(n: &Value) -> String {
    let before = n.get("time").and_then(Value::as_i64).map(time::millis).unwrap_or_default();
    format!("tokens of {} of {} from before {before}", text(n, "subject"), text(n, "issuer"))
}
