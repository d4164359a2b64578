//! Which doubt a vault's administrators confirmed, in a sealed row of the vault. Taking the row away, or putting an
//! older one back, can bring a doubt back and never ends one.

use super::{Doubt, DoubtId};
use crate::birth::singleton;
use crate::error::Refusal;
use crate::records::{self, ClockRecord};
use crate::room::{Place, Room, row_binding};
use crate::vault::{Open, Vault};
use keystead_crypto::sealed::Sealer;
use keystead_model::Revision;
use keystead_store::{Changes, Kind, RowKey};
use minicbor::bytes::ByteArray;
use std::sync::Arc;

const PLACE: RowKey = singleton(Kind::Clock);

/// What a vault's administrators confirmed last, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confirmed {
    pub(crate) doubt: Option<DoubtId>,
    pub(crate) revision: Revision,
}

impl Confirmed {
    /// As it is stored. A vault without the row confirmed nothing.
    pub(crate) async fn stored(vault: &Vault, sealer: &Sealer) -> Result<Self, Refusal> {
        let Some(row) = vault.store.get(vault.info().id, PLACE).await? else {
            return Ok(Self { doubt: None, revision: Revision(0) });
        };
        let record: ClockRecord = records::decode(&sealer.open(&row_binding(vault, &row), &[], &row.sealed)?)?;
        Ok(Self { doubt: record.confirmed.map(|id| *id), revision: row.revision })
    }
}

impl Open {
    /// What was committed at this revision counts from now on, unless something newer does already.
    pub(crate) fn confirm(&self, doubt: DoubtId, revision: Revision) {
        let next = Arc::new(Confirmed { doubt: Some(doubt), revision });
        self.confirmed.rcu(|now| if now.revision < revision { Arc::clone(&next) } else { Arc::clone(now) });
    }
}

/// The changes that confirm a doubt.
pub(crate) async fn confirming(room: &Room<'_>, doubt: &Doubt) -> Result<Changes, Refusal> {
    let stands = room.row_at(PLACE).await?;
    let place = Place::behind(PLACE, stands.as_ref());
    let row = room.row(place, &ClockRecord { confirmed: Some(ByteArray::from(doubt.id)) })?;
    Ok(Changes { puts: vec![row], ..Changes::default() })
}
