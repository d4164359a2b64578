//! A vault's unseal paths: add, prove, test, remove, list. Each is in the node's log, a change in the vault's, too.

use super::records::Said;
use super::{Approvable, CUSTODY, Instance, QUORUM, open};
use crate::approvals::Used;
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::records::{PathRecord, PathsRecord};
use crate::rotate::Rotation;
use crate::seals::Seals;
use crate::vault::{Open, State, Vault};
use crate::wraps::{self, Stored};
use keystead_custody::{UnsealPath, Wraps};
use keystead_model::{Action, Generation, Moment, OperationId, Time};
use keystead_store::Changes;
use std::sync::Arc;

/// A path of a vault, or of the node's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathView {
    /// Its name.
    pub name: String,
    /// `file`, `credential` or `hsm`.
    pub kind: String,
    /// Whether the node is configured with it.
    pub configured: bool,
    /// Whether the vault is behind it.
    pub of_vault: bool,
    /// When it was added; known while the vault is open.
    pub added: Option<Time>,
}

/// What came of a path that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The generation it opened.
    pub opened: Option<Generation>,
    /// Why it did not.
    pub why: Option<String>,
}

impl PathReport {
    fn of(path: &dyn UnsealPath, opened: Result<Generation, OperateError>) -> Self {
        let (name, kind) = (path.name().to_owned(), path.kind().to_owned());
        match opened {
            Ok(generation) => Self { name, kind, opened: Some(generation), why: None },
            Err(e) => Self { name, kind, opened: None, why: Some(e.to_string()) },
        }
    }
}

impl Instance {
    /// The paths of a vault and those that it could have. Of one that is not open, those by which something is wrapped.
    pub async fn paths(&self, name: &str) -> Result<Vec<PathView>, OperateError> {
        let vault = self.known(name)?;
        let listed = match vault.state() {
            State::Open(open) => Some(wraps::paths(&vault, &open, &open.seals().records).await?.1),
            _ => None,
        };
        let mut all = Vec::new();
        for path in &self.parts.paths {
            let record = listed.as_ref().and_then(|listed| listed.paths.iter().find(|p| p.name == path.name()));
            let of_vault = match &listed {
                Some(_) => record.is_some(),
                None => !Stored::of(&vault, path.name()).await?.is_empty(),
            };
            all.push(PathView {
                name: path.name().to_owned(),
                kind: path.kind().to_owned(),
                configured: true,
                of_vault,
                added: record.map(|record| Time(record.added)),
            });
        }
        for record in listed.iter().flat_map(|listed| &listed.paths) {
            if self.its_path(&record.name).is_err() {
                let (name, kind) = (record.name.clone(), record.kind.clone());
                all.push(PathView { name, kind, configured: false, of_vault: true, added: Some(Time(record.added)) });
            }
        }
        Ok(all)
    }

