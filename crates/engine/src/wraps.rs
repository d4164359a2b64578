//! Where the wraps of a vault's root and domain key stand, and which unseal paths the vault has.
//!
//! A path's wraps stand at SHA-256("keystead path" | its name), each generation of the root as a version of its own. The
//! first generation, and the domain key, of the path `file` stand where the first release put them: at the kind's code.

use crate::birth::singleton;
use crate::error::Refusal;
use crate::operate::OperateError;
use crate::records::{self, PathRecord, PathsRecord, SealedDigest, SecretsRecord};
use crate::room::{Place, row_binding, seal_row};
use crate::seals::Roots;
use crate::vault::{Open, Vault};
use crate::written_roots;
use keystead_crypto::sealed::Sealer;
use keystead_custody::{DomainKey, DomainPublic, UnsealPath, Wraps};
use keystead_model::{Generation, ObjectId, Revision, Version};
use keystead_store::{Kind, Row, RowKey};
use std::sync::Arc;

/// The path through `custody.key_file`.
pub(crate) const FILE: &str = "file";

/// Most generations of one path that are looked at; two are what a rotation has.
const GENERATIONS: u16 = 16;

/// Whether the root seals rows of this kind. The others hold wraps, public keys, and what is sealed to the domain.
pub(crate) const fn is_sealed(kind: Kind) -> bool {
    match kind {
        Kind::Domain
        | Kind::WrappedDomain
        | Kind::SealedRoot
        | Kind::WrappedRoot
        | Kind::SealedWrapping
        | Kind::SecurityDomain
        | Kind::Activation
        | Kind::Confirmation => false,
        Kind::Secrets
        | Kind::Policy
        | Kind::Issuer
        | Kind::Key
        | Kind::KeyVersion
        | Kind::DeletedKey
        | Kind::Vault
        | Kind::Clock
        | Kind::Settings
        | Kind::Backup
        | Kind::Restore
        | Kind::Purged
        | Kind::RootRotation
        | Kind::Paths
        | Kind::Proposal => true,
    }
}

fn tag(path: &str) -> [u8; 32] {
    keystead_crypto::sha256(&[b"keystead path", path.as_bytes()])
}

fn version(generation: Generation) -> Version {
    let mut bytes = [0; 16];
    let [.., a, b, c, d] = &mut bytes;
    [*a, *b, *c, *d] = generation.0.to_be_bytes();
    Version::from_bytes(bytes)
}

/// Where a path's wrap of a generation stands.
pub(crate) fn root_at(path: &str, generation: Generation) -> RowKey {
    let kind = Kind::WrappedRoot;
    if path == FILE && generation == Generation::FIRST {
        return singleton(kind);
    }
    RowKey { kind, lookup: tag(path), version: Some(version(generation)) }
}

/// Where a path's wrap of the domain key stands.
pub(crate) fn domain_at(path: &str) -> RowKey {
    let kind = Kind::WrappedDomain;
    RowKey { kind, lookup: if path == FILE { singleton(kind).lookup } else { tag(path) }, version: None }
}

/// Where a generation stands that is sealed to the domain.
pub(crate) fn sealed_root_at(generation: Generation) -> RowKey {
    let (kind, first) = (Kind::SealedRoot, generation == Generation::FIRST);
    RowKey { version: (!first).then(|| version(generation)), ..singleton(kind) }
}

/// A row whose content needs no seal of the root's; it follows what stands there.
pub(crate) fn clear(at: RowKey, before: Option<&Row>, bytes: Vec<u8>) -> Row {
    let id = before.map_or_else(|| ObjectId::from_bytes(keystead_crypto::random()), |row| row.id);
    let counter = before.map_or(0, |row| row.counter).saturating_add(1);
    let RowKey { kind, lookup, version } = at;
    Row { kind, lookup, version, id, counter, revision: Revision(0), due: None, sealed: bytes }
}

/// The clear row behind what stands there.
pub(crate) async fn behind(vault: &Vault, at: RowKey, bytes: Vec<u8>) -> Result<Row, Refusal> {
    Ok(clear(at, get(vault, at).await?.as_ref(), bytes))
}

pub(crate) async fn get(vault: &Vault, at: RowKey) -> Result<Option<Row>, Refusal> {
    Ok(vault.store.get(vault.info().id, at).await?)
}

/// What a path wrapped of a vault.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) domain: Option<Row>,
    /// Each generation, in no order.
    pub(crate) roots: Vec<Row>,
}

impl Stored {
    pub(crate) async fn of(vault: &Vault, path: &str) -> Result<Self, Refusal> {
        let domain = get(vault, domain_at(path)).await?;
        let id = vault.info().id;
        let mut roots = vault.store.versions(id, Kind::WrappedRoot, tag(path), None, GENERATIONS).await?;
        if path == FILE {
            roots.extend(get(vault, root_at(path, Generation::FIRST)).await?);
        }
        Ok(Self { domain, roots })
    }

    pub(crate) fn wraps(&self) -> Wraps {
        let bytes = |row: &Row| row.sealed.clone();
        Wraps { domain: self.domain.as_ref().map(bytes), roots: self.roots.iter().map(bytes).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.domain.is_none() && self.roots.is_empty()
    }

    /// The newest generation, opened by the path, and those before it that open.
    pub(crate) async fn open(&self, vault: &Vault, path: &dyn UnsealPath) -> Result<Roots, OperateError> {
        let mut rows: Vec<&Row> = self.roots.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.version));
        let mut roots = Vec::with_capacity(rows.len());
        for row in rows {
            match path.unwrap_root(vault.info().id, &row.sealed).await {
                Ok(root) => roots.push(root),
                Err(why) if roots.is_empty() => return Err(OperateError::Path(why)),
                Err(_) => {}
            }
        }
        Roots::new(roots).ok_or_else(|| OperateError::NotItsPath { name: path.name().to_owned() })
    }
}

