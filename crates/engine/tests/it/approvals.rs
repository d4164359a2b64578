//! What a policy asks approvals for happens once, as it was approved, or not at all.

mod content;
mod kinds;
mod many;
mod operator;

use crate::support::*;
use keystead_access::approval::BadVote;
use keystead_access::{Approvals, Approver, BadPolicy, RecordedVote, Rule, Verdict};
use keystead_crypto::ec::{Curve, PrivateKey as Ec};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::signature::PrivateKey;
use keystead_engine::{
    ApprovalError, BackupKey, Command, CreateClient, CreateRoleAssignment, DeleteKey, GetDeletedKey, ListProposals,
    ProposalState, ProposalView, Propose, PurgeKey, ReadAudit, ReadProposal, Refusal, TurnedAway, VoteOnProposal,
    WriteApprovals,
};
use keystead_model::{Action, Guid, KeySpec, ObjectId, Target, Time};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Kind, Unavailable};
use std::sync::Arc;

const HOUR: i64 = 3_600_000;
const DISK: Unavailable = Unavailable::Disk { code: 10 };

/// Alice and Carol have Ed25519 keys, Bob one of P-256.
struct People {
    alice: PrivateKey,
    bob: PrivateKey,
    carol: PrivateKey,
}

impl People {
    fn new() -> Self {
        let ed25519 = |seed| PrivateKey::Ed25519(SigningKey::from_seed(&[seed; 32]));
        Self { alice: ed25519(1), bob: PrivateKey::P256(Ec::generate(Curve::P256)), carol: ed25519(3) }
    }

    fn approvers(&self) -> Vec<Approver> {
        let approver = |name: &str, key| Approver { name: name.to_owned(), key: spki(key) };
        vec![approver("alice", &self.alice), approver("bob", &self.bob), approver("carol", &self.carol)]
    }

    fn approvals(&self, rules: &[(Rule, u8)]) -> Approvals {
        Approvals { approvers: self.approvers(), rules: rules.iter().copied().collect() }
    }
}

fn spki(key: &PrivateKey) -> Vec<u8> {
    key.public().unwrap().to_spki()
}

/// A node whose vault asks for approvals, with a deleted key `k`.
async fn node(people: &People, rules: &[(Rule, u8)]) -> Node {
    let node = Node::new().await;
    deleted(&node, "k").await;
    node.run(WriteApprovals { approvals: people.approvals(rules) }).await.unwrap();
    node
}

async fn deleted(node: &Node, named: &str) {
    node.run(create(named, KeySpec::EcP256)).await.unwrap();
    node.run(DeleteKey { name: name(named) }).await.unwrap();
}

fn purge(named: &str) -> PurgeKey {
    PurgeKey { name: name(named) }
}

async fn propose<C: Command>(node: &Node, ask: C) -> ProposalView {
    node.run(Propose::of(ask, "it was replaced".to_owned(), None)).await.unwrap()
}

fn signed(view: &ProposalView, key: &PrivateKey, verdict: Verdict) -> VoteOnProposal {
    let signature = key.sign(view.proposal.text(verdict).as_bytes()).unwrap();
    VoteOnProposal { id: id(view), verdict, key: spki(key), signature }
}

fn id(view: &ProposalView) -> ObjectId {
    view.proposal.id().unwrap()
}

async fn approve(node: &Node, view: &ProposalView, keys: &[&PrivateKey]) -> ProposalView {
    let mut last = view.clone();
    for key in keys {
        last = node.run(signed(view, key, Verdict::Approve)).await.unwrap();
    }
    last
}

async fn state(node: &Node, view: &ProposalView) -> ProposalState {
    node.run(ReadProposal { id: id(view) }).await.unwrap().state
}

fn required<T>(answer: &Result<T, Refusal>) -> bool {
    matches!(answer, Err(Refusal::Approval(ApprovalError::Required { .. })))
}

