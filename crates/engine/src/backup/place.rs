//! Where a backup lies: a container, and a folder in it that is made for it.
//!
//! A container at one of the vault's own authorities means the directory that the server is configured with; any other
//! is one of an object store. Names are taken from a small alphabet, so that none leads out of the directory.

use super::BackupError;
use crate::info::VaultInfo;
use keystead_model::{Authority, Time};
use minicbor::{Decode, Encode};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A container, as it is asked for.
pub struct BackupPlace {
    /// `https://host/container`.
    pub container: String,
    /// What permits the object store's use: a SAS token, without `?`.
    pub token: Option<Zeroizing<String>>,
}

impl BackupPlace {
    /// As approvers see it: without a query, in which a token could be.
    pub(crate) fn shown(&self) -> &str {
        self.container.split(['?', '#']).next().unwrap_or_default()
    }
}

/// A folder in it, as it is kept while a job runs. The token goes with the job's end.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PlaceRecord {
    #[n(0)]
    pub(crate) container: String,
    #[n(1)]
    pub(crate) folder: String,
    #[n(2)]
    pub(crate) token: Option<String>,
}

/// Where that is.
pub(crate) enum Target {
    /// Below the server's own directory.
    Folder(PathBuf),
    /// The backup's object, with the token.
    Object(Zeroizing<String>),
}

/// The backup in its folder.
pub(crate) const FILE: &str = "vault.ksbackup";
/// Most bytes of a container's URL, a folder and a token.
const MAX_URL: usize = 1024;
const MAX_FOLDER: usize = 256;
const MAX_TOKEN: usize = 4096;

impl PlaceRecord {
    /// A place that was asked for, checked.
    pub(crate) fn new(place: &BackupPlace, folder: &str) -> Result<Self, BackupError> {
        let container = place.container.trim_end_matches('/');
        let wanted = "https://host[:port]/container, with nothing after it";
        let bad = |what, expected| BackupError::BadPlace { what, expected };
        split(container).filter(|_| container.len() <= MAX_URL).ok_or(bad("storageResourceUri", wanted))?;
        if folder.len() > MAX_FOLDER || !folder.split('/').all(is_name) {
            return Err(bad("folder", "the name of a backup's folder, as the backup's end told it"));
        }
        let token = place.token.as_ref().map(|token| token.trim_start_matches('?').to_owned());
        let good =
            |token: &String| token.len() <= MAX_TOKEN && token.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if !token.as_ref().is_none_or(good) {
            return Err(bad("token", "a SAS token, as the object store gave it"));
        }
        let token = token.filter(|token| !token.is_empty());
        Ok(Self { container: container.to_owned(), folder: folder.to_owned(), token })
    }

    /// Where that is for this vault, with this directory of the server's.
    pub(crate) fn target(&self, vault: &VaultInfo, directory: Option<&PathBuf>) -> Result<Target, BackupError> {
        let malformed = BackupError::BadPlace { what: "storageResourceUri", expected: "https://host/container" };
        let (authority, container) = split(&self.container).ok_or(malformed)?;
        if vault.authorities.contains(&authority) {
            let mut path = directory.ok_or(BackupError::NoDirectory)?.clone();
            path.extend(container.split('/').chain(self.folder.split('/')));
            return Ok(Target::Folder(path));
        }
        let token = self.token.as_deref().ok_or(BackupError::BadPlace {
            what: "token",
            expected: "a SAS token: the server has no identity of its own at an object store",
        })?;
        Ok(Target::Object(Zeroizing::new(format!("{}/{}/{FILE}?{token}", self.container, self.folder))))
    }

    /// Where people find it.
    pub(crate) fn folder_url(&self) -> String {
        format!("{}/{}", self.container, self.folder)
    }
}

/// Authority and path of a container's URL.
fn split(url: &str) -> Option<(Authority, &str)> {
    let (authority, path) = url.strip_prefix("https://")?.split_once('/')?;
    path.split('/').all(is_name).then_some((authority.parse().ok()?, path))
}

/// `$` stands in containers of Azure's own.
fn is_name(segment: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'$');
    (1..=128).contains(&segment.len()) && !segment.starts_with('.') && segment.bytes().all(good)
}

/// The folder of a backup that begins now: `mhsm-{vault}-{yyyyMMddHHmmssff}`.
pub(crate) fn folder(vault: &str, now: Time) -> String {
    let digits: String = now.to_string().chars().filter(char::is_ascii_digit).take(16).collect();
    format!("mhsm-{vault}-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(container: &str, token: Option<&str>) -> BackupPlace {
        BackupPlace { container: container.to_owned(), token: token.map(|t| Zeroizing::new(t.to_owned())) }
    }

    #[test]
    fn a_folder_is_named_by_the_vault_and_the_time() {
        assert_eq!(folder("dev", Time(1_900_000_000_120)), "mhsm-dev-2030031717464012");
        assert_eq!(folder("dev", Time(951_782_400_000)), "mhsm-dev-2000022900000000");
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        for (container, folder) in [
            ("https://h", "f"),
            ("http://h/c", "f"),
            ("https://h/c/..", "f"),
            ("https://h/../c", "f"),
            ("https://h/c%2f..", "f"),
            ("https://h//c", "f"),
            ("https://u@h/c", "f"),
            ("https://h/c?x", "f"),
            ("https://h/c", "../f"),
            ("https://h/c", "f//g"),
            ("https://h/c", ".f"),
            ("https://h/c", ""),
            ("https://h/c", "/etc"),
            ("https://h/c", "a\\b"),
        ] {
            assert!(PlaceRecord::new(&place(container, None), folder).is_err(), "{container} {folder}");
        }
        assert!(PlaceRecord::new(&place("https://h/c", Some("a b")), "f").is_err());
        let good =
            PlaceRecord::new(&place("https://127.0.0.1:1/account/c/", Some("?sv=1&sig=a%3D")), "mhsm-a-1").unwrap();
        assert_eq!(good.folder_url(), "https://127.0.0.1:1/account/c/mhsm-a-1");
        assert_eq!(good.token.as_deref(), Some("sv=1&sig=a%3D"));
    }
}
