//! Custodians unseal a vault from wherever they are. The server shows one challenge, whose single-use key is in this
//! memory alone; each answer is a share, encrypted to it. With the last share that is needed the domain is opened, its
//! private key opens the generations of the root, and all of it but the root is forgotten again.

use super::confirm::stored_record;
use super::{Instance, VaultSummary, summary};
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::vault::{State, Vault};
use crate::wraps;
use keystead_custody::activation::Activation as Record;
use keystead_custody::challenge::{Answer, BadChallenge, Challenge, SignedChallenge, SingleUseKey};
use keystead_custody::shares::Gathering;
use keystead_custody::{DomainSecrets, open_domain};
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::{Action, Moment, Time, VaultId};
use keystead_store::Kind;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
}

/// What came of answers.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Of each: the number of its share, or why it was refused.
    pub answers: Vec<Result<u8, BadChallenge>>,
    /// Who is asked on; none if the vault is open.
    pub asked: Option<Asked>,
    /// The vault.
    pub vault: VaultSummary,
}

/// One vault's challenge. Dropped, its key and its shares are cleared.
struct Open {
    challenge: SignedChallenge,
    key: SingleUseKey,
    shares: Gathering,
    record: Record,
}

/// Those that are out.
#[derive(Default)]
pub(super) struct Asking(Mutex<HashMap<VaultId, Open>>);

impl Asking {
    fn lock(&self) -> MutexGuard<'_, HashMap<VaultId, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without those that have expired.
    fn lock_at(&self, now: Time) -> MutexGuard<'_, HashMap<VaultId, Open>> {
        let mut all = self.lock();
        all.retain(|_, open| open.challenge.check_time(now).is_ok());
        all
    }
}

/// How long custodians have, in milliseconds.
const PATIENCE: i64 = 3_600_000;

impl Instance {
    /// The challenge of a sealed vault: the one that is out, or a new one.
    pub async fn ask_quorum(&self, name: &str, at: Moment) -> Result<Asked, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.sealed(name)?;
        let id = vault.info.id;
        if let Some(asked) = self.asking.lock_at(at.now).get(&id).map(Open::view) {
            return Ok(asked);
        }
        let record = stored_record(&vault).await?;
        let shares = record.gathering().map_err(|_| OperateError::Damaged)?;
        let (key, domain, node) = (SingleUseKey::generate(), record.domain_public, self.identity());
        let expires = at.now.plus_millis(PATIENCE);
        let challenge = Challenge { vault: id, domain, single_use: key.public(), node, expires };
        let open = Open { challenge: challenge.sign(self.journal().node_key()), key, shares, record };
        let asked = open.view();
        self.note(Action::QuorumAsked, id, at).await?;
        self.asking.lock().insert(id, open);
        Ok(asked)
    }

    /// Takes answers, in any order and from anywhere; a false one takes nothing from those that came before. With the
    /// last share that is needed the vault opens.
    pub async fn answer_quorum(&self, name: &str, answers: &[String], at: Moment) -> Result<Answered, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.sealed(name)?;
        let id = vault.info.id;
        let (answers, complete) = self.take(id, answers, at.now)?;
        for answer in &answers {
            match answer {
                Ok(number) => {
                    let clear = minicbor::to_vec(number).map_err(|_| Refusal::Fault)?;
                    self.write(Action::ShareTaken, id, clear, at).await?;
                }
                Err(_) => self.note(Action::ShareRefused, id, at).await?,
            }
        }
        if let Some(open) = complete {
            self.open_by(&vault, open, at).await?;
        }
        let asked = self.asking.lock().get(&id).map(Open::view);
        Ok(Answered { answers, asked, vault: summary(&vault) })
    }

    /// Each answer's outcome, and the challenge if it is answered.
    fn take(&self, id: VaultId, answers: &[String], now: Time) -> Result<Taken, OperateError> {
        let mut all = self.asking.lock_at(now);
        let open = all.get_mut(&id).ok_or(OperateError::NotAsked)?;
        let taken = answers.iter().map(|answer| open.take(answer, now)).collect();
        let complete = open.missing() == 0;
        Ok((taken, if complete { all.remove(&id) } else { None }))
    }

    async fn open_by(&self, vault: &Arc<Vault>, open: Open, at: Moment) -> Result<(), OperateError> {
        let file = opening::row(vault, Kind::SecurityDomain).await?.sealed;
        if !open.record.is_of(&file) {
            return Err(OperateError::Damaged);
        }
        let file = SecurityDomain::parse(&file).map_err(|_| OperateError::Damaged)?;
        let DomainSecrets { key: domain, working } = open_domain(&file, &open.shares).map_err(OperateError::Domain)?;
        let asked_for = open.record.domain_public;
        // Shares and single-use key are cleared here, the domain's key when the roots are open.
        drop(open);
        if domain.public() != asked_for {
            return Err(OperateError::Damaged);
        }
        let roots = wraps::sealed_roots(vault, &domain).await?;
        drop(domain);
        let opened = opening::open(vault, &roots, self.stored(vault).await?, at).await?;
        // Whoever has the public key can seal a root to it; only the vault of these custodians has their keys.
        opening::works_with(vault, &opened, &working).await?;
        self.unsealed(vault, opened, at).await
    }

    fn sealed(&self, name: &str) -> Result<Arc<Vault>, OperateError> {
        let vault = self.of_custodians(name)?;
        match vault.state() {
            State::Sealed => Ok(vault),
            state => Err(OperateError::WrongState { state: state.name(), needed: "sealed" }),
        }
    }

    /// A vault that opened needs no answers.
    pub(super) fn no_longer_ask(&self, vault: VaultId) {
        self.asking.lock().remove(&vault);
    }

    /// Clears what is of challenges that have expired.
    pub(crate) fn forget_expired(&self, now: Time) {
        drop(self.asking.lock_at(now));
    }
}

type Taken = (Vec<Result<u8, BadChallenge>>, Option<Open>);

impl Open {
    fn take(&mut self, answer: &str, now: Time) -> Result<u8, BadChallenge> {
        let share = Answer::parse_text(answer)?.open(&self.challenge, &self.key, now)?;
        let number = share.number();
        self.shares.add(share)?;
        Ok(number)
    }

    fn missing(&self) -> u8 {
        let given = u8::try_from(self.shares.numbers().count()).unwrap_or(u8::MAX);
        self.record.quorum.required().saturating_sub(given)
    }

    fn view(&self) -> Asked {
        let asked = self.challenge.challenge();
        Asked {
            challenge: self.challenge.to_text(),
            node_words: asked.node.words(),
            expires: asked.expires,
            required: self.record.quorum.required(),
            custodians: self.record.quorum.custodians(),
            given: self.shares.numbers().collect(),
            missing: self.missing(),
        }
    }
}