    /// Wraps an open vault's root by another path; the domain key too, if a path holds it.
    pub async fn add_path(&self, name: &str, path: &str, at: Moment) -> Result<(), OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, open) = self.steady(name)?;
        let _as_it_is = as_it_is(&vault, &open).await?;
        let path = self.its_path(path)?;
        let seals = open.seals();
        let (row, mut listed) = wraps::paths(&vault, &open, &seals.records).await?;
        if listed.has(path.name()) {
            return Err(OperateError::PathExists { name: path.name().to_owned() });
        }
        let operation = OperationId::from_bytes(keystead_crypto::random());
        let approved = self.allowed((&vault, &open), path, &listed, operation, at).await?;
        let mut puts = self.wrapped(&vault, path, &seals, &kept(&vault, &listed).await?).await?;
        let (name, kind) = (path.name().to_owned(), path.kind().to_owned());
        listed.paths.push(PathRecord { name, kind, added: at.now.0 });
        puts.push(wraps::paths_row(&vault, &seals.records, row.as_ref(), &listed)?);
        let clear = match approved.id() {
            None => minicbor::to_vec((path.name(), path.kind())),
            Some(id) => minicbor::to_vec((path.name(), path.kind(), id)),
        };
        let clear = clear.map_err(|_| Refusal::Fault)?;
        puts.extend(approved.row);
        let changes = Changes { puts, checks: approved.check.into_iter().collect(), ..Changes::default() };
        let said = Said::from((Action::PathAdded, clear.clone())).noting(approved.note, &open);
        self.commit_as(operation, &vault, changes, said, at, || ()).await?;
        self.write(Action::PathAdded, vault.info.id, clear, at).await
    }

    /// The approvals by which a path is added. To a vault of custodians only what they confirmed needs none, and once:
    /// what stood behind the name of one that was removed, they knew.
    async fn allowed(
        &self,
        (vault, open): (&Vault, &Arc<Open>),
        path: &dyn UnsealPath,
        listed: &PathsRecord,
        operation: OperationId,
        at: Moment,
    ) -> Result<Used, OperateError> {
        let of_custodians = vault.info.custody == QUORUM;
        let confirmed = of_custodians && opening::allows_path(vault, open, path).await?;
        if confirmed && !listed.once_had(path.name()) {
            return Ok(Used::default());
        }
        let approved = self.approved((vault, open), Approvable::PathAddition(path.name()), operation, at).await?;
        let name = path.name().to_owned();
        match approved.id() {
            None if confirmed => Err(OperateError::PathRemovedBefore { name }),
            None if of_custodians => Err(OperateError::PathNotAllowed { name }),
            _ => Ok(approved),
        }
    }

    async fn wrapped(
        &self,
        vault: &Vault,
        path: &dyn UnsealPath,
        seals: &Seals,
        kept: &Wraps,
    ) -> Result<Vec<keystead_store::Row>, OperateError> {
        let id = vault.info.id;
        let failed = |cause| OperateError::PathFailed { name: path.name().to_owned(), cause };
        let not_proven = || OperateError::NotProven { name: path.name().to_owned() };
        let domain = wraps::domain(vault, &self.parts.paths).await?;
        if domain.is_none() && vault.info.custody == CUSTODY {
            return Err(OperateError::NoPath { custody: vault.info.custody.clone() });
        }
        // What an attempt before this one left, but no key that another path of the vault needs.
        path.destroy_others(id, kept).await.map_err(failed)?;
        let mut puts = Vec::new();
        let at = wraps::root_at(path.name(), seals.generation());
        let wrapped = path.wrap_root(id, &seals.root).await.map_err(failed)?;
        if !path.unwrap_root(id, &wrapped).await.map_err(failed)?.same_as(&seals.root) {
            return Err(not_proven());
        }
        puts.push(wraps::behind(vault, at, wrapped).await?);
        if let Some(domain) = domain {
            let at = wraps::domain_at(path.name());
            let wrapped = path.wrap_domain(id, &domain).await.map_err(failed)?;
            if path.unwrap_domain(id, &wrapped).await.map_err(failed)?.public() != domain.public() {
                return Err(not_proven());
            }
            puts.push(wraps::behind(vault, at, wrapped).await?);
        }
        Ok(puts)
    }

    /// Destroys a path's wraps of an open vault, and its key where that is the vault's alone. Of a vault with custody
    /// `file`, another path must open it first. Where the policy asks for it, approvers have approved.
    pub async fn remove_path(&self, name: &str, path: &str, at: Moment) -> Result<(), OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, open) = self.steady(name)?;
        let _as_it_is = as_it_is(&vault, &open).await?;
        let seals = open.seals();
        let (row, mut listed) = wraps::paths(&vault, &open, &seals.records).await?;
        let at_hand = listed.paths.iter().position(|p| p.name == path);
        let removed = listed.paths.remove(at_hand.ok_or_else(|| OperateError::NotItsPath { name: path.to_owned() })?);
        if vault.info.custody == CUSTODY {
            self.another_opens(&vault, &open, path, &listed).await?;
        }
        listed.had(&removed.name, &removed.kind, at.now);
        let stored = Stored::of(&vault, path).await?;
        let removes = stored.domain.iter().chain(&stored.roots).map(|row| (row.key(), row.counter)).collect();
        let mut puts = vec![wraps::paths_row(&vault, &seals.records, row.as_ref(), &listed)?];
        let operation = OperationId::from_bytes(keystead_crypto::random());
        let approved = self.approved((&vault, &open), Approvable::PathRemoval(path), operation, at).await?;
        let clear = match approved.id() {
            None => minicbor::to_vec((&removed.name, &removed.kind)),
            Some(id) => minicbor::to_vec((&removed.name, &removed.kind, id)),
        };
        let clear = clear.map_err(|_| Refusal::Fault)?;
        puts.extend(approved.row);
        let changes = Changes { puts, removes, checks: approved.check.into_iter().collect(), ..Changes::default() };
        let said = Said::from((Action::PathRemoved, clear.clone())).noting(approved.note, &open);
        self.commit_as(operation, &vault, changes, said, at, || ()).await?;
        self.parts.store.scrub();
        if let Ok(path) = self.its_path(path)
            && let Err(e) = path.destroy_others(vault.info.id, &kept(&vault, &listed).await?).await
        {
            tracing::warn!(vault = %vault.info.name, path = path.name(), "the path is removed, its key is left: {e}");
        }
        self.write(Action::PathRemoved, vault.info.id, clear, at).await
    }

    async fn another_opens(
        &self,
        vault: &Vault,
        open: &Open,
        path: &str,
        others: &PathsRecord,
    ) -> Result<(), OperateError> {
        if others.paths.is_empty() {
            return Err(OperateError::LastPath { name: path.to_owned() });
        }
        let mut reasons = Vec::new();
        for other in &others.paths {
            let proven = match self.its_path(&other.name) {
                Ok(other) => proven(vault, open, other).await,
                Err(e) => Err(e),
            };
            match proven {
                Ok(_) => return Ok(()),
                Err(e) => reasons.push((other.name.clone(), e.to_string())),
            }
        }
        Err(OperateError::NoOtherPath { name: path.to_owned(), reasons })
    }

    /// Opens every wrap of a path and holds it against the open vault's root and domain.
    pub async fn prove_path(&self, name: &str, path: &str, at: Moment) -> Result<PathReport, OperateError> {
        let vault = self.known(name)?;
        let open = self.now_open(&vault)?;
        let path = self.its_path(path)?;
        let report = PathReport::of(path, proven(&vault, &open, path).await);
        self.tried(Action::PathProven, &vault, &report, at).await?;
        Ok(report)
    }

    /// Does with a path all that an unseal does, and opens nothing by it. The vault may be open or sealed.
    pub async fn test_path(&self, name: &str, path: &str, at: Moment) -> Result<PathReport, OperateError> {
        let vault = self.known(name)?;
        let path = self.its_path(path)?;
        let report = PathReport::of(path, self.trial(&vault, path, at).await.map(|(generation, _)| generation));
        self.tried(Action::PathTested, &vault, &report, at).await?;
        Ok(report)
    }

    /// The generation that an unseal by this path would open, and the rotation it would find under way.
    pub(super) async fn trial(
        &self,
        vault: &Vault,
        path: &dyn UnsealPath,
        at: Moment,
    ) -> Result<(Generation, Option<crate::rotate::RotationView>), OperateError> {
        let opened = open::through(vault, path, self.stored(vault).await?, at).await?;
        let rotation = opened.rotation().as_ref().map(Rotation::view);
        Ok((opened.seals().generation(), rotation))
    }

    async fn tried(&self, action: Action, vault: &Vault, of: &PathReport, at: Moment) -> Result<(), OperateError> {
        let clear = minicbor::to_vec((&of.name, &of.kind, of.why.is_none())).map_err(|_| Refusal::Fault)?;
        self.write(action, vault.info.id, clear, at).await
    }

    /// An open vault whose root is not being rotated.
    pub(super) fn steady(&self, name: &str) -> Result<(Arc<Vault>, Arc<Open>), OperateError> {
        let vault = self.known(name)?;
        let open = self.now_open(&vault)?;
        self.not_rotating(&open)?;
        Ok((vault, open))
    }
}

