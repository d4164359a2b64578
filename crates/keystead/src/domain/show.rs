//! `keystead domain show`, and how an activation record is shown everywhere.

use super::files;
use super::parties::Parties;
use crate::exit::Failure;
use crate::output::{self, OutputArgs};
use keystead_custody::activation::{ActivationRecord, NodeIdentity};
use keystead_custody::words;
use keystead_formats::security_domain::SecurityDomain;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead domain show payments-domain
  keystead domain show activation.json --output json

Of a directory it is checked that its security domain is the one its record
speaks of, and it is told who needs which of its files and what he does with
them. Who has the same record sees the same words. Which custodian is meant by a
certificate's SHA-256: openssl x509 -in alice.pem -noout -sha256 -fingerprint")]
pub(crate) struct Show {
    /// The directory that `domain new` made, an activation record, or a security domain
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
}

/// A record for programs.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    words: String,
    digest: String,
    domain: String,
    vault: String,
    name: &'a str,
    kind: &'static str,
    authorities: Vec<&'a str>,
    tenant: &'a str,
    retention_days: u8,
    purge_protection: bool,
    security_domain: String,
    required: u8,
    custodians: Vec<ShownCustodian>,
    nodes: Vec<ShownNode>,
    paths: Vec<String>,
    policy: &'a serde_json::Value,
}

/// A directory for programs.
#[derive(Serialize)]
struct ShownDirectory<'a> {
    #[serde(flatten)]
    record: Shown<'a>,
    parties: Parties,
}

#[derive(Serialize)]
struct ShownCustodian {
    number: usize,
    certificate_sha256: String,
    share_sha256: String,
}

#[derive(Serialize)]
struct ShownNode {
    id: String,
    key: String,
    words: String,
}

impl<'a> Shown<'a> {
    pub(crate) fn of(record: &'a ActivationRecord) -> Self {
        let digest = record.digest();
        let custodian = |(number, of): (usize, &keystead_custody::activation::Custodian)| ShownCustodian {
            number,
            certificate_sha256: hex::encode(of.certificate.thumbprint()),
            share_sha256: hex::encode(of.share),
        };
        let node = |of: &NodeIdentity| ShownNode { id: of.id.to_string(), key: hex::encode(of.key), words: of.words() };
        Self {
            words: words(&digest),
            digest: hex::encode(digest),
            domain: record.domain_public.id().to_string(),
            vault: record.vault.to_string(),
            name: &record.name,
            kind: record.kind.name(),
            authorities: record.authorities.iter().map(|authority| authority.as_str()).collect(),
            tenant: &record.tenant,
            retention_days: record.retention_days,
            purge_protection: record.purge_protection,
            security_domain: hex::encode(record.security_domain),
            required: record.quorum.required(),
            custodians: (1..).zip(&record.custodians).map(custodian).collect(),
            nodes: record.nodes.iter().map(node).collect(),
            paths: record.paths.iter().map(ToString::to_string).collect(),
            policy: &record.policy,
        }
    }

    /// A line for each of its parts.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("words", self.words.clone()),
            ("digest", self.digest.clone()),
            ("security domain", self.domain.clone()),
            ("vault", self.vault.clone()),
            ("name", self.name.to_owned()),
            ("kind", self.kind.to_owned()),
            ("authorities", self.authorities.join(", ")),
            ("tenant", self.tenant.to_owned()),
            ("retention", format!("{} days", self.retention_days)),
            ("purge protection", self.purge_protection.to_string()),
            ("quorum", format!("{} of {}", self.required, self.custodians.len())),
        ];
        let custodian = |of: &ShownCustodian| ("custodian", format!("{}  {}", of.number, of.certificate_sha256));
        fields.extend(self.custodians.iter().map(custodian));
        let paths = if self.paths.is_empty() { "none".to_owned() } else { self.paths.join(", ") };
        fields.push(("unseal paths", paths));
        fields.extend(self.nodes.iter().map(|of| ("node", of.words.clone())));
        fields
    }

    /// The whole of it, for people: the policy as the server will read it.
    pub(crate) fn text(&self) -> Result<String, Failure> {
        self.text_of(self.fields())
    }

    /// The same without the words, for whoever has yet to compare them.
    pub(crate) fn text_to_compare(&self) -> Result<String, Failure> {
        self.text_of(self.fields().into_iter().filter(|(name, _)| !matches!(*name, "words" | "digest")).collect())
    }

    fn text_of(&self, fields: Vec<(&'static str, String)>) -> Result<String, Failure> {
        let policy = serde_json::to_string_pretty(self.policy)
            .map_err(|e| Failure::unavailable(format!("the policy cannot be shown: {e}")))?;
        let policy: Vec<String> = policy.lines().map(output::printable).collect();
        Ok(format!("{}\npolicy\n{}", output::fields_text(fields), policy.join("\n")))
    }
}

/// Prints a record for people.
pub(crate) fn print(record: &ActivationRecord) -> Result<(), Failure> {
    output::text(&Shown::of(record).text()?)
}

impl Show {
    pub(crate) fn run(self, shown: OutputArgs) -> Result<(), Failure> {
        if self.path.is_dir() {
            let record = files::record(&self.path)?;
            let (domain, bytes) = files::security_domain(&self.path)?;
            files::belongs(&record, &domain, &bytes)?;
            return show_directory(&record, &self.path, shown);
        }
        // Which of the two a file is, only reading it tells.
        match files::security_domain(&self.path) {
            Ok((domain, _)) => show_domain(&domain, shown),
            Err(_) => show_record(&files::record(&self.path)?, shown),
        }
    }
}

/// A directory is shown with who needs what of it.
fn show_directory(record: &ActivationRecord, directory: &Path, shown: OutputArgs) -> Result<(), Failure> {
    let (parties, record) = (Parties::of(record, directory), Shown::of(record));
    if shown.is_json() {
        return output::json(&ShownDirectory { record, parties });
    }
    output::text(&format!("{}\n\n{}", record.text()?, parties.text()))
}

fn show_record(record: &ActivationRecord, shown: OutputArgs) -> Result<(), Failure> {
    if shown.is_json() { output::json(&Shown::of(record)) } else { print(record) }
}

/// A security domain by itself tells who opens it, and not what it is of.
fn show_domain(domain: &SecurityDomain, shown: OutputArgs) -> Result<(), Failure> {
    let custodians: Vec<String> = domain.shares.iter().map(|share| hex::encode(share.thumbprint)).collect();
    let data: Vec<&str> = domain.data.iter().map(|datum| datum.tag.as_str()).collect();
    if shown.is_json() {
        let required = domain.required;
        return output::json(&serde_json::json!({ "required": required, "custodians": custodians, "data": data }));
    }
    let mut fields =
        vec![("quorum", format!("{} of {}", domain.required, custodians.len())), ("data", data.join(", "))];
    fields.extend((1..).zip(&custodians).map(|(number, of): (usize, _)| ("custodian", format!("{number}  {of}"))));
    output::fields(fields)
}
