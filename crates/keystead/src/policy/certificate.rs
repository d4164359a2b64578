//! `keystead certificate`.

use super::{Common, items, read, text};
use crate::exit::Failure;
use crate::output;
use keystead_client::PolicyPart;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead certificate add ca.pem --subject dns
  keystead certificate add client.pem --subject thumbprint
  keystead certificate list
  keystead certificate remove THUMBPRINT

A client that shows a certificate in the TLS handshake is the principal `x509:THUMBPRINT-OF-THE-CA` with the subject
that its certificate names. Only administrators of the vault may do this.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the certificates that vouch for clients
    #[command(after_help = "Example:\n  keystead certificate list")]
    List,
    /// Believe the client certificates that a CA vouches for, or one that vouches for itself
    #[command(after_help = "Example:\n  keystead certificate add ca.pem --subject dns")]
    Add {
        /// The certificate, PEM
        file: PathBuf,
        /// What of a client's certificate names its subject
        #[arg(long, value_name = "PART", value_parser = ["dns", "uri", "thumbprint"])]
        subject: String,
        /// Only client certificates with this SHA-256, hex; repeat for more
        #[arg(long, value_name = "THUMBPRINT")]
        only: Vec<String>,
    },
    /// Believe them no more, from now on
    #[command(after_help = "Example:\n  keystead certificate remove THUMBPRINT")]
    Remove {
        /// SHA-256 of the certificate, hex
        thumbprint: String,
    },
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let common = args.common;
    let client = common.client().await?;
    let failed = |e| common.shown.failure(&e);
    match args.command {
        Command::List => common.show(client.policy(PolicyPart::Certificates).await.map_err(failed)?, |v| {
            output::table(HEADINGS, items(v, "certificates").iter().map(row))
        }),
        Command::Add { file, subject, only } => {
            let document = json!({ "certificate": read(&file)?, "subject": subject, "only": only });
            let added = client.add_certificate(&document).await.map_err(failed)?;
            common.show(added, |v| output::table(HEADINGS, [row(v)]))
        }
        Command::Remove { thumbprint } => {
            common.removed(&thumbprint, client.remove_certificate(&thumbprint).await.map_err(failed)?)
        }
    }
}

const HEADINGS: &[&str] = &["issuer of its clients", "subject", "only"];

fn row(certificate: &Value) -> Vec<String> {
    ["issuer", "subject", "only"].into_iter().map(|member| text(certificate, member)).collect()
}
