//! `keystead domain new`.

use super::files::{self, DOMAIN, RECORD, TRANSFER};
use super::opened::QuorumArgs;
use super::parties::Parties;
use super::show::{self, Shown};
use crate::compare;
use crate::exit::Failure;
use crate::new_files;
use crate::output::{self, OutputArgs};
use crate::vault::policy::FirstPolicy;
use keystead_crypto::sha256;
use keystead_custody::activation::{ActivationRecord, AllowedPath, Custodian};
use keystead_custody::offer::{BadOffer, MAX_OFFER, TransferOffer};
use keystead_custody::shares::Quorum;
use keystead_custody::{Certificate, DomainSecrets, NewDomain, make_domain, send_working_keys};
use keystead_model::{VaultId, VaultKind};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead domain new --custodian alice.pem --custodian bob.pem \\
    --custodian carol.pem --quorum 2 --transfer-key payments.offer.json \\
    --policy policy.toml --out payments-domain

Run it on a machine of your own that has no network. You are asked whether the
words of the node are those that the operator reads from the server, over another
way than the file took; --node says so without asking. The directory then
holds:
  security-domain.json  the domain, for its custodians; keep copies of it
  activation.json       what the vault is; each custodian compares its words
  transfer.json         what the vault works with, for its transfer key

A vault with an HSM that gets other custodians keeps the key that wraps its HSM
keys. M of the custodians that it has open their domain here, so that the new
one has the key, too:
  keystead domain new --custodian dave.pem --custodian bob.pem \\
    --custodian carol.pem --quorum 2 --transfer-key payments.others.json \\
    --hsm-from payments-domain --key alice.key.pem --key bob.key.pem \\
    --out payments-others

Each custodian then runs `keystead custodian confirm`. A custodian's key and
certificate: openssl req -x509 -newkey rsa:3072 -sha256 -days 3650 \\
  -subj /CN=alice -keyout alice.key.pem -out alice.pem")]
pub(crate) struct New {
    /// A custodian's certificate, PEM with RSA of 2048, 3072 or 4096 bits; repeat: 3 to 10, the order is theirs
    #[arg(long, value_name = "CERTIFICATE.pem", required = true)]
    custodian: Vec<PathBuf>,
    /// How many of them must come together: 2 to all
    #[arg(long, value_name = "M")]
    quorum: usize,
    /// What the vault that waits says of itself, as the server wrote it
    #[arg(long, value_name = "FILE")]
    transfer_key: PathBuf,
    /// The words of the server's node, as its operator reads them to you; without, you are asked
    #[arg(long, value_name = "WORDS")]
    node: Option<String>,
    /// The first policy of the vault, as for `keystead vault create`; one that gets other custodians keeps its own
    #[arg(long, value_name = "FILE.toml")]
    policy: Option<PathBuf>,
    /// Nobody may purge before the retention has passed; fixed from then on
    #[arg(long)]
    purge_protection: bool,
    /// Make a key for HSMs too; a vault of kind hsm always has one
    #[arg(long)]
    hsm: bool,
    /// Of a vault that gets other custodians: the directory of the domain that it has, whose key for HSMs the new one takes
    /// over
    #[arg(long, value_name = "DIR")]
    hsm_from: Option<PathBuf>,
    #[command(flatten)]
    custodians_before: QuorumArgs,
    /// An unseal path that may open the vault besides its custodians; repeat: without it, none may
    #[arg(long, value_name = "NAME:KIND")]
    allow_path: Vec<AllowedPath>,
    /// A new directory for what is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl New {
    pub(crate) fn run(self, shown: OutputArgs) -> Result<(), Failure> {
        let custodians = self.custodian.iter().map(|file| certificate(file)).collect::<Result<Vec<_>, _>>()?;
        let offer = offer(&self.transfer_key)?;
        let policy = self.policy(&offer)?;
        agreed(&offer, self.node.as_deref())?;
        let secrets = self.secrets(&offer)?;
        let made = make_domain(&secrets, &custodians, self.quorum).map_err(|e| Failure::usage(e.to_string()))?;
        let file = made.file.to_json().into_bytes();
        let record = self.record(&offer, policy, &secrets, custodians, &made, &file)?;
        let transfer = send_working_keys(&secrets.working, &offer.transfer_key);
        let transfer = transfer.map_err(|e| Failure::unavailable(e.to_string()))?.to_json().into_bytes();
        drop(secrets);
        let record_bytes = record.to_bytes();
        new_files::write_directory(&self.out, &[(DOMAIN, &file), (RECORD, &record_bytes), (TRANSFER, &transfer)])?;
        print(&self.out, &record, &offer, shown)
    }

    fn secrets(&self, offer: &TransferOffer) -> Result<DomainSecrets, Failure> {
        if self.hsm_from.is_none() && !self.custodians_before.is_empty() {
            return Err(Failure::usage(
                "--key and --challenge open the domain whose key for HSMs is taken over: name it (--hsm-from)",
            ));
        }
        let Some(before) = offer.replacement else {
            if self.hsm_from.is_some() {
                return Err(Failure::usage("a new vault gets a key for HSMs of its own: leave --hsm-from out"));
            }
            return Ok(DomainSecrets::generate(offer.vault, self.hsm || offer.kind == VaultKind::Hsm));
        };
        match &self.hsm_from {
            Some(directory) if before.hsm => self.taken_over(directory, offer),
            None if before.hsm => Err(Failure::usage(
                "the vault keeps the key that wraps its HSM keys: name the domain that it has (--hsm-from), and let M of its \
                 custodians open it (--key, or --challenge and --answers)",
            )),
            None if !self.hsm => Ok(fresh()),
            _ => Err(Failure::usage("the vault was made without an HSM: leave --hsm and --hsm-from out")),
        }
    }

