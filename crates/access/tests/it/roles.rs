//! Who may change roles, and what nobody gets by it.

use crate::support::*;
use keystead_access::policy::AssignmentDocument;
use keystead_access::{
    AssignmentView, Definition, Edit, Grantee, NotChanged, Permission, Policy, PolicyDocument, Role, Who,
};
use keystead_identity::{Caller, Principal};
use keystead_model::{Action, DataAction, Guid, Revision, Target};
use proptest::prelude::*;

const ADMINISTRATOR: &str = "Keystead Vault Administrator";
const HSM_USER: &str = "21dbd100-6940-42c2-9190-5d6cb909625b";
/// A subject that the directory's GUIDs name.
const OID: &str = "6f1c2f0e-5d0b-4f0e-9a53-0d7c3f9b2a11";
const SCOPES: [&str; 4] = ["/", "/keys", "/keys/a", "/keys/b"];

fn guid(text: &str) -> Guid {
    text.parse().unwrap()
}

fn id(n: u8) -> Guid {
    Guid::from_bytes([n; 16])
}

fn role(name: &str) -> Guid {
    Role::built_in(name).unwrap().guid()
}

/// A document with [`ISS`] as its directory; `root` administers it.
fn with(assignments: Vec<AssignmentDocument>) -> PolicyDocument {
    PolicyDocument { directory: Some(ISS.into()), ..document(assignments) }
}

fn edit(document: &PolicyDocument) -> Edit {
    Edit::of(document.clone(), Revision(1)).ok().unwrap()
}

fn who(subject: &str) -> Who {
    Who::Caller(bearer(ISS, subject))
}

fn to(n: u8, scope: &str, role: Guid, principal: &str) -> AssignmentView {
    AssignmentView { id: id(n), scope: target(scope), role, principal: guid(principal) }
}

fn custom(n: u8, name: &str, data_actions: &[DataAction]) -> Definition {
    let permission = Permission { data_actions: data_actions.to_vec(), not_data_actions: Vec::new() };
    Definition { id: id(n), name: name.into(), description: String::new(), custom: true, permissions: vec![permission] }
}

fn may(policy: &Policy, caller: &Caller, action: Action, scope: &str) -> bool {
    allowed(policy, caller, action, &target(scope))
}

#[test]
fn an_assignment_gives_at_once_and_its_removal_takes_at_once() {
    let before = with(vec![assignment(1, "/", Principal::new(ISS, "pa"), POLICY_ADMINISTRATOR)]);
    let caller = bearer(ISS, OID);
    assert!(!may(edit(&before).before(), &caller, Action::Sign, "/keys/a"));

    let mut given = edit(&before);
    assert_eq!(given.assign(&who("pa"), &to(2, "/keys", guid(HSM_USER), OID)), Ok(true));
    let (document, policy) = given.done().ok().unwrap();
    assert!(may(&policy, &caller, Action::Sign, "/keys/a") && !may(&policy, &caller, Action::Sign, "/"));
    assert_eq!(document.assignments[1].principal, Grantee::Id(guid(OID)));

    let mut taken = edit(&document);
    assert_eq!(taken.unassign(&who("pa"), &target("/keys"), id(2)), Ok(to(2, "/keys", guid(HSM_USER), OID)));
    let (document, policy) = taken.done().ok().unwrap();
    assert!(!may(&policy, &caller, Action::Sign, "/keys/a"));
    assert_eq!(document, before);
}

#[test]
fn a_derived_id_names_its_principal_and_nobody_else() {
    let principal = Principal::new("https://elsewhere.example/", "workload");
    let mut e = edit(&with(Vec::new()));
    let new = AssignmentView { principal: principal.id(ISS), ..to(1, "/", guid(HSM_USER), OID) };
    assert_eq!(e.assign(&who("root"), &new), Ok(true));
    let (_, policy) = e.done().ok().unwrap();
    assert!(may(&policy, &bearer("https://elsewhere.example/", "workload"), Action::Sign, "/"));
    for (issuer, subject) in [
        (ISS, "workload"),
        ("https://elsewhere.example/", "other"),
        (ISS, new.principal.to_string().as_str()),
        ("https://elsewhere.example/w", "orkload"),
    ] {
        assert!(!may(&policy, &bearer(issuer, subject), Action::Sign, "/"), "{issuer} {subject}");
    }
    assert_eq!(policy.assignment(&Target::Vault, id(1)), Some(new));
}

