//! A security domain that its custodians open on one machine of the customer's: to recover it, or to rehearse that.

use super::{files, gather};
use crate::custodian::confirm::own_share;
use crate::custodian::key::Key;
use crate::exit::Failure;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::{DomainSecrets, open_domain};
use std::path::{Path, PathBuf};

/// The keys of those custodians who came together.
#[derive(clap::Args)]
pub(crate) struct QuorumArgs {
    /// A custodian's private key, PEM; repeat: as many as the quorum says
    #[arg(long, value_name = "KEY.pem")]
    key: Vec<PathBuf>,
    /// The passphrase of encrypted keys, the first line: one file for all, or one for each key in their order
    #[arg(long, value_name = "FILE")]
    passphrase_file: Vec<PathBuf>,
    /// A new file with a challenge for custodians at other machines, whose answers are waited for
    #[arg(long, value_name = "FILE", requires = "answers")]
    challenge: Option<PathBuf>,
    /// The directory into which their answers are put
    #[arg(long, value_name = "DIR", requires = "challenge")]
    answers: Option<PathBuf>,
}

/// A domain that was opened.
pub(crate) struct Opened {
    /// The activation record of the vault it was of.
    pub(crate) record: ActivationRecord,
    /// The file, as it stands.
    pub(crate) file: Vec<u8>,
    /// What is in it.
    pub(crate) secrets: DomainSecrets,
}

impl QuorumArgs {
    /// Whether nobody was named.
    pub(super) fn is_empty(&self) -> bool {
        self.key.is_empty() && self.challenge.is_none()
    }

    /// Opens the domain in this directory, as `domain new` made it.
    pub(crate) fn open(&self, directory: &Path) -> Result<Opened, Failure> {
        if self.is_empty() {
            return Err(Failure::usage(
                "give the keys of its custodians (--key), or ask those at other machines (--challenge, --answers)",
            ));
        }
        let record = files::record(directory)?;
        let (domain, file) = files::security_domain(directory)?;
        files::belongs(&record, &domain, &file)?;
        let mut shares = record.gathering().map_err(|e| Failure::usage(e.to_string()))?;
        for (key, passphrase_file) in self.key.iter().zip(self.passphrases()?) {
            let key_of = Key::read(key, passphrase_file.as_deref())?;
            let named = |failure: Failure| failure.about(key.display());
            let (_, share) = own_share(&record, &domain, &key_of).map_err(named)?;
            shares.add(share).map_err(|e| named(Failure::refused(e.to_string())))?;
        }
        if let (Some(challenge), Some(answers)) = (&self.challenge, &self.answers) {
            let missing = usize::from(record.quorum.required()).saturating_sub(self.key.len());
            gather::gather(&record, &mut shares, missing, (challenge, answers))?;
        }
        let secrets = open_domain(&domain, &shares).map_err(|e| {
            let (id, name) = (record.domain_public.id(), &record.name);
            Failure::refused(format!("the security domain {id} of '{name}' stays shut: {e}"))
        })?;
        if secrets.key.public() != record.domain_public || secrets.working.digest() != record.working_keys {
            return Err(Failure::check(
                "what is in the security domain is not what the activation record speaks of: get both again",
            ));
        }
        Ok(Opened { record, file, secrets })
    }

    /// For each key the file with its passphrase, if there is one.
    fn passphrases(&self) -> Result<Vec<Option<PathBuf>>, Failure> {
        match &*self.passphrase_file {
            [] => Ok(vec![None; self.key.len()]),
            [one] => Ok(vec![Some(one.clone()); self.key.len()]),
            all if all.len() == self.key.len() => Ok(all.iter().cloned().map(Some).collect()),
            _ => Err(Failure::usage("give one --passphrase-file for all keys, or one for each --key, in their order")),
        }
    }
}
