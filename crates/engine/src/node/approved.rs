//! What the customer's approvers have to approve of what the operator does. He has no principal in the vault: whoever
//! may open the socket is the operator.

use super::Instance;
use super::records::Said;
use crate::approvals::{Gate, InForce, New, ProposalView, Proposed, Used, propose};
use crate::error::Refusal;
use crate::notes;
use crate::operate::OperateError;
use crate::room::Room;
use crate::vault::{Open, Vault};
use crate::wraps::{self, Stored};
use keystead_access::{Operation, Proposal, Rule};
use keystead_crypto::sha256;
use keystead_model::{Action, Moment, OperationId, Target, Time};
use keystead_store::Kind;
use serde_json::{Value, json};
use std::sync::Arc;

/// Why something is proposed, and for how many hours.
pub struct Reason {
    /// Printable ASCII, at most 512 characters.
    pub text: String,
    /// At most 168; a day if none.
    pub hours: Option<u16>,
}

/// What the operator does of it.
#[derive(Debug, Clone, Copy)]
pub enum Approvable<'a> {
    /// Adding an unseal path.
    PathAddition(&'a str),
    /// Removing an unseal path.
    PathRemoval(&'a str),
    /// Erasing the vault.
    Erasure,
}

impl Approvable<'_> {
    /// As approvers see it: what is behind the name of a path is said by its kind, and what is lost for good is bound as
    /// it was found.
    async fn operation(self, on: &Instance, (vault, open): (&Vault, &Open)) -> Result<Operation, OperateError> {
        // The record says what was done; here it is still to be.
        let (rules, done, name, parameters): (&'static [Rule], _, _, _) = match self {
            Self::PathAddition(path) => {
                let parameters = json!({ "path": path, "kind": on.its_path(path)?.kind() });
                (&[Rule::PathAddition], Action::PathAdded, "vault/path/add", parameters)
            }
            Self::PathRemoval(path) => {
                (&[Rule::PathRemoval], Action::PathRemoved, "vault/path/remove", json!({ "path": path }))
            }
            Self::Erasure => (&[Rule::Erase], Action::VaultErased, "vault/erase", json!({})),
        };
        let found = match self {
            Self::PathAddition(_) => None,
            Self::PathRemoval(path) => Some(its_wraps(vault, open, path).await?),
            Self::Erasure => Some(json!({
                "vault": vault.info.id.to_string(),
                "domain": open.domain.to_string(),
                "root_generation": open.seals().generation().0,
            })),
        };
        let operation = Operation { name, ..Operation::new(rules, done, &Target::Vault, &parameters) };
        Ok(operation.with_found(found.as_ref()))
    }

    /// What approvers should know besides when they decide: it may be another by the time of the execution.
    async fn told(self, vault: &Vault) -> Result<Option<Value>, Refusal> {
        let Self::Erasure = self else { return Ok(None) };
        let count = async |kinds: &[Kind]| vault.store.count(vault.info.id, kinds).await;
        let (keys, deleted) = (count(&[Kind::Key]).await?, count(&[Kind::DeletedKey]).await?);
        let versions = count(&[Kind::KeyVersion]).await?;
        Ok(Some(json!({ "keys": keys, "deleted_keys": deleted, "key_versions": versions })))
    }

    /// What is recorded of the proposal, and what it is about.
    const fn proposed(&self) -> (Action, &str) {
        match self {
            Self::PathAddition(path) => (Action::PathAdditionProposed, path),
            Self::PathRemoval(path) => (Action::PathRemovalProposed, path),
            Self::Erasure => (Action::ErasureProposed, ""),
        }
    }
}

/// A path as it is: one of the same name that was added anew is another, and so is one that wraps another root. None is
/// one, too: what is added later is not what was approved.
async fn its_wraps(vault: &Vault, open: &Open, path: &str) -> Result<Value, OperateError> {
    let (_, listed) = wraps::paths(vault, open, &open.seals().records).await?;
    let Some(record) = listed.paths.iter().find(|of| of.name == path) else { return Ok(Value::Null) };
    let stored = Stored::of(vault, path).await?;
    let mut digests: Vec<_> =
        stored.domain.iter().chain(&stored.roots).map(|row| sha256(&[row.id.as_bytes(), &row.sealed])).collect();
    digests.sort_unstable();
    let all: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
    let (kind, added) = (&record.kind, Time(record.added).to_string());
    Ok(json!({ "kind": kind, "added": added, "wraps_sha256": hex::encode(sha256(&all)) }))
}

impl Instance {
    /// Proposes something to the approvers of an open vault.
    pub async fn propose(
        &self,
        name: &str,
        what: Approvable<'_>,
        reason: Reason,
        at: Moment,
    ) -> Result<ProposalView, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let (vault, open) = self.steady(name)?;
        let room = Room::new(&vault, &open, at);
        let now = InForce::read(&room).await?;
        let operation = what.operation(self, (&vault, &open)).await?;
        let operation = operation.with_told(what.told(&vault).await?.as_ref());
        let proposer = Proposal::OPERATOR.to_owned();
        let (administers, reason, hours) = (false, reason.text.as_str(), reason.hours);
        let new = Proposed { operation: &operation, proposer, administers, reason, hours };
        let New { id, view, changes, forgotten } = propose(&room, &now, new).await?;
        let (action, about) = what.proposed();
        let clear = minicbor::to_vec((about, id.to_string())).map_err(|_| Refusal::Fault)?;
        let operation_id = OperationId::from_bytes(keystead_crypto::random());
        let note = notes::proposed(id, operation.name, &forgotten);
        let said = Said::from((action, clear.clone())).noting(Some(note), &open);
        self.commit_as(operation_id, &vault, changes, said, at, || ()).await?;
        self.write(action, vault.info.id, clear, at).await?;
        Ok(view)
    }

    /// What goes into the commit, if that has the approvals it needs.
    pub(super) async fn approved(
        &self,
        (vault, open): (&Vault, &Arc<Open>),
        what: Approvable<'_>,
        operation: OperationId,
        at: Moment,
    ) -> Result<Used, OperateError> {
        let room = Room::new(vault, open, at);
        let now = InForce::read(&room).await?;
        let wanted = what.operation(self, (vault, open)).await?;
        let gate = Gate::for_operation(&room, &now, &wanted, Proposal::OPERATOR).await?;
        Ok(gate.used(&room, operation)?)
    }
}
