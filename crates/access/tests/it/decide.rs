//! What a caller may do.

use crate::support::*;
use keystead_access::{Ground, Policy, Role, Who};
use keystead_identity::Principal;
use keystead_model::{Action, AssignmentId, Revision, Target};
use proptest::prelude::*;

use Action::*;

const SCOPES: [&str; 5] = ["/", "/keys", "/keys/a", "/keys/A", "/keys/b"];
const ROLES: [&str; 5] = [OFFICER, USER, SERVICE, READER, POLICY_ADMINISTRATOR];
/// What administrators of the vault may do.
const ADMINISTRATION: [Action; 34] = [
    DownloadSecurityDomain,
    ReadSecurityDomain,
    TransferKey,
    UploadSecurityDomain,
    StartBackup,
    ReadInventory,
    ReadBackup,
    StartRestore,
    ReadRestore,
    RestoreKeyFromBackup,
    SealVault,
    ReadClock,
    ConfirmClock,
    ReadPolicy,
    AddIssuer,
    RemoveIssuer,
    CreateClient,
    RemoveClient,
    AddCredential,
    RemoveCredential,
    AddAuthority,
    RemoveAuthority,
    RevokeTokens,
    ReadRoleAssignments,
    WriteRoleAssignment,
    DeleteRoleAssignment,
    ReadRoleDefinitions,
    WriteRoleDefinition,
    DeleteRoleDefinition,
    ReadSettings,
    WriteSettings,
    ReadProposals,
    VoteOnProposal,
    WriteApprovals,
];

/// What administrators alone do, whatever roles anybody has.
const OF_ADMINISTRATORS_ALONE: [Action; 15] = [
    SealVault,
    ReadClock,
    ConfirmClock,
    ReadPolicy,
    AddIssuer,
    RemoveIssuer,
    CreateClient,
    RemoveClient,
    AddCredential,
    RemoveCredential,
    AddAuthority,
    RemoveAuthority,
    RevokeTokens,
    WriteSettings,
    WriteApprovals,
];

/// The roles again, written from their meaning and not from the code.
fn gives(role: &str, action: Action) -> bool {
    match action {
        ListKeys | GetKey | GetKeyAttestation | GetRotationPolicy | WrapKey | UnwrapKey => {
            [OFFICER, USER, SERVICE].contains(&role)
        }
        UpdateKey | BackupKey | Encrypt | Decrypt | Sign | Verify | RandomBytes => [OFFICER, USER].contains(&role),
        CreateKey | ImportKey | RestoreKey | DeleteKey | ReadDeletedKeys | RecoverKey | PurgeKey | RotateKey
        | SetRotationPolicy => role == OFFICER,
        ReadAudit => role == READER,
        ReadRoleAssignments | WriteRoleAssignment | DeleteRoleAssignment | ReadRoleDefinitions
        | WriteRoleDefinition | DeleteRoleDefinition | ReadSettings => role == POLICY_ADMINISTRATOR,
        SealVault | ReadClock | ConfirmClock | ReadPolicy | AddIssuer | RemoveIssuer | CreateClient | RemoveClient
        | AddCredential | RemoveCredential | AddAuthority | RemoveAuthority | RevokeTokens | WriteSettings
        | WriteApprovals | ReadProposals | VoteOnProposal | ProposeOperation | RemoveProposal => false,
        DownloadSecurityDomain | ReadSecurityDomain | TransferKey | UploadSecurityDomain => false,
        StartBackup | ReadInventory | ReadBackup | StartRestore | ReadRestore | RestoreKeyFromBackup
        | ContinueBackup | ContinueRestore => false,
        NotifyExpiry
        | IssueToken
        | VaultCreated
        | VaultUnsealed
        | VaultSealed
        | NodeEnrolled
        | TurnedAway
        | VaultActivated
        | TokenEnrolled
        | OrphansDestroyed
        | ClockDoubted
        | VaultErased
        | RootRotationBegun
        | RowsResealed
        | RootDestroyed
        | RootRotated
        | PathAdded
        | PathRemoved
        | PathProven
        | PathTested
        | TransferKeyMade
        | QuorumAsked
        | ShareTaken
        | ShareRefused
        | DomainConfirmed
        | PathRemovalProposed
        | ErasureProposed
        | PathAdditionProposed
        | CustodiansReplaced
        | ReplacementAsked
        | AppointmentAsked
        | AdministratorAppointed
        | EnrolmentAsked => false,
    }
}

