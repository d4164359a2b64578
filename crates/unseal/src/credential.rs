//! A systemd credential: 32 bytes that the service manager lays before the server at its start, in a directory that
//! only it and the server see (`LoadCredential=`, `LoadCredentialEncrypted=`). Its key is the service manager's, never
//! replaced here.

use crate::UnsealError;
use crate::file::key_of;
use crate::wrapping::{proven_domain, proven_root};
use keystead_custody::{DomainKey, PathError, PathFuture, PathKey, Root, UnsealPath, unwrap_domain, unwrap_root};
use keystead_model::VaultId;
use std::path::PathBuf;

/// The path through a credential. It is read when it is needed.
pub struct Credential {
    name: String,
    credential: String,
    /// `$CREDENTIALS_DIRECTORY`, if the service manager set it.
    directory: Option<PathBuf>,
}

impl Credential {
    /// The credential of this name in the directory that the service manager named.
    pub fn new(name: &str, credential: &str, directory: Option<PathBuf>) -> Self {
        Self { name: name.to_owned(), credential: credential.to_owned(), directory }
    }

    fn key(&self) -> Result<PathKey, UnsealError> {
        let missing = || UnsealError::NoCredentials { credential: self.credential.clone() };
        let file = self.directory.as_ref().ok_or_else(missing)?.join(&self.credential);
        // Who may read it is the service manager's: it shows others than the owner by access lists, which look like
        // rights of the group.
        key_of(&file, |mode| mode & 0o007 == 0).map_err(|e| match e {
            UnsealError::Missing { .. } => missing(),
            other => other,
        })
    }
}

impl UnsealPath for Credential {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "credential"
    }

    fn wrap_domain<'a>(&'a self, vault: VaultId, domain: &'a DomainKey) -> PathFuture<'a, Vec<u8>> {
        let wrapped = self.key().and_then(|key| proven_domain(&key, vault, domain));
        Box::pin(async move { wrapped.map_err(PathError::new) })
    }

    fn unwrap_domain<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, DomainKey> {
        let opened = self.key().and_then(|key| Ok(unwrap_domain(&key, vault, wrapped)?));
        Box::pin(async move { opened.map_err(PathError::new) })
    }

    fn wrap_root<'a>(&'a self, vault: VaultId, root: &'a Root) -> PathFuture<'a, Vec<u8>> {
        let wrapped = self.key().and_then(|key| proven_root(&key, vault, root));
        Box::pin(async move { wrapped.map_err(PathError::new) })
    }

    fn unwrap_root<'a>(&'a self, vault: VaultId, wrapped: &'a [u8]) -> PathFuture<'a, Root> {
        let opened = self.key().and_then(|key| Ok(unwrap_root(&key, vault, wrapped)?));
        Box::pin(async move { opened.map_err(PathError::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_model::Generation;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    const VAULT: VaultId = VaultId::from_bytes([1; 16]);

    #[tokio::test]
    async fn what_a_credential_wrapped_it_unwraps_after_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let at = || Some(directory.path().to_owned());
        fs::write(directory.path().join("root"), [7; 32]).unwrap();
        fs::set_permissions(directory.path().join("root"), Permissions::from_mode(0o440)).unwrap();
        let (domain, root) = (DomainKey::generate(), Root::generate(Generation(2)));
        let path = Credential::new("boot", "root", at());
        assert_eq!((path.name(), path.kind()), ("boot", "credential"));
        let (d, r) = (path.wrap_domain(VAULT, &domain).await.unwrap(), path.wrap_root(VAULT, &root).await.unwrap());
        let again = Credential::new("boot", "root", at());
        assert_eq!(again.unwrap_domain(VAULT, &d).await.unwrap().public(), domain.public());
        assert!(again.unwrap_root(VAULT, &r).await.unwrap().same_as(&root));
        assert!(path.renewed(VAULT).await.err().unwrap().to_string().contains("not the server's to replace"));
    }

    #[tokio::test]
    async fn a_credential_that_is_missing_or_no_key_is_named_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let refused = async |at| Credential::new("boot", "root", at).unwrap_root(VAULT, b"").await.err().unwrap();
        assert!(refused(None).await.to_string().contains("LoadCredential=root:"));
        assert!(refused(Some(directory.path().to_owned())).await.to_string().contains("LoadCredential=root:"));
        fs::write(directory.path().join("root"), [7; 31]).unwrap();
        fs::set_permissions(directory.path().join("root"), Permissions::from_mode(0o400)).unwrap();
        assert!(refused(Some(directory.path().to_owned())).await.to_string().contains("exactly 32 bytes"));
        fs::set_permissions(directory.path().join("root"), Permissions::from_mode(0o444)).unwrap();
        assert!(refused(Some(directory.path().to_owned())).await.to_string().contains("0444"));
    }
}
