//! Custodians act on a vault from wherever they are. The server shows one challenge for each purpose, whose single-use
//! key is in this memory alone; each answer is a share, encrypted to it. With the last share that is needed the domain
//! is opened: that it opens to the vault's own public key is the custodians' authority. To unseal, its private key
//! opens the generations of the root; then all of it but the root is forgotten again.

use super::appoint::Appointment;
use super::confirm::stored_record;
use super::replace::Replacement;
use super::{Instance, VaultSummary, summary};
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::vault::{State, Vault};
use crate::wraps;
use keystead_custody::activation::Activation as Record;
use keystead_custody::challenge::{Answer, BadChallenge, Challenge, Purpose, SignedChallenge, SingleUseKey};
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
    then: Then,
}

/// What is done when the shares are there.
pub(super) enum Then {
    Unseal,
    Replace(Box<Replacement>),
    Appoint(Appointment),
    Enrol(String),
}

/// The sorts of challenge: of each, a vault has one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// Opens the sealed vault.
    Unseal,
    /// Other custodians for the open vault.
    Replace,
    /// Another administrator for the open vault.
    Appoint,
    /// Another token for the open vault.
    Enrol,
}

type Out = HashMap<(VaultId, Sort), Open>;

/// Those that are out.
#[derive(Default)]
pub(super) struct Asking(Mutex<Out>);

impl Asking {
    fn lock(&self) -> MutexGuard<'_, Out> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same without those that have expired.
    fn lock_at(&self, now: Time) -> MutexGuard<'_, Out> {
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
        let vault = self.answering(name, Sort::Unseal)?;
        self.ask(&vault, Then::Unseal, at).await
    }

    /// Asks a vault's custodians for a purpose. What is out for the same one is shown on; another of its sort is
    /// forgotten.
    pub(super) async fn ask(&self, vault: &Vault, then: Then, at: Moment) -> Result<Asked, OperateError> {
        let (id, sort, purpose) = (vault.info.id, then.sort(), then.purpose());
        let out = |open: &Open| (open.challenge.challenge().purpose == purpose).then(|| open.view());
        if let Some(asked) = self.asking.lock_at(at.now).get(&(id, sort)).and_then(out) {
            return Ok(asked);
        }
        let record = stored_record(vault).await?;
        let shares = record.gathering().map_err(|_| OperateError::Damaged)?;
        let (key, domain, node) = (SingleUseKey::generate(), record.domain_public, self.identity());
        let expires = at.now.plus_millis(PATIENCE);
        let challenge = Challenge { vault: id, domain, single_use: key.public(), node, expires, purpose };
        let open = Open { challenge: challenge.sign(self.journal().node_key()), key, shares, record, then };
        let asked = open.view();
        self.note(sort.asked(), id, at).await?;
        self.asking.lock().insert((id, sort), open);
        Ok(asked)
    }

    /// Takes answers, in any order and from anywhere; a false one takes nothing from those that came before. With the
    /// last share that is needed, what the custodians were asked for is done.
    pub async fn answer_quorum(
        &self,
        name: &str,
        sort: Sort,
        answers: &[String],
        at: Moment,
    ) -> Result<Answered, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.answering(name, sort)?;
        let id = vault.info.id;
        let (answers, complete) = self.take((id, sort), answers, at.now)?;
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
            self.act(&vault, open, at).await?;
        }
        let asked = self.asking.lock().get(&(id, sort)).map(Open::view);
        Ok(Answered { answers, asked, vault: summary(&self.known(name)?) })
    }

    /// Each answer's outcome, and the challenge if it is answered.
    fn take(&self, of: (VaultId, Sort), answers: &[String], now: Time) -> Result<Taken, OperateError> {
        let mut all = self.asking.lock_at(now);
        let open = all.get_mut(&of).ok_or(OperateError::NotAsked)?;
        let taken = answers.iter().map(|answer| open.take(answer, now)).collect();
        let complete = open.missing() == 0;
        Ok((taken, if complete { all.remove(&of) } else { None }))
    }

    /// Shares and single-use key are cleared before anything is done, the domain's key as soon as it was used.
    async fn act(&self, vault: &Arc<Vault>, open: Open, at: Moment) -> Result<(), OperateError> {
        let by: Vec<u8> = open.shares.numbers().collect();
        let DomainSecrets { key: domain, working } = domain(vault, &open).await?;
        let then = open.then;
        match then {
            Then::Unseal => {
                let roots = wraps::sealed_roots(vault, &domain).await?;
                drop(domain);
                let opened = opening::open(vault, &roots, self.stored(vault).await?, at).await?;
                // Whoever has the public key can seal a root to it; only the vault of these custodians has their keys.
                opening::works_with(vault, &opened, &working).await?;
                drop(working);
                self.unsealed(vault, opened, at).await
            }
            Then::Replace(new) => {
                drop((domain, working));
                self.replace_custodians(vault, *new, &by, at).await
            }
            Then::Appoint(who) => {
                drop((domain, working));
                self.appoint(vault, &who, &by, at).await
            }
            Then::Enrol(token) => {
                drop(working);
                self.enrol_agreed(vault, &token, domain, &by, at).await
            }
        }
    }

    /// A vault whose state allows that purpose.
    fn answering(&self, name: &str, sort: Sort) -> Result<Arc<Vault>, OperateError> {
        let vault = self.of_custodians(name)?;
        match (vault.state(), sort) {
            (State::Sealed, Sort::Unseal) | (State::Open(_), Sort::Replace | Sort::Appoint | Sort::Enrol) => Ok(vault),
            (state, Sort::Unseal) => Err(OperateError::WrongState { state: state.name(), needed: "sealed" }),
            (state, _) => Err(OperateError::WrongState { state: state.name(), needed: "open" }),
        }
    }

    /// A vault that opened needs no answers.
    pub(super) fn no_longer_ask(&self, vault: VaultId) {
        self.asking.lock().remove(&(vault, Sort::Unseal));
    }

    /// Nothing that the custodians of before were asked counts.
    pub(super) fn ask_nothing(&self, vault: VaultId) {
        self.asking.lock().retain(|(of, _), _| *of != vault);
    }

    /// Clears what is of challenges that have expired.
    pub(crate) fn forget_expired(&self, now: Time) {
        drop(self.asking.lock_at(now));
    }
}