/// The policy after HSM_USER was given to this GUID at `/`.
fn given_to(principal: Guid) -> Policy {
    let mut e = edit(&with(Vec::new()));
    assert_eq!(e.assign(&who("root"), &AssignmentView { principal, ..to(1, "/", guid(HSM_USER), OID) }), Ok(true));
    e.done().ok().unwrap().1
}

#[test]
fn a_group_has_what_its_guid_is_given_and_the_subject_of_the_same_name_does_not() {
    let elsewhere = "https://elsewhere.example/";
    let policy = given_to(Principal::group(elsewhere, "signers").id(ISS));
    let may = |caller: &Caller| may(&policy, caller, Action::Sign, "/keys/a");
    assert!(may(&member(elsewhere, "somebody", &["others", "signers"])));
    for other in [
        bearer(elsewhere, "signers"),
        member(elsewhere, "somebody", &["Signers", "signers "]),
        member(ISS, "somebody", &["signers"]),
        member("https://elsewhere.example", "somebody", &["signers"]),
    ] {
        assert!(!may(&other), "{other:?}");
    }
}

#[test]
fn a_guid_of_the_directory_is_its_subject_or_its_group_and_nobody_elses() {
    let policy = given_to(guid(OID));
    let may = |caller: &Caller| may(&policy, caller, Action::Sign, "/keys/a");
    assert!(may(&bearer(ISS, OID)) && may(&member(ISS, "somebody", &["others", OID])));
    for other in [
        bearer("https://elsewhere.example/", OID),
        member("https://elsewhere.example/", "somebody", &[OID]),
        member(ISS, "somebody", &[&OID.to_uppercase()]),
        bearer(ISS, "somebody"),
    ] {
        assert!(!may(&other), "{other:?}");
    }
    // Nobody has two GUIDs: what stands for itself is not found by its derived id.
    for principal in [Principal::group(ISS, OID), Principal::new(ISS, OID)] {
        let policy = given_to(principal.derived_id());
        let caller = member(ISS, OID, &[OID]);
        assert!(!allowed(&policy, &caller, Action::Sign, &target("/keys/a")), "{principal:?}");
    }
}

#[test]
fn what_a_policy_gives_to_a_subject_by_name_no_group_has_by_having_its_guid() {
    let policy = policy(vec![assignment(1, "/", Principal::new(ISS, OID), HSM_USER)], 1);
    assert!(may(&policy, &bearer(ISS, OID), Action::Sign, "/"));
    assert!(!may(&policy, &member(ISS, "somebody", &[OID]), Action::Sign, "/"));
}

#[test]
fn an_assignment_is_made_once_and_never_made_another() {
    let mut e = edit(&with(Vec::new()));
    let (root, new) = (who("root"), to(1, "/keys", guid(HSM_USER), OID));
    assert_eq!(e.assign(&root, &new), Ok(true));
    let (document, _) = e.done().ok().unwrap();
    let again = |other: &AssignmentView| edit(&document).assign(&root, other);
    assert_eq!(again(&new), Ok(false));
    assert_eq!(again(&AssignmentView { id: id(2), ..new.clone() }), Err(NotChanged::AssignmentExists { id: id(1) }));
    for other in [
        AssignmentView { scope: Target::Vault, ..new.clone() },
        AssignmentView { role: guid(USER), ..new.clone() },
        AssignmentView { principal: id(7), ..new.clone() },
    ] {
        assert_eq!(again(&other), Err(NotChanged::AssignmentFixed));
        assert_eq!(again(&AssignmentView { id: id(2), ..other }), Ok(true));
    }
    assert_eq!(again(&AssignmentView { role: id(9), ..new }), Err(NotChanged::RoleNotFound { id: id(9) }));
}

#[test]
fn an_assignment_is_removed_only_at_its_own_scope() {
    let document = with(vec![assignment(1, "/", Principal::new(ISS, "s"), USER)]);
    for scope in ["/keys", "/keys/a"] {
        let refused = edit(&document).unassign(&who("root"), &target(scope), id(1));
        assert_eq!(refused, Err(NotChanged::AssignmentNotFound { id: id(1) }));
    }
    assert!(edit(&document).unassign(&who("root"), &Target::Vault, id(1)).is_ok());
}