/// The scopes again, on their text.
fn reaches(scope: &str, target: &str) -> bool {
    match scope {
        "/" => true,
        "/keys" => target.starts_with("/keys"),
        _ => scope.eq_ignore_ascii_case(target),
    }
}

fn who() -> impl Strategy<Value = (String, String)> {
    ("[ab]", "[ab]").prop_map(|(issuer, subject)| (format!("https://{issuer}/"), subject))
}

#[test]
fn nothing_is_allowed_without_a_grant() {
    let policy = policy(Vec::new(), 1);
    for action in Action::ALL {
        for scope in SCOPES {
            let caller = bearer(ISS, "someone");
            let denial = decide(&policy, Who::Caller(caller.clone()), *action, &target(scope)).unwrap_err();
            assert_eq!((denial.action, &denial.target, denial.policy), (*action, &target(scope), Revision(1)));
            assert!(matches!(&denial.who, Who::Caller(c) if *c == caller));
        }
    }
}

#[test]
fn a_permit_holds_its_command_its_caller_and_its_ground() {
    let (caller, role) = (bearer(ISS, "s"), assignment(7, "/keys", Principal::new(ISS, "s"), USER));
    let permit = policy(vec![role], 5).decide(Who::Caller(caller.clone()), Do::<13>(target("/keys/a"))).ok().unwrap();
    assert_eq!(permit.ask().0, target("/keys/a"));
    assert!(matches!(permit.who(), Who::Caller(c) if *c == caller));
    assert_eq!(*permit.ground(), Ground::Role(AssignmentId::from_bytes([7; 16])));
    assert_eq!(permit.policy(), Revision(5));
}

#[test]
fn key_names_in_scopes_compare_without_case() {
    let caller = bearer(ISS, "s");
    let policy = policy(vec![assignment(1, "/keys/Payments-1", Principal::new(ISS, "s"), USER)], 1);
    for name in ["/keys/Payments-1", "/keys/payments-1", "/keys/PAYMENTS-1"] {
        assert!(allowed(&policy, &caller, Sign, &target(name)), "{name}");
    }
    for name in ["/keys/payments-2", "/keys/payments-", "/keys/payments-11", "/keys", "/"] {
        assert!(!allowed(&policy, &caller, Sign, &target(name)), "{name}");
    }
}

#[test]
fn issuers_and_subjects_compare_exactly() {
    let policy = policy(vec![assignment(1, "/", Principal::new(ISS, "s"), OFFICER)], 1);
    assert!(allowed(&policy, &bearer(ISS, "s"), Sign, &Target::Keys));
    let strangers =
        [(ISS, "S"), (ISS, "s "), ("https://issuer.example", "s"), ("HTTPS://issuer.example/", "s"), ("s", ISS)];
    for (issuer, subject) in strangers {
        assert!(!allowed(&policy, &bearer(issuer, subject), Sign, &Target::Keys), "{issuer} {subject}");
    }
    // Where the issuer ends and the subject begins is part of who it is.
    let joined = super::support::policy(vec![assignment(1, "/", Principal::new("ab", "c"), OFFICER)], 1);
    assert!(!allowed(&joined, &client("a", "bc"), Sign, &Target::Keys));
}

#[test]
fn an_administrator_administers_the_vault_and_gets_no_key_by_it() {
    let policy = policy(Vec::new(), 3);
    let (root, other) = (bearer(ISS, "root"), bearer("https://other.example/", "root"));
    for action in Action::ALL {
        let decided = decide(&policy, Who::Caller(root.clone()), *action, &Target::Vault).ok();
        let expected = ADMINISTRATION.contains(action).then_some((Ground::Administrator, Revision(3)));
        assert_eq!(decided, expected, "{action}");
        assert!(!allowed(&policy, &other, *action, &Target::Vault), "{action}");
    }
}

#[test]
fn what_is_assigned_to_a_group_is_not_its_namesakes() {
    let policy = policy(vec![assignment(1, "/", Principal::group(ISS, "s"), OFFICER)], 1);
    assert!(!allowed(&policy, &bearer(ISS, "s"), Sign, &Target::Keys));
}

