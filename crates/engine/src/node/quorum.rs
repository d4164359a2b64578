//! Custodians act on a vault from wherever they are. The server shows one challenge for each kind of act, whose
//! single-use key is in this memory alone; each answer is a share, encrypted to it. With the last share that is needed
//! the domain is opened: that it opens to the vault's own public key is the custodians' authority. To unseal, its
//! private key opens the generations of the root; then all of it but the root is forgotten again. Where what was asked
//! for fails for a reason that passes, the shares stay until the challenge expires, and the operator tries again.

mod act;
mod asking;

pub(super) use act::Act;
pub use act::ActKind;
pub use asking::Asked;
pub(super) use asking::Asking;

use super::confirm::stored_record;
use super::retry::may_yet_succeed;
use super::sealed::store_says;
use super::{Instance, VaultSummary, summary};
use crate::error::Refusal;
use crate::opening;
use crate::operate::OperateError;
use crate::vault::{State, Vault};
use crate::{wraps, written_roots};
use asking::{Pending, Taken};
use keystead_crypto::stack::cleared;
use keystead_custody::DomainSecrets;
use keystead_custody::challenge::{BadChallenge, Challenge, SingleUseKey};
use keystead_model::{Action, Moment, VaultId};
use keystead_store::Kind;
use std::sync::Arc;
use std::time::Duration;

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

/// How long custodians have, in milliseconds.
const PATIENCE: i64 = 3_600_000;

/// From deadline to deadline, the same and half a minute, as the beat allows itself so much more than a request.
const ENDS: Duration = Duration::from_secs(3630);

