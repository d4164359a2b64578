//! `keystead client`.

use super::{Common, items, millis, read_json, text};
use crate::exit::Failure;
use crate::output::{self, time};
use keystead_client::PolicyPart;
use serde_json::{Value, json};
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead client create payments --secret
  keystead client create build --federated-issuer https://ci.example --federated-subject repo:main \\
    --federated-audience keystead
  keystead client add-credential 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11 --secret --expires 2027-12-31
  keystead client remove-credential CLIENT CREDENTIAL
  keystead client list

A secret is shown once. Whatever is removed ends the client's tokens at once. A client has no role until one is
assigned to its subject.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the vault's own clients and their credentials
    #[command(after_help = "Example:\n  keystead client list")]
    List,
    /// Create a client
    #[command(after_help = "Example:\n  keystead client create payments --secret")]
    Create {
        /// Name people read
        name: String,
        #[command(flatten)]
        proof: Proof,
    },
    /// Remove a client; its tokens are refused from now on
    #[command(after_help = "Example:\n  keystead client remove 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11")]
    Remove {
        /// Its id
        id: String,
    },
    /// Give a client another credential
    #[command(after_help = "Example:\n  keystead client add-credential 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11 --secret")]
    AddCredential {
        /// The client's id
        id: String,
        #[command(flatten)]
        proof: Proof,
    },
    /// Take a credential away; the client's tokens are refused from now on
    #[command(after_help = "Example:\n  keystead client remove-credential CLIENT CREDENTIAL")]
    RemoveCredential {
        /// The client's id
        id: String,
        /// The credential's id
        credential: String,
    },
}

#[derive(clap::Args)]
struct Proof {
    /// A new secret of 256 random bits
    #[arg(long, group = "proof")]
    secret: bool,
    /// A public key of the client's, a JWK: it signs assertions
    #[arg(long, value_name = "FILE", group = "proof")]
    key: Option<PathBuf>,
    /// Tokens of this trusted issuer
    #[arg(long, value_name = "ISS", group = "proof", requires_all = ["federated_subject", "federated_audience"])]
    federated_issuer: Option<String>,
    /// `sub` of those tokens
    #[arg(long, value_name = "SUB", requires = "federated_issuer")]
    federated_subject: Option<String>,
    /// `aud` of those tokens
    #[arg(long, value_name = "AUD", requires = "federated_issuer")]
    federated_audience: Option<String>,
    /// When the credential ends
    #[arg(long, value_name = "TIME", value_parser = millis, requires = "proof")]
    expires: Option<i64>,
}

impl Proof {
    fn document(&self) -> Result<Value, Failure> {
        let credential = match (&self.key, &self.federated_issuer) {
            (Some(file), _) => json!({ "key": read_json(file)? }),
            (None, Some(iss)) => {
                json!({ "federated": { "iss": iss, "sub": self.federated_subject, "aud": self.federated_audience } })
            }
            (None, None) if self.secret => json!("secret"),
            (None, None) => return Ok(json!({})),
        };
        Ok(json!({ "credential": credential, "expires": self.expires }))
    }
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let common = args.common;
    let client = common.client().await?;
    let failed = |e| common.shown.failure(&e);
    match args.command {
        Command::List => common.show(client.policy(PolicyPart::Clients).await.map_err(failed)?, |v| {
            output::table(HEADINGS, items(v, "clients").iter().map(row))
        }),
        Command::Create { name, proof } => {
            let mut document = proof.document()?;
            if let Some(members) = document.as_object_mut() {
                members.insert("name".to_owned(), name.into());
            }
            common.show(client.create_client(&document).await.map_err(failed)?, made)
        }
        Command::Remove { id } => common.removed(&id, client.remove_client(&id).await.map_err(failed)?),
        Command::AddCredential { id, proof } => {
            let document = proof.document()?;
            if document.get("credential").is_none() {
                return Err(Failure::usage("give --secret, --key or --federated-issuer"));
            }
            common.show(client.add_credential(&id, &document).await.map_err(failed)?, made)
        }
        Command::RemoveCredential { id, credential } => {
            common.removed(&credential, client.remove_credential(&id, &credential).await.map_err(failed)?)
        }
    }
}

const HEADINGS: &[&str] = &["id", "name", "subject", "credentials"];

fn row(client: &Value) -> Vec<String> {
    let shown = |c: &Value| {
        let until = c.get("expires").and_then(Value::as_i64).map(|at| format!(" until {}", time::millis(at)));
        format!("{} {}{}", text(c, "kind"), text(c, "id"), until.unwrap_or_default())
    };
    let credentials: Vec<String> = items(client, "credentials").iter().map(shown).collect();
    vec![text(client, "id"), text(client, "name"), text(client, "subject"), credentials.join(", ")]
}

/// A client, and its secret this once.
fn made(answer: &Value) -> Result<(), Failure> {
    output::table(HEADINGS, answer.get("client").map(row))?;
    let Some(secret) = answer.get("secret").and_then(Value::as_str) else { return Ok(()) };
    output::text("\nThe client's secret is shown this once and stands nowhere else:")?;
    let id = answer.get("client").map(|c| text(c, "id")).unwrap_or_default();
    let lines = Zeroizing::new(format!("AZURE_CLIENT_ID={id}\nAZURE_CLIENT_SECRET={secret}"));
    output::text(&lines)
}