    /// New and random, but for the key that wraps the HSM keys of the vault.
    fn taken_over(&self, directory: &Path, offer: &TransferOffer) -> Result<DomainSecrets, Failure> {
        let opened = self.custodians_before.open(directory)?;
        if opened.record.vault != offer.vault {
            return Err(Failure::check(format!(
                "{} is the domain of another vault than the one of the transfer key",
                directory.display()
            )));
        }
        let wrapping = opened.secrets.working.wrapping;
        let none = || Failure::usage(format!("{} has no key for an HSM: leave --hsm-from out", directory.display()));
        let mut secrets = fresh();
        secrets.working.wrapping = Some(wrapping.ok_or_else(none)?);
        Ok(secrets)
    }

    /// As it stands in the record: that of a replacement has none.
    fn policy(&self, offer: &TransferOffer) -> Result<serde_json::Value, Failure> {
        match (&self.policy, offer.replacement) {
            (Some(file), None) => {
                let policy = FirstPolicy::read(file)?;
                policy.check()?;
                serde_json::to_value(policy)
                    .map_err(|e| Failure::unavailable(format!("the policy cannot be written as JSON: {e}")))
            }
            (None, Some(_)) if !self.purge_protection => Ok(serde_json::json!({})),
            (_, Some(_)) => Err(Failure::usage(
                "the vault gets other custodians and keeps its policy: leave --policy and --purge-protection out",
            )),
            (None, None) => Err(Failure::usage("a new vault needs its first policy: give --policy FILE.toml")),
        }
    }

    fn record(
        &self,
        offer: &TransferOffer,
        policy: serde_json::Value,
        secrets: &DomainSecrets,
        custodians: Vec<Certificate>,
        made: &NewDomain,
        file: &[u8],
    ) -> Result<ActivationRecord, Failure> {
        let quorum = Quorum::new(self.quorum, custodians.len()).map_err(|e| Failure::usage(e.to_string()))?;
        let shares = made.share_digests.iter().copied();
        let custodian = |(certificate, share)| Custodian { certificate, share };
        let record = ActivationRecord {
            vault: offer.vault,
            name: offer.name.clone(),
            kind: offer.kind,
            authorities: offer.authorities.clone(),
            tenant: offer.tenant.clone(),
            retention_days: offer.retention_days,
            purge_protection: offer.replacement.map_or(self.purge_protection, |of| of.purge_protection),
            policy,
            domain_public: secrets.key.public(),
            working_keys: secrets.working.digest(),
            security_domain: sha256(&[file]),
            quorum,
            custodians: custodians.into_iter().zip(shares).map(custodian).collect(),
            nodes: vec![offer.node],
            paths: self.allow_path.clone(),
        };
        record.check().map_err(|e| Failure::usage(e.to_string()))?;
        Ok(record)
    }
}

/// With an id of its own: what is bound to the domain that a vault has must not be taken for that of another.
fn fresh() -> DomainSecrets {
    DomainSecrets::generate(VaultId::from_bytes(keystead_crypto::random()), false)
}

/// What was written, and for whom.
pub(super) fn print(
    out: &Path,
    record: &ActivationRecord,
    offer: &TransferOffer,
    shown: OutputArgs,
) -> Result<(), Failure> {
    if shown.is_json() {
        let (directory, node) = (out.display().to_string(), offer.node.words());
        let (parties, record) = (Parties::of(record, out), Shown::of(record));
        return output::json(&serde_json::json!({
            "directory": directory, "node_words": node, "record": record, "parties": parties,
        }));
    }
    show::print(record)?;
    output::text(&format!(
        "\nWritten to {}, for the node with the words\n    {}\n\
         {}\n`keystead domain show` of the directory says this again.",
        out.display(),
        offer.node.words(),
        Parties::of(record, out).text()
    ))
}

/// Whether the node whose transfer key it is is the one that its operator sees: the words are compared before anything
/// is made, as whoever has the private half of another key would have what the vault works with.
pub(super) fn agreed(offer: &TransferOffer, node: Option<&str>) -> Result<(), Failure> {
    compare::agree(&offer.node.words(), node, compare::NODE)
}

/// The offer in a file, if the node that it names signed it.
pub(super) fn offer(file: &Path) -> Result<TransferOffer, Failure> {
    TransferOffer::parse(&files::read(file, MAX_OFFER)?).map_err(|e| refused(file, e))
}

fn refused(file: &Path, why: BadOffer) -> Failure {
    let message = format!("{}: {why}", file.display());
    if why == BadOffer::Signature { Failure::check(message) } else { Failure::usage(message) }
}

/// The one certificate in a file.
fn certificate(file: &Path) -> Result<Certificate, Failure> {
    /// A certificate in PEM, with what openssl writes before it.
    const MOST: usize = 64 << 10;
    let shown = file.display();
    let bytes = files::read(file, MOST)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| Failure::usage(format!("{shown} is not a certificate in PEM: {e}")))?;
    let [one] = &*found else {
        let count = found.len();
        return Err(Failure::usage(format!(
            "{shown} has {count} certificates: give the custodian's own, one to a file, in PEM"
        )));
    };
    Certificate::parse(one).map_err(|e| Failure::usage(format!("{shown}: {e}")))
}
