//! Roles and assignments: what they give counts from the answer on, and what they took is gone from the answer on.

use crate::support::*;
use keystead_access::{AssignmentView, Definition, NotChanged, Permission, Role};
use keystead_audit::Outcome;
use keystead_engine::{
    AssignmentsOf, CreateRoleAssignment, DeleteRoleAssignment, DeleteRoleDefinition, GetKey, GetRoleAssignment,
    GetRoleDefinition, GetSetting, ListRoleAssignments, ListRoleDefinitions, ListSettings, ReadAudit, Refusal,
    SealVault, SetRoleDefinition, Sign, TurnedAway, UpdateSetting,
};
use keystead_identity::Principal;
use keystead_model::{Action, DataAction, Guid, KeySpec, ObjectId, SignAlgorithm, Target};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Unavailable};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// None of the ids that the first policy has.
fn id(n: u8) -> Guid {
    Guid::from_bytes([n | 0x80; 16])
}

fn role(name: &str) -> Guid {
    Role::built_in(name).unwrap().guid()
}

/// The GUID by which the vault's directory knows a client's principal.
fn principal(node: &Node, who: Who) -> Guid {
    let iss = node.vault().issuer().unwrap().iss;
    Principal::new(&iss, subject(who)).id(&iss)
}

fn at_scope(node: &Node, n: u8, scope: &str, role_name: &str, who: Who) -> CreateRoleAssignment {
    let (scope, role, principal) = (scope.parse().unwrap(), role(role_name), principal(node, who));
    CreateRoleAssignment { assignment: AssignmentView { id: id(n), scope, role, principal } }
}

fn take(n: u8, scope: &str) -> DeleteRoleAssignment {
    DeleteRoleAssignment { scope: scope.parse().unwrap(), id: id(n) }
}

fn sign() -> Sign {
    Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] }
}

fn custom(n: u8, name: &str, data_actions: &[DataAction]) -> SetRoleDefinition {
    let permission = Permission { data_actions: data_actions.to_vec(), not_data_actions: Vec::new() };
    let (name, description) = (name.to_owned(), "of a test".to_owned());
    SetRoleDefinition {
        definition: Definition { id: id(n), name, description, custom: true, permissions: vec![permission] },
    }
}

fn list(scope: &str) -> ListRoleAssignments {
    ListRoleAssignments { scope: scope.parse().unwrap(), of: AssignmentsOf::default(), after: None, limit: 100 }
}

