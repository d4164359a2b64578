//! What the operator does with the node's tokens and the vaults that they serve.

use super::{Instance, QUORUM, VaultSummary, summary};
use crate::birth::Domain;
use crate::enrol;
use crate::opening;
use crate::operate::OperateError;
use crate::records::{HsmRecord, SecretsRecord};
use crate::room::{Place, seal_row};
use crate::vault::{Open, State, Vault};
use crate::wraps;
use keystead_access::PolicyDocument;
use keystead_crypto::sealed::Sealer;
use keystead_custody::WrappingKey;
use keystead_model::{Action, Moment, VaultKind, VaultStatus};
use keystead_store::{Changes, Kind, Row};
use std::sync::Arc;

/// What an inactive vault gets.
pub struct Activation {
    /// The names of its tokens, in the order in which they are asked.
    pub tokens: Vec<String>,
    /// Whether nobody may purge before the retention has passed; fixed from then on.
    pub purge_protection: bool,
    /// Its first policy.
    pub policy: PolicyDocument,
}

impl Instance {
    /// Gives an inactive vault its HSM, its keys and its first policy, and opens it.
    pub async fn activate(&self, name: &str, new: Activation, at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let waiting = self.known(name)?;
        if !matches!(waiting.state(), State::Inactive { .. }) {
            return Err(OperateError::WrongState { state: waiting.state().name(), needed: "inactive" });
        }
        // One of kind vault waits for nothing else.
        if waiting.info.kind == VaultKind::Vault || waiting.info.custody == QUORUM {
            return Err(OperateError::AwaitsActivation);
        }
        self.known_tokens(&new.tokens)?;
        let path = self.birth_path()?;
        let Activation { tokens, purge_protection, policy } = new;
        self.begin(&waiting, Domain::Here(&*path), (policy, purge_protection), &tokens, at).await
    }

    /// Gives a token the wrapping key of an open vault: a new token, or one that was cleared. One that the vault did
    /// not name joins those that serve it, behind them.
    pub async fn enrol_token(&self, name: &str, token: &str, at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.known(name)?;
        let State::Open(open) = vault.state() else {
            return Err(OperateError::WrongState { state: vault.state().name(), needed: "open" });
        };
        self.known_tokens(&[token.to_owned()])?;
        // Before what is read of it: another change of it in between is a conflict.
        let row = opening::row(&vault, Kind::Secrets).await?;
        let (secrets, _): (SecretsRecord, _) = opening::sealed(&vault, &open.seals().records, Kind::Secrets).await?;
        let hsm = secrets.hsm.clone().ok_or(OperateError::NoHsm)?;
        let key = self.wrapping_key(&vault, &hsm).await?;
        let class = enrol::give(&vault, &hsm, token, &key, at).await?;
        drop(key);
        let named = hsm.tokens.iter().any(|t| t == token);
        let changes = if named {
            Changes::default()
        } else {
            joined(&vault, &open.seals().records, (&row, secrets), hsm, (token, class))?
        };
        // Only of a vault that is active: an administrator may have sealed it meanwhile.
        self.commit(&vault, changes, (Action::TokenEnrolled, Vec::new()), at, || ()).await?;
        if !named {
            self.reopen(&vault, &open, at).await?;
        }
        self.note(Action::TokenEnrolled, vault.info.id, at).await?;
        Ok(summary(&vault))
    }

    /// The wrapping key, opened by the domain's key, and that by the vault's path.
    async fn wrapping_key(&self, vault: &Vault, hsm: &HsmRecord) -> Result<WrappingKey, OperateError> {
        let id = vault.info.id;
        let domain = wraps::domain(vault, &self.parts.paths).await?;
        let domain = domain.ok_or_else(|| match vault.info.custody.as_str() {
            QUORUM => OperateError::WithCustodians,
            custody => OperateError::NoPath { custody: custody.to_owned() },
        })?;
        let sealed = opening::row(vault, Kind::SealedWrapping).await?;
        let key = domain.open_wrapping(id, &sealed.sealed).map_err(|_| OperateError::Damaged)?;
        // The row is clear: it must be the key that the vault's own records name.
        if key.id() == hsm.wrapping { Ok(key) } else { Err(OperateError::Damaged) }
    }

    /// Opens an open vault anew: its keys come from the tokens that it names now. One that was sealed stays so.
    async fn reopen(&self, vault: &Arc<Vault>, before: &Arc<Open>, at: Moment) -> Result<(), OperateError> {
        let (_, open) = self.opened(vault, VaultStatus::Active, at).await?;
        vault.succeed(before, State::Open(Arc::new(open)));
        vault.look_at_issuers(at);
        Ok(())
    }

    pub(super) fn known_tokens(&self, tokens: &[String]) -> Result<(), OperateError> {
        match tokens.iter().find(|name| !self.parts.hsms.has(name)) {
            Some(name) => Err(OperateError::UnknownToken { name: name.clone() }),
            None if tokens.is_empty() => Err(OperateError::NoHsm),
            None => Ok(()),
        }
    }
}

/// The vault's own record with one more token.
fn joined(
    vault: &Vault,
    sealer: &Sealer,
    (row, secrets): (&Row, SecretsRecord),
    mut hsm: HsmRecord,
    (token, class): (&str, u8),
) -> Result<Changes, OperateError> {
    hsm.tokens.push(token.to_owned());
    hsm.class.get_or_insert(class);
    let mut next = secrets;
    next.hsm = Some(hsm);
    let place = Place::behind(row.key(), Some(row));
    Ok(Changes { puts: vec![seal_row(vault, sealer, place, &next)?], ..Changes::default() })
}
