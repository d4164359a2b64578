//! Whether long work may go on.

use crate::support::*;
use keystead_access::Ground;
use keystead_identity::Principal;
use keystead_model::{Action, AssignmentId, Target};

const BACKUP: &str = "Managed HSM Backup User";

#[test]
fn the_ground_of_work_under_way_stands_as_long_as_its_assignment_gives_the_right() {
    let who = Principal::new(ISS, "s");
    let before = policy(vec![assignment(1, "/", who.clone(), BACKUP)], 1);
    let ground = Ground::Role(AssignmentId::from_bytes([1; 16]));
    let stands = |policy: &keystead_access::Policy, action| policy.stands(&ground, &who, action, &Target::Vault);
    assert!(stands(&before, Action::StartBackup) && !stands(&before, Action::StartRestore));
    assert!(!stands(&policy(Vec::new(), 2), Action::StartBackup));
    assert!(!stands(&policy(vec![assignment(1, "/keys", who.clone(), BACKUP)], 2), Action::StartBackup));
    assert!(!stands(&policy(vec![assignment(2, "/", who.clone(), BACKUP)], 2), Action::StartBackup));
}

#[test]
fn an_administrators_work_stands_as_long_as_he_is_one() {
    let stands = |subject: &str| {
        let (who, policy) = (Principal::new(ISS, subject), policy(Vec::new(), 1));
        policy.stands(&Ground::Administrator, &who, Action::StartRestore, &Target::Vault)
    };
    assert!(stands("root") && !stands("s"));
    let given = policy(vec![assignment(1, "/", Principal::new(ISS, "s"), "Keystead Vault Administrator")], 1);
    assert!(given.stands(&Ground::Administrator, &Principal::new(ISS, "s"), Action::StartRestore, &Target::Vault));
}
