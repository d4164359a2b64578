//! A vault without keys takes another domain: everything that hangs on the domain, in one commit.

use super::SecurityDomainError;
use crate::backup::jobs::Jobs;
use crate::birth::singleton;
use crate::enrol;
use crate::error::Refusal;
use crate::opening;
use crate::records::{BlobKey, DomainRecord, HsmRecord, SecretsRecord};
use crate::room::{Place, Room, seal_row};
use crate::rotate::Rotation;
use crate::vault::Vault;
use crate::wraps;
use crate::written_roots;
use keystead_custody::{DomainKey, DomainSecrets, UnsealPath, WrappingKey};
use keystead_store::{Changes, Kind, Row, RowKey};

const KEYS: [Kind; 3] = [Kind::Key, Kind::KeyVersion, Kind::DeletedKey];

/// Refused while something hangs on the domain that the vault has.
pub(crate) async fn possible(room: &Room<'_>) -> Result<(), Refusal> {
    let vault = room.vault();
    if vault.store.count(vault.info().id, &KEYS).await? > 0 {
        return Err(SecurityDomainError::HasKeys.into());
    }
    Jobs::none_runs(room).await?;
    match room.open().rotation().as_ref().map(Rotation::view) {
        Some(view) => Err(SecurityDomainError::Rotating { from: view.from, to: view.to }.into()),
        None => Ok(()),
    }
}

/// The rows of a vault that has this domain: its public half, its private half behind each of the vault's paths, the
/// root sealed to it, its keys under the root, and the wrapping key sealed to it, which every token has been given.
pub(crate) async fn rows(room: &Room<'_>, new: &DomainSecrets) -> Result<Changes, Refusal> {
    let vault = room.vault();
    // Before what is made of it: another change of it in between is a conflict.
    let row = opening::row(vault, Kind::Secrets).await.map_err(SecurityDomainError::of)?;
    let mut puts = behind_paths(room, &new.key).await?;
    puts.push(sealed_root(room, &new.key).await?);
    puts.push(clear(vault, Kind::Domain, new.key.public().as_bytes().to_vec()).await?);
    let (mut secrets, _): (SecretsRecord, _) =
        opening::sealed(vault, room.records(), Kind::Secrets).await.map_err(SecurityDomainError::of)?;
    let wrapping = new.working.wrapping.as_ref();
    if let Some(hsm) = &mut secrets.hsm {
        *hsm = given(room, hsm, wrapping.ok_or(SecurityDomainError::NoWrappingKey)?).await?;
    }
    secrets.blob_key = Some(BlobKey::of(new.working.blob.expose()));
    let (id, wrapping_id) = (*new.working.domain.as_bytes(), wrapping.map(|key| key.id().into()));
    secrets.domain = Some(DomainRecord { id, activation: None, wrapping: wrapping_id });
    secrets.public = Some((*new.key.public().as_bytes()).into());
    secrets.listed = Some(true);
    written_roots::keep(&mut secrets, &puts, &[room.root().generation()]);
    puts.push(seal_row(vault, room.records(), Place::behind(row.key(), Some(&row)), &secrets)?);
    // A file of the domain before opens nothing here any more.
    let mut removes = gone(vault, Kind::SecurityDomain).await?;
    match wrapping {
        Some(key) => {
            let sealed = new.key.public().seal_wrapping(vault.info().id, key).map_err(|_| Refusal::Fault)?;
            puts.push(clear(vault, Kind::SealedWrapping, sealed).await?);
        }
        None => removes.extend(gone(vault, Kind::SealedWrapping).await?),
    }
    Ok(Changes { puts, removes, ..Changes::default() })
}

/// The private key wrapped by each path, and the row of the paths as it stands: whoever changes it meanwhile, or is
/// about to, finds that another change came first.
async fn behind_paths(room: &Room<'_>, domain: &DomainKey) -> Result<Vec<Row>, Refusal> {
    let vault = room.vault();
    let (row, listed) = wraps::paths(vault, room.open(), room.records()).await?;
    let mut puts = Vec::with_capacity(listed.paths.len().saturating_add(1));
    for of in &listed.paths {
        let why = || format!("no unseal path '{}' is configured: add it as `[[path]]`, or remove it", of.name);
        let path = vault.paths.iter().find(|path| path.name() == of.name);
        let path = path.ok_or_else(|| SecurityDomainError::Failed { why: why() })?;
        puts.push(behind(vault, &**path, domain).await?);
    }
    puts.push(wraps::paths_row(vault, room.records(), row.as_ref(), &listed)?);
    Ok(puts)
}

/// The private key wrapped by a path, and proven by opening.
async fn behind(vault: &Vault, path: &dyn UnsealPath, domain: &DomainKey) -> Result<Row, Refusal> {
    let failed = |why: String| SecurityDomainError::Failed { why: format!("unseal path '{}': {why}", path.name()) };
    let id = vault.info().id;
    let wrapped = path.wrap_domain(id, domain).await.map_err(|e| failed(e.to_string()))?;
    let opened = path.unwrap_domain(id, &wrapped).await.map_err(|e| failed(e.to_string()))?;
    if opened.public() != domain.public() {
        return Err(failed("what it wrapped did not open to the same key".to_owned()).into());
    }
    let at = wraps::domain_at(path.name());
    wraps::behind(vault, at, wrapped).await
}

/// The root sealed to the domain, and proven by opening.
async fn sealed_root(room: &Room<'_>, domain: &DomainKey) -> Result<Row, Refusal> {
    let (vault, root) = (room.vault(), room.root());
    let id = vault.info().id;
    let sealed = domain.public().seal_root(id, root).map_err(|_| Refusal::Fault)?;
    if !domain.open_root(id, &sealed).is_ok_and(|opened| opened.same_as(root)) {
        return Err(Refusal::Fault);
    }
    let at = wraps::sealed_root_at(root.generation());
    wraps::behind(vault, at, sealed).await
}

/// The HSM after each of its tokens was given the key. What they were given before stays in them, and serves nothing
/// of this vault.
async fn given(room: &Room<'_>, hsm: &HsmRecord, key: &WrappingKey) -> Result<HsmRecord, Refusal> {
    let mut next = HsmRecord { wrapping: key.id(), ..hsm.clone() };
    for token in &hsm.tokens {
        let class = enrol::give(room.vault(), &next, token, key, room.at).await;
        next.class = Some(class.map_err(SecurityDomainError::of)?);
    }
    Ok(next)
}

/// A row of which the vault has one, behind what stands there.
async fn clear(vault: &Vault, kind: Kind, bytes: Vec<u8>) -> Result<Row, Refusal> {
    wraps::behind(vault, singleton(kind), bytes).await
}

/// The row's removal, if it is there.
async fn gone(vault: &Vault, kind: Kind) -> Result<Vec<(RowKey, u64)>, Refusal> {
    let at = singleton(kind);
    Ok(wraps::get(vault, at).await?.map(|row| (at, row.counter)).into_iter().collect())
}
