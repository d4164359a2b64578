//! What is sealed to the domain stands in the clear, and where only custodians have the domain's private key the server
//! cannot try whether it opens. So the vault keeps, sealed, a digest of each generation as it was written, or as its
//! custodians opened it: by that an altered row is seen before they are needed.

use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::records::{SealedDigest, SecretsRecord};
use crate::room::{Place, seal_row};
use crate::rotate::Rotation;
use crate::vault::{Open, Vault};
use crate::wraps;
use keystead_crypto::{same, sha256};
use keystead_model::Generation;
use keystead_store::{Kind, Row};

/// What is sealed to the domain of one generation, held against what the vault kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is as it was written.
    Unaltered,
    /// It is another.
    Altered,
    /// It is not there.
    Missing,
    /// Nothing was kept of it: the vault is older than that.
    NotKept,
    /// What was kept is of the generations before: it is not what the vault wrote last.
    Older,
}

/// A digest of a generation that is sealed to the domain.
pub(crate) fn digest(generation: Generation, sealed: &[u8]) -> SealedDigest {
    SealedDigest { generation: generation.0, digest: sha256(&[sealed]) }
}

/// Into the vault's secrets: what these rows hold of the generations that live, and what was kept of the others that
/// do.
pub(crate) fn keep(secrets: &mut SecretsRecord, rows: &[Row], live: &[Generation]) {
    let before = secrets.sealed_roots.take().unwrap_or_default();
    let of = |generation: &Generation| {
        let at = wraps::sealed_root_at(*generation);
        let row = rows.iter().find(|row| row.key() == at);
        let kept = || before.iter().find(|kept| kept.generation == generation.0).cloned();
        row.map(|row| digest(*generation, &row.sealed)).or_else(kept)
    };
    secrets.sealed_roots = Some(live.iter().filter_map(of).collect());
}

/// The row of the secrets with what custodians opened; none if it says so already.
pub(crate) async fn opened(vault: &Vault, open: &Open, opened: Vec<SealedDigest>) -> Result<Option<Row>, OperateError> {
    let records = &open.seals().records;
    let row = opening::row(vault, Kind::Secrets).await?;
    let (mut secrets, _): (SecretsRecord, _) = opening::sealed(vault, records, Kind::Secrets).await?;
    let live = live(open);
    let opened: Vec<_> = opened.into_iter().filter(|one| live.contains(&Generation(one.generation))).collect();
    if secrets.sealed_roots.as_ref() == Some(&opened) {
        return Ok(None);
    }
    secrets.sealed_roots = Some(opened);
    Ok(Some(seal_row(vault, records, Place::behind(row.key(), Some(&row)), &secrets)?))
}

/// How it is with each generation that lives, the newest first.
pub(crate) async fn look(vault: &Vault, open: &Open) -> Result<Vec<(Generation, Written)>, OperateError> {
    let (secrets, _): (SecretsRecord, _) = opening::sealed(vault, &open.seals().records, Kind::Secrets).await?;
    let kept = secrets.sealed_roots.as_deref();
    let mut all = Vec::new();
    for generation in live(open) {
        let of = kept.unwrap_or_default().iter().find(|kept| kept.generation == generation.0);
        let how = match held_against(vault, generation, of).await? {
            // Whenever something is kept, it is kept of the newest.
            Written::NotKept if kept.is_some() && generation == open.seals().generation() => Written::Older,
            how => how,
        };
        all.push((generation, how));
    }
    Ok(all)
}

async fn held_against(vault: &Vault, at: Generation, kept: Option<&SealedDigest>) -> Result<Written, Refusal> {
    let row = wraps::get(vault, wraps::sealed_root_at(at)).await?;
    Ok(match (row, kept) {
        (None, _) => Written::Missing,
        (Some(_), None) => Written::NotKept,
        (Some(row), Some(kept)) if same(&kept.digest, &digest(at, &row.sealed).digest) => Written::Unaltered,
        (Some(_), Some(_)) => Written::Altered,
    })
}

/// The generation that seals, and the one that rows may still need.
fn live(open: &Open) -> Vec<Generation> {
    let older = open.rotation().as_ref().and_then(Rotation::needs);
    [Some(open.seals().generation()), older].into_iter().flatten().collect()
}
