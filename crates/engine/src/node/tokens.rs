//! What the operator does with the node's tokens and the vaults that they serve.

use super::quorum::{Act, Asked};
use super::{Instance, QUORUM, VaultSummary, summary};
use crate::birth::Domain;
use crate::enrol;
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::records::{HsmRecord, SecretsRecord};
use crate::room::{Place, seal_row};
use crate::vault::{Open, State, Vault};
use crate::wraps;
use keystead_access::PolicyDocument;
use keystead_custody::{DomainKey, WrappingKey};
use keystead_model::{Action, Moment, VaultKind, VaultStatus};
use keystead_store::{Changes, Kind, Row};
use minicbor::bytes::ByteSlice;
use std::sync::Arc;

/// What a vault gets that waits for its HSM.
pub struct HsmActivation {
    /// The names of its tokens, in the order in which they are asked.
    pub tokens: Vec<String>,
    /// Whether nobody may purge before the retention has passed; fixed from then on.
    pub purge_protection: bool,
    /// Its first policy.
    pub policy: PolicyDocument,
}

impl Instance {
    /// Gives an inactive vault its HSM, its keys and its first policy, and opens it.
    pub async fn activate(&self, name: &str, new: HsmActivation, at: Moment) -> Result<VaultSummary, OperateError> {
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
        let HsmActivation { tokens, purge_protection, policy } = new;
        self.begin(&waiting, Domain::Here(&*path), (policy, purge_protection), &tokens, at).await
    }

    /// Gives a token the wrapping key of an open vault: a new token, or one that was cleared. One that the vault did
    /// not name joins those that serve it, behind them.
    pub async fn enrol_token(&self, name: &str, token: &str, at: Moment) -> Result<VaultSummary, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.known(name)?;
        let named = Named::of(&vault, self.enrols(&vault, token)?).await?;
        let domain = wraps::domain(&vault, &self.parts.paths).await?;
        let domain = domain.ok_or_else(|| match vault.info.custody.as_str() {
            QUORUM => OperateError::WithCustodians,
            custody => OperateError::NoPath { custody: custody.to_owned() },
        })?;
        self.enrolled(&vault, named, (token, domain), Vec::new(), at).await?;
        Ok(summary(&vault))
    }

    /// Asks the custodians of an open vault whether a token gets its wrapping key. One that could not take it is
    /// refused.
    pub async fn ask_enrolment(&self, name: &str, token: &str, again: bool, at: Moment) -> Result<Asked, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.of_custodians(name)?;
        let named = Named::of(&vault, self.enrols(&vault, token)?).await?;
        enrol::fitting(&vault, &named.hsm, token, at).await?;
        self.ask(&vault, Act::Enrol(token.to_owned()), again, at).await
    }

    /// The custodians with these numbers have agreed, and their domain is open.
    pub(super) async fn enrol_agreed(
        &self,
        vault: &Arc<Vault>,
        token: &str,
        domain: DomainKey,
        by: &[u8],
        at: Moment,
    ) -> Result<(), OperateError> {
        let named = Named::of(vault, self.enrols(vault, token)?).await?;
        let clear = minicbor::to_vec((token, <&ByteSlice>::from(by))).map_err(|_| Refusal::Fault)?;
        self.enrolled(vault, named, (token, domain), clear, at).await
    }

    /// An open vault may get this token.
    fn enrols(&self, vault: &Vault, token: &str) -> Result<Arc<Open>, OperateError> {
        let open = self.now_open(vault)?;
        self.known_tokens(&[token.to_owned()])?;
        Ok(open)
    }

    /// Gives the token the wrapping key that the domain opens, and names it.
    async fn enrolled(
        &self,
        vault: &Arc<Vault>,
        now: Named,
        (token, domain): (&str, DomainKey),
        clear: Vec<u8>,
        at: Moment,
    ) -> Result<(), OperateError> {
        let key = wrapping_key(vault, &domain, &now.hsm).await?;
        drop(domain);
        let class = enrol::give(vault, &now.hsm, token, &key, at).await?;
        drop(key);
        let is_new = !now.hsm.tokens.iter().any(|named| named == token);
        let open = Arc::clone(&now.open);
        let changes = if is_new { now.and(vault, token, class)? } else { Changes::default() };
        let room = self.room_for_one()?;
        // Only of a vault that is active: an administrator may have sealed it meanwhile.
        self.commit(vault, changes, (Action::TokenEnrolled, clear.clone()), at, || ()).await?;
        // An attempt before this one may have named it and got no further.
        if !open.hsm.as_ref().is_some_and(|hsm| hsm.tokens.iter().any(|serves| serves == token)) {
            reopen(vault, &open, at).await?;
        }
        self.write_in(room, Action::TokenEnrolled, vault.info.id, clear, at).await
    }

    pub(super) fn known_tokens(&self, tokens: &[String]) -> Result<(), OperateError> {
        match tokens.iter().find(|name| !self.parts.hsms.has(name)) {
            Some(name) => Err(OperateError::UnknownToken { name: name.clone() }),
            None if tokens.is_empty() => Err(OperateError::NoTokens),
            None => Ok(()),
        }
    }
}

/// The tokens that a vault names, with all that its record of them stands in.
struct Named {
    open: Arc<Open>,
    row: Row,
    secrets: SecretsRecord,
    hsm: HsmRecord,
}

impl Named {
    async fn of(vault: &Vault, open: Arc<Open>) -> Result<Self, OperateError> {
        // Before what is read of it: another change of it in between is a conflict.
        let row = opening::row(vault, Kind::Secrets).await?;
        let (secrets, _): (SecretsRecord, _) = opening::sealed(vault, &open.seals().records, Kind::Secrets).await?;
        let hsm = secrets.hsm.clone().ok_or(OperateError::NoHsm)?;
        Ok(Self { open, row, secrets, hsm })
    }

    /// The record with one more token.
    fn and(self, vault: &Vault, token: &str, class: u8) -> Result<Changes, OperateError> {
        let Self { open, row, mut secrets, mut hsm } = self;
        hsm.tokens.push(token.to_owned());
        hsm.class.get_or_insert(class);
        secrets.hsm = Some(hsm);
        let next = seal_row(vault, &open.seals().records, Place::behind(row.key(), Some(&row)), &secrets)?;
        Ok(Changes { puts: vec![next], ..Changes::default() })
    }
}

/// The wrapping key, opened by the domain's key.
async fn wrapping_key(vault: &Vault, domain: &DomainKey, hsm: &HsmRecord) -> Result<WrappingKey, OperateError> {
    let sealed = opening::row(vault, Kind::SealedWrapping).await?;
    let key = domain.open_wrapping(vault.info.id, &sealed.sealed).map_err(|_| OperateError::Damaged)?;
    // The row is clear: it must be the key that the vault's own records name.
    if key.id() == hsm.wrapping { Ok(key) } else { Err(OperateError::Damaged) }
}

/// Opens an open vault anew, from the same root: its keys come from the tokens that it names now. One that was sealed
/// stays so.
async fn reopen(vault: &Arc<Vault>, before: &Arc<Open>, at: Moment) -> Result<(), OperateError> {
    // What is committed meanwhile would be older than what is in the store.
    let _nothing_is_committed = before.gate.write().await;
    if !vault.still_open(before) {
        return Ok(());
    }
    let open = opening::open(vault, &before.seals().roots(), VaultStatus::Active, at).await?;
    vault.succeed(before, State::Open(Arc::new(open)));
    vault.look_at_issuers(at);
    Ok(())
}