/// Proposes, has two approve, and runs it.
async fn approved<C: Command>(node: &Node, people: &People, ask: impl Fn() -> C) -> C::Output {
    let refused = node.run(ask()).await;
    assert!(required(&refused), "{:?}", refused.err());
    let view = propose(node, ask()).await;
    approve(node, &view, &[&people.alice, &people.bob]).await;
    let done = node.run(ask()).await.unwrap();
    assert_eq!(state(node, &view).await, ProposalState::Executed);
    assert!(required(&node.run(ask()).await), "it was used up");
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_of_three_approved_happens_once() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2)]).await;
    assert!(required(&node.run(purge("k")).await));
    let view = propose(&node, purge("k")).await;
    assert_eq!((view.state, view.proposal.reason.as_str()), (ProposalState::Pending, "it was replaced"));
    assert!(required(&node.run(purge("k")).await));

    let one = approve(&node, &view, &[&people.alice]).await;
    assert_eq!(one.state, ProposalState::Pending);
    let refused = node.run(purge("k")).await.unwrap_err();
    let waiting = ApprovalError::Required { needed: 2, pending: Some((id(&view), 1)) };
    assert!(matches!(refused, Refusal::Approval(why) if why == waiting));

    let two = approve(&node, &view, &[&people.bob]).await;
    assert_eq!(
        (two.state, two.standing.unwrap().approved),
        (ProposalState::Approved, vec!["alice".into(), "bob".into()])
    );
    node.run(purge("k")).await.unwrap();
    let refused = node.run(GetDeletedKey { name: name("k") }).await;
    assert!(matches!(refused, Err(Refusal::DeletedKeyNotFound { .. })));

    deleted(&node, "k").await;
    assert!(required(&node.run(purge("k")).await), "it was used up");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_names_the_proposal_and_the_proposal_the_record() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2)]).await;
    let view = propose(&node, purge("k")).await;
    approve(&node, &view, &[&people.alice, &people.carol]).await;
    node.run(purge("k")).await.unwrap();
    let entries = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let of = |action: &str| entries.iter().filter(|e| e.action == action).cloned().collect::<Vec<_>>();
    let purged = of("keys/purge").pop().unwrap();
    let expected = format!("proposal {}, approved by alice, carol", view.proposal.id);
    assert_eq!(purged.detail.reason.as_deref(), Some(expected.as_str()));
    assert_eq!((of("approvals/propose").len(), of("approvals/vote").len()), (1, 2));
    // With the text that was signed and the approvers' keys, the log alone proves the votes.
    let approvals = people.approvals(&[]);
    for (entry, by) in of("approvals/vote").iter().zip(["alice", "carol"]) {
        let vote = RecordedVote::parse(entry.detail.reason.as_deref().unwrap()).unwrap();
        assert_eq!((vote.proposal.as_str(), vote.approver.as_str()), (view.proposal.id.as_str(), by));
        assert!(vote.vote(&view.proposal, &approvals).is_proven(&view.proposal));
    }

    let kept = node.run(ReadProposal { id: id(&view) }).await.unwrap();
    let record = node.records().into_iter().find(|r| Some(r.operation()) == kept.operation).unwrap();
    assert_eq!(record.action(), Some(Action::PurgeKey));
    assert!(kept.votes.iter().all(|vote| vote.is_proven(&kept.proposal)), "checkable with nothing else");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_is_carried_out() {
    let people = People::new();
    let node = Arc::new(node(&people, &[(Rule::Policy, 1)]).await);
    let client = || CreateClient { name: "payments".to_owned(), credential: None, expires: None };
    for _ in 0..4 {
        let view = propose(&node, client()).await;
        approve(&node, &view, &[&people.bob]).await;
        let both = [(), ()].map(|()| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { node.run(client()).await.map(drop) })
        });
        let mut results = Vec::new();
        for one in both {
            results.push(one.await.unwrap());
        }
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
        assert!(results.iter().any(required), "{results:?}");
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_is_exactly_that_and_its_proposers() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1), (Rule::Policy, 1)]).await;
    deleted(&node, "other").await;
    let view = propose(&node, purge("k")).await;
    approve(&node, &view, &[&people.alice]).await;
    assert!(required(&node.run(purge("other")).await), "another target");
    assert!(matches!(node.run_as(USER, purge("k"), T0).await, Err(Refusal::Denied(_))), "who has no right");

    let client = |name: &str| CreateClient { name: name.to_owned(), credential: None, expires: None };
    let view = propose(&node, client("a")).await;
    approve(&node, &view, &[&people.alice]).await;
    assert!(required(&node.run(client("b")).await), "other parameters");
    let longer = CreateClient { expires: Some(Time(1)), ..client("a") };
    assert!(required(&node.run(longer).await), "one more parameter");

    // Another administrator repeats what was approved for this one.
    let view = propose(&node, promote(&node, USER)).await;
    approve(&node, &view, &[&people.alice]).await;
    node.run(promote(&node, USER)).await.unwrap();
    assert!(required(&node.run_as(USER, client("a"), T0).await), "another proposer");
    node.run(client("a")).await.unwrap();
    node.run(purge("k")).await.unwrap();
}