#[test]
fn no_role_administers_the_vault() {
    let roles = Role::all().filter(|r| r.name != "Keystead Vault Administrator").map(|r| r.id.to_string());
    let all = roles.zip(1..).map(|(r, id)| assignment(id, "/", Principal::new(ISS, "s"), &r)).collect();
    let policy = policy(all, 1);
    for action in OF_ADMINISTRATORS_ALONE {
        assert!(!allowed(&policy, &bearer(ISS, "s"), action, &Target::Vault), "{action}");
    }
}

#[test]
fn a_token_is_issued_to_a_client_with_its_secret_and_never_for_another_token() {
    let all = ROLES.iter().zip(1..).map(|(r, id)| assignment(id, "/", Principal::new(ISS, "root"), r)).collect();
    let policy = policy(all, 1);
    let issued = decide(&policy, Who::Caller(client(ISS, "root")), IssueToken, &Target::Vault).unwrap();
    assert_eq!(issued.0, Ground::OwnToken);
    assert!(!allowed(&policy, &bearer(ISS, "root"), IssueToken, &Target::Vault));
}

#[test]
fn a_secret_and_a_token_of_one_principal_have_the_same_rights() {
    let policy = policy(vec![assignment(1, "/keys", Principal::new(ISS, "s"), USER)], 1);
    for action in Action::ALL.iter().filter(|a| **a != IssueToken) {
        let by = |caller| allowed(&policy, &caller, *action, &Target::Keys);
        assert_eq!(by(client(ISS, "s")), by(bearer(ISS, "s")), "{action}");
    }
}

#[test]
fn each_role_gives_its_actions_and_none_else() {
    let caller = bearer(ISS, "s");
    for role in ROLES {
        let policy = policy(vec![assignment(1, "/", Principal::new(ISS, "s"), role)], 1);
        for action in Action::ALL {
            assert_eq!(allowed(&policy, &caller, *action, &Target::Vault), gives(role, *action), "{role} {action}");
        }
    }
}

#[test]
fn a_role_is_found_by_its_guid_in_any_case_and_by_its_name() {
    for guid in ROLES {
        let role = Role::built_in(guid).unwrap();
        assert_eq!(Role::built_in(&guid.to_uppercase()), Some(role));
        assert_eq!(Role::built_in(role.name), Some(role));
    }
    for other in ["", "Key Vault", "Key Vault Contributor", "14b46e9e", &format!("{OFFICER} ")] {
        assert_eq!(Role::built_in(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn an_action_is_allowed_exactly_if_a_grant_of_the_caller_gives_it_at_or_above_the_target(
        grants in prop::collection::vec((prop::sample::select(&SCOPES), who(), prop::sample::select(&ROLES)), 0..6),
        (issuer, subject) in who(),
        scope in prop::sample::select(&SCOPES),
        action in prop::sample::select(Action::ALL),
    ) {
        prop_assume!(action != IssueToken);
        let assignments = grants.iter().zip(1..).map(|((scope, (i, s), role), id)| {
            assignment(id, scope, Principal::new(i, s), role)
        });
        let policy = policy(assignments.collect(), 9);
        let granted = grants.iter().position(|(s, who, role)| {
            *who == (issuer.clone(), subject.clone()) && reaches(s, scope) && gives(role, action)
        });
        let decided = decide(&policy, Who::Caller(client(&issuer, &subject)), action, &target(scope));
        let ground = granted.map(|at| Ground::Role(AssignmentId::from_bytes([u8::try_from(at + 1).unwrap(); 16])));
        prop_assert_eq!(decided.as_ref().ok().map(|d| d.0), ground);
    }

    #[test]
    fn more_grants_never_allow_less(
        grants in prop::collection::vec((prop::sample::select(&SCOPES), who(), prop::sample::select(&ROLES)), 1..6),
        (issuer, subject) in who(),
        scope in prop::sample::select(&SCOPES),
        action in prop::sample::select(Action::ALL),
    ) {
        let up_to = |n: usize| -> Policy {
            let first = grants.iter().take(n).zip(1..);
            policy(first.map(|((s, (i, u), r), id)| assignment(id, s, Principal::new(i, u), r)).collect(), 1)
        };
        let caller = client(&issuer, &subject);
        let fewer = allowed(&up_to(grants.len() - 1), &caller, action, &target(scope));
        prop_assert!(!fewer || allowed(&up_to(grants.len()), &caller, action, &target(scope)));
    }
}