/// The rows of the generations that are sealed to the domain, the newest first.
pub(crate) async fn sealed_root_rows(vault: &Vault) -> Result<Vec<Row>, Refusal> {
    let (id, at) = (vault.info().id, singleton(Kind::SealedRoot).lookup);
    let mut rows = vault.store.versions(id, Kind::SealedRoot, at, None, GENERATIONS).await?;
    if rows.iter().all(|row| row.version.is_some()) {
        rows.extend(get(vault, sealed_root_at(Generation::FIRST)).await?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.version));
    Ok(rows)
}

/// The generation whose row stands at this version.
pub(crate) fn generation_at(version: Option<Version>) -> Generation {
    let Some(version) = version else { return Generation::FIRST };
    version.as_bytes().last_chunk().map_or(Generation::FIRST, |last| Generation(u32::from_be_bytes(*last)))
}

/// Each generation that is sealed to the domain, opened by its private key: the newest must open. Beside them a digest
/// of what opened to each.
pub(crate) async fn sealed_roots(
    vault: &Vault,
    domain: &DomainKey,
) -> Result<(Roots, Vec<SealedDigest>), OperateError> {
    let (id, rows) = (vault.info().id, sealed_root_rows(vault).await?);
    let (mut roots, mut written) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        match domain.open_root(id, &row.sealed) {
            Ok(root) => {
                written.push(written_roots::digest(root.generation(), &row.sealed));
                roots.push(root);
            }
            Err(_) if roots.is_empty() => return Err(OperateError::Damaged),
            Err(_) => {}
        }
    }
    Roots::new(roots).map(|roots| (roots, written)).ok_or(OperateError::Damaged)
}

/// The domain's private key, if one of these paths wraps it: opened by the first that can.
pub(crate) async fn domain(vault: &Vault, paths: &[Arc<dyn UnsealPath>]) -> Result<Option<DomainKey>, OperateError> {
    let mut failed = None;
    for path in paths {
        let Some(row) = get(vault, domain_at(path.name())).await? else { continue };
        match path.unwrap_domain(vault.info().id, &row.sealed).await {
            Ok(domain) => return Ok(Some(domain)),
            Err(why) => failed = Some(why),
        }
    }
    failed.map_or(Ok(None), |why| Err(OperateError::Path(why)))
}

/// The public half of the domain. It stands in the clear: whoever seals anything to it, seals it to the one that the
/// vault proved when it opened.
pub(crate) async fn public(vault: &Vault, open: &Open) -> Result<DomainPublic, OperateError> {
    match open.public {
        Some(proven) if stands(vault).await? == proven => Ok(proven),
        _ => Err(OperateError::Altered { what: "domain key" }),
    }
}

/// As it stands in the clear.
pub(crate) async fn stands(vault: &Vault) -> Result<DomainPublic, OperateError> {
    let at = singleton(Kind::Domain);
    let row = get(vault, at).await?.ok_or(OperateError::Damaged)?;
    let bytes = row.sealed.try_into().map_err(|_| OperateError::Damaged)?;
    Ok(DomainPublic::from_bytes(bytes))
}

/// The public half of the domain, held against what the vault sealed of it, or the activation record whose digest it
/// sealed. Of a vault that sealed nothing of it, the private key proves it, if a path opens that; otherwise there is
/// none.
pub(crate) async fn proven_public(
    vault: &Vault,
    secrets: &SecretsRecord,
    activation: Option<DomainPublic>,
) -> Result<Option<DomainPublic>, OperateError> {
    let sealed = secrets.public.map(|public| DomainPublic::from_bytes(*public));
    let proven = match sealed.or(activation) {
        Some(public) => Some(public),
        None => domain(vault, &vault.paths).await.ok().flatten().map(|domain| domain.public()),
    };
    match proven {
        Some(public) if stands(vault).await? != public => Err(OperateError::Altered { what: "domain key" }),
        proven => Ok(proven),
    }
}

/// Where the row stands that says which paths the vault has.
pub(crate) const PATHS: RowKey = singleton(Kind::Paths);

/// Which paths the vault has, and the row that says so. Only a vault older than the row may be without it.
pub(crate) async fn paths(vault: &Vault, open: &Open, records: &Sealer) -> Result<(Option<Row>, PathsRecord), Refusal> {
    let Some(row) = get(vault, PATHS).await? else {
        if open.listed {
            return Err(Refusal::Damaged);
        }
        let added = vault.info().created.0;
        let file = PathRecord { name: FILE.to_owned(), kind: FILE.to_owned(), added };
        return Ok((None, PathsRecord::of(vec![file])));
    };
    let plain = records.open(&row_binding(vault, &row), &[], &row.sealed)?;
    Ok((Some(row), records::decode(&plain)?))
}

/// The row that says which paths the vault has, behind the one that stands there.
pub(crate) fn paths_row(
    vault: &Vault,
    records: &Sealer,
    before: Option<&Row>,
    paths: &PathsRecord,
) -> Result<Row, Refusal> {
    let at = clear(PATHS, before, Vec::new());
    let place = Place { kind: at.kind, tag: at.lookup, version: None, id: at.id, counter: at.counter, due: None };
    seal_row(vault, records, place, paths)
}
