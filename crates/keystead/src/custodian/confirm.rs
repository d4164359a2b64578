//! `keystead custodian confirm`.

use super::key::Key;
use crate::compare;
use crate::domain::files;
use crate::domain::show::Shown;
use crate::exit::Failure;
use crate::new_files;
use crate::output::{self, OutputArgs};
use crate::own_key::KeyArgs;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::shares::Share;
use keystead_custody::words;
use keystead_formats::security_domain::SecurityDomain;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead custodian confirm --record payments-domain \\
    --domain payments-domain --key alice.key.pem --out alice.confirmation.json

With a key in a token: --pkcs11 /usr/lib/opensc-pkcs11.so --label alice
--pin-file pin in place of --key.

Read what is shown: it is what the vault will be. The words must be those that
the others see. Your share is opened and tried, and goes nowhere.")]
pub(crate) struct Confirm {
    /// The activation record, or the directory it stands in
    #[arg(long, value_name = "FILE|DIR")]
    record: PathBuf,
    /// The security domain, or the directory it stands in
    #[arg(long, value_name = "FILE|DIR")]
    domain: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
    /// The words that the others see; without, you are asked
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// A new file for the confirmation; default: standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Confirm {
    pub(crate) fn run(self, shown: OutputArgs) -> Result<(), Failure> {
        let record = files::record(&self.record)?;
        let (domain, bytes) = files::security_domain(&self.domain)?;
        files::belongs(&record, &domain, &bytes)?;
        let key = Key::open(&self.key)?;
        let (number, share) = own_share(&record, &domain, &key)?;
        drop(share);
        output::note(&Shown::of(&record).text_to_compare()?);
        output::note(&format!("\nYou are custodian {number}, and your share opens."));
        compare::agree(&words(&record.digest()), self.words.as_deref(), compare::RECORD)?;
        let confirmation = key.confirm(&record)?.to_bytes();
        let Some(out) = &self.out else { return output::bytes(&confirmation) };
        new_files::write(out, &confirmation)?;
        let file = out.display().to_string();
        if shown.is_json() {
            return output::json(&serde_json::json!({ "custodian": number, "confirmation": file }));
        }
        output::text(&format!("custodian {number} has confirmed: {file}"))
    }
}

/// The share of whoever has this key, if it is the one that the record names: his number, and the share.
pub(crate) fn own_share(
    record: &ActivationRecord,
    domain: &SecurityDomain,
    key: &Key,
) -> Result<(usize, Share), Failure> {
    let stranger = || Failure::refused("the key is of nobody who is a custodian of this vault: name the right one");
    let (number, custodian) = record.custodian(key.public()).ok_or_else(stranger)?;
    let thumbprint = custodian.certificate.thumbprint();
    let sealed = domain.shares.iter().find(|share| share.thumbprint == thumbprint).ok_or_else(stranger)?;
    let share = key.share(sealed)?.map_err(|e| Failure::check(e.to_string()))?;
    if usize::from(share.number()) == number && share.digest() == custodian.share {
        return Ok((number, share));
    }
    Err(Failure::check(format!("the share of custodian {number} is not the one that the record names: do not confirm")))
}
