//! Approvals: rules that can always be met, a text that says all, votes that are proven.

use crate::support::*;
use keystead_access::approval::{BadApprovals, BadVote, check_reason};
use keystead_access::{Approvals, Approver, BadPolicy, Operation, Policy, PolicyDocument, Proposal, Rule, Standing};
use keystead_access::{RecordedVote, Verdict, Vote};
use keystead_crypto::ec::{Curve, PrivateKey as Ec};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::signature::PrivateKey;
use keystead_identity::Principal;
use keystead_model::{Action, ObjectId, Revision, VaultId};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What is signed to approve, as another implementation wrote it.
const TEXT: &str = include_str!("../golden/approval-v2.txt");
/// As the first release had it.
const FIRST_TEXT: &str = include_str!("../golden/approval-v1.txt");
const STORED: &[u8] = include_bytes!("../golden/approvals-v1.cbor");
const BOB: &[u8] = include_bytes!("../golden/bob-spki.der");

fn key(n: u8) -> PrivateKey {
    PrivateKey::Ed25519(SigningKey::from_seed(&[n; 32]))
}

fn spki(key: &PrivateKey) -> Vec<u8> {
    key.public().unwrap().to_spki()
}

fn approver(n: u8) -> Approver {
    Approver { name: format!("a{n}"), key: spki(&key(n)) }
}

fn approvals(n: u8, rules: &[(Rule, u8)]) -> Approvals {
    Approvals { approvers: (1..=n).map(approver).collect(), rules: rules.iter().copied().collect() }
}

fn operation() -> Operation {
    Operation::new(&[Rule::Purge], Action::PurgeKey, &target("/keys/a"), &serde_json::json!({ "name": "a" }))
}

fn proposal() -> Proposal {
    let Operation { name, target, parameters, .. } = operation();
    Proposal {
        id: ObjectId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]).to_string(),
        vault: VaultId::from_bytes([0x10; 16]).to_string(),
        vault_name: "payments".to_owned(),
        rules: vec![Rule::Purge],
        operation: name.to_owned(),
        target,
        parameters,
        proposer: Proposal::proposer(&Principal::new("https://issuer/", "b\u{fc}ro")),
        reason: "replaced by a-2".to_owned(),
        policy_revision: 7,
        proposed: 1_900_000_000_000,
        expires: 1_900_086_400_000,
        signed_as: Some(Proposal::SIGNED_AS),
    }
}

fn vote(of: &Proposal, n: u8, verdict: Verdict) -> Vote {
    let signature = key(n).sign(of.text(verdict).as_bytes()).unwrap();
    Vote { approver: format!("a{n}"), key: spki(&key(n)), verdict, signature, at: 0 }
}

#[test]
fn the_signed_text_is_the_golden_one() {
    assert_eq!(proposal().text(Verdict::Approve), TEXT);
    assert_eq!(proposal().text(Verdict::Reject), TEXT.replace("verdict: approve", "verdict: reject"));
    let first = Proposal { signed_as: None, ..proposal() };
    assert_eq!(first.text(Verdict::Approve), FIRST_TEXT);
}

#[test]
fn what_is_signed_says_which_rules_applied() {
    let signed = vote(&proposal(), 1, Verdict::Approve);
    assert!(signed.is_proven(&proposal()));
    for rules in [Vec::new(), vec![Rule::Roles], vec![Rule::Purge, Rule::Policy]] {
        assert!(!signed.is_proven(&Proposal { rules, ..proposal() }));
    }
    for signed_as in [None, Some(1), Some(3)] {
        assert!(!signed.is_proven(&Proposal { signed_as, ..proposal() }));
    }
    let (vault, proposer) = (VaultId::from_bytes([0x10; 16]), proposal().proposer);
    let other = Operation { rules: &[Rule::Purge, Rule::Policy], ..operation() };
    assert!(!proposal().is_for(vault, &other, &proposer), "nor is it for what other rules apply to");
}

