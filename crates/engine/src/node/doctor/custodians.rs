//! What custodians need stands in the clear: the activation record, the security domain, their confirmations. Whether
//! it belongs together is seen here, before they are needed.

use super::{Finding, Verdict};
use crate::node::QUORUM;
use crate::node::confirm::{confirmation, stored_record};
use crate::opening;
use crate::operate::OperateError;
use crate::vault::{State, Vault};
use keystead_custody::activation::ActivationRecord;
use keystead_formats::security_domain::SecurityDomain;
use keystead_store::Kind;

/// What is wrong with what the custodians of a vault have of it in the store.
enum Wrong {
    Failed(OperateError),
    Record,
    Domain,
    Confirmation(u8),
}

impl From<OperateError> for Wrong {
    fn from(e: OperateError) -> Self {
        Self::Failed(e)
    }
}

impl Wrong {
    fn says(&self) -> String {
        match self {
            Self::Failed(OperateError::Damaged) | Self::Record => {
                "the activation record in the database is not the one that the vault was activated with: restore the \
                 store from a backup"
                    .to_owned()
            }
            Self::Failed(e) => e.to_string(),
            Self::Domain => {
                "the security domain in the database is not the one of which the activation record speaks, \
                 and its custodians cannot unseal by it: restore the store from a backup"
                    .to_owned()
            }
            Self::Confirmation(number) => format!(
                "the stored confirmation of custodian {number} does not verify: bring it again (`keystead vault confirm`)"
            ),
        }
    }
}

/// How it is with them; nothing of a vault without custodians.
pub(super) async fn found(vault: &Vault, state: &State) -> Option<Finding> {
    if vault.info.custody != QUORUM || !matches!(state, State::Open(_) | State::Sealed) {
        return None;
    }
    Some(match looked_at(vault, state).await {
        Ok((record, confirmed)) => {
            let (required, custodians) = (record.quorum.required(), record.quorum.custodians());
            let of = match state {
                State::Open(_) => "it is the one that was activated",
                _ => {
                    "record, security domain and confirmations agree; whether they are those of the activation is known \
                      once the vault is open"
                }
            };
            let id = record.domain_public.id();
            let says = format!(
                "security domain {id}: {of}; {required} of {custodians} custodians open it, and {confirmed} confirmed"
            );
            Finding::new("domain", Verdict::Good, says)
        }
        Err(wrong) => Finding::new("domain", Verdict::Bad, wrong.says()),
    })
}

/// The record, and how many confirmed it.
async fn looked_at(vault: &Vault, state: &State) -> Result<(ActivationRecord, usize), Wrong> {
    let record = stored_record(vault).await?;
    if let State::Open(open) = state
        && opening::activation_of(vault, open).await? != Some(record.digest())
    {
        return Err(Wrong::Record);
    }
    let file = match opening::row(vault, Kind::SecurityDomain).await {
        Err(OperateError::Damaged) => return Err(Wrong::Domain),
        row => row?.sealed,
    };
    let parsed = SecurityDomain::parse(&file);
    if !record.is_of(&file) || !parsed.is_ok_and(|parsed| record.agrees_with(&parsed)) {
        return Err(Wrong::Domain);
    }
    let mut confirmed = 0_usize;
    for (custodian, number) in record.custodians.iter().zip(1..) {
        match confirmation(vault, &record, custodian).await? {
            None => {}
            Some(true) => confirmed = confirmed.saturating_add(1),
            Some(false) => return Err(Wrong::Confirmation(number)),
        }
    }
    Ok((record, confirmed))
}
