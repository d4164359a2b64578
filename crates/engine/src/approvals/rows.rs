//! The rows of proposals. Each stands at a tag of its id; there are never many, so they are looked through.

use super::bounds::{Kept, Stands, room_for};
use super::{ApprovalError, InForce, ProposalState, ProposalView};
use crate::error::Refusal;
use crate::records;
use crate::records::proposal::{EndRecord, ProposalRecord};
use crate::room::{Place, Room, row_binding};
use keystead_access::approval::check_reason;
use keystead_access::{Approvals, Operation, Proposal, Rule, Standing, Verdict, Vote};
use keystead_model::{ObjectId, OperationId, Time, VaultId};
use keystead_store::{Changes, Kind, Row, RowKey};

/// Longest parameters of an operation, in bytes: people read them.
const MAX_PARAMETERS: usize = 16 << 10;
/// How long one is kept at most that was carried out, and one that was not, ms.
const KEPT: i64 = 90 * 86_400_000;
const KEPT_UNUSED: i64 = 7 * 86_400_000;
const PAGE: u16 = 500;

/// A proposal with its row.
pub(crate) struct Stored {
    pub(crate) row: Row,
    pub(crate) record: ProposalRecord,
}

/// Who proposes what, why, and for how long.
pub(crate) struct Proposed<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) proposer: String,
    /// Whether he is an administrator of the vault.
    pub(crate) administers: bool,
    pub(crate) reason: &'a str,
    pub(crate) hours: Option<u16>,
}

/// A new one, as it is to be stored, and those that are forgotten so that it has room.
pub(crate) struct New {
    pub(crate) id: ObjectId,
    pub(crate) view: ProposalView,
    pub(crate) changes: Changes,
    pub(crate) forgotten: Vec<ObjectId>,
}

fn place(room: &Room<'_>, id: ObjectId) -> RowKey {
    let lookup = room.open().index.of(&[&[Kind::Proposal.code()], id.as_bytes()]);
    RowKey { kind: Kind::Proposal, lookup, version: None }
}

fn opened(room: &Room<'_>, row: Row) -> Result<Stored, Refusal> {
    let plain = room.records().open(&row_binding(room.vault(), &row), &[], &row.sealed)?;
    let record: ProposalRecord = records::decode(&plain)?;
    // The tag is a clear column: a row that was moved is not the proposal that it stands for.
    if record.proposal.id() != Some(row.id) || place(room, row.id) != row.key() {
        return Err(Refusal::Damaged);
    }
    Ok(Stored { row, record })
}

/// All of them, in no order.
pub(crate) async fn all(room: &Room<'_>) -> Result<Vec<Stored>, Refusal> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let vault = room.vault();
        let page = vault.store.page(vault.info().id, Kind::Proposal, after, PAGE).await?;
        after = page.last().map(|row| row.lookup);
        let last = page.len() < usize::from(PAGE);
        for row in page {
            all.push(opened(room, row)?);
        }
        if last {
            return Ok(all);
        }
    }
}

/// The one of this id.
pub(crate) async fn find(room: &Room<'_>, id: ObjectId) -> Result<Stored, Refusal> {
    let row = room.row_at(place(room, id)).await?.ok_or(ApprovalError::NotFound)?;
    opened(room, row)
}