/// Makes somebody administrator; each request draws another GUID, as clients do.
fn promote(node: &Node, who: Who) -> CreateRoleAssignment {
    let iss = node.vault().issuer().unwrap().iss;
    let role = keystead_access::Role::built_in("Keystead Vault Administrator").unwrap().guid();
    let principal = keystead_identity::Principal::new(&iss, subject(who)).id(&iss);
    let id = Guid::from_bytes(keystead_crypto::random());
    CreateRoleAssignment { assignment: keystead_access::AssignmentView { id, scope: Target::Vault, role, principal } }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_proposal_carries_nothing_and_is_forgotten() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1)]).await;
    let view = node.run(Propose::of(purge("k"), "soon".to_owned(), Some(2))).await.unwrap();
    let vote = signed(&view, &people.alice, Verdict::Approve);
    assert_eq!(view.proposal.expires, T0.0 + 2 * HOUR);
    let end = Time(view.proposal.expires);
    approve(&node, &view, &[&people.bob]).await;
    assert!(required(&node.run_as(OFFICER, purge("k"), end).await));
    let refused = node.run_as(OFFICER, vote, end).await.unwrap_err();
    assert!(matches!(refused, Refusal::Approval(ApprovalError::Ended { state: "expired" })), "{refused}");
    // Before its end, the same carries.
    node.run_as(OFFICER, purge("k"), Time(end.0 - 1)).await.unwrap();

    deleted(&node, "k").await;
    let unused = propose(&node, purge("k")).await;
    let forgotten = Time(unused.proposal.expires).plus_days(7);
    assert_eq!(node.instance.tick(at(Time(forgotten.0 - 1))).await.unwrap().forgotten, 0);
    assert_eq!(node.instance.tick(at(forgotten)).await.unwrap().forgotten, 1);
    let refused = node.run_as(OFFICER, ReadProposal { id: id(&unused) }, forgotten).await.unwrap_err();
    assert!(matches!(refused, Refusal::Approval(ApprovalError::NotFound)));
    assert_eq!(state(&node, &view).await, ProposalState::Executed, "what was carried out is kept longer");
    assert_eq!(node.instance.tick(at(T0.plus_days(91))).await.unwrap().forgotten, 1);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_counts_once_by_an_approvers_own_signature_on_this_proposal() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2)]).await;
    deleted(&node, "other").await;
    let (view, other) = (propose(&node, purge("k")).await, propose(&node, purge("other")).await);
    let refused = async |vote: VoteOnProposal, why: BadVote| {
        let refused = node.run(vote).await.unwrap_err();
        assert!(matches!(refused, Refusal::Approval(ApprovalError::Vote(found)) if found == why), "{refused}");
    };
    let stranger = PrivateKey::Ed25519(SigningKey::from_seed(&[9; 32]));
    refused(signed(&view, &stranger, Verdict::Approve), BadVote::Stranger).await;
    let by_stranger = signed(&view, &stranger, Verdict::Approve).signature;
    let vote = || signed(&view, &people.alice, Verdict::Approve);
    refused(VoteOnProposal { signature: by_stranger, ..vote() }, BadVote::Signature).await;
    refused(VoteOnProposal { verdict: Verdict::Reject, ..vote() }, BadVote::Signature).await;
    refused(VoteOnProposal { id: id(&other), ..vote() }, BadVote::Signature).await;
    node.run(vote()).await.unwrap();
    refused(vote(), BadVote::Twice).await;
    refused(signed(&view, &people.alice, Verdict::Reject), BadVote::Twice).await;
    assert!(required(&node.run(purge("k")).await));
    let denied = node.run_as(USER, signed(&view, &people.bob, Verdict::Approve), T0).await;
    assert!(matches!(denied, Err(Refusal::Denied(_))), "who may not bring votes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_so_many_rejected_stays_rejected() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2)]).await;
    let view = propose(&node, purge("k")).await;
    let one = node.run(signed(&view, &people.alice, Verdict::Reject)).await.unwrap();
    assert_eq!(one.state, ProposalState::Pending, "two are left");
    let two = node.run(signed(&view, &people.bob, Verdict::Reject)).await.unwrap();
    assert_eq!(two.state, ProposalState::Rejected);
    let refused = node.run(signed(&view, &people.carol, Verdict::Approve)).await.unwrap_err();
    assert!(matches!(refused, Refusal::Approval(ApprovalError::Ended { state: "rejected" })), "{refused}");
    let again = propose(&node, purge("k")).await;
    assert_ne!(id(&again), id(&view), "it may be proposed anew");
    let listed = node.run(ListProposals).await.unwrap();
    assert_eq!(listed.iter().map(|v| v.state).filter(|s| *s == ProposalState::Rejected).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_votes_of_who_was_removed_do_not_count() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2), (Rule::Approvers, 2)]).await;
    let view = propose(&node, purge("k")).await;
    approve(&node, &view, &[&people.alice, &people.bob]).await;
    let mut fewer = people.approvals(&[(Rule::Purge, 2), (Rule::Approvers, 2)]);
    fewer.approvers.retain(|a| a.name != "alice");
    approved(&node, &people, || WriteApprovals { approvals: fewer.clone() }).await;
    assert_eq!(state(&node, &view).await, ProposalState::Pending);
    assert!(required(&node.run(purge("k")).await));
    approve(&node, &view, &[&people.carol]).await;
    node.run(purge("k")).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_right_does_not_carry_out_what_was_approved() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1)]).await;
    let view = propose(&node, purge("k")).await;
    approve(&node, &view, &[&people.alice]).await;
    let remove = keystead_engine::DeleteRoleAssignment { scope: Target::Vault, id: Guid::from_bytes([1; 16]) };
    node.run(remove).await.unwrap();
    assert!(matches!(node.run(purge("k")).await, Err(Refusal::Denied(_))));
    // Its record says what right was missing.
    let again = Propose::of(purge("k"), "again".to_owned(), None);
    let (receipt, denied) = node.vault().run(node.caller(OFFICER), again, at(T0)).await.unwrap().into_parts();
    assert_eq!(node.record(&receipt).action(), Some(Action::PurgeKey));
    assert!(matches!(denied, Err(Refusal::Denied(_))), "nor proposes it");
    assert_eq!(state(&node, &view).await, ProposalState::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn approvers_and_rules_take_as_many_as_any_rule() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2)]).await;
    let none = || WriteApprovals { approvals: Approvals::default() };
    let refused = node.run(none()).await.unwrap_err();
    assert!(
        matches!(&refused, Refusal::Approval(ApprovalError::Required { needed: 2, .. })),
        "nothing asks for approvals of approvers, and yet nobody alone abolishes the rule: {refused}"
    );
    let mut unsatisfiable = people.approvals(&[(Rule::Purge, 2)]);
    unsatisfiable.approvers.truncate(1);
    let view = propose(&node, WriteApprovals { approvals: unsatisfiable.clone() }).await;
    approve(&node, &view, &[&people.alice, &people.bob]).await;
    let refused = node.run(WriteApprovals { approvals: unsatisfiable }).await.unwrap_err();
    assert!(matches!(&refused, Refusal::PolicyRefused(why) if matches!(**why, BadPolicy::Approvals(_))), "{refused}");
    approved_alone(&node, &people, none()).await;
    node.run(purge("k")).await.unwrap();
    node.stop_and_verify().await;
}

