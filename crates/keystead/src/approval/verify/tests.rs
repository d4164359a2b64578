use super::*;
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::signature::PrivateKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn key(n: u8) -> PrivateKey {
    PrivateKey::Ed25519(SigningKey::from_seed(&[n; 32]))
}

/// Three approve; a purge takes two of them, and a change of roles one.
fn approvals() -> Approvals {
    let approver = |n: u8| Approver { name: format!("a{n}"), key: key(n).public().unwrap().to_spki() };
    let approvers = (1..=3).map(approver).collect();
    Approvals { approvers, rules: BTreeMap::from([(Rule::Purge, 2), (Rule::Roles, 1)]) }
}

/// A purge, signed as this release or the first one does it.
fn exported(signed_as: Option<u8>, voters: &[u8]) -> Value {
    let mut value = json!({
        "version": 1,
        "proposal": {
            "id": "000102030405060708090a0b0c0d0e0f",
            "vault": "10".repeat(16),
            "vault_name": "payments",
            "rules": ["purge"],
            "operation": "keys/purge",
            "target": "/keys/a",
            "parameters": r#"{"found":{"id":"1"},"name":"a"}"#,
            "proposer": "operator",
            "reason": "replaced by a-2",
            "policy_revision": 7,
            "proposed": 1_900_000_000_000_i64,
            "expires": 1_900_086_400_000_i64,
        },
        "votes": [],
        "state": "executed",
        "needed": 2,
        "approvers": 3,
        "approved": ["a1", "a2"],
        "operation": "55".repeat(16),
    });
    if let Some(text) = signed_as {
        value["proposal"]["signed_as"] = text.into();
    }
    let proposal = Exported::of(&value).unwrap().proposal;
    let vote = |n: &u8| {
        let signature = key(*n).sign(proposal.text(Verdict::Approve).as_bytes()).unwrap();
        let public = key(*n).public().unwrap().to_spki();
        json!({
            "approver": format!("a{n}"), "key": hex::encode(public), "verdict": "approve",
            "signature": hex::encode(signature), "at": 0,
        })
    };
    value["votes"] = voters.iter().map(vote).collect();
    value
}

fn counted(value: &Value) -> Option<Counted> {
    Exported::of(value).ok().map(|exported| Counted::of(&exported, &approvals(), None))
}

/// All that could stand in place of a member.
fn others(value: &Value) -> Vec<Value> {
    let mut all =
        vec![Value::Null, json!([]), json!(["roles"]), json!(0), json!(1), json!(2), json!(3), json!("approve")];
    all.extend([json!("reject"), json!("pending"), json!("a3"), json!("11".repeat(16))]);
    match value {
        Value::String(text) => all.push(json!(format!("{text} "))),
        Value::Number(n) => all.push(json!(n.as_i64().unwrap() + 1)),
        Value::Array(list) => all.push(list.iter().skip(1).cloned().collect()),
        _ => {}
    }
    all.retain(|other| other != value);
    all
}

/// Where the members of all objects stand.
fn members(value: &Value, at: &str) -> Vec<String> {
    let inside = |(name, value): (String, &Value)| {
        let at = format!("{at}/{name}");
        let mut all = members(value, &at);
        all.push(at);
        all
    };
    match value {
        Value::Object(of) => of.iter().flat_map(|(name, value)| inside((name.clone(), value))).collect(),
        Value::Array(of) => of.iter().enumerate().flat_map(|(n, value)| inside((n.to_string(), value))).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn whatever_is_changed_in_the_file_it_is_refused_or_comes_to_the_same() {
    for signed_as in [Some(2), None] {
        for (voters, holds) in [(&[1, 2][..], true), (&[1], false)] {
            let whole = exported(signed_as, voters);
            let before = counted(&whole).unwrap();
            assert_eq!((before.holds(), before.needed), (holds, 2));
            for at in members(&whole, "") {
                for other in others(whole.pointer(&at).unwrap()) {
                    let mut changed = whole.clone();
                    *changed.pointer_mut(&at).unwrap() = other.clone();
                    let after = counted(&changed);
                    let same = after.as_ref() == Some(&before);
                    assert!(same || !after.is_some_and(|after| after.holds()), "{at}: {other}");
                }
            }
        }
    }
}

/// The text of the first release does not say which rules applied, so a proposal that it signed holds by what the
/// operation that takes most needs.
#[test]
fn rules_that_nobody_signed_are_not_believed() {
    let mut first = exported(None, &[1]);
    first["proposal"]["rules"] = json!(["roles"]);
    let of_first = counted(&first).unwrap();
    assert_eq!((of_first.approved, of_first.needed, of_first.holds()), (1, 2, false));
    let mut second = exported(Some(2), &[1]);
    second["proposal"]["rules"] = json!(["roles"]);
    assert!(!counted(&second).unwrap().holds());
}

#[test]
fn the_log_alone_proves_the_votes_on_an_exported_text() {
    let exported = |voters: &[u8]| Exported::of(&exported(Some(2), voters)).unwrap();
    let (whole, empty) = (exported(&[1, 2]), exported(&[]));
    let record = |reason: &str| json!({ "action": "approvals/vote", "outcome": "done", "reason": reason });
    let texts: Vec<String> = whole.votes.iter().map(|v| RecordedVote::of(&whole.proposal, v).to_text()).collect();
    let log = |texts: &[String]| json!({ "records": texts.iter().map(|t| record(t)).collect::<Vec<_>>() });
    let of = |log: &Value, exported: &Exported| {
        let votes = recorded(log.to_string().as_bytes(), &exported.proposal, &approvals()).unwrap();
        let mut of_log = Exported::of(&self::exported(Some(2), &[])).unwrap();
        of_log.votes = votes;
        Counted::of(&of_log, &approvals(), None)
    };
    assert!(of(&log(&texts), &empty).holds());
    assert!(!of(&log(&texts[..1]), &empty).holds(), "one of two");
    assert!(!of(&log(&[texts[0].clone(), texts[0].clone()]), &empty).holds(), "one vote each");
    // Nothing else in the log is a vote, and no member of one can be another.
    let mut other = log(&texts);
    other["records"][0]["outcome"] = "failed".into();
    assert!(!of(&other, &empty).holds());
    let vote = RecordedVote::parse(&texts[0]).unwrap();
    for changed in [
        RecordedVote { verdict: Verdict::Reject, ..vote.clone() },
        RecordedVote { text: [0; 32], ..vote.clone() },
        RecordedVote { key: [0; 32], ..vote.clone() },
        RecordedVote { signature: vec![0; 64], ..vote.clone() },
        RecordedVote { proposal: "ff".repeat(16), ..vote },
    ] {
        assert!(!of(&log(&[changed.to_text(), texts[1].clone()]), &empty).holds(), "{changed:?}");
    }
    assert!(recorded(b"[]", &empty.proposal, &approvals()).is_none());
}
