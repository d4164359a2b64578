//! Making the next generation: all of it stands after one commit, or nothing.

use super::{OtherDomain, Rotation};
use crate::error::{Refusal, TurnedAway};
use crate::node::paths::proven;
use crate::node::{CUSTODY, Instance, VaultSummary, summary};
use crate::operate::OperateError;
use crate::records::{DetailKey, PathsRecord, RootRotationRecord, RotationStep, SecretsRecord};
use crate::room::{Place, seal_row};
use crate::seals::{self, Seals};
use crate::vault::{Open, Vault};
use crate::wraps::{self, Stored};
use crate::{opening, rotate, written_roots};
use keystead_custody::{DomainKey, Root, UnsealPath};
use keystead_model::{Action, Generation, Moment, ObjectId};
use keystead_store::{Changes, Kind, Row};
use std::sync::Arc;

/// The next generation, and how it begins to seal.
pub(super) struct Next {
    pub(super) seals: Seals,
    pub(super) rotation: Rotation,
    pub(super) changes: Changes,
}

impl Instance {
    /// Makes the next generation of a vault's root and lets it seal from now on. What the one before sealed is resealed
    /// in the background ([`Instance::turn`]). `after_purge`: each path gets a new key, too, and the one before is
    /// destroyed at the end.
    pub async fn rotate_root(&self, name: &str, after_purge: bool, at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.known(name)?;
        let open = self.now_open(&vault)?;
        self.not_rotating(&open)?;
        let next = self.next(&vault, &open, after_purge, None, at).await;
        // What was sealed under the generation before is committed by now, or is sealed again.
        let gate = open.gate.write().await;
        // If it took another domain meanwhile, what was read is of neither.
        if !vault.still_open(&open) {
            return Err(Refusal::Conflict.into());
        }
        let next = next?;
        let (from, to) = (next.rotation.record.from, next.rotation.record.to);
        let clear = minicbor::to_vec((from, to, after_purge)).map_err(|_| Refusal::Fault)?;
        self.begin_next(&vault, &open, next, (Action::RootRotationBegun, clear.clone()), at).await?;
        drop(gate);
        tracing::info!(vault = %vault.info.name, "root generation {to} was made; {from} is being replaced");
        self.write(Action::RootRotationBegun, vault.info.id, clear, at).await?;
        Ok(summary(&vault))
    }

    /// One rotation at a time.
    pub(crate) fn not_rotating(&self, open: &Open) -> Result<(), OperateError> {
        match open.rotation().as_ref().map(Rotation::view) {
            Some(view) => Err(OperateError::Rotating { from: view.from, to: view.to }),
            None => Ok(()),
        }
    }

    /// Commits the next generation, which seals from then on. Nobody else commits meanwhile.
    pub(super) async fn begin_next(
        &self,
        vault: &Vault,
        open: &Open,
        next: Next,
        record: (Action, Vec<u8>),
        at: Moment,
    ) -> Result<(), OperateError> {
        let Next { seals, rotation, changes } = next;
        let begin = || {
            open.seal_with(seals);
            *open.rotation() = Some(rotation);
        };
        let done = self.commit(vault, changes, record, at, begin).await;
        if let Err(OperateError::TurnedAway(TurnedAway::OutcomeUnknown)) = &done {
            // Which generation the store's rows are of is not known: opening finds it.
            vault.set_sealed();
        }
        done
    }

    /// What the next generation is, with the rows that keep it. With another domain, both generations are sealed to
    /// that one: nothing is left which the one before opens.
    pub(super) async fn next(
        &self,
        vault: &Vault,
        open: &Open,
        after_purge: bool,
        other: Option<OtherDomain>,
        at: Moment,
    ) -> Result<Next, OperateError> {
        let now = open.seals();
        let root = Arc::new(Root::generate(Generation(now.generation().0.saturating_add(1))));
        let (list, mut listed) = wraps::paths(vault, open, &now.records).await?;
        let Wrapped { mut puts, domain } = self.wrapped_by_all((vault, open), &listed, &root, after_purge).await?;
        match &other {
            Some(other) => puts.extend(other.sealed_roots(vault, [&root, &now.root]).await?),
            None => puts.push(sealed_root(vault, open, &root, domain.as_ref()).await?),
        }
        let by_custodians = other.is_some();
        let is_told = listed.tell(after_purge, by_custodians, at.now);
        let (row, mut secrets) = secrets(vault, open).await?;
        secrets.public = open.public.map(|public| (*public.as_bytes()).into());
        secrets.listed = Some(list.is_some() || is_told);
        let removes = other.map(|other| other.take_over(&mut secrets, &mut puts)).unwrap_or_default();
        written_roots::keep(&mut secrets, &puts, &[root.generation(), now.generation()]);
        let key = DetailKey { generation: root.generation().0, key: keystead_crypto::random() };
        secrets.details.get_or_insert_default().push(key);
        let seals = Seals::new(Arc::clone(&root), Some(Arc::clone(&now.root)), seals::details(&secrets));
        puts.push(seal_row(vault, &seals.records, Place::behind(row.key(), Some(&row)), &secrets)?);
        if is_told {
            puts.push(wraps::paths_row(vault, &seals.records, list.as_ref(), &listed)?);
        }
        let record = RootRotationRecord {
            from: now.generation().0,
            to: root.generation().0,
            step: RotationStep::Resealing as u8,
            after_purge,
            begun: at.now.0,
            custodians: by_custodians.then_some(true),
        };
        let id = ObjectId::from_bytes(keystead_crypto::random());
        puts.push(rotate::row(vault, &seals.records, &record, (id, 1))?);
        let mut rotation = Rotation::new(record, id, 1)?;
        rotation.cursor.total = Some(super::turn::count(vault).await?);
        Ok(Next { seals, rotation, changes: Changes { puts, removes, ..Changes::default() } })
    }

