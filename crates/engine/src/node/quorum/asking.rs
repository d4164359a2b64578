//! The challenges that are out, with the answers that came. All of it is in this memory alone.

use super::act::{Act, ActKind};
use crate::node::StoreSays;
use crate::operate::OperateError;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::challenge::{Answer, BadChallenge, Purpose, SignedChallenge, SingleUseKey};
use keystead_custody::shares::{Gathering, ShareError};
use keystead_custody::{DomainId, DomainSecrets, open_domain};
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::{Moment, Time, VaultId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the custodians of a vault are asked, and who has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The challenge, one line.
    pub challenge: String,
    /// The words of this node, which a custodian compares who does not know it.
    pub node_words: String,
    /// From then on another challenge is needed.
    pub expires: Time,
    /// How many shares are needed.
    pub required: u8,
    /// How many custodians there are.
    pub custodians: u8,
    /// Whose shares are there, in the order in which they came.
    pub given: Vec<u8>,
    /// How many are lacking.
    pub missing: u8,
    /// The domain whose custodians are asked.
    pub domain: DomainId,
    /// Of a sealed vault, what can be told of it before they answer.
    pub store_says: Option<StoreSays>,
}

/// One vault's challenge. Dropped, its key and its shares are cleared.
pub(super) struct Pending {
    pub(super) challenge: SignedChallenge,
    pub(super) key: SingleUseKey,
    pub(super) shares: Gathering,
    /// Whose shares the node's log does not have yet.
    pub(super) unrecorded: Vec<u8>,
    pub(super) record: ActivationRecord,
    pub(super) act: Arc<Act>,
    /// It ends with the first moment whose deadline is not before this, whatever the wall clock says then.
    pub(super) until: Instant,
}

pub(super) type Out = HashMap<(VaultId, ActKind), Pending>;

/// Those that are out.
#[derive(Default)]
pub(in crate::node) struct Asking(Mutex<Out>);

impl Asking {
    pub(super) fn lock(&self) -> MutexGuard<'_, Out> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without those that have expired.
    pub(super) fn lock_at(&self, at: Moment) -> MutexGuard<'_, Out> {
        let mut all = self.lock();
        all.retain(|_, pending| pending.challenge.check_time(at.now).is_ok() && at.deadline < pending.until);
        all
    }
}

/// The number of a share, or why it was refused.
pub(super) type Taken = Result<u8, BadChallenge>;

impl Pending {
    /// Who is there already and may answer again, so that what failed is tried again.
    pub(super) fn may_come_again(&self) -> Vec<u8> {
        if self.missing() == 0 { self.shares.numbers().collect() } else { self.unrecorded.clone() }
    }

    /// Each of those once: who answers twice at a time is named.
    pub(super) fn take(&mut self, answer: &str, again: &mut Vec<u8>, now: Time) -> Taken {
        let share = Answer::parse_text(answer)?.open(&self.challenge, &self.key, now)?;
        let number = share.number();
        match self.shares.add(share) {
            Ok(_) => self.unrecorded.push(number),
            Err(ShareError::Duplicate { number }) if again.contains(&number) => again.retain(|one| *one != number),
            Err(why) => return Err(why.into()),
        }
        Ok(number)
    }

    /// What the shares open, by the security domain that stands in the store.
    pub(super) fn domain(&self, file: &[u8]) -> Result<(Vec<u8>, Arc<Act>, DomainSecrets), OperateError> {
        if !self.record.is_of(file) {
            return Err(OperateError::Damaged);
        }
        let file = SecurityDomain::parse(file).map_err(|_| OperateError::Damaged)?;
        let domain = open_domain(&file, &self.shares).map_err(OperateError::Domain)?;
        if domain.key.public() != self.record.domain_public {
            return Err(OperateError::Damaged);
        }
        Ok((self.shares.numbers().collect(), Arc::clone(&self.act), domain))
    }

    pub(super) fn missing(&self) -> u8 {
        let given = u8::try_from(self.shares.numbers().count()).unwrap_or(u8::MAX);
        self.record.quorum.required().saturating_sub(given)
    }

    /// That it is out, to whoever asks for something else.
    pub(super) fn stands(&self) -> OperateError {
        let asked = self.challenge.challenge();
        let what = match &asked.purpose {
            Purpose::Unseal | Purpose::Recover => "to open the vault".to_owned(),
            Purpose::Replace { .. } => "about other new custodians".to_owned(),
            Purpose::Appoint(who) => format!("about subject {:?} of {:?}", who.subject, who.issuer),
            Purpose::Enrol { token } => format!("about the token {token:?}"),
        };
        OperateError::AskedElse { what, given: self.shares.numbers().collect(), expires: asked.expires }
    }

    pub(super) fn view(&self) -> Asked {
        let asked = self.challenge.challenge();
        Asked {
            challenge: self.challenge.to_text(),
            node_words: asked.node.words(),
            expires: asked.expires,
            required: self.record.quorum.required(),
            custodians: self.record.quorum.custodians(),
            given: self.shares.numbers().collect(),
            missing: self.missing(),
            domain: asked.domain.id(),
            store_says: None,
        }
    }
}