/// A new one. One that is open and of exactly the same is not proposed again.
pub(crate) async fn propose(room: &Room<'_>, now: &InForce, new: Proposed<'_>) -> Result<New, Refusal> {
    let Proposed { operation, proposer, administers, reason, hours } = new;
    check_reason(reason).map_err(ApprovalError::from)?;
    let life = hours.map_or(Proposal::LIFE, |hours| i64::from(hours).saturating_mul(3_600_000));
    if !(1..=Proposal::MAX_LIFE).contains(&life) {
        return Err(ApprovalError::Life.into());
    }
    if now.approvals().needed(operation.rules).is_none() {
        return Err(ApprovalError::NotNeeded.into());
    }
    if operation.parameters.len() > MAX_PARAMETERS {
        return Err(Refusal::OverBound { what: "what approvers are to read has at most 16 KiB" });
    }
    let forgets = forgotten_for(room, now, operation, (&proposer, administers)).await?;
    let (id, vault, at) = (ObjectId::from_bytes(keystead_crypto::random()), room.vault().info(), room.at.now);
    let proposal = Proposal {
        id: id.to_string(),
        vault: vault.id.to_string(),
        vault_name: vault.name.clone(),
        rules: operation.rules.to_vec(),
        operation: operation.name.to_owned(),
        target: operation.target.clone(),
        parameters: operation.parameters.clone(),
        proposer,
        reason: reason.to_owned(),
        policy_revision: now.policy.revision().0,
        proposed: at.0,
        expires: at.plus_millis(life).0,
        signed_as: Some(Proposal::SIGNED_AS),
    };
    let record = ProposalRecord { proposal, votes: Vec::new(), end: None };
    let RowKey { kind, lookup: tag, version } = place(room, id);
    let row = room.row(Place { kind, tag, version, id, counter: 1, due: Some(record.due()) }, &record)?;
    let stored = Stored { row, record };
    let view = stored.view(now.approvals(), at);
    let forgotten = forgets.iter().map(|row| row.id).collect();
    let removes = forgets.iter().map(|row| (row.key(), row.counter)).collect();
    let changes = Changes { puts: vec![stored.row], removes, checks: vec![now.check], ..Changes::default() };
    Ok(New { id, view, changes, forgotten })
}

/// What is forgotten for one more, if there is room for it. One that was carried out does not come back by that: an id
/// is random and never given again, votes are on that id alone, and whoever read the row before it went is refused.
async fn forgotten_for(
    room: &Room<'_>,
    now: &InForce,
    operation: &Operation,
    (proposer, administers): (&str, bool),
) -> Result<Vec<Row>, Refusal> {
    let mut stored = all(room).await?;
    // Votes are proven last, and of none that has ended: it takes its time.
    let is_open = |stored: &&Stored| {
        let state = stored.stands(now.approvals(), &stored.record.proposal.rules, room.at.now).0;
        matches!(state, ProposalState::Pending | ProposalState::Approved)
    };
    let mut same = stored.iter().filter(|one| one.record.end.is_none() && one.is_for(room, operation, proposer));
    if let Some(same) = same.find(is_open) {
        return Err(ApprovalError::Exists { id: same.row.id }.into());
    }
    let doubted = room.vault().doubt_of(room.open()).is_some();
    let kept: Vec<_> = stored.iter().map(|one| one.record.kept((room.at.now, doubted))).collect();
    let mut places = room_for(&kept, proposer, (operation.rules, administers))?;
    drop(kept);
    places.sort_unstable_by(|a, b| b.cmp(a));
    Ok(places.into_iter().map(|at| stored.swap_remove(at).row).collect())
}

impl ProposalRecord {
    /// As it counts. The policy does not matter: under another, what is rejected or needs nothing may be open again.
    fn kept(&self, (now, doubted): (Time, bool)) -> Kept<'_> {
        let stands = match &self.end {
            Some(EndRecord { at, executed: Some(_) }) => Stands::Executed(*at),
            Some(EndRecord { at, executed: None }) => Stands::Unused(*at),
            None if now.0 < self.proposal.expires => Stands::Open,
            None if doubted => Stands::Unknown,
            None => Stands::Unused(self.proposal.expires),
        };
        Kept { proposer: &self.proposal.proposer, stands }
    }

    /// When it is forgotten.
    pub(crate) fn due(&self) -> Time {
        match &self.end {
            Some(EndRecord { at, executed: Some(_) }) => Time(*at).plus_millis(KEPT),
            Some(EndRecord { at, executed: None }) => Time(*at).plus_millis(KEPT_UNUSED),
            None => Time(self.proposal.expires).plus_millis(KEPT_UNUSED),
        }
    }
}

