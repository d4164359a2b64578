//! At the door, a permit is decided again if the policy has moved.

use crate::support::*;
use keystead_access::{Ground, Mandate, Permit, Policy, Who};
use keystead_identity::Principal;
use keystead_model::{Action, AssignmentId, Revision};

type Sign = Do<13>;

fn granted(id: u8, scope: &str, revision: u64) -> Policy {
    policy(vec![assignment(id, scope, Principal::new(ISS, "s"), USER)], revision)
}

fn permit(policy: &Policy) -> Permit<Sign> {
    policy.decide(Who::Caller(bearer(ISS, "s")), Do(target("/keys/a"))).ok().unwrap()
}

#[test]
fn a_permit_of_the_policy_in_force_stands_as_it_is() {
    let policy = granted(1, "/keys/a", 1);
    let (ground, revision) = outcome(policy.still(permit(&policy))).unwrap();
    assert_eq!((ground, revision), (Ground::Role(AssignmentId::from_bytes([1; 16])), Revision(1)));
}

#[test]
fn a_permit_whose_grant_was_taken_away_is_denied_by_the_new_policy() {
    let permit = permit(&granted(1, "/keys/a", 1));
    let denial = granted(1, "/keys/b", 2).still(permit).err().unwrap();
    assert_eq!((denial.action, denial.target, denial.policy), (Action::Sign, target("/keys/a"), Revision(2)));
    assert!(matches!(denial.who, Who::Caller(c) if *c.principal() == Principal::new(ISS, "s")));
}

#[test]
fn a_permit_that_another_grant_still_covers_carries_the_new_ground_and_revision() {
    let (ground, revision) = outcome(granted(2, "/", 3).still(permit(&granted(1, "/keys/a", 1)))).unwrap();
    assert_eq!((ground, revision), (Ground::Role(AssignmentId::from_bytes([2; 16])), Revision(3)));
}

#[test]
fn a_policy_older_than_the_permit_decides_again_too() {
    let permit = permit(&granted(1, "/keys/a", 5));
    assert!(policy(Vec::new(), 4).still(permit).is_err());
}

#[test]
fn a_mandate_outlives_a_change_of_the_policy() {
    let mandate =
        Mandate { action: Action::RotateKey, target: target("/keys/a"), set_by: format!("{ISS}|s"), at: Revision(1) };
    let permit = policy(Vec::new(), 1).decide(Who::Mandate(mandate), Do::<14>(target("/keys/a"))).ok().unwrap();
    let stands = outcome(policy(Vec::new(), 2).still(permit)).unwrap();
    assert_eq!(stands, (Ground::Mandate(Revision(1)), Revision(2)));
}
