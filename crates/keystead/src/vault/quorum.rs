//! Vaults whose custodians have the domain: what the server is asked for and given on the way.

use super::show;
use crate::domain::files;
use crate::exit::Failure;
use crate::key::connection::failure;
use crate::new_files;
use crate::output::{self, OutputArgs};
use keystead_client::OperatorClient;
use keystead_custody::activation::MAX_ACTIVATION;
use keystead_custody::confirmation::MAX_CONFIRMATION;
use keystead_formats::security_domain::MAX_SECURITY_DOMAIN;
use keystead_model::Name;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Offer {
    /// Which vault
    #[arg(value_parser = super::name)]
    name: Name,
    /// Of an open vault with custodians, which is to get others
    #[arg(long)]
    replace: bool,
    /// A new file; default: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Confirm {
    /// Which vault
    #[arg(value_parser = super::name)]
    name: Name,
    /// What a custodian wrote with `keystead custodian confirm`; repeat for more
    #[arg(long, value_name = "FILE", required = true)]
    confirmation: Vec<PathBuf>,
}

/// The body of the request.
#[derive(Serialize)]
struct DomainActivation<'a> {
    #[serde(flatten)]
    domain: DomainFiles,
    tokens: &'a [String],
    paths: &'a [String],
}

impl Offer {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        let offered = client.transfer_offer(&self.name, self.replace).await.map_err(|e| failure(&e))?.value;
        if let Some(out) = &self.out {
            new_files::write(out, offered.offer.as_bytes())?;
        } else if !shown.is_json() {
            output::note(&format!("The words of this node: {}", offered.node_words));
            return output::bytes(offered.offer.as_bytes());
        }
        if shown.is_json() {
            return output::json(&offered);
        }
        output::text(&format!(
            "The words of this node, which whoever runs `keystead domain new` compares with you:\n    {}\n\
             Its transfer key is in memory only: bring the domain before the server starts again.",
            offered.node_words
        ))
    }
}

impl Confirm {
    pub(super) async fn run(self, client: &OperatorClient, shown: OutputArgs) -> Result<(), Failure> {
        let read = |file: &PathBuf| text(file, MAX_CONFIRMATION);
        let files = self.confirmation.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        client.confirm_domain(&self.name, &files).await.map_err(|e| failure(&e))?;
        show(client, &self.name, shown).await
    }
}

/// The files of a domain that the server is sent, as text.
#[derive(Serialize)]
pub(super) struct DomainFiles {
    record: String,
    security_domain: String,
    transfer: String,
}

/// The domain of other custodians.
#[derive(Serialize)]
pub(super) struct Replacement {
    #[serde(flatten)]
    pub(super) domain: DomainFiles,
    /// Also in place of a challenge about others.
    pub(super) again: bool,
}

impl DomainFiles {
    /// From the directory that `domain new` made.
    pub(super) fn read(domain: &Path) -> Result<Self, Failure> {
        Ok(Self {
            record: text(&domain.join(files::RECORD), MAX_ACTIVATION)?,
            security_domain: text(&domain.join(files::DOMAIN), MAX_SECURITY_DOMAIN)?,
            transfer: text(&domain.join(files::TRANSFER), MAX_SECURITY_DOMAIN)?,
        })
    }
}

/// With the directory that `domain new` made.
pub(super) async fn activate(
    client: &OperatorClient,
    name: &Name,
    domain: &Path,
    tokens: &[String],
    paths: &[String],
    shown: OutputArgs,
) -> Result<(), Failure> {
    let body = DomainActivation { domain: DomainFiles::read(domain)?, tokens, paths };
    client.activate_domain(name, &body).await.map_err(|e| failure(&e))?;
    show(client, name, shown).await
}

/// `2 of 3 open it, not confirmed yet (1 of 2)`.
pub(super) fn in_words(quorum: &serde_json::Value) -> String {
    let number = |member: &str| quorum.get(member).and_then(serde_json::Value::as_u64).unwrap_or_default();
    let (required, custodians, confirmed) = (number("required"), number("custodians"), number("confirmed"));
    match confirmed >= required {
        true => format!("{required} of {custodians} open it, confirmed by {confirmed}"),
        false => format!("{required} of {custodians} open it, not confirmed yet ({confirmed} of {required})"),
    }
}

/// `2 are needed; there: of custodian 3; missing: 1`.
pub(super) fn shares(shares: &serde_json::Value) -> String {
    let number = |member: &str| shares.get(member).and_then(serde_json::Value::as_u64).unwrap_or_default();
    let given = shares.get("given").and_then(serde_json::Value::as_array);
    let given: Vec<String> = given.into_iter().flatten().map(ToString::to_string).collect();
    let given = if given.is_empty() { "none".to_owned() } else { format!("of custodian {}", given.join(", ")) };
    format!("{} are needed; there: {given}; missing: {} (`keystead unseal`)", number("required"), number("missing"))
}

fn text(file: &Path, most: usize) -> Result<String, Failure> {
    String::from_utf8(files::read(file, most)?)
        .map_err(|_| Failure::usage(format!("{} is not text: give the file as it was written", file.display())))
}