impl Stored {
    pub(crate) fn is_for(&self, room: &Room<'_>, operation: &Operation, proposer: &str) -> bool {
        let vault: VaultId = room.vault().info().id;
        self.record.proposal.is_for(vault, operation, proposer)
    }

    /// Its id, if it was approved of the same request, but of what that fell on before.
    pub(crate) fn of_what_was(
        &self,
        room: &Room<'_>,
        (now, operation): (&InForce, &Operation),
        proposer: &str,
    ) -> Option<ObjectId> {
        let vault = room.vault().info().id;
        if !self.record.proposal.is_asked_as(vault, operation, proposer) {
            return None;
        }
        let (state, _) = self.stands(now.approvals(), operation.rules, room.at.now);
        (state == ProposalState::Approved).then_some(self.row.id)
    }

    /// What it is under these approvals, for an operation to which these rules apply.
    pub(crate) fn stands(&self, approvals: &Approvals, rules: &[Rule], now: Time) -> (ProposalState, Option<Standing>) {
        let ProposalRecord { proposal, votes, end } = &self.record;
        let standing = Standing::of(approvals, rules, proposal, votes);
        let state = match (end, &standing) {
            (Some(EndRecord { executed: Some(_), .. }), _) => ProposalState::Executed,
            (Some(EndRecord { executed: None, .. }), _) => ProposalState::Rejected,
            (None, _) if now.0 >= proposal.expires => ProposalState::Expired,
            (None, Some(standing)) if standing.is_rejected() => ProposalState::Rejected,
            (None, Some(standing)) if standing.is_approved() => ProposalState::Approved,
            (None, _) => ProposalState::Pending,
        };
        (state, standing)
    }

    /// The votes that approve it, of those who approve now.
    pub(crate) fn approving(&self, approvals: &Approvals) -> Vec<Vote> {
        let ProposalRecord { proposal, votes, .. } = &self.record;
        let counts = |vote: &&Vote| {
            vote.verdict == Verdict::Approve && approvals.with_key(&vote.key).is_some() && vote.is_proven(proposal)
        };
        votes.iter().filter(counts).cloned().collect()
    }

    /// As a reader sees it.
    pub(crate) fn view(&self, approvals: &Approvals, now: Time) -> ProposalView {
        let ProposalRecord { proposal, votes, end } = &self.record;
        let (state, standing) = self.stands(approvals, &proposal.rules, now);
        ProposalView {
            proposal: proposal.clone(),
            votes: votes.clone(),
            state,
            standing,
            ended: end.as_ref().map(|end| Time(end.at)),
            operation: end.as_ref().and_then(|end| end.executed).map(|id| OperationId::from_bytes(*id)),
        }
    }

    /// Its row with one more vote, and what it is then.
    pub(crate) fn voted(mut self, room: &Room<'_>, now: &InForce, vote: Vote) -> Result<(Row, ProposalView), Refusal> {
        let at = room.at.now;
        self.record.votes.push(vote);
        // What was rejected stays so, whatever the policy is later.
        if self.view(now.approvals(), at).state == ProposalState::Rejected {
            self.record.end = Some(EndRecord { at: at.0, executed: None });
        }
        let view = self.view(now.approvals(), at);
        Ok((self.next(room)?, view))
    }

    /// Its row once an operation has carried it out.
    pub(crate) fn executed(mut self, room: &Room<'_>, operation: OperationId) -> Result<Row, Refusal> {
        let executed = Some((*operation.as_bytes()).into());
        self.record.end = Some(EndRecord { at: room.at.now.0, executed });
        self.next(room)
    }

    fn next(&self, room: &Room<'_>) -> Result<Row, Refusal> {
        let place = Place { due: Some(self.record.due()), ..Place::behind(self.row.key(), Some(&self.row)) };
        room.row(place, &self.record)
    }
}
