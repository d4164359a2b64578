//! All of the domain that a vault has.

use super::SecurityDomainError;
use crate::error::Refusal;
use crate::opening;
use crate::records::SecretsRecord;
use crate::room::Room;
use crate::wraps;
use keystead_custody::{BlobKey, DomainKey, DomainSecrets, WorkingKeys, WrappingKey};
use keystead_store::Kind;

/// The domain, in the heap, opened by the first unseal path that can. What stands in the clear must be what the
/// vault sealed.
pub(crate) async fn opened(room: &Room<'_>) -> Result<Box<DomainSecrets>, Refusal> {
    let vault = room.vault();
    let key = wraps::domain(vault, &vault.paths).await.map_err(SecurityDomainError::of)?;
    let none = || SecurityDomainError::Failed { why: "no configured unseal path wraps the domain's key".to_owned() };
    let key = key.ok_or_else(none)?;
    if key.public() != wraps::public(vault, room.open()).await.map_err(SecurityDomainError::of)? {
        return Err(Refusal::Damaged);
    }
    let (secrets, _): (SecretsRecord, _) =
        opening::sealed(vault, room.records(), Kind::Secrets).await.map_err(SecurityDomainError::of)?;
    let wrapping = wrapping(room, &key, &secrets).await?;
    let blob = opening::with_blob_key(&secrets, BlobKey::from_bytes);
    Ok(Box::new(DomainSecrets { key, working: WorkingKeys { domain: room.domain(), blob, wrapping } }))
}

/// The key of its HSM, or the one that came along with its domain.
async fn wrapping(room: &Room<'_>, key: &DomainKey, secrets: &SecretsRecord) -> Result<Option<WrappingKey>, Refusal> {
    let of_domain = || secrets.domain.as_ref().and_then(|domain| domain.wrapping).map(|id| *id);
    let Some(id) = secrets.hsm.as_ref().map(|hsm| hsm.wrapping).or_else(of_domain) else { return Ok(None) };
    let vault = room.vault();
    let row = opening::row(vault, Kind::SealedWrapping).await.map_err(SecurityDomainError::of)?;
    let opened = key.open_wrapping(vault.info().id, &row.sealed).map_err(|_| Refusal::Damaged)?;
    // The row is clear: it must be the key that the vault's own records name.
    if opened.id() == id { Ok(Some(opened)) } else { Err(Refusal::Damaged) }
}