    /// The generation wrapped by each path that the vault has.
    async fn wrapped_by_all(
        &self,
        of: (&Vault, &Open),
        listed: &PathsRecord,
        root: &Root,
        after_purge: bool,
    ) -> Result<Wrapped, OperateError> {
        let mut all = Wrapped { puts: Vec::new(), domain: None };
        for path in &listed.paths {
            let wrapped = wrapped(of, self.its_path(&path.name)?, root, after_purge).await?;
            all.puts.extend(wrapped.puts);
            all.domain = all.domain.or(wrapped.domain);
        }
        Ok(all)
    }
}

/// What a path wrapped anew, and the domain key if it opened that.
struct Wrapped {
    puts: Vec<Row>,
    domain: Option<DomainKey>,
}

/// The generation wrapped by one path, and the domain key too if the path has a new key.
async fn wrapped(
    (vault, open): (&Vault, &Open),
    path: &dyn UnsealPath,
    root: &Root,
    after_purge: bool,
) -> Result<Wrapped, OperateError> {
    let id = vault.info.id;
    let failed = |cause| OperateError::PathFailed { name: path.name().to_owned(), cause };
    let stored = Stored::of(vault, path.name()).await?;
    path.settle(id, &stored.wraps()).await.map_err(failed)?;
    // What is configured under the name now must be what opens the vault today, or the operator would put another key
    // in its place.
    proven(vault, open, path).await.map_err(|e| match e {
        OperateError::Path(cause) => failed(cause),
        other => other,
    })?;
    let domain = match &stored.domain {
        Some(row) => Some(path.unwrap_domain(id, &row.sealed).await.map_err(failed)?),
        None => None,
    };
    let renewed = if after_purge { Some(path.renewed(id).await.map_err(failed)?) } else { None };
    let with: &dyn UnsealPath = renewed.as_deref().unwrap_or(path);
    let mut puts = Vec::new();
    let wrapped = with.wrap_root(id, root).await.map_err(failed)?;
    // By the path as an unseal uses it.
    if !path.unwrap_root(id, &wrapped).await.map_err(failed)?.same_as(root) {
        return Err(OperateError::NotProven { name: path.name().to_owned() });
    }
    let at = wraps::root_at(path.name(), root.generation());
    puts.push(wraps::behind(vault, at, wrapped).await?);
    if let (Some(domain), Some(row), true) = (&domain, &stored.domain, after_purge) {
        let wrapped = with.wrap_domain(id, domain).await.map_err(failed)?;
        if path.unwrap_domain(id, &wrapped).await.map_err(failed)?.public() != domain.public() {
            return Err(OperateError::NotProven { name: path.name().to_owned() });
        }
        puts.push(wraps::clear(row.key(), Some(row), wrapped));
    }
    Ok(Wrapped { puts, domain })
}

/// The generation sealed to the domain; proven by opening where a path holds the domain's private key.
async fn sealed_root(vault: &Vault, open: &Open, root: &Root, domain: Option<&DomainKey>) -> Result<Row, OperateError> {
    let (id, public) = (vault.info.id, wraps::public(vault, open).await?);
    if domain.is_none() && vault.info.custody == CUSTODY {
        return Err(OperateError::NoPath { custody: vault.info.custody.clone() });
    }
    let sealed = public.seal_root(id, root).map_err(|_| OperateError::Damaged)?;
    if let Some(domain) = domain {
        let opened = domain.open_root(id, &sealed).map_err(|_| OperateError::Damaged)?;
        if domain.public() != public || !opened.same_as(root) {
            return Err(OperateError::Damaged);
        }
    }
    let at = wraps::sealed_root_at(root.generation());
    Ok(wraps::behind(vault, at, sealed).await?)
}

async fn secrets(vault: &Vault, open: &Open) -> Result<(Row, SecretsRecord), OperateError> {
    let row = opening::row(vault, Kind::Secrets).await?;
    let (secrets, _) = opening::sealed(vault, &open.seals().records, Kind::Secrets).await?;
    Ok((row, secrets))
}