async fn approved_alone(node: &Node, people: &People, ask: WriteApprovals) {
    let view = propose(node, WriteApprovals { approvals: ask.approvals.clone() }).await;
    approve(node, &view, &[&people.alice, &people.carol]).await;
    node.run(ask).await.unwrap();
}

/// For what is refused as such when it is repeated.
async fn approved_once<C: Command>(node: &Node, people: &People, ask: impl Fn() -> C) -> C::Output {
    let refused = node.run(ask()).await;
    assert!(required(&refused), "{:?}", refused.err());
    let view = propose(node, ask()).await;
    approve(node, &view, &[&people.alice, &people.bob]).await;
    let done = node.run(ask()).await;
    done.unwrap_or_else(|why| panic!("{why}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_made_by_those_who_approve_the_policy() {
    let people = People::new();
    let node = node(&people, &[(Rule::Policy, 2)]).await;
    assert!(required(&node.run(promote(&node, USER)).await), "not by a role that needs no approval");
    approved_once(&node, &people, || promote(&node, USER)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_approval_is_not_proposed_and_nothing_twice() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1)]).await;
    for refused in [
        node.run(Propose::of(DeleteKey { name: name("k") }, "r".to_owned(), None)).await,
        node.run(Propose::of(BackupKey { name: name("k") }, "r".to_owned(), None)).await,
    ] {
        assert!(matches!(refused, Err(Refusal::Approval(ApprovalError::NotNeeded))));
    }
    for (reason, hours) in [("", None), ("a\nb", None), ("\u{fc}", None), ("r", Some(0)), ("r", Some(169))] {
        assert!(node.run(Propose::of(purge("k"), reason.to_owned(), hours)).await.is_err(), "{reason:?} {hours:?}");
    }
    let view = propose(&node, purge("k")).await;
    let again = node.run(Propose::of(purge("k"), "r".to_owned(), None)).await;
    assert!(matches!(again, Err(Refusal::Approval(ApprovalError::Exists { id: found })) if found == id(&view)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_carried_out_with_its_record_or_not_at_all() {
    let people = People::new();
    for (fault, stands) in [
        (CommitFault::Before(CommitError::DiskFull), false),
        (CommitFault::Spent(CommitError::DiskFull), false),
        (CommitFault::After(CommitError::Unavailable(DISK)), true),
    ] {
        let node = node(&people, &[(Rule::Purge, 1)]).await;
        let view = propose(&node, purge("k")).await;
        approve(&node, &view, &[&people.alice]).await;
        node.faults.fail_commit(1, fault);
        match node.try_run(OFFICER, purge("k"), T0).await {
            Ok(answer) => assert!(!stands && answer.is_err()),
            Err(why) => assert!(stands && why == TurnedAway::OutcomeUnknown),
        }
        // As after a kill: what was not answered is done whole, or not.
        let node = node.restart().await;
        let gone = node.run(GetDeletedKey { name: name("k") }).await.is_err();
        let expected = if stands { ProposalState::Executed } else { ProposalState::Approved };
        assert_eq!((gone, state(&node, &view).await), (stands, expected), "{fault:?}");
        if !stands {
            node.run(purge("k")).await.unwrap();
        }
        let purged =
            node.records().iter().filter(|r| r.action() == Some(Action::PurgeKey) && r.revision().is_some()).count();
        assert_eq!(purged, 1);
        node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_retention_purges_without_approvals() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 3)]).await;
    assert_eq!(node.instance.tick(at(T0.plus_days(8))).await.unwrap().purged, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_outlive_a_rotation_of_the_root() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 2)]).await;
    let view = propose(&node, purge("k")).await;
    approve(&node, &view, &[&people.alice]).await;
    node.rotated(false).await;
    let node = node.restart().await;
    approve(&node, &view, &[&people.bob]).await;
    node.run(purge("k")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_was_moved_in_the_database_carries_nothing() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1)]).await;
    let view = propose(&node, purge("k")).await;
    approve(&node, &view, &[&people.alice]).await;
    let dir = node.stop().await;
    let database = rusqlite::Connection::open(dir.path().join("store/keystead.db")).unwrap();
    let kind = Kind::Proposal.code();
    let changed = database.execute("UPDATE item SET lookup = ?1 WHERE kind = ?2", rusqlite::params![[9_u8; 32], kind]);
    assert_eq!(changed.unwrap(), 1);
    drop(database);
    let node = Node::open(dir, LIMITS).await;
    assert!(matches!(node.run(purge("k")).await, Err(Refusal::Damaged)));
    assert!(node.run(GetDeletedKey { name: name("k") }).await.is_ok());
}
