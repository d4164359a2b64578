//! What a stored decision may do.

use crate::support::*;
use keystead_access::{Ground, Mandate, Who};
use keystead_identity::Principal;
use keystead_model::{Action, Revision, Target};

fn mandate(action: Action, target: Target) -> Mandate {
    Mandate { action, target, set_by: format!("{ISS}|s"), at: Revision(4) }
}

#[test]
fn a_mandate_allows_its_own_action_on_its_own_target_and_nothing_else() {
    let policy = policy(Vec::new(), 9);
    let scopes = ["/", "/keys", "/keys/a", "/keys/b"];
    for mandated in scopes {
        for asked in scopes {
            for action in Action::ALL {
                let who = Who::Mandate(mandate(Action::RotateKey, target(mandated)));
                let decided = decide(&policy, who, *action, &target(asked));
                if *action == Action::RotateKey && mandated == asked {
                    assert_eq!(decided.unwrap(), (Ground::Mandate(Revision(4)), Revision(9)));
                } else {
                    let denial = decided.unwrap_err();
                    assert_eq!((denial.action, denial.target), (*action, target(asked)));
                }
            }
        }
    }
}

#[test]
fn a_mandate_for_a_key_names_it_without_regard_to_case() {
    let who = Who::Mandate(mandate(Action::RotateKey, target("/keys/Payments")));
    assert!(decide(&policy(Vec::new(), 1), who, Action::RotateKey, &target("/keys/payments")).is_ok());
}

#[test]
fn a_mandate_has_none_of_the_rights_of_who_stored_it() {
    let policy = policy(vec![assignment(1, "/", Principal::new(ISS, "s"), OFFICER)], 1);
    let who = Who::Mandate(mandate(Action::RotateKey, target("/keys/a")));
    assert!(decide(&policy, who, Action::PurgeKey, &target("/keys/a")).is_err());
}
