//! The custodians of an open vault make somebody its administrator: what is left where every administrator is gone. It
//! is a change of the policy like any other, by other people.

use super::Instance;
use super::quorum::{Act, Asked};
use crate::believed::Trust;
use crate::birth::BUILT_IN;
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::policy_row;
use crate::room::{Place, seal_row};
use crate::vault::{Open, Vault};
use keystead_access::{Known, Mandate, Policy, PolicyDocument, Who};
use keystead_custody::challenge::Appointee;
use keystead_identity::{Client, Principal};
use keystead_model::{Action, Guid, Moment, Revision, Target};
use keystead_store::{Changes, Kind, Row};
use minicbor::bytes::ByteSlice;
use std::sync::Arc;

/// Who is to administer a vault, checked against its policy.
pub(super) struct Appointment(pub(super) Appointee);

/// The name of a client that an appointment makes.
const NAME: &str = "appointed by the custodians";

impl Instance {
    /// Asks the custodians of an open vault whether somebody is its administrator. Who could not sign in is refused.
    pub async fn ask_appointment(
        &self,
        name: &str,
        who: Appointee,
        again: bool,
        at: Moment,
    ) -> Result<Asked, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.of_custodians(name)?;
        let open = self.now_open(&vault)?;
        let issuer = match who.issuer.as_str() {
            BUILT_IN => open.issuer.info().iss,
            _ => who.issuer,
        };
        let who = Appointee { issuer, ..who };
        let (_, document) = stored(&vault, &open).await?;
        changed(&open, document, &who, at)?;
        self.ask(&vault, Act::Appoint(Appointment(who)), again, at).await
    }

    /// The custodians with these numbers have agreed.
    pub(super) async fn appoint(
        &self,
        vault: &Arc<Vault>,
        who: &Appointment,
        by: &[u8],
        at: Moment,
    ) -> Result<(), OperateError> {
        let open = vault.open()?;
        let clear = minicbor::to_vec((&who.0.issuer, &who.0.subject, <&ByteSlice>::from(by)));
        let clear = clear.map_err(|_| Refusal::Fault)?;
        let room = self.room_for_one()?;
        for _ in 0..ATTEMPTS {
            let (row, document) = stored(vault, &open).await?;
            let document = changed(&open, document, &who.0, at)?;
            let next = seal_row(vault, &open.seals().records, Place::behind(row.key(), Some(&row)), &document)?;
            let changes = Changes { puts: vec![next], ..Changes::default() };
            match self.commit(vault, changes, (Action::AdministratorAppointed, clear.clone()), at, || ()).await {
                // Somebody else changed the policy meanwhile.
                Err(OperateError::Refused(Refusal::Conflict)) => {}
                done => {
                    done?;
                    adopt(vault, &open).await?;
                    return self.write_in(room, Action::AdministratorAppointed, vault.info.id, clear, at).await;
                }
            }
        }
        Err(Refusal::Conflict.into())
    }
}

/// How often a change is tried that another came before.
const ATTEMPTS: usize = 8;

async fn stored(vault: &Vault, open: &Open) -> Result<(Row, PolicyDocument), OperateError> {
    let row = opening::row(vault, Kind::Policy).await?;
    let (document, _) = opening::sealed(vault, &open.seals().records, Kind::Policy).await?;
    Ok((row, policy_row::directed(document, &open.issuer.info().iss)))
}

/// What stands in the store counts from now on.
async fn adopt(vault: &Vault, open: &Open) -> Result<(), OperateError> {
    let (document, revision): (PolicyDocument, Revision) =
        opening::sealed(vault, &open.seals().records, Kind::Policy).await?;
    let document = policy_row::directed(document, &open.issuer.info().iss);
    let policy = Policy::stored(&document, revision).map_err(OperateError::Policy)?;
    let own = open.believed.load().trust.own().cloned().ok_or(Refusal::Fault)?;
    open.trust(&Arc::new(Trust::new(own, &document)), revision);
    open.adopt(policy, revision);
    Ok(())
}

/// The policy with him as an administrator, who can sign in by it.
fn changed(
    open: &Open,
    mut document: PolicyDocument,
    who: &Appointee,
    at: Moment,
) -> Result<PolicyDocument, OperateError> {
    let own_issuer = open.issuer.info().iss;
    if let Some(secret) = who.secret {
        let good = who.issuer == own_issuer && who.subject.parse::<Guid>().is_ok();
        let (id, subject, secrets) = (who.subject.clone(), who.subject.clone(), vec![secret]);
        let new = Client { id, name: NAME.to_owned(), subject, secrets, ..Client::default() };
        let taken = |c: &Client| c.id.eq_ignore_ascii_case(&who.subject) || c.subject == who.subject;
        match document.clients.iter().find(|client| taken(client)) {
            // Made by an appointment of which nobody knew whether it stood.
            Some(there) if good && *there == new => {}
            None if good => document.clients.push(new),
            _ => return Err(OperateError::NotAClient),
        }
    }
    let principal = Principal::new(&who.issuer, &who.subject);
    let alone = PolicyDocument { administrators: vec![principal.clone()], assignments: Vec::new(), ..document.clone() };
    let policy = Policy::new(&alone, Revision(1)).map_err(OperateError::Policy)?;
    let by = Mandate {
        action: Action::AdministratorAppointed,
        target: Target::Vault,
        set_by: String::new(),
        at: Revision(0),
    };
    let known = Known { own_issuer: &own_issuer, now: at.now, by: &Who::Mandate(by) };
    if !known.somebody_administers(&policy, &alone) {
        return Err(OperateError::NotAppointed { issuer: who.issuer.clone(), subject: who.subject.clone() });
    }
    if !document.administrators.contains(&principal) {
        document.administrators.push(principal);
    }
    Policy::new(&document, Revision(1)).map_err(OperateError::Policy)?;
    Ok(document)
}