#[test]
fn only_administrators_make_and_remove_administrators_and_the_last_one_stays() {
    let document = with(vec![assignment(1, "/", Principal::new(ISS, "pa"), POLICY_ADMINISTRATOR)]);
    let shown = edit(&document).before().assignments().find(|a| a.role == role(ADMINISTRATOR)).unwrap();
    assert_eq!((&shown.scope, shown.principal), (&Target::Vault, Principal::new(ISS, "root").id(ISS)));
    let another = to(2, "/", role(ADMINISTRATOR), OID);
    assert_eq!(edit(&document).assign(&who("pa"), &another), Err(NotChanged::AdministratorsOnly));
    let remove = |d: &PolicyDocument, by| edit(d).unassign(&who(by), &Target::Vault, shown.id);
    assert_eq!(remove(&document, "pa"), Err(NotChanged::AdministratorsOnly));
    assert_eq!(remove(&document, "root"), Err(NotChanged::LastAdministrator));
    let below = AssignmentView { scope: Target::Keys, ..another.clone() };
    assert_eq!(edit(&document).assign(&who("root"), &below), Err(NotChanged::AdministratorBelow));

    let mut e = edit(&document);
    assert_eq!(e.assign(&who("root"), &another), Ok(true));
    let (document, policy) = e.done().ok().unwrap();
    assert!(may(&policy, &bearer(ISS, OID), Action::SealVault, "/"));
    let mut e = edit(&document);
    assert_eq!(e.unassign(&who(OID), &Target::Vault, shown.id), Ok(shown.clone()));
    let (document, policy) = e.done().ok().unwrap();
    assert!(!may(&policy, &bearer(ISS, "root"), Action::SealVault, "/"));
    let last = edit(&document).unassign(&who(OID), &Target::Vault, id(2));
    assert_eq!(last, Err(NotChanged::LastAdministrator));
}

#[test]
fn a_custom_role_is_made_changed_in_place_and_removed_from_all_who_have_it() {
    let root = who("root");
    let mut e = edit(&with(Vec::new()));
    e.define(&root, &custom(1, "Signer", &[DataAction::HsmKeysSign])).unwrap();
    let (document, _) = e.done().ok().unwrap();
    let mut e = edit(&document);
    assert_eq!(e.assign(&root, &to(2, "/keys/a", id(1), OID)), Ok(true));
    let (document, policy) = e.done().ok().unwrap();
    let caller = bearer(ISS, OID);
    assert!(may(&policy, &caller, Action::Sign, "/keys/a") && !may(&policy, &caller, Action::Verify, "/keys/a"));

    let mut e = edit(&document);
    e.define(&root, &custom(1, "Verifier", &[DataAction::KeysVerify])).unwrap();
    let (document, policy) = e.done().ok().unwrap();
    assert_eq!(document.roles.len(), 1);
    assert!(!may(&policy, &caller, Action::Sign, "/keys/a") && may(&policy, &caller, Action::Verify, "/keys/a"));

    let mut e = edit(&document);
    assert_eq!(e.assign(&root, &to(3, "/", guid(HSM_USER), OID)), Ok(true));
    let (document, _) = e.done().ok().unwrap();
    let mut e = edit(&document);
    let was = e.undefine(id(1)).unwrap();
    assert_eq!((was.definition.name.as_str(), was.assignments), ("Verifier", vec![to(2, "/keys/a", id(1), OID)]));
    let (document, policy) = e.done().ok().unwrap();
    assert!(document.roles.is_empty() && policy.assignment(&target("/keys/a"), id(2)).is_none());
    assert!(policy.assignment(&Target::Vault, id(3)).is_some(), "another role's stays");
}

#[test]
fn key_vaults_and_managed_hsms_roles_give_what_their_names_say_in_either_kind_of_vault() {
    let gives = |role: &str, action| {
        let policy = policy(vec![assignment(1, "/", Principal::new(ISS, "s"), role)], 1);
        may(&policy, &bearer(ISS, "s"), action, "/keys/a")
    };
    for (role, id, given, not_given) in [
        (
            "Key Vault Administrator",
            "00482a5a-887f-4fb3-b363-3b7fe8e74483",
            Action::PurgeKey,
            Action::WriteRoleAssignment,
        ),
        ("Key Vault Reader", "21090545-7ca7-4776-b22c-e363652d74d2", Action::GetKey, Action::Sign),
        ("Managed HSM Crypto User", HSM_USER, Action::CreateKey, Action::PurgeKey),
        ("Managed HSM Crypto Auditor", "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3", Action::ReadDeletedKeys, Action::Verify),
        ("Managed HSM Backup User", "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8", Action::BackupKey, Action::RestoreKey),
        (
            "Managed HSM Backup User",
            "7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8",
            Action::StartBackup,
            Action::RestoreKeyFromBackup,
        ),
        (
            "Managed HSM Restore User",
            "6efe6056-5259-49d2-8b3d-d3d73544b20b",
            Action::RestoreKeyFromBackup,
            Action::StartBackup,
        ),
    ] {
        assert_eq!(Role::built_in(role).unwrap().guid(), guid(id));
        assert!(gives(role, given) && !gives(role, not_given), "{role}");
    }
    let release = Role::built_in("08bbd89e-9f13-488c-ac41-acfcb10c90ab").unwrap();
    assert_eq!(
        (release.name, release.data_actions),
        ("Key Vault Crypto Service Release User", &[DataAction::KeysRelease][..])
    );
    assert!(
        Action::ALL.iter().filter(|a| **a != Action::IssueToken).all(|a| !gives(release.id, *a)),
        "release is not built"
    );
}

