//! Adopt the security domain of another vault.

use crate::commands::ask;
use crate::commands::security_domain::DomainStatus;
use crate::error::Refusal;
use crate::notes;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::security_domain::transfer::Transfer;
use crate::security_domain::{SecurityDomainError, adopt, is_here, secrets};
use keystead_access::{Ask as _, Operation, Permit, Policy, Rule, Who};
use keystead_audit::Note;
use keystead_crypto::stack::cleared;
use keystead_custody::{DomainSecrets, Restored, receive};
use keystead_formats::security_domain::RestoreBlob;
use keystead_model::Target;
use serde_json::{Value, json};

/// Adopts the domain that was encrypted to the vault's transfer key. The vault keeps its own id, and must have no keys.
/// One that has this domain already stays as it is.
pub struct UploadSecurityDomain {
    /// Managed HSM's restore blob.
    pub blob: Vec<u8>,
}
ask!(UploadSecurityDomain, UploadSecurityDomain, |c| Target::Vault);

impl Execute for UploadSecurityDomain {
    type Output = DomainStatus;

    fn approval(&self, _: &Who, _: &Policy) -> Option<Operation> {
        let parameters = json!({ "blob_sha256": hex::encode(keystead_crypto::sha256(&[&self.blob])) });
        Some(Operation::new(&[Rule::Restore, Rule::Policy], Self::ACTION, &self.target(), &parameters))
    }

    async fn found(&self, room: &Room<'_>) -> Result<Option<Value>, Refusal> {
        let transfer = room.open().transfer.given(room.at.now).await.ok_or(SecurityDomainError::NoTransferKey)?;
        Ok(Some(shown(&transfer)))
    }

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<DomainStatus>, Refusal> {
        is_here(room)?;
        // No other root begins to seal while this is read; what began meanwhile is not what this room opens.
        let _as_it_is = room.open().gate.read().await;
        if room.records().generation() != room.open().seals().generation().0 {
            return Err(Refusal::Conflict);
        }
        let seen = room.revision().await?;
        let new = received(room, &permit.ask().blob).await?;
        let (before, domain) = (room.domain(), new.working.domain);
        if is_its_own(room, &new).await? {
            let details = format!("the vault has the security domain {domain} already");
            return Ok(Effect::read(DomainStatus { details: details.clone() }).note(Note::facts(details)));
        }
        adopt::possible(room).await?;
        let changes = adopt::rows(room, &new).await?;
        let details = format!("the vault has the security domain {domain}, which was uploaded");
        Ok(Effect::change(DomainStatus { details }, changes).alone(seen).note(notes::adopted(domain, before)))
    }
}

fn shown(transfer: &Transfer) -> Value {
    json!({ "transfer_key_sha256": hex::encode(transfer.certificate.thumbprint()) })
}

/// What was sent, opened.
async fn received(room: &Room<'_>, blob: &[u8]) -> Result<Box<DomainSecrets>, Refusal> {
    let blob = RestoreBlob::parse(blob).map_err(SecurityDomainError::Blob)?;
    let transfer = room.open().transfer.given(room.at.now).await.ok_or(SecurityDomainError::NoTransferKey)?;
    room.still_approved(&shown(&transfer))?;
    let opened = tokio::task::spawn_blocking(move || cleared(|| opened(&blob, &transfer)));
    Ok(opened.await.map_err(|_| Refusal::Fault)??)
}

/// Its keys are in the heap alone, which is cleared when it is freed.
fn opened(blob: &RestoreBlob, transfer: &Transfer) -> Result<Box<DomainSecrets>, SecurityDomainError> {
    let thumbprint = transfer.certificate.thumbprint();
    match receive(blob, &thumbprint, &transfer.key).map_err(SecurityDomainError::not_received)? {
        Restored::Domain(secrets) => Ok(Box::new(secrets)),
        Restored::Working(_) => Err(SecurityDomainError::Part),
    }
}

async fn is_its_own(room: &Room<'_>, new: &DomainSecrets) -> Result<bool, Refusal> {
    let own = secrets::opened(room).await?;
    Ok(keystead_crypto::same(&own.to_bytes(), &new.to_bytes()))
}
