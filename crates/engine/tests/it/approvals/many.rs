//! However many were proposed and carried out, another can be.

use super::*;
use keystead_engine::{BackupPlace, StartBackup};

/// What two rules say in turn: the cheapest that needs approvals.
fn turn(people: &People, at: usize) -> WriteApprovals {
    let rules: &[_] = if at.is_multiple_of(2) { &[(Rule::Purge, 1), (Rule::Policy, 1)] } else { &[(Rule::Purge, 1)] };
    WriteApprovals { approvals: people.approvals(rules) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_that_were_carried_out_keep_nobody_from_proposing_and_none_of_them_carries_again() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1)]).await;
    let mut all = Vec::new();
    for at in 0..1_000 {
        let view = propose(&node, turn(&people, at)).await;
        approve(&node, &view, &[&people.alice]).await;
        node.run(turn(&people, at)).await.unwrap_or_else(|why| panic!("{at}: {why}"));
        all.push(view);
    }
    assert_eq!(state(&node, &all[0]).await, ProposalState::Executed);
    // The same as many of them, and what takes most rights to change. One made room for it: all are equally old.
    let again = propose(&node, turn(&people, 0)).await;
    let entries = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let mut gone = Vec::new();
    for view in all {
        match node.run(ReadProposal { id: id(&view) }).await {
            Err(Refusal::Approval(ApprovalError::NotFound)) => gone.push(view),
            kept => assert_eq!(kept.unwrap().state, ProposalState::Executed),
        }
    }
    let [first] = gone.as_slice() else { panic!("{} were forgotten", gone.len()) };
    let said = format!("proposal {}: policy/approvals/write; forgets {}", id(&again), id(first));
    assert!(entries.iter().any(|entry| entry.detail.reason.as_deref() == Some(&said)), "{said}");
    // What was forgotten carries nothing, whatever is kept of it: neither do its votes on another.
    let vote = signed(first, &people.bob, Verdict::Approve);
    let refused = node.run(VoteOnProposal { ..vote }).await;
    assert!(matches!(refused, Err(Refusal::Approval(ApprovalError::NotFound))));
    let vote = VoteOnProposal { id: id(&again), ..signed(first, &people.alice, Verdict::Approve) };
    let refused = node.run(vote).await;
    assert!(matches!(refused, Err(Refusal::Approval(ApprovalError::Vote(BadVote::Signature)))));
    assert!(required(&node.run(turn(&people, 0)).await));
    approve(&node, &again, &[&people.bob]).await;
    node.run(turn(&people, 0)).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lets_proposals_expire_pushes_out_his_own_and_leaves_room_to_take_his_right_away() {
    let people = People::new();
    let node = node(&people, &[(Rule::Purge, 1), (Rule::Backup, 1)]).await;
    let executed = propose(&node, purge("k")).await;
    approve(&node, &executed, &[&people.alice]).await;
    node.run(purge("k")).await.unwrap();
    let soon = |at: usize| {
        let to = BackupPlace { container: format!("https://dev.example/{at}"), token: None };
        Propose::of(StartBackup { to, check: false }, "never".to_owned(), Some(1))
    };
    let mut now = T0;
    for round in 0..33 {
        now = Time(T0.0 + round * HOUR);
        for at in 0..32 {
            node.run_as(OFFICER, soon(at), now).await.unwrap_or_else(|why| panic!("{round}, {at}: {why}"));
        }
    }
    let refused = node.run_as(OFFICER, soon(32), now).await.unwrap_err();
    let said = "whoever proposes it has the most open proposals that one may have: wait until some are carried out, \
                rejected or expired";
    assert_eq!(refused.to_string(), said);
    let rules = Propose::of(turn(&people, 0), "he goes".to_owned(), None);
    node.run_as(OFFICER, rules, now).await.unwrap();
    let kept = node.run_as(OFFICER, ReadProposal { id: id(&executed) }, now).await.unwrap();
    assert_eq!(kept.state, ProposalState::Executed, "what came to nothing went first");
    node.stop_and_verify().await;
}
