//! What the custodians of an open vault agree on: others in their place, another administrator. The operator asks and
//! brings their answers; alone he can do neither.

use super::quorum::{DomainFiles, Replacement};
use super::{name, rotate};
use crate::exit::Failure;
use crate::key::connection::failure;
use crate::new_files;
use crate::output::{self, OutputArgs};
use crate::unseal::{all_taken, answer, in_words, report};
use keystead_client::{AskedInfo, OperatorClient};
use keystead_engine::BUILT_IN;
use keystead_model::Name;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault offer payments --replace --out payments.others.json
  keystead vault replace-custodians payments --domain payments-others \\
    --out challenge.txt
  keystead vault replace-custodians payments --answer alice.answer

The customer makes the new domain with that offer (`keystead domain new`). M of
the custodians that the vault has now answer the challenge, after they compared
the words of the new record. With the last answer the vault has the new domain
and a new root; rows are sealed again while it works on, also after a restart.
The custodians of before then open only copies from before, the new ones only
those after it. Backups from before belong to the domain of before: make new
ones. Of a vault with an HSM, the new domain takes over the key that wraps its
HSM keys (`keystead domain new --hsm-from`). Where all answers are there and it
failed because the store, the log or a path was away, say no more than
`keystead vault replace-custodians payments`: it goes on with them.")]
pub(super) struct Replace {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
    /// The directory that `keystead domain new` made
    #[arg(long, value_name = "DIR", conflicts_with = "answer")]
    domain: Option<PathBuf>,
    /// A new file for the challenge
    #[arg(long, value_name = "FILE", requires = "domain")]
    out: Option<PathBuf>,
    /// Also if the custodians are asked about others: that challenge and its answers are discarded
    #[arg(long, requires = "domain")]
    again: bool,
    /// What `keystead custodian answer` printed; repeat for more
    #[arg(long, value_name = "FILE")]
    answer: Vec<PathBuf>,
    /// Do not wait for the end
    #[arg(long)]
    no_wait: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead vault appoint payments \\
    --principal https://login.example/tenant 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11
  keystead vault appoint payments \\
    --client 6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11 --secret-sha256 HEX
  keystead vault appoint payments --answer alice.answer --answer carol.answer

M custodians must agree; then he is an administrator of the vault. The issuer
`built-in` is the vault's own. Where none of its issuers is left, --client makes
a client of the vault's own: whoever is to have it makes the secret, keeps it,
and tells its SHA-256 alone (printf %s \"$SECRET\" | sha256sum). Where all answers
are there and it failed because the store or the log was away, say no more than
`keystead vault appoint payments`: it goes on with them.")]
pub(super) struct Appoint {
    /// Which vault
    #[arg(value_parser = name)]
    name: Name,
    /// Who: an issuer that the vault trusts, and its subject
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"], group = "who")]
    principal: Option<Vec<String>>,
    /// A new client of the vault's own with this GUID
    #[arg(long, value_name = "GUID", group = "who", requires = "secret_sha256")]
    client: Option<String>,
    /// SHA-256 of its secret
    #[arg(long, value_name = "HEX", requires = "client")]
    secret_sha256: Option<String>,
    /// A new file for the challenge
    #[arg(long, value_name = "FILE", requires = "who")]
    out: Option<PathBuf>,
    /// Also if the custodians are asked about somebody else: that challenge and its answers are discarded
    #[arg(long, requires = "who")]
    again: bool,
    /// What `keystead custodian answer` printed; repeat for more
    #[arg(long, value_name = "FILE", conflicts_with = "who")]
    answer: Vec<PathBuf>,
}

/// The body of the request.
#[derive(Serialize)]
struct Appointment<'a> {
    issuer: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_sha256: Option<&'a str>,
    again: bool,
}

impl Replace {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        let Self { name, domain, out, again, answer: files, no_wait } = self;
        if let Some(domain) = domain {
            let body = Replacement { domain: DomainFiles::read(&domain)?, again };
            let asked = client.ask_replacement(&name, &body).await.map_err(|e| failure(&e))?.value;
            return ask(&asked, &format!("keystead vault replace-custodians {name}"), out.as_deref(), shown);
        }
        let answers = files.iter().map(|file| answer(file)).collect::<Result<Vec<_>, _>>()?;
        let done = client.answer_replacement(&name, &answers).await.map_err(|e| failure(&e))?.value;
        if done.asked.is_some() {
            return report(&name, &files, &done, "", shown);
        }
        let told = |text: &str| if shown.is_json() { Ok(()) } else { output::text(text) };
        told(
            "the custodians were replaced: the vault has the new domain, and its root and the next are sealed to it alone",
        )?;
        if !no_wait {
            rotate::follow(client, &name, told).await?;
            told("done: everything is sealed under the new root, and nothing opens with the custodians of before")?;
        }
        if shown.is_json() {
            output::json(&done)?;
        }
        all_taken(&files, &done)
    }
}

impl Appoint {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        if let Some(body) = self.body() {
            let asked = client.ask_appointment(&self.name, &body).await.map_err(|e| failure(&e))?.value;
            return ask(&asked, &format!("keystead vault appoint {}", self.name), self.out.as_deref(), shown);
        }
        let answers = self.answer.iter().map(|file| answer(file)).collect::<Result<Vec<_>, _>>()?;
        let done = client.answer_appointment(&self.name, &answers).await.map_err(|e| failure(&e))?.value;
        report(&self.name, &self.answer, &done, "the custodians have appointed an administrator", shown)
    }

    fn body(&self) -> Option<Appointment<'_>> {
        if let Some([issuer, subject]) = self.principal.as_deref() {
            return Some(Appointment { issuer, subject, secret_sha256: None, again: self.again });
        }
        let subject = self.client.as_deref()?;
        let secret_sha256 = self.secret_sha256.as_deref();
        Some(Appointment { issuer: BUILT_IN, subject, secret_sha256, again: self.again })
    }
}

/// `command` brings the answers, and goes on without one where all are there.
pub(super) fn ask(asked: &AskedInfo, command: &str, out: Option<&Path>, shown: OutputArgs) -> Result<(), Failure> {
    if let Some(out) = out {
        new_files::write(out, format!("{}\n", asked.challenge).as_bytes())?;
    }
    if shown.is_json() { output::json(asked) } else { output::text(&in_words(asked, command)) }
}