/// The domain that the shares open. What the vault's rows say of it stands in the clear: an open vault holds it against
/// what it sealed, and a sealed one against what it opens to.
async fn domain(vault: &Vault, open: &Open) -> Result<DomainSecrets, OperateError> {
    let file = opening::row(vault, Kind::SecurityDomain).await?.sealed;
    if !open.record.is_of(&file) {
        return Err(OperateError::Damaged);
    }
    let file = SecurityDomain::parse(&file).map_err(|_| OperateError::Damaged)?;
    let domain = open_domain(&file, &open.shares).map_err(OperateError::Domain)?;
    if domain.key.public() != open.record.domain_public {
        return Err(OperateError::Damaged);
    }
    match vault.state() {
        State::Open(now) if domain.key.public() != wraps::public(vault, &now).await? => Err(OperateError::Damaged),
        _ => Ok(domain),
    }
}

impl Then {
    const fn sort(&self) -> Sort {
        match self {
            Self::Unseal => Sort::Unseal,
            Self::Replace(_) => Sort::Replace,
            Self::Appoint(_) => Sort::Appoint,
            Self::Enrol(_) => Sort::Enrol,
        }
    }

    fn purpose(&self) -> Purpose {
        match self {
            Self::Unseal => Purpose::Unseal,
            Self::Replace(new) => Purpose::Replace { activation: new.digest() },
            Self::Appoint(who) => Purpose::Appoint(who.0.clone()),
            Self::Enrol(token) => Purpose::Enrol { token: token.clone() },
        }
    }
}

impl Sort {
    /// What is written when custodians are asked.
    const fn asked(self) -> Action {
        match self {
            Self::Unseal => Action::QuorumAsked,
            Self::Replace => Action::ReplacementAsked,
            Self::Appoint => Action::AppointmentAsked,
            Self::Enrol => Action::EnrolmentAsked,
        }
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
