//! Custodians act on a vault from wherever they are. The server shows one challenge for each purpose, whose single-use
//! key is in this memory alone; each answer is a share, encrypted to it. With the last share that is needed the domain
//! is opened: that it opens to the vault's own public key is the custodians' authority. To unseal, its private key
//! opens the generations of the root; then all of it but the root is forgotten again. Where what was asked for fails
//! for a reason that passes, the shares stay until the challenge expires, and the operator tries again.

use super::appoint::Appointment;
use super::confirm::stored_record;
use super::replace::Replacement;
use super::retry::may_yet_succeed;
use super::sealed::{StoreSays, store_says};
use super::{Instance, VaultSummary, summary};
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::vault::{State, Vault};
use crate::{wraps, written_roots};
use keystead_crypto::stack::cleared;
use keystead_custody::activation::Activation as Record;
use keystead_custody::challenge::{Answer, BadChallenge, Challenge, Purpose, SignedChallenge, SingleUseKey};
use keystead_custody::shares::{Gathering, ShareError};
use keystead_custody::{DomainId, DomainSecrets, open_domain};
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
    /// The domain whose custodians are asked.
    pub domain: DomainId,
    /// Of a sealed vault, what can be told of it before they answer.
    pub store_says: Option<StoreSays>,
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
    /// Whose shares the node's log does not have yet.
    unrecorded: Vec<u8>,
    record: Record,
    then: Arc<Then>,
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
        let asked = self.ask(&vault, Then::Unseal, at).await?;
        // What is altered there the doctor names; whoever asks goes on.
        Ok(Asked { store_says: store_says(&vault).await.ok(), ..asked })
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
        let (challenge, then) = (challenge.sign(self.journal().node_key()), Arc::new(then));
        let open = Open { challenge, key, shares, unrecorded: Vec::new(), record, then };
        let asked = open.view();
        self.note(sort.asked(), id, at).await?;
        self.asking.lock().insert((id, sort), open);
        Ok(asked)
    }

    /// Takes answers, in any order and from anywhere; a false one takes nothing from those that came before. With the
    /// last share that is needed, what the custodians were asked for is done. If that fails for a reason that passes,
    /// it is done with the next answers, which may be none, or some that were given.
    pub async fn answer_quorum(
        &self,
        name: &str,
        sort: Sort,
        answers: &[String],
        at: Moment,
    ) -> Result<Answered, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.answering(name, sort)?;
        let of = (vault.info.id, sort);
        let answers = self.take(of, answers, at.now)?;
        if let Err(why) = self.follow_up(&vault, of, &answers, at).await {
            let why = self.kept(of, why);
            if sort == Sort::Unseal {
                // It waits for more than its custodians.
                vault.not_opened.store(Arc::new(Some(why.to_string())));
            }
            return Err(why);
        }
        let asked = self.asking.lock().get(&of).map(Open::view);
        Ok(Answered { answers, asked, vault: summary(&self.known(name)?) })
    }

    /// Each answer's outcome.
    fn take(&self, of: (VaultId, Sort), answers: &[String], now: Time) -> Result<Vec<Taken>, OperateError> {
        let mut all = self.asking.lock_at(now);
        let open = all.get_mut(&of).ok_or(OperateError::NotAsked)?;
        let all_there = open.missing() == 0;
        Ok(answers.iter().map(|answer| open.take(answer, all_there, now)).collect())
    }

    /// What came is recorded before anything comes of it.
    async fn follow_up(
        &self,
        vault: &Arc<Vault>,
        of: (VaultId, Sort),
        answers: &[Taken],
        at: Moment,
    ) -> Result<(), OperateError> {
        while let Some(number) = self.of(of, |open| open.unrecorded.first().copied()).flatten() {
            let clear = minicbor::to_vec(number).map_err(|_| Refusal::Fault)?;
            self.write(Action::ShareTaken, vault.info.id, clear, at).await?;
            self.of(of, |open| open.unrecorded.retain(|one| *one != number));
        }
        for _ in answers.iter().filter(|answer| answer.is_err()) {
            self.note(Action::ShareRefused, vault.info.id, at).await?;
        }
        if self.of(of, |open| open.missing() == 0) == Some(true) {
            self.act(vault, of, at).await?;
            self.asking.lock().remove(&of);
        }
        Ok(())
    }

    /// Looks at a challenge that is out.
    fn of<T>(&self, of: (VaultId, Sort), look: impl FnOnce(&mut Open) -> T) -> Option<T> {
        self.asking.lock().get_mut(&of).map(look)
    }

    /// Whether what stood in the way may pass: then the challenge stays with its shares, until it expires.
    fn kept(&self, of: (VaultId, Sort), why: OperateError) -> OperateError {
        let mut all = self.asking.lock();
        match all.get(&of) {
            Some(open) if may_yet_succeed(&why) => {
                let shares: Vec<u8> = open.shares.numbers().collect();
                let (none, expires) = (shares.is_empty(), open.challenge.challenge().expires);
                if none { why } else { OperateError::Kept { shares, expires, why: Box::new(why) } }
            }
            _ => {
                all.remove(&of);
                why
            }
        }
    }

    /// The domain's key is cleared as soon as it was used.
    async fn act(&self, vault: &Arc<Vault>, of: (VaultId, Sort), at: Moment) -> Result<(), OperateError> {
        let (by, then, domain) = self.domain(vault, of).await?;
        let DomainSecrets { key: domain, working } = domain;
        match &*then {
            Then::Unseal => {
                let (roots, written) = wraps::sealed_roots(vault, &domain).await?;
                drop(domain);
                let opened = opening::open(vault, &roots, self.stored(vault).await?, at).await?;
                // Whoever has the public key can seal a root to it; only the vault of these custodians has their keys.
                opening::works_with(vault, &opened, &working).await?;
                let written = written_roots::opened(vault, &opened, written).await?;
                // What both read of the vault's secrets goes with it.
                cleared(|| drop(working));
                self.unsealed(vault, opened, written, at).await
            }
            Then::Replace(new) => {
                drop((domain, working));
                self.replace_custodians(vault, new, &by, at).await
            }
            Then::Appoint(who) => {
                drop((domain, working));
                self.appoint(vault, who, &by, at).await
            }
            Then::Enrol(token) => {
                drop(working);
                self.enrol_agreed(vault, token, domain, &by, at).await
            }
        }
    }

    /// Who agreed, to what, and the domain that their shares open. What the vault's rows say of it stands in the clear:
    /// an open vault holds it against what it sealed, and a sealed one against what it opens to.
    async fn domain(
        &self,
        vault: &Vault,
        of: (VaultId, Sort),
    ) -> Result<(Vec<u8>, Arc<Then>, DomainSecrets), OperateError> {
        let file = opening::row(vault, Kind::SecurityDomain).await?.sealed;
        let opened = cleared(|| self.of(of, |open| open.domain(&file)));
        let (by, then, domain) = opened.ok_or(OperateError::NotAsked)??;
        match vault.state() {
            State::Open(now) if domain.key.public() != wraps::public(vault, &now).await? => Err(OperateError::Damaged),
            _ => Ok((by, then, domain)),
        }
    }

    /// A vault whose state allows that purpose.
    fn answering(&self, name: &str, sort: Sort) -> Result<Arc<Vault>, OperateError> {
        let vault = self.of_custodians(name)?;
        match (vault.state(), sort) {
            (State::Sealed, Sort::Unseal) | (State::Open(_), Sort::Replace | Sort::Appoint | Sort::Enrol) => Ok(vault),
            (state, Sort::Unseal) => Err(OperateError::WrongState { state: state.name(), needed: "sealed" }),
            _ => Err(self.not_open(&vault)),
        }
    }

    /// Whose shares are there that open a sealed vault.
    pub(super) fn given(&self, vault: VaultId) -> Vec<u8> {
        self.of((vault, Sort::Unseal), |open| open.shares.numbers().collect()).unwrap_or_default()
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

/// The number of a share, or why it was refused.
type Taken = Result<u8, BadChallenge>;

impl Open {
    /// Who is there already and answers again, so that what failed is tried again, is not refused.
    fn take(&mut self, answer: &str, all_there: bool, now: Time) -> Taken {
        let share = Answer::parse_text(answer)?.open(&self.challenge, &self.key, now)?;
        let number = share.number();
        match self.shares.add(share) {
            Ok(_) => self.unrecorded.push(number),
            Err(ShareError::Duplicate { number }) if all_there || self.unrecorded.contains(&number) => {}
            Err(why) => return Err(why.into()),
        }
        Ok(number)
    }

    /// What the shares open, by the security domain that stands in the store.
    fn domain(&self, file: &[u8]) -> Result<(Vec<u8>, Arc<Then>, DomainSecrets), OperateError> {
        if !self.record.is_of(file) {
            return Err(OperateError::Damaged);
        }
        let file = SecurityDomain::parse(file).map_err(|_| OperateError::Damaged)?;
        let domain = open_domain(&file, &self.shares).map_err(OperateError::Domain)?;
        if domain.key.public() != self.record.domain_public {
            return Err(OperateError::Damaged);
        }
        Ok((self.shares.numbers().collect(), Arc::clone(&self.then), domain))
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
            domain: asked.domain.id(),
            store_says: None,
        }
    }
}
