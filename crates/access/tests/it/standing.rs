//! Whether long work may go on.

use crate::support::*;
use keystead_access::{AdministersBy, Policy, PolicyDocument};
use keystead_identity::Principal;
use keystead_model::{Action, AssignmentId, Revision, Target};

const BACKUP: &str = "Managed HSM Backup User";

#[test]
fn the_ground_of_work_under_way_stands_as_long_as_its_assignment_gives_the_right() {
    let who = Principal::new(ISS, "s");
    let before = policy(vec![assignment(1, "/", who.clone(), BACKUP)], 1);
    let by = AssignmentId::from_bytes([1; 16]);
    let stands = |policy: &Policy, action| policy.stands(by, action, &Target::Vault);
    assert!(stands(&before, Action::StartBackup) && !stands(&before, Action::StartRestore));
    assert!(!stands(&policy(Vec::new(), 2), Action::StartBackup));
    assert!(!stands(&policy(vec![assignment(1, "/keys", who.clone(), BACKUP)], 2), Action::StartBackup));
    assert!(!stands(&policy(vec![assignment(2, "/", who.clone(), BACKUP)], 2), Action::StartBackup));
}

#[test]
fn an_administrators_work_stands_as_long_as_what_made_him_one() {
    let root = bearer(ISS, "root");
    let listed = policy(Vec::new(), 1).administers_by(&root).unwrap();
    assert_eq!(listed, AdministersBy::Listed(Principal::new(ISS, "root")));
    assert!(policy(Vec::new(), 2).still_administers(&listed));
    assert!(!policy(Vec::new(), 1).still_administers(&AdministersBy::Listed(Principal::new(ISS, "s"))));
    let role = |id| assignment(id, "/", Principal::new(ISS, "s"), "Keystead Vault Administrator");
    let given = policy(vec![role(1)], 1).administers_by(&bearer(ISS, "s")).unwrap();
    assert_eq!(given, AdministersBy::Assigned([1; 16].into()));
    assert!(!policy(vec![role(2)], 2).still_administers(&given), "another assignment is not his reason");
    assert!(policy(Vec::new(), 1).administers_by(&bearer(ISS, "s")).is_none());
}

#[test]
fn a_member_of_a_group_is_an_administrator_no_more_when_the_group_is_none() {
    let group = |id: &str| Principal::group(ISS, id);
    let member = member(ISS, "s", &["admins"]);
    let with = |groups: &[&str]| {
        let administrators = groups.iter().map(|id| group(id)).collect();
        Policy::new(&PolicyDocument { administrators, ..PolicyDocument::default() }, Revision(1)).unwrap()
    };
    let by = with(&["admins", "others"]).administers_by(&member).unwrap();
    assert_eq!(by, AdministersBy::Listed(group("admins")));
    assert!(with(&["admins"]).still_administers(&by));
    assert!(!with(&["others"]).still_administers(&by), "a group that he is not in says nothing of him");
}