/// What these paths wrapped: no key that opens it is destroyed for another path's sake.
async fn kept(vault: &Vault, listed: &PathsRecord) -> Result<Wraps, OperateError> {
    let mut all = Wraps::default();
    for path in &listed.paths {
        let wraps = Stored::of(vault, &path.name).await?.wraps();
        all.domain = all.domain.or(wraps.domain);
        all.roots.extend(wraps.roots);
    }
    Ok(all)
}

/// The vault takes no other domain and begins no other root while this is held.
async fn as_it_is<'a>(
    vault: &Vault,
    open: &'a Arc<Open>,
) -> Result<tokio::sync::RwLockReadGuard<'a, ()>, OperateError> {
    let held = open.gate.read().await;
    if vault.still_open(open) { Ok(held) } else { Err(Refusal::Conflict.into()) }
}

/// Whether every wrap of a path opens to what the open vault has; the newest generation.
pub(crate) async fn proven(vault: &Vault, open: &Open, path: &dyn UnsealPath) -> Result<Generation, OperateError> {
    let (id, seals, stored) = (vault.info.id, open.seals(), Stored::of(vault, path.name()).await?);
    let mut newest = None;
    for row in &stored.roots {
        let root = path.unwrap_root(id, &row.sealed).await.map_err(OperateError::Path)?;
        if root.same_as(&seals.root) {
            newest = Some(root.generation());
        } else if !seals.older.as_ref().is_some_and(|older| older.same_as(&root)) {
            return Err(OperateError::NotProven { name: path.name().to_owned() });
        }
    }
    if let Some(row) = &stored.domain {
        let domain = path.unwrap_domain(id, &row.sealed).await.map_err(OperateError::Path)?;
        if domain.public() != wraps::public(vault, open).await? {
            return Err(OperateError::NotProven { name: path.name().to_owned() });
        }
    }
    newest.ok_or_else(|| OperateError::NotItsPath { name: path.name().to_owned() })
}