#[test]
fn built_in_roles_are_neither_changed_nor_removed_nor_imitated() {
    let (document, root) = (with(Vec::new()), who("root"));
    for role in Role::all() {
        let imitated = Definition { name: "Mine".into(), ..role.clone() };
        assert_eq!(edit(&document).define(&root, &imitated), Err(NotChanged::BuiltIn));
        let shouted = custom(1, &role.name.to_uppercase(), &[]);
        assert_eq!(edit(&document).define(&root, &shouted), Err(NotChanged::BuiltIn));
        assert_eq!(edit(&document).undefine(role.id), Err(NotChanged::BuiltIn));
    }
    assert_eq!(edit(&document).undefine(id(1)), Err(NotChanged::RoleNotFound { id: id(1) }));
    let mut e = edit(&document);
    e.define(&root, &custom(1, "Mine", &[])).unwrap();
    let (document, _) = e.done().ok().unwrap();
    assert_eq!(edit(&document).define(&root, &custom(2, "MINE", &[])), Err(NotChanged::NameTaken));
    let seal = edit(&document).define(&root, &custom(2, "Sealer", &[DataAction::VaultSeal]));
    assert!(matches!(seal, Err(NotChanged::Role(_))), "{seal:?}");
}

#[test]
fn a_policy_administrator_defines_no_role_with_more_than_he_has() {
    let document = with(vec![assignment(1, "/", Principal::new(ISS, "pa"), POLICY_ADMINISTRATOR)]);
    let define = |data_actions: &[DataAction]| edit(&document).define(&who("pa"), &custom(1, "Mine", data_actions));
    assert!(define(&[DataAction::AssignmentsRead, DataAction::DefinitionsWrite]).is_ok());
    for beyond in [DataAction::HsmKeysSign, DataAction::KeysSign, DataAction::DomainDownload, DataAction::AuditRead] {
        let refused = define(&[DataAction::AssignmentsRead, beyond]);
        assert_eq!(refused, Err(NotChanged::Beyond { data_action: beyond }));
    }
}

#[test]
fn what_a_role_takes_away_by_another_name_is_not_given_back_by_a_new_role() {
    // Recovering a key is taken away under Managed HSM's name for it.
    let mut mine = custom(1, "Mine", &[DataAction::KeysRecover, DataAction::DefinitionsWrite]);
    mine.permissions[0].not_data_actions = vec![DataAction::HsmDeletedRecover];
    let mut e = edit(&with(Vec::new()));
    e.define(&who("root"), &mine).unwrap();
    let (document, _) = e.done().ok().unwrap();
    let mut e = edit(&document);
    e.assign(&who("root"), &to(2, "/", id(1), OID)).unwrap();
    let (document, policy) = e.done().ok().unwrap();
    let caller = bearer(ISS, OID);
    assert!(may(&policy, &caller, Action::ReadDeletedKeys, "/") && !may(&policy, &caller, Action::RecoverKey, "/"));
    let back = edit(&document).define(&who(OID), &custom(3, "Back", &[DataAction::KeysRecover]));
    assert_eq!(back, Err(NotChanged::Beyond { data_action: DataAction::KeysRecover }));
}

#[test]
fn a_mandate_changes_no_roles() {
    use keystead_access::Mandate;
    let who = Who::Mandate(Mandate {
        action: Action::WriteRoleDefinition,
        target: Target::Vault,
        set_by: format!("{ISS}|root"),
        at: Revision(1),
    });
    let document = with(Vec::new());
    let defined = edit(&document).define(&who, &custom(1, "Mine", &[DataAction::KeysSign]));
    assert!(matches!(defined, Err(NotChanged::Beyond { .. })));
    let assigned = edit(&document).assign(&who, &to(1, "/", role(ADMINISTRATOR), OID));
    assert_eq!(assigned, Err(NotChanged::AdministratorsOnly));
}

