//! Opening a vault: each configured unseal path is tried in turn, until one opens it.

use super::Instance;
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::vault::{Open, Vault};
use crate::wraps::{self, Stored};
use keystead_custody::UnsealPath;
use keystead_model::{Action, Moment, VaultStatus};
use std::sync::Arc;

impl Instance {
    /// At the start.
    pub(super) async fn open(&self, vault: &Vault, stored: VaultStatus, at: Moment) -> Result<(), OperateError> {
        let (path, open) = self.opened(vault, stored, at).await?;
        tracing::debug!(vault = %vault.info.name, path = %path, "opened");
        self.note(Action::VaultUnsealed, vault.info.id, at).await?;
        vault.set_open(open, at);
        Ok(())
    }

    /// Opened by the first path that can, and by which. What stood in the way of each is kept to be shown.
    pub(super) async fn opened(
        &self,
        vault: &Vault,
        stored: VaultStatus,
        at: Moment,
    ) -> Result<(String, Open), OperateError> {
        let opened = self.try_each(vault, stored, at).await;
        let why = opened.as_ref().err().map(ToString::to_string);
        vault.not_opened.store(Arc::new(why));
        opened
    }

    async fn try_each(&self, vault: &Vault, stored: VaultStatus, at: Moment) -> Result<(String, Open), OperateError> {
        let (mut failed, quorum) = (Vec::new(), vault.info.custody == super::QUORUM);
        for path in &self.parts.paths {
            match through(vault, &**path, stored, at).await {
                Ok(open) => return Ok((path.name().to_owned(), open)),
                // Custodians need no path beside them.
                Err(OperateError::NotItsPath { .. }) if quorum => {}
                Err(e) if is_the_paths(&e) => failed.push((path.name().to_owned(), e)),
                Err(e) => return Err(e),
            }
        }
        if quorum {
            failed.push((super::QUORUM.to_owned(), OperateError::AwaitsQuorum { name: vault.info.name.clone() }));
        }
        if failed.len() > 1 {
            let reasons = failed.into_iter().map(|(path, e)| (path, e.to_string())).collect();
            return Err(OperateError::NoPathOpens { reasons });
        }
        let none = || OperateError::NoPath { custody: vault.info.custody.clone() };
        Err(failed.pop().map_or_else(none, |(_, e)| e))
    }

    /// The path of a new vault: the key file, or else the first that is configured.
    pub(super) fn birth_path(&self) -> Result<Arc<dyn UnsealPath>, OperateError> {
        let paths = &self.parts.paths;
        let file = paths.iter().find(|path| path.name() == wraps::FILE);
        let none = || OperateError::NoPath { custody: super::CUSTODY.to_owned() };
        file.or_else(|| paths.first()).cloned().ok_or_else(none)
    }

    /// The configured path of this name.
    pub(crate) fn its_path(&self, name: &str) -> Result<&dyn UnsealPath, OperateError> {
        let found = self.parts.paths.iter().find(|path| path.name() == name);
        found.map(|path| &**path).ok_or_else(|| OperateError::UnknownPath { name: name.to_owned() })
    }
}

/// Everything of a vault that exists while it is open, through one path.
pub(super) async fn through(
    vault: &Vault,
    path: &dyn UnsealPath,
    stored: VaultStatus,
    at: Moment,
) -> Result<Open, OperateError> {
    let roots = Stored::of(vault, path.name()).await?.open(vault, path).await?;
    opening::open(vault, &roots, stored, at).await
}

/// Whether another path may do better.
const fn is_the_paths(e: &OperateError) -> bool {
    matches!(
        e,
        OperateError::Path(_)
            | OperateError::NotItsPath { .. }
            | OperateError::Damaged
            | OperateError::Refused(Refusal::Damaged)
    )
}
