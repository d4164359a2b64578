//! The files of a security domain. `domain new` makes a directory of them; each can be named by itself, too.

use crate::exit::Failure;
use keystead_custody::activation::{ActivationRecord, MAX_ACTIVATION};
use keystead_formats::security_domain::{MAX_SECURITY_DOMAIN, SecurityDomain};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What the vault is, and who may open it: confirmed by the custodians.
pub(crate) const RECORD: &str = "activation.json";
/// The domain itself, encrypted to its custodians.
pub(crate) const DOMAIN: &str = "security-domain.json";
/// What the vault works with, encrypted to its transfer key.
pub(crate) const TRANSFER: &str = "transfer.json";

/// The activation record in a file, or in the directory that `domain new` made.
pub(crate) fn record(path: &Path) -> Result<ActivationRecord, Failure> {
    let file = within(path, RECORD);
    let bytes = read(&file, MAX_ACTIVATION)?;
    ActivationRecord::parse(&bytes).map_err(|e| Failure::usage(format!("{}: {e}", file.display())))
}

/// The record that stands in the same directory, if there is one.
pub(crate) fn record_beside(path: &Path) -> Result<Option<ActivationRecord>, Failure> {
    if path.is_dir() && path.join(RECORD).exists() { record(path).map(Some) } else { Ok(None) }
}

/// The security domain, and the bytes of its file.
pub(crate) fn security_domain(path: &Path) -> Result<(SecurityDomain, Vec<u8>), Failure> {
    let file = within(path, DOMAIN);
    let bytes = read(&file, MAX_SECURITY_DOMAIN)?;
    let domain = SecurityDomain::parse(&bytes).map_err(|e| Failure::usage(format!("{}: {e}", file.display())))?;
    Ok((domain, bytes))
}

/// All of a file that has at most so many bytes.
pub(crate) fn read(file: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", file.display()));
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(bound).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(Failure::usage(format!("{} has more than {most} bytes", file.display())));
    }
    Ok(bytes)
}

/// Refuses what does not belong together: exit code 1, as a check that failed.
pub(crate) fn belongs(record: &ActivationRecord, domain: &SecurityDomain, bytes: &[u8]) -> Result<(), Failure> {
    if record.is_of(bytes) && record.agrees_with(domain) {
        return Ok(());
    }
    Err(Failure::check("the security domain is not the one that the activation record speaks of: get both again"))
}

fn within(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.to_owned() }
}
