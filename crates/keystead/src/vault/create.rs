//! `keystead vault create`.

use super::policy::{EXAMPLE, FirstPolicy};
use super::{fields, quorum};
use crate::exit::Failure;
use crate::key::connection::failure;
use crate::new_client::NewClient;
use crate::output::{self, OutputArgs};
use keystead_client::{OperatorClient, VaultInfo};
use keystead_model::{Authority, Name};
use serde::Serialize;
use std::path::PathBuf;
use zeroize::Zeroizing;

// A policy is taken from the page as it stands: no line of it is broken.
#[derive(clap::Args)]
#[command(term_width = 0, after_help = format!("\
Examples:
  keystead vault create payments --authority payments.vault.example \\
    --policy policy.toml
  keystead vault create pay --custody quorum --authority pay.example
  keystead vault create lab --authority lab.localhost:8443 --retention 7 \\
    --client tester --role 'Key Vault Crypto Officer'

The first policy is the vault's own from then on; the operator has no role in
it. A policy file:

{EXAMPLE}"))]
pub(crate) struct Create {
    /// 3 to 24 characters of a-z, 0-9 and -, the first a letter
    name: String,
    /// What it holds: software-protected keys, or HSM keys only
    #[arg(long, value_enum, default_value_t = Kind::Vault)]
    kind: Kind,
    /// Who can open it: a key on the server, or a quorum of your custodians, who bring its policy
    #[arg(long, value_enum, default_value_t = Custody::File)]
    custody: Custody,
    /// Where it answers; repeat or separate by commas
    #[arg(long, value_name = "HOST[:PORT],..", value_delimiter = ',', required = true, value_parser = authority)]
    authority: Vec<Authority>,
    /// Days a deleted key stays recoverable; fixed from then on
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u8).range(7..=90))]
    retention: u8,
    /// Nobody may purge before the retention has passed; fixed from then on
    #[arg(long)]
    purge_protection: bool,
    /// The tenant its clients configure
    #[arg(long, value_name = "TENANT", default_value = "adfs")]
    tenant: String,
    /// A token of its HSM, by its name in `[[hsm]]`; repeat for fail-over, in the order in which they are asked
    #[arg(long, value_name = "TOKEN")]
    hsm: Vec<String>,
    #[command(flatten)]
    first: First,
}

/// Gives an inactive vault its HSM and its first policy, or the domain of its custodians.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault activate payments-hsm --hsm luna-1 --hsm luna-2 \\
    --policy policy.toml
  keystead vault activate payments --domain payments-domain")]
pub(crate) struct Activate {
    /// Which vault
    #[arg(value_parser = super::name)]
    name: Name,
    /// A token of its HSM, by its name in `[[hsm]]`; repeat for fail-over, in the order in which they are asked
    #[arg(long, value_name = "TOKEN", required_unless_present = "domain")]
    hsm: Vec<String>,
    /// The directory that `keystead domain new` made
    #[arg(long, value_name = "DIR", conflicts_with_all = ["purge_protection", "policy", "client"])]
    domain: Option<PathBuf>,
    /// An unseal path that opens it besides its custodians; repeat for more. Without any, only they open it
    #[arg(long, value_name = "PATH", requires = "domain")]
    path: Vec<String>,
    /// Nobody may purge before the retention has passed; fixed from then on
    #[arg(long)]
    purge_protection: bool,
    #[command(flatten)]
    first: First,
}

/// The first policy.
#[derive(clap::Args)]
struct First {
    /// The first policy
    #[arg(long, value_name = "FILE.toml")]
    policy: Option<PathBuf>,
    /// Make a client with a new secret, print it once, and make it administrator if the policy names none
    #[arg(long, value_name = "NAME", requires = "role")]
    client: Option<String>,
    /// A role of that client on the whole vault; repeat for more
    #[arg(long, value_name = "ROLE", requires = "client")]
    role: Vec<String>,
}

/// What a vault holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Vault,
    Hsm,
}

/// Who can open a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Custody {
    File,
    Quorum,
}

/// The body of the request.
#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    kind: Kind,
    authorities: Vec<&'a str>,
    retention_days: u8,
    purge_protection: bool,
    tenant: &'a str,
    tokens: &'a [String],
    custody: Custody,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a FirstPolicy>,
}