/// A node with the key `k`, on which USER is a policy administrator as well as a user of keys.
async fn with_policy_administrator() -> Node {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let user = at_scope(&node, 90, "/", "Managed HSM Policy Administrator", STRANGER);
    node.run(user).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_administrator_without_keys_gives_a_role_that_counts_from_the_answer_on_and_takes_it_so() {
    let node = with_policy_administrator().await;
    assert!(matches!(node.run_as(STRANGER, sign(), T0).await, Err(Refusal::Denied(_))), "he has no key by it");
    for _ in 0..20 {
        assert!(matches!(node.run_as(NARROW, sign(), T0).await, Err(Refusal::Denied(_))));
        let given = at_scope(&node, 1, "/keys", "Key Vault Crypto User", NARROW);
        let made = node.run_as(STRANGER, given, T0).await.unwrap();
        assert!(node.run_as(NARROW, sign(), T0).await.is_ok());
        assert_eq!(node.run_as(STRANGER, take(1, "/keys"), T0).await.unwrap(), made);
    }
    assert!(matches!(node.run_as(NARROW, sign(), T0).await, Err(Refusal::Denied(_))));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_signs_under_way_none_that_began_after_the_removal_was_answered_is_done() {
    let node = Arc::new(with_policy_administrator().await);
    for round in 0..8 {
        node.run(at_scope(&node, 1, "/keys", "Key Vault Crypto User", NARROW)).await.unwrap();
        let removed = Arc::new(AtomicBool::new(false));
        let signers: Vec<_> = (0..4)
            .map(|_| {
                let (node, removed) = (Arc::clone(&node), Arc::clone(&removed));
                tokio::spawn(async move {
                    let mut done = 0;
                    loop {
                        let after = removed.load(Ordering::SeqCst);
                        match node.run_as(NARROW, sign(), T0).await {
                            Ok(_) if after => panic!("signed after the removal was answered"),
                            Ok(_) => done += 1,
                            Err(Refusal::Denied(_)) => return done,
                            Err(e) => panic!("{e}"),
                        }
                    }
                })
            })
            .collect();
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        node.run(take(1, "/keys")).await.unwrap();
        removed.store(true, Ordering::SeqCst);
        for signer in signers {
            signer.await.unwrap();
        }
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_assignments_none_is_lost_in_the_store_or_in_memory() {
    let node = Arc::new(with_policy_administrator().await);
    let tasks: Vec<_> = (1..=4)
        .map(|n| {
            let node = Arc::clone(&node);
            tokio::spawn(async move {
                let ask = || at_scope(&node, n, &format!("/keys/k{n}"), "Key Vault Crypto User", NARROW);
                // Another change may come first too often: the client sends it again.
                while let Err(e) = node.run(ask()).await {
                    assert!(matches!(e, Refusal::Conflict), "{e}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let listed = |page: keystead_engine::AssignmentPage| page.items.iter().map(|a| a.id).collect::<Vec<_>>();
    let in_memory = listed(node.run(list("/")).await.unwrap());
    assert!((1..=4).all(|n| in_memory.contains(&id(n))), "{in_memory:?}");
    let node = Arc::into_inner(node).unwrap().restart().await;
    assert_eq!(listed(node.run(list("/")).await.unwrap()), in_memory);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_and_custom_roles_survive_a_restart() {
    let node = with_policy_administrator().await;
    let made = node.run(custom(5, "Signer", &[DataAction::HsmKeysSign])).await.unwrap();
    let mut given = at_scope(&node, 6, "/keys/k", "Key Vault Crypto User", NARROW);
    given.assignment.role = id(5);
    let given = node.run(given).await.unwrap();
    let node = node.restart().await;
    assert_eq!(node.run(GetRoleDefinition { id: id(5) }).await.unwrap(), made);
    let ask = || GetRoleAssignment { scope: "/keys/K".parse().unwrap(), id: id(6) };
    assert_eq!(node.run(ask()).await.unwrap(), given);
    assert!(node.run_as(NARROW, sign(), T0).await.is_ok());
    assert!(matches!(node.run_as(NARROW, GetKey { key: key("k") }, T0).await, Err(Refusal::Denied(_))));
    assert_eq!(node.run(DeleteRoleDefinition { id: id(5) }).await.unwrap(), made);
    let record = node.records().pop().unwrap();
    assert!(matches!(node.run(ask()).await, Err(Refusal::Role(NotChanged::AssignmentNotFound { .. }))));
    assert!(matches!(node.run_as(NARROW, sign(), T0).await, Err(Refusal::Denied(_))), "it went with its role");
    assert_eq!(record.object(), Some(ObjectId::from_bytes(*id(5).as_bytes())));
    let log = node.run(ReadAudit { log: None, from: None, limit: 500 }).await.unwrap();
    let entry = log.iter().find(|e| e.operation == record.operation()).unwrap();
    let reason = entry.detail.reason.as_deref().unwrap();
    assert!(reason.starts_with("with 1 role assignments, SHA-256 "), "{reason}");
    assert!(reason.ends_with(&format!("; {} at /keys/k", id(6))), "{reason}");
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_holds_what_bears_on_its_scope_page_by_page() {
    let node = with_policy_administrator().await;
    for (n, scope) in [(1, "/keys"), (2, "/keys/k"), (3, "/keys/other")] {
        node.run(at_scope(&node, n, scope, "Key Vault Crypto User", STRANGER)).await.unwrap();
    }
    let (narrow, stranger) = (principal(&node, NARROW), principal(&node, STRANGER));
    let listed = async |ask: ListRoleAssignments| {
        let page = node.run(ask).await.unwrap();
        (page.items.into_iter().map(|a| (a.id, a.principal, a.scope.to_string())).collect::<Vec<_>>(), page.next)
    };
    let (all, _) = listed(list("/")).await;
    assert!(all.is_sorted() && all.len() == 9, "four of the first policy, its administrator, and ours: {all:?}");
    let (at_key, _) = listed(list("/keys/k")).await;
    assert!(at_key.iter().all(|a| !["/keys/other", "/keys/narrow"].contains(&a.2.as_str())), "{at_key:?}");
    let at = AssignmentsOf { at_scope: true, principal: Some(stranger) };
    let (held, _) = listed(ListRoleAssignments { of: at, ..list("/keys") }).await;
    assert_eq!(held.iter().map(|a| a.0).collect::<Vec<_>>(), [id(1), id(90)]);
    let of = AssignmentsOf { at_scope: false, principal: Some(narrow) };
    assert_eq!(listed(ListRoleAssignments { of, ..list("/") }).await.0.len(), 1);

    let (mut after, mut paged) = (None, Vec::new());
    loop {
        let (items, next) = listed(ListRoleAssignments { after, limit: 2, ..list("/") }).await;
        paged.extend(items);
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_right_to_roles_is_denied_with_a_record_and_changes_nothing() {
    let node = Node::new().await;
    let (before, records) = (node.revision().await, node.records().len());
    macro_rules! denied {
        ($($ask:expr),+ $(,)?) => {[$(matches!(node.run_as(USER, $ask, T0).await.err(), Some(Refusal::Denied(_)))),+]};
    }
    let all = denied![
        ListRoleDefinitions,
        GetRoleDefinition { id: id(1) },
        custom(1, "Mine", &[]),
        DeleteRoleDefinition { id: id(1) },
        list("/keys"),
        GetRoleAssignment { scope: Target::Keys, id: id(1) },
        at_scope(&node, 1, "/keys", "Key Vault Crypto User", USER),
        take(3, "/keys"),
        ListSettings,
        GetSetting { name: "x".to_owned() },
        UpdateSetting { name: "x".to_owned(), value: true },
    ];
    assert!(all.iter().all(|d| *d), "{all:?}");
    let denied = node.records().split_off(records);
    assert_eq!(denied.len(), all.len());
    assert!(denied.iter().all(|r| r.outcome() == Outcome::DENIED && r.revision().is_none()));
    assert_eq!(node.revision().await, before);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_assign_at_one_key_reaches_that_key_and_no_other() {
    let node = Node::new().await;
    node.run(at_scope(&node, 1, "/keys/k", "Managed HSM Policy Administrator", STRANGER)).await.unwrap();
    let own = at_scope(&node, 2, "/keys/k", "Key Vault Crypto User", NARROW);
    assert!(node.run_as(STRANGER, own, T0).await.is_ok());
    for scope in ["/", "/keys", "/keys/other"] {
        let wider = at_scope(&node, 3, scope, "Key Vault Crypto User", NARROW);
        assert!(matches!(node.run_as(STRANGER, wider, T0).await, Err(Refusal::Denied(_))), "{scope}");
    }
    // Neither does the id of a wider assignment lead him to it.
    let wider = node.run_as(STRANGER, take(1, "/keys/other"), T0).await;
    assert!(matches!(wider, Err(Refusal::Denied(_))));
    let first = DeleteRoleAssignment { scope: "/keys/k".parse().unwrap(), id: id(3) };
    assert!(matches!(
        node.run_as(STRANGER, first, T0).await,
        Err(Refusal::Role(NotChanged::AssignmentNotFound { .. }))
    ));
    assert!(matches!(node.run_as(STRANGER, custom(4, "Mine", &[]), T0).await, Err(Refusal::Denied(_))));
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_and_records_name_the_assignment() {
    let node = with_policy_administrator().await;
    let administrator = "Keystead Vault Administrator";
    let made = at_scope(&node, 1, "/", administrator, USER);
    let refused = node.run_as(STRANGER, at_scope(&node, 1, "/", administrator, STRANGER), T0).await;
    assert!(matches!(refused, Err(Refusal::Role(NotChanged::AdministratorsOnly))));
    node.run(made).await.unwrap();
    let record = node.records().pop().unwrap();
    assert_eq!(record.object(), Some(ObjectId::from_bytes(*id(1).as_bytes())));
    let listed = node.run(list("/")).await.unwrap().items;
    let first = listed.iter().find(|a| a.role == role(administrator) && a.id != id(1)).unwrap();
    node.run_as(USER, DeleteRoleAssignment { scope: Target::Vault, id: first.id }, T0).await.unwrap();
    assert!(matches!(node.run(SealVault).await, Err(Refusal::Denied(_))), "the officer administers no more");
    let last = node.run_as(USER, take(1, "/"), T0).await;
    assert!(matches!(last, Err(Refusal::Role(NotChanged::LastAdministrator))));
    node.run_as(USER, SealVault, T0).await.unwrap();
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_not_known_which_policy_stands_nothing_is_decided() {
    let node = with_policy_administrator().await;
    node.run(at_scope(&node, 1, "/keys", "Key Vault Crypto User", NARROW)).await.unwrap();
    node.faults.fail_commit(1, CommitFault::After(CommitError::Unavailable(Unavailable::Disk { code: 10 })));
    let unknown = node.try_run(OFFICER, take(1, "/keys"), T0).await;
    assert_eq!(unknown.unwrap_err(), TurnedAway::OutcomeUnknown);
    assert_eq!(node.try_run(OFFICER, sign(), T0).await.err(), Some(TurnedAway::Sealed));
    node.instance.unseal("dev", at(T0)).await.unwrap();
    assert!(matches!(node.run_as(NARROW, sign(), T0).await, Err(Refusal::Denied(_))), "it stood");
    node.restart().await.stop_and_verify().await;
}

const THROUGH_ARM: &str = "allowkeymanagementoperationsthrougharm";

fn set(name: &str, value: bool) -> UpdateSetting {
    UpdateSetting { name: name.to_owned(), value }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_read() {
    let node = with_policy_administrator().await;
    let all = node.run_as(STRANGER, ListSettings, T0).await.unwrap();
    let ask = |name: &str| GetSetting { name: name.to_owned() };
    let one = node.run_as(STRANGER, ask(THROUGH_ARM), T0).await.unwrap();
    assert_eq!((all.as_slice(), one.value), ([one].as_slice(), false));
    let missing = node.run_as(STRANGER, ask("other"), T0).await;
    assert!(matches!(missing, Err(Refusal::SettingNotFound { name }) if name == "other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_changed_by_administrators_of_the_vault_with_a_record_and_outlives_a_restart() {
    let node = with_policy_administrator().await;
    let read = || GetSetting { name: THROUGH_ARM.to_owned() };
    let denied = node.run_as(STRANGER, set(THROUGH_ARM, true), T0).await;
    assert!(matches!(denied, Err(Refusal::Denied(_))), "who manages roles changes no setting");
    assert!(!node.run(read()).await.unwrap().value);
    for value in [true, false, false, true] {
        assert_eq!(node.run(set(THROUGH_ARM, value)).await.unwrap().value, value);
        let record = node.records().pop().unwrap();
        assert_eq!((record.action(), record.revision().is_some()), (Some(Action::WriteSettings), true));
        assert_eq!(node.run(read()).await.unwrap().value, value);
    }
    let unknown = node.run(set("other", true)).await;
    assert!(matches!(unknown, Err(Refusal::SettingNotFound { name }) if name == "other"));
    let node = node.restart().await;
    assert!(node.run(read()).await.unwrap().value);
    assert_eq!(node.run_as(STRANGER, ListSettings, T0).await.unwrap(), [node.run(read()).await.unwrap()]);
    node.stop_and_verify().await;
}