#[test]
fn the_same_request_is_told_from_the_same_object() {
    let of = |id: &str| operation().with_found(Some(&serde_json::json!({ "id": id })));
    let proposed = Proposal { parameters: of("1").parameters, ..proposal() };
    assert_eq!(proposed.parameters, r#"{"found":{"id":"1"},"name":"a"}"#);
    let (vault, proposer) = (VaultId::from_bytes([0x10; 16]), proposal().proposer);
    for (operation, same) in [(of("1"), true), (of("2"), false), (operation(), false)] {
        assert_eq!(proposed.is_for(vault, &operation, &proposer), same);
        assert!(proposed.is_asked_as(vault, &operation, &proposer));
    }
    let other = Operation { parameters: r#"{"name":"b"}"#.to_owned(), ..operation() };
    assert!(!proposed.is_asked_as(vault, &other, &proposer));
}

#[test]
fn approvers_and_rules_are_stored_as_the_first_release_did() {
    let expected = Approvals {
        approvers: vec![
            Approver { name: "alice".to_owned(), key: spki(&key(1)) },
            Approver { name: "bob".to_owned(), key: BOB.to_vec() },
        ],
        rules: BTreeMap::from([(Rule::Purge, 2), (Rule::Approvers, 2)]),
    };
    assert_eq!(minicbor::decode::<Approvals>(STORED).unwrap(), expected);
    assert_eq!(minicbor::to_vec(&expected).unwrap(), STORED);
    let text = serde_json::to_string(&expected).unwrap();
    assert_eq!(serde_json::from_str::<Approvals>(&text).unwrap(), expected);
    // A policy without them is written as before there were any.
    let without = document(Vec::new());
    assert_eq!(minicbor::to_vec(&without).unwrap(), minicbor::to_vec(document(Vec::new())).unwrap());
    let with = PolicyDocument { approvals: expected, ..without };
    assert_eq!(minicbor::decode::<PolicyDocument>(&minicbor::to_vec(&with).unwrap()).unwrap(), with);
}

#[test]
fn what_nobody_could_satisfy_or_tell_apart_is_no_policy() {
    let refused = |approvals: Approvals| {
        let document = PolicyDocument { approvals, ..document(Vec::new()) };
        let checked = [Policy::new(&document, Revision(1)), Policy::stored(&document, Revision(1))];
        let [BadPolicy::Approvals(new), BadPolicy::Approvals(stored)] = checked.map(|p| p.err().unwrap()) else {
            panic!("it is refused for another reason")
        };
        assert_eq!(new, stored);
        new
    };
    assert!(matches!(refused(approvals(2, &[(Rule::Purge, 3)])), BadApprovals::Number { k: 3, approvers: 2, .. }));
    assert!(matches!(refused(approvals(2, &[(Rule::Purge, 0)])), BadApprovals::Number { k: 0, .. }));
    assert!(matches!(refused(approvals(0, &[(Rule::Roles, 1)])), BadApprovals::Number { approvers: 0, .. }));
    assert_eq!(refused(approvals(17, &[])), BadApprovals::TooMany);
    let with = |change: fn(&mut Vec<Approver>)| {
        let mut all = approvals(3, &[(Rule::Purge, 2)]);
        change(&mut all.approvers);
        refused(all)
    };
    assert!(matches!(with(|a| a[2].name = "A1".to_owned()), BadApprovals::NameTwice { .. }));
    assert!(matches!(with(|a| a[2].key = a[0].key.clone()), BadApprovals::KeyTwice { .. }));
    assert!(matches!(with(|a| a[2].key.truncate(20)), BadApprovals::Key { .. }));
    for bad in ["", "a b", "a\nb", "b\u{fc}ro", &"a".repeat(65)] {
        let mut all = approvals(1, &[]);
        all.approvers[0].name = bad.to_owned();
        assert!(matches!(refused(all), BadApprovals::Name { .. }), "{bad:?}");
    }
    assert!(approvals(16, &[(Rule::Purge, 16)]).check().is_ok());
}

#[test]
fn a_vote_counts_once_and_only_with_a_proof() {
    let (approvals, proposal) = (approvals(3, &[(Rule::Purge, 2)]), proposal());
    let signed = |n: u8, verdict: Verdict| key(n).sign(proposal.text(verdict).as_bytes()).unwrap();
    let new = |votes: &[Vote], n: u8, signature: &[u8]| {
        Vote::new(&approvals, (&proposal, votes), &spki(&key(n)), (Verdict::Approve, signature), 5)
    };
    let first = new(&[], 1, &signed(1, Verdict::Approve)).unwrap();
    assert_eq!((first.approver.as_str(), first.at), ("a1", 5));
    let twice = new(std::slice::from_ref(&first), 1, &signed(1, Verdict::Approve));
    assert_eq!(twice.unwrap_err(), BadVote::Twice);
    assert_eq!(new(&[], 4, &signed(4, Verdict::Approve)).unwrap_err(), BadVote::Stranger);
    for wrong in [signed(2, Verdict::Approve), signed(1, Verdict::Reject), Vec::new(), vec![0; 64]] {
        assert_eq!(new(&[], 1, &wrong).unwrap_err(), BadVote::Signature);
    }
    let other = Proposal { reason: "another".to_owned(), ..proposal.clone() };
    assert!(!first.is_proven(&other));
}

#[test]
fn a_p_256_signature_may_come_as_openssl_writes_it() {
    let bob = Ec::generate(Curve::P256);
    let signature = bob.sign_digest(&keystead_crypto::sha256(&[proposal().text(Verdict::Approve).as_bytes()])).unwrap();
    let integer = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|b| *b == 0).collect();
        let sign = if digits[0] >= 0x80 { vec![0] } else { vec![] };
        [vec![2, (digits.len() + sign.len()) as u8], sign, digits].concat()
    };
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [vec![0x30, both.len() as u8], both].concat();
    let key = spki(&PrivateKey::P256(bob));
    let approvals =
        Approvals { approvers: vec![Approver { name: "bob".to_owned(), key: key.clone() }], ..Default::default() };
    for form in [signature.clone(), der] {
        let vote = Vote::new(&approvals, (&proposal(), &[]), &key, (Verdict::Approve, &form), 0).unwrap();
        assert_eq!(vote.signature, signature);
    }
}