/// The body of the request for activation.
#[derive(Serialize)]
struct HsmActivation<'a> {
    tokens: &'a [String],
    purge_protection: bool,
    policy: &'a FirstPolicy,
}

fn authority(text: &str) -> Result<Authority, String> {
    text.parse::<Authority>().map_err(|e| e.to_string())
}

impl Create {
    pub(crate) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        let quorum = self.custody == Custody::Quorum;
        if quorum && (self.purge_protection || !self.hsm.is_empty()) {
            return Err(Failure::usage(
                "a vault of custodians gets purge protection and HSM later: by `domain new` and `vault activate`",
            ));
        }
        let waits = quorum || (self.kind == Kind::Hsm && self.hsm.is_empty());
        let (policy, made) = if waits { self.first.none()? } else { self.first.policy()? };
        let document = Document {
            name: &self.name,
            kind: self.kind,
            authorities: self.authority.iter().map(Authority::as_str).collect(),
            retention_days: self.retention,
            purge_protection: self.purge_protection,
            tenant: &self.tenant,
            tokens: &self.hsm,
            custody: self.custody,
            policy: (!quorum).then_some(&policy),
        };
        let vault = client.create_vault(&document).await.map_err(|e| failure(&e))?.value;
        print(&vault, made.as_ref(), shown)
    }
}

impl Activate {
    pub(crate) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        if let Some(domain) = &self.domain {
            return quorum::activate(client, &self.name, domain, &self.hsm, &self.path, shown).await;
        }
        let (policy, made) = self.first.policy()?;
        let body = HsmActivation { tokens: &self.hsm, purge_protection: self.purge_protection, policy: &policy };
        let vault = client.activate_vault(&self.name, &body).await.map_err(|e| failure(&e))?.value;
        print(&vault, made.as_ref(), shown)
    }
}

impl First {
    /// Of a vault that waits.
    fn none(&self) -> Result<(FirstPolicy, Option<NewClient>), Failure> {
        let given = self.policy.is_some() || self.client.is_some();
        let refused = "a vault that waits for its custodians, or is of kind hsm without --hsm, gets its policy when it \
                       is activated: leave --policy and --client out";
        if given { Err(Failure::usage(refused)) } else { Ok((FirstPolicy::default(), None)) }
    }

    fn policy(&self) -> Result<(FirstPolicy, Option<NewClient>), Failure> {
        let mut policy = match &self.policy {
            Some(file) => FirstPolicy::read(file)?,
            None => FirstPolicy::default(),
        };
        if self.policy.is_none() && self.client.is_none() {
            return Err(Failure::usage(
                "a vault needs a first policy: give --policy FILE.toml, or --client NAME --role ROLE",
            ));
        }
        let made = self.client.as_deref().map(NewClient::generate);
        if let Some(client) = &made {
            policy.add(client, &self.role);
        }
        policy.check()?;
        Ok((policy, made))
    }
}

fn print(vault: &VaultInfo, made: Option<&NewClient>, shown: OutputArgs) -> Result<(), Failure> {
    if shown.is_json() {
        #[derive(Serialize)]
        struct Made<'a> {
            name: &'a str,
            id: &'a str,
            subject: &'a str,
            secret: &'a str,
        }
        #[derive(Serialize)]
        struct Created<'a> {
            #[serde(flatten)]
            vault: &'a VaultInfo,
            #[serde(skip_serializing_if = "Option::is_none")]
            client: Option<Made<'a>>,
        }
        let client = made.map(|c| Made { name: &c.name, id: &c.id, subject: &c.subject, secret: &c.secret });
        let text = Zeroizing::new(output::json_bytes(&Created { vault, client })?);
        return output::bytes(&text);
    }
    output::fields(fields(vault))?;
    let Some(client) = made else { return Ok(()) };
    output::text("\nThe client's secret is shown this once and stands nowhere else:")?;
    let lines = [
        ("AZURE_CLIENT_ID", client.id.as_str()),
        ("AZURE_CLIENT_SECRET", &client.secret),
        ("KEYSTEAD_VAULT_URL", &vault.authorities.first().map(|a| format!("https://{a}")).unwrap_or_default()),
    ];
    let text = Zeroizing::new(lines.map(|(name, value)| format!("{name}={value}")).join("\n"));
    output::text(&text)
}