fn permissions() -> impl Strategy<Value = Vec<Permission>> {
    let some = || prop::collection::vec(prop::sample::select(DataAction::ALL), 0..4);
    let one =
        (some(), some()).prop_map(|(data_actions, not_data_actions)| Permission { data_actions, not_data_actions });
    prop::collection::vec(one, 0..3)
}

fn roles() -> Vec<String> {
    Role::all().filter(|r| r.name != ADMINISTRATOR).map(|r| r.id.to_string()).collect()
}

proptest! {
    // Many of the roles drawn are none that can be defined.
    #![proptest_config(ProptestConfig { max_global_rejects: u32::MAX, ..ProptestConfig::default() })]

    /// Whatever somebody who is no administrator has and wherever, a role that he can define and have assigned to
    /// himself on the whole vault gives him nothing he did not have.
    #[test]
    fn nobody_escalates_by_a_custom_role(
        grants in prop::collection::vec((prop::sample::select(&SCOPES), prop::sample::select(roles())), 0..4),
        own in permissions(), wanted in permissions(),
    ) {
        let mut e = edit(&with(Vec::new()));
        let mine = Definition { permissions: own, ..custom(1, "Own", &[]) };
        prop_assume!(e.define(&who("root"), &mine).is_ok());
        let (mut document, _) = e.done().ok().unwrap();
        let me = Principal::new(ISS, OID);
        document.assignments.push(assignment(1, "/", me.clone(), &id(1).to_string()));
        for ((scope, role), n) in grants.iter().zip(2..) {
            document.assignments.push(assignment(n, scope, me.clone(), role));
        }
        let mut e = edit(&document);
        let wanted = Definition { permissions: wanted, ..custom(2, "Wanted", &[]) };
        if e.define(&who(OID), &wanted).is_ok() {
            let (mut after, before) = (e.done().ok().unwrap().0, edit(&document));
            after.assignments.push(assignment(9, "/", me, &id(2).to_string()));
            let (caller, after) = (bearer(ISS, OID), edit(&after));
            for action in Action::ALL {
                let gained = may(after.before(), &caller, *action, "/") && !may(before.before(), &caller, *action, "/");
                prop_assert!(!gained, "{}", action);
            }
        }
    }

    /// An assignment gives its principal its role at its scope and below, and changes nothing for anybody else.
    #[test]
    fn an_assignment_reaches_its_principal_and_its_scope_and_no_further(
        scope in prop::sample::select(&SCOPES), role in prop::sample::select(roles()),
        at in prop::sample::select(&SCOPES), action in prop::sample::select(Action::ALL), own in any::<bool>(),
    ) {
        prop_assume!(action != Action::IssueToken);
        let before = with(Vec::new());
        let mut e = edit(&before);
        prop_assert_eq!(e.assign(&who("root"), &to(1, scope, guid(&role), OID)), Ok(true));
        let (_, after) = e.done().ok().unwrap();
        let caller = bearer(ISS, if own { OID } else { "somebody-else" });
        let gives = Role::built_in(&role).unwrap().data_actions.iter().any(|d| d.actions().contains(&action));
        let expected = own && gives && target(scope).covers(&target(at));
        prop_assert_eq!(may(&after, &caller, action, at), expected);
    }

    /// However often assignments are made and removed by whomever, somebody administers the vault.
    #[test]
    fn there_is_always_an_administrator(
        steps in prop::collection::vec((any::<bool>(), 0_u8..3, prop::sample::select(&["root", OID, "pa"])), 0..12),
    ) {
        let mut document = with(vec![assignment(9, "/", Principal::new(ISS, "pa"), POLICY_ADMINISTRATOR)]);
        for (add, n, by) in steps {
            let mut e = edit(&document);
            let principal = Guid::from_bytes([n; 16]).to_string();
            let shown: Vec<_> = e.before().assignments().filter(|a| a.role == role(ADMINISTRATOR)).collect();
            prop_assert!(!shown.is_empty());
            let changed = if add {
                let subject = if n == 0 { OID } else { principal.as_str() };
                e.assign(&who(by), &to(n + 1, "/", role(ADMINISTRATOR), subject)).is_ok()
            } else {
                let at = shown[usize::from(n) % shown.len()].id;
                e.unassign(&who(by), &Target::Vault, at).is_ok()
            };
            if changed {
                document = e.done().ok().unwrap().0;
            }
        }
    }
}
