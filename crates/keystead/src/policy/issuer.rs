//! `keystead issuer`.

use super::{Common, items, read, text};
use crate::exit::Failure;
use crate::output;
use keystead_client::PolicyPart;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead issuer add https://login.example/tenant/v2.0 --audience https://vault.example --subject-claim oid
  keystead issuer add https://ci.example --audience keystead --jwks keys.json
  keystead issuer list --output json
  keystead issuer remove https://ci.example

Keys are fetched from the issuer's metadata, if the node's configuration lets it reach that host (outgoing.hosts),
or stand in the policy with --jwks. Only administrators of the vault may do this.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the issuers whose tokens are believed
    #[command(after_help = "Example:\n  keystead issuer list --output json")]
    List,
    /// Believe an issuer's tokens
    Add(Add),
    /// Believe them no more, from now on
    #[command(after_help = "Example:\n  keystead issuer remove https://ci.example")]
    Remove {
        /// `iss` of its tokens
        iss: String,
    },
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead issuer add https://login.example/tenant/v2.0 \\
    --audience https://vault.example --subject-claim oid
  keystead issuer add https://ci.example --audience keystead --jwks keys.json")]
struct Add {
    /// `iss` of its tokens, compared exactly
    iss: String,
    /// What `aud` must hold; repeat for more
    #[arg(long, value_name = "AUDIENCE", required = true)]
    audience: Vec<String>,
    /// What `tid` must be
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The claim that names the subject
    #[arg(long, value_name = "CLAIM", default_value = "sub")]
    subject_claim: String,
    /// Where its metadata is; default: ISS/.well-known/openid-configuration
    #[arg(long, value_name = "URL", conflicts_with = "jwks")]
    metadata: Option<String>,
    /// Its keys, a JWK set: nothing is fetched
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let common = args.common;
    let client = common.client().await?;
    let failed = |e| common.shown.failure(&e);
    match args.command {
        Command::List => common.show(client.policy(PolicyPart::Issuers).await.map_err(failed)?, |v| {
            output::table(HEADINGS, items(v, "issuers").iter().map(row))
        }),
        Command::Add(add) => {
            let added = client.add_issuer(&add.document()?).await.map_err(failed)?;
            common.show(added, |v| output::table(HEADINGS, [row(v)]))
        }
        Command::Remove { iss } => common.removed(&iss, client.remove_issuer(&iss).await.map_err(failed)?),
    }
}

const HEADINGS: &[&str] = &["issuer", "audiences", "tenant", "subject", "keys from"];

fn row(issuer: &Value) -> Vec<String> {
    let from = if issuer.get("metadata").is_some() { text(issuer, "metadata") } else { "the policy".to_owned() };
    let part = |member| text(issuer, member);
    vec![part("iss"), part("audiences"), part("tenant"), part("subject_claim"), from]
}

impl Add {
    fn document(&self) -> Result<Value, Failure> {
        let mut all = json!({ "iss": self.iss, "audiences": self.audience, "subject_claim": self.subject_claim });
        let jwks = self.jwks.as_deref().map(read).transpose()?;
        for (member, value) in [("tenant", &self.tenant), ("metadata", &self.metadata), ("jwks", &jwks)] {
            if let (Some(value), Some(members)) = (value, all.as_object_mut()) {
                members.insert(member.to_owned(), value.as_str().into());
            }
        }
        Ok(all)
    }
}