#[test]
fn a_reason_is_one_line_that_people_can_read() {
    assert!(check_reason("replaced by a-2 (see ticket 17)").is_ok() && check_reason(&"x".repeat(512)).is_ok());
    for bad in ["", "   ", "a\nverdict: approve", "a\tb", "b\u{fc}ro", "\u{202e}a", &"x".repeat(513)] {
        assert!(check_reason(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn changing_approvers_takes_as_many_as_whatever_takes_most() {
    let all = approvals(3, &[(Rule::Approvers, 1), (Rule::Purge, 3), (Rule::Policy, 2)]);
    assert_eq!(all.needed(&[Rule::Approvers]), Some(3));
    assert_eq!(approvals(3, &[(Rule::Approvers, 2)]).needed(&[Rule::Approvers]), Some(2));
    assert_eq!(approvals(3, &[]).needed(&[Rule::Approvers]), None);
    assert_eq!(all.needed(&[Rule::Roles, Rule::Policy]), Some(2));
    assert_eq!(all.needed(&[Rule::Roles]), None);
}

fn rule() -> impl Strategy<Value = Rule> {
    prop::sample::select(Rule::ALL)
}

proptest! {
    #[test]
    fn what_was_checked_can_be_met_and_no_rule_is_gone_round(
        n in 0_u8..6,
        rules in prop::collection::btree_map(rule(), 0_u8..7, 0..5),
        asked in prop::collection::vec(rule(), 1..3),
    ) {
        let all = Approvals { rules: rules.clone(), ..approvals(n, &[]) };
        let good = rules.values().all(|k| (1..=n).contains(k));
        prop_assert_eq!(all.check().is_ok(), good);
        if good {
            let needed = all.needed(&asked);
            prop_assert!(needed.is_none_or(|k| (1..=n).contains(&k)));
            prop_assert!(asked.iter().filter_map(|r| rules.get(r)).all(|k| needed >= Some(*k)), "no fewer than a rule says");
            prop_assert!(needed <= all.needed(&[Rule::Approvers]), "nor than it takes to change the rules");
        }
    }

    #[test]
    fn votes_come_to_what_the_approvers_of_now_signed(
        n in 1_u8..5,
        k in 1_u8..5,
        cast in prop::collection::vec((1_u8..7, any::<bool>(), any::<bool>()), 0..8),
    ) {
        prop_assume!(k <= n);
        let (approvals, proposal) = (approvals(n, &[(Rule::Purge, k)]), proposal());
        let mut votes: Vec<Vote> = Vec::new();
        for (by, approve, good) in cast {
            let verdict = if approve { Verdict::Approve } else { Verdict::Reject };
            let mut vote = vote(&proposal, by, verdict);
            if !good {
                vote.signature[0] ^= 1;
            }
            if votes.iter().all(|before| before.key != vote.key) {
                votes.push(vote);
            }
        }
        let standing = Standing::of(&approvals, &[Rule::Purge], &proposal, &votes).unwrap();
        let count = |verdict| {
            let of = |by: &u8| votes.iter().any(|v| v.approver == format!("a{by}") && v.verdict == verdict && v.is_proven(&proposal));
            (1..=n).filter(of).count()
        };
        prop_assert_eq!((standing.approved.len(), standing.rejected.len()), (count(Verdict::Approve), count(Verdict::Reject)));
        prop_assert_eq!(standing.is_approved(), count(Verdict::Approve) >= usize::from(k));
        prop_assert_eq!(standing.is_rejected(), usize::from(n) - count(Verdict::Reject) < usize::from(k));
        prop_assert!(!(standing.is_approved() && standing.is_rejected()));
        prop_assert!(Standing::of(&approvals, &[Rule::Roles], &proposal, &votes).is_none());
    }

    #[test]
    fn no_value_breaks_a_line_of_what_is_signed(
        reason in ".*", parameters in ".*", proposer in ".*", target in ".*", name in ".*",
    ) {
        let of = Proposal { reason, parameters, proposer, target, vault_name: name, ..proposal() };
        let text = of.text(Verdict::Reject);
        prop_assert_eq!(text.lines().count(), 12);
        prop_assert!(text.ends_with('\n') && text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)));
        prop_assert_eq!(text.lines().filter(|line| line.starts_with("verdict: ")).collect::<Vec<_>>(), ["verdict: reject"]);
    }

    #[test]
    fn parameters_are_ascii_and_say_what_was_given(text in ".*") {
        let given = serde_json::json!({ "name": text });
        let made = Operation::new(&[Rule::Purge], Action::PurgeKey, &target("/"), &given).parameters;
        prop_assert!(made.bytes().all(|b| (b' '..=b'~').contains(&b)));
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&made).unwrap(), given);
    }

    #[test]
    fn a_proposal_is_for_one_operation_by_one_proposer(what in 0_usize..5, other in "[a-z/]{1,8}") {
        let (vault, proposer) = (VaultId::from_bytes([0x10; 16]), proposal().proposer);
        prop_assert!(proposal().is_for(vault, &operation(), &proposer));
        let mut operation = operation();
        let (mut vault, mut proposer) = (vault, proposer);
        match what {
            0 => operation.target.push_str(&other),
            1 => operation.parameters.push_str(&other),
            2 => operation.name = Action::DeleteKey.name(),
            3 => vault = VaultId::from_bytes([0x11; 16]),
            _ => proposer.push_str(&other),
        }
        prop_assert!(!proposal().is_for(vault, &operation, &proposer));
    }
}

