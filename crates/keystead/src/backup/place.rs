//! Where a backup is, on the command line.

use crate::exit::Failure;
use crate::key::Session;
use crate::secret_file;
use keystead_client::BackupPlace;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The container of the server's own directory that is used where none is named.
const OWN: &str = "backups";

/// What permits the use of a container.
#[derive(clap::Args)]
pub(super) struct TokenArgs {
    /// A file with the container's SAS token, readable by its owner alone; the server's own directory needs none
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    fn read(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let bytes = secret_file::read(file)?;
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_| Failure::usage(format!("{} is not text: give the token alone", file.display())))?;
        Ok(Some(Zeroizing::new(text.trim().to_owned())))
    }
}

/// The container that is named, or the server's own.
pub(super) fn container(session: &Session, named: Option<&str>, token: &TokenArgs) -> Result<BackupPlace, Failure> {
    let own = || format!("https://{}/{OWN}", session.client.authority());
    let container = named.map_or_else(own, |url| url.trim_end_matches('/').to_owned());
    Ok(BackupPlace { container, token: token.read()? })
}

/// A backup's folder.
#[derive(clap::Args)]
pub(super) struct FolderArgs {
    /// The backup: the URL of its folder, as its end told it, or the folder's name in the server's own directory
    #[arg(value_name = "BACKUP")]
    backup: String,
    #[command(flatten)]
    token: TokenArgs,
}

impl FolderArgs {
    /// Container and folder.
    pub(super) fn place(&self, session: &Session) -> Result<(BackupPlace, String), Failure> {
        let (named, folder) = split(&self.backup).map_err(Failure::usage)?;
        Ok((container(session, named, &self.token)?, folder.to_owned()))
    }
}

/// Of a URL, the last part is the folder.
fn split(backup: &str) -> Result<(Option<&str>, &str), &'static str> {
    let backup = backup.trim_end_matches('/');
    if !backup.contains('/') {
        return Ok((None, backup));
    }
    let parts = backup.rsplit_once('/').filter(|(container, _)| {
        container.strip_prefix("https://").is_some_and(|rest| rest.split_once('/').is_some_and(|(_, c)| !c.is_empty()))
    });
    let (container, folder) = parts.ok_or("a backup is named https://HOST/CONTAINER/FOLDER, or FOLDER alone")?;
    Ok((Some(container), folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_named_by_its_folders_url_or_its_folder() {
        assert_eq!(split("mhsm-a-1"), Ok((None, "mhsm-a-1")));
        assert_eq!(split("https://h/c/mhsm-a-1/"), Ok((Some("https://h/c"), "mhsm-a-1")));
        assert_eq!(split("https://h:1/account/c/f"), Ok((Some("https://h:1/account/c"), "f")));
        for bad in ["https://h/f", "http://h/c/f", "c/f", "https://h"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