impl Instance {
    /// The challenge of a sealed vault: the one that is out, or a new one.
    pub async fn ask_quorum(&self, name: &str, at: Moment) -> Result<Asked, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.answering(name, ActKind::Unseal)?;
        let asked = self.ask(&vault, Act::Unseal, false, at).await?;
        // What is altered there the doctor names; whoever asks goes on.
        Ok(Asked { store_says: store_says(&vault).await.ok(), ..asked })
    }

    /// Asks a vault's custodians for a purpose. What is out for the same one is shown on; another of its kind is
    /// forgotten with its answers, but only by somebody who says so (`again`).
    pub(super) async fn ask(&self, vault: &Vault, act: Act, again: bool, at: Moment) -> Result<Asked, OperateError> {
        let (id, kind, purpose) = (vault.info.id, act.kind(), act.purpose());
        match self.asking.lock_at(at).get(&(id, kind)) {
            Some(pending) if pending.challenge.challenge().purpose == purpose => return Ok(pending.view()),
            Some(pending) if !again => return Err(pending.stands()),
            _ => {}
        }
        let record = stored_record(vault).await?;
        let shares = record.gathering().map_err(|_| OperateError::Damaged)?;
        let (key, domain, node) = (SingleUseKey::generate(), record.domain_public, self.identity());
        let expires = at.now.plus_millis(PATIENCE);
        let until = at.deadline.checked_add(ENDS).unwrap_or(at.deadline);
        let challenge = Challenge { vault: id, domain, single_use: key.public(), node, expires, purpose };
        let (challenge, act) = (challenge.sign(self.journal().node_key()), Arc::new(act));
        let pending = Pending { challenge, key, shares, unrecorded: Vec::new(), record, act, until };
        let asked = pending.view();
        self.note(kind.asked(), id, at).await?;
        self.asking.lock().insert((id, kind), pending);
        Ok(asked)
    }

    /// Takes answers, in any order and from anywhere; a false one takes nothing from those that came before. With the
    /// last share that is needed, what the custodians were asked for is done. If that fails for a reason that passes,
    /// it is done with the next answers, which may be none, or some that were given.
    pub async fn answer_quorum(
        &self,
        name: &str,
        kind: ActKind,
        answers: &[String],
        at: Moment,
    ) -> Result<Answered, OperateError> {
        let _one_at_a_time = self.operating.lock().await;
        let vault = self.answering(name, kind)?;
        let of = (vault.info.id, kind);
        let answers = self.take(of, answers, at)?;
        if let Err(why) = self.follow_up(&vault, of, &answers, at).await {
            let why = self.kept(of, why);
            if kind == ActKind::Unseal {
                // It waits for more than its custodians.
                vault.not_opened.store(Arc::new(Some(why.to_string())));
            }
            return Err(why);
        }
        let asked = self.asking.lock().get(&of).map(Pending::view);
        Ok(Answered { answers, asked, vault: summary(&self.known(name)?) })
    }

    /// Each answer's outcome.
    fn take(&self, of: (VaultId, ActKind), answers: &[String], at: Moment) -> Result<Vec<Taken>, OperateError> {
        let mut all = self.asking.lock_at(at);
        let pending = all.get_mut(&of).ok_or(of.1.not_asked())?;
        let mut again = pending.may_come_again();
        Ok(answers.iter().map(|answer| pending.take(answer, &mut again, at.now)).collect())
    }

    /// What came is recorded before anything comes of it.
    async fn follow_up(
        &self,
        vault: &Arc<Vault>,
        of: (VaultId, ActKind),
        answers: &[Taken],
        at: Moment,
    ) -> Result<(), OperateError> {
        while let Some(number) = self.of(of, |pending| pending.unrecorded.first().copied()).flatten() {
            let clear = minicbor::to_vec(number).map_err(|_| Refusal::Fault)?;
            self.write(Action::ShareTaken, vault.info.id, clear, at).await?;
            self.of(of, |pending| pending.unrecorded.retain(|one| *one != number));
        }
        for _ in answers.iter().filter(|answer| answer.is_err()) {
            self.note(Action::ShareRefused, vault.info.id, at).await?;
        }
        if self.of(of, |pending| pending.missing() == 0) == Some(true) {
            self.act(vault, of, at).await?;
            self.asking.lock().remove(&of);
        }
        Ok(())
    }

    /// Looks at a challenge that is out.
    fn of<T>(&self, of: (VaultId, ActKind), look: impl FnOnce(&mut Pending) -> T) -> Option<T> {
        self.asking.lock().get_mut(&of).map(look)
    }

    /// Whether what stood in the way may pass: then the challenge stays with its shares, until it expires.
    fn kept(&self, of: (VaultId, ActKind), why: OperateError) -> OperateError {
        let mut all = self.asking.lock();
        match all.get(&of) {
            Some(pending) if may_yet_succeed(&why) => {
                let shares: Vec<u8> = pending.shares.numbers().collect();
                let (none, expires) = (shares.is_empty(), pending.challenge.challenge().expires);
                if none { why } else { OperateError::Kept { shares, expires, why: Box::new(why) } }
            }
            _ => {
                all.remove(&of);
                why
            }
        }
    }

    /// The domain's key is cleared as soon as it was used.
    async fn act(&self, vault: &Arc<Vault>, of: (VaultId, ActKind), at: Moment) -> Result<(), OperateError> {
        let (by, act, domain) = self.domain(vault, of).await?;
        let DomainSecrets { key: domain, working } = domain;
        match &*act {
            Act::Unseal => {
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
            Act::Replace(new) => {
                drop((domain, working));
                self.replace_custodians(vault, new, &by, at).await
            }
            Act::Appoint(who) => {
                drop((domain, working));
                self.appoint(vault, who, &by, at).await
            }
            Act::Enrol(token) => {
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
        of: (VaultId, ActKind),
    ) -> Result<(Vec<u8>, Arc<Act>, DomainSecrets), OperateError> {
        let file = opening::row(vault, Kind::SecurityDomain).await?.sealed;
        let opened = cleared(|| self.of(of, |pending| pending.domain(&file)));
        let (by, act, domain) = opened.ok_or(of.1.not_asked())??;
        match vault.state() {
            State::Open(now) if domain.key.public() != wraps::public(vault, &now).await? => Err(OperateError::Damaged),
            _ => Ok((by, act, domain)),
        }
    }

    /// A vault whose state allows that purpose.
    fn answering(&self, name: &str, kind: ActKind) -> Result<Arc<Vault>, OperateError> {
        let vault = self.of_custodians(name)?;
        match (vault.state(), kind) {
            (State::Sealed, ActKind::Unseal)
            | (State::Open(_), ActKind::Replace | ActKind::Appoint | ActKind::Enrol) => Ok(vault),
            (state, ActKind::Unseal) => Err(OperateError::WrongState { state: state.name(), needed: "sealed" }),
            _ => Err(self.not_open(&vault)),
        }
    }

    /// Whose shares are there that open a sealed vault.
    pub(super) fn given(&self, vault: VaultId) -> Vec<u8> {
        self.of((vault, ActKind::Unseal), |pending| pending.shares.numbers().collect()).unwrap_or_default()
    }

    /// A vault that opened needs no answers.
    pub(super) fn no_longer_ask(&self, vault: VaultId) {
        self.asking.lock().remove(&(vault, ActKind::Unseal));
    }

    /// Nothing that the custodians of before were asked counts.
    pub(super) fn ask_nothing(&self, vault: VaultId) {
        self.asking.lock().retain(|(of, _), _| *of != vault);
    }

    /// Clears what is of challenges that have expired.
    pub(crate) fn forget_expired(&self, at: Moment) {
        drop(self.asking.lock_at(at));
    }
}