#[test]
fn a_vote_in_a_record_is_read_back_and_proves_itself() {
    let (proposal, approvals) = (proposal(), approvals(2, &[(Rule::Purge, 2)]));
    for (n, verdict) in [(1, Verdict::Approve), (2, Verdict::Reject)] {
        let signature = key(n).sign(proposal.text(verdict).as_bytes()).unwrap();
        let vote = Vote::new(&approvals, (&proposal, &[]), &spki(&key(n)), (verdict, &signature), 5).unwrap();
        let text = RecordedVote::of(&proposal, &vote).to_text();
        assert!(text.len() <= 512, "{text}");
        let read = RecordedVote::parse(&text).unwrap();
        assert_eq!(read.vote(&proposal, &approvals), Vote { at: 0, ..vote.clone() });
        assert!(read.vote(&proposal, &approvals).is_proven(&proposal));
        let other = Proposal { reason: "another".to_owned(), ..proposal.clone() };
        assert!(!read.vote(&other, &approvals).is_proven(&other), "another text than was signed");
        for cut in 0..text.len() {
            assert_eq!(RecordedVote::parse(&text[..cut]), None);
        }
    }
}

/// The layout, as it stands in records for ever.
#[test]
fn golden_vote_in_a_record() {
    let text = format!(
        "proposal {}: approve by alice; proof 1: text sha256 {}, key sha256 {}, signature {}",
        "0a".repeat(16),
        "01".repeat(32),
        "02".repeat(32),
        "A".repeat(86)
    );
    let vote = RecordedVote::parse(&text).unwrap();
    assert_eq!((vote.approver.as_str(), vote.verdict), ("alice", Verdict::Approve));
    assert_eq!((vote.text, vote.key, vote.signature.as_slice()), ([1; 32], [2; 32], &[0; 64][..]));
    assert_eq!(vote.to_text(), text);
}

#[test]
fn what_the_operator_is_only_told_binds_nothing_and_what_was_found_does() {
    let json = |n: u8| serde_json::json!({ "n": n });
    let of =
        |found: u8, told: Option<u8>| operation().with_found(Some(&json(found))).with_told(told.map(json).as_ref());
    let vault = VaultId::from_bytes([0x10; 16]);
    let principal = proposal().proposer;
    for (proposer, is_told) in [(Proposal::OPERATOR, true), (principal.as_str(), false)] {
        let parameters = of(1, Some(5)).parameters;
        let proposal = Proposal { parameters, proposer: proposer.to_owned(), ..proposal() };
        assert!(proposal.text(Verdict::Approve).contains(r#""when_proposed":{"n":5}"#));
        for told in [None, Some(6)] {
            assert_eq!(proposal.is_for(vault, &of(1, told), proposer), is_told);
            assert!(!proposal.is_for(vault, &of(2, told), proposer));
        }
        assert!(proposal.is_asked_as(vault, &of(2, None), proposer));
    }
}
