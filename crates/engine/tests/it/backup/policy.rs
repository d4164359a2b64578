//! The policy of a whole backup: who brings it back, and what of it stays as it is.

use super::{backed_up, ended, restore, restored};
use crate::support::*;
use keystead_access::{Approvals, Approver, AssignmentView, Rule};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::signature::PublicKey;
use keystead_engine::{
    AddCredential, BUILT_IN, BackupError, BackupPlace, CreateClient, CreateRoleAssignment, DeleteRoleAssignment,
    JobState, NewCredential, ReadBackup, ReadPolicy, ReadRestore, Refusal, RevokeTokens, Sign, StartBackup,
    StartRestore, WriteApprovals,
};
use keystead_identity::{By, Credential, Principal};
use keystead_model::{Guid, KeySpec, SignAlgorithm, Target, Time};

/// Managed HSM Restore User.
const ROLE: &str = "6efe6056-5259-49d2-8b3d-d3d73544b20b";
/// Keystead Vault Administrator.
const ADMINISTRATOR: &str = "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a02";

fn rollback(folder: &str) -> StartRestore {
    StartRestore { rollback: true, ..restore(folder) }
}

/// The user's role on keys.
async fn dismiss(node: &Node) {
    let remove = DeleteRoleAssignment { scope: Target::Keys, id: Guid::from_bytes([3; 16]) };
    node.run(remove).await.unwrap();
}

async fn user_signs(node: &Node) -> bool {
    let ask = Sign { key: key("k"), algorithm: SignAlgorithm::Es256, digest: vec![7; 32] };
    node.run_as(USER, ask, T0).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_restore_brings_the_policy_back_and_revoked_tokens_stay_revoked() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let revoke = |subject: &str| RevokeTokens {
        issuer: BUILT_IN.to_owned(),
        subject: Some(subject.to_owned()),
        before: Some(T0),
    };
    node.run(revoke("before")).await.unwrap();
    let folder = backed_up(&node).await;
    dismiss(&node).await;
    node.run(revoke("since")).await.unwrap();
    node.run_as(OFFICER, RevokeTokens { before: None, ..revoke("before") }, Time(T0.0 + 5_000)).await.unwrap();
    assert!(!user_signs(&node).await);
    let refused = node.run(restore(&folder)).await;
    assert!(matches!(refused, Err(Refusal::Backup(BackupError::Older { .. }))), "{refused:?}");
    let view = restored(&node, rollback(&folder)).await;
    assert!(view.details.unwrap().ends_with("The policy was restored"));
    assert!(user_signs(&node).await);
    let policy = node.run(keystead_engine::ReadPolicy).await.unwrap_or_else(|e| panic!("{e}"));
    let revoked = policy.document.callers.not_before;
    let time = |subject: &str| revoked.iter().find(|n| n.subject.as_deref() == Some(subject)).map(|n| n.time);
    assert_eq!((time("before"), time("since")), (Some(T0.0 + 6_000), Some(T0.0)));
    node.stop_and_verify().await;
}

/// A vault whose one administrator proves himself by a secret that ends after a day; then he gets one that does not.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_whose_secret_of_then_has_ended_still_gets_in_after_his_restore() {
    let (node, short) = (Node::new().await, "short");
    let mut new = new_vault(short);
    let ends = Credential {
        id: "first".to_owned(),
        expires: Some(T0.0 + DAY),
        by: By::Secret(keystead_identity::secret_digest(OFFICER.1)),
    };
    let officer = new.policy.clients.iter_mut().find(|client| client.id == OFFICER.0).unwrap();
    (officer.secrets, officer.credentials) = (Vec::new(), vec![ends]);
    node.instance.create(new, at(T0)).await.unwrap();
    let to = || BackupPlace { container: format!("https://{short}.localhost:8443/backups"), token: None };
    let secret = std::sync::OnceLock::<Who>::new();
    let begun = node.run_in(short, OFFICER, StartBackup { to: to(), check: false }, T0).await.unwrap();
    let ended = async |restore: bool, job, now: Time| {
        for second in 1..400 {
            node.instance.continue_jobs(|| at(now.plus_millis(second * 1_000))).await;
            let who = secret.get().copied().unwrap_or(OFFICER);
            let view = match restore {
                false => node.run_in(short, who, ReadBackup { job }, now).await.unwrap(),
                true => node.run_in(short, who, ReadRestore { job }, now).await.unwrap(),
            };
            if view.state != JobState::Running {
                assert_eq!((view.state, &view.error), (JobState::Succeeded, &None), "{view:?}");
                return view;
            }
        }
        panic!("it does not end")
    };
    let folder = ended(false, begun.id, T0).await.folder.unwrap().rsplit_once('/').unwrap().1.to_owned();
    let more = AddCredential { client: OFFICER.0.to_owned(), credential: NewCredential::Secret, expires: None };
    let made = node.run_in(short, OFFICER, more, T0).await.unwrap().secret.unwrap();
    secret.set((OFFICER.0, String::leak(made.to_string()))).unwrap();
    let (later, who) = (T0.plus_millis(2 * DAY), *secret.get().unwrap());
    let restore = StartRestore { from: to(), folder, check: false, rollback: true };
    let begun = node.run_in(short, who, restore, later).await.unwrap();
    let said = ended(true, begun.id, later).await.details.unwrap();
    assert!(said.ends_with("whoever restored it administers the vault and gets in as now"), "{said}");
    let policy = node.run_in(short, who, ReadPolicy, later).await.unwrap();
    let officer = policy.document.clients.iter().find(|client| client.id == OFFICER.0).unwrap();
    assert_eq!(officer.credentials.len(), 2, "and his way in is there");
}

/// As after a recovery under a new policy.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_came_after_the_backup_sees_its_restore_end_and_administers_on() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let folder = backed_up(&node).await;
    let credential = Some(NewCredential::Secret);
    let made = node.run(CreateClient { name: "successor".to_owned(), credential, expires: None }).await.unwrap();
    let secret = String::leak(made.secret.unwrap().to_string());
    let successor: Who = (String::leak(made.client.id), secret);
    let iss = node.vault().issuer().unwrap().iss;
    let principal = Principal::new(iss.as_str(), &made.client.subject).id(&iss);
    let (id, role) = (Guid::from_bytes([0x67; 16]), ADMINISTRATOR.parse().unwrap());
    node.run(CreateRoleAssignment { assignment: AssignmentView { id, scope: Target::Vault, role, principal } })
        .await
        .unwrap();
    dismiss(&node).await;
    let begun = node.run_as(successor, rollback(&folder), T0).await.unwrap();
    let view = loop {
        node.instance.continue_jobs(|| at(T0)).await;
        let view = node.run_as(successor, ReadRestore { job: begun.id }, T0).await.unwrap();
        if view.state != JobState::Running {
            break view;
        }
    };
    let said = view.details.as_deref().unwrap_or_default();
    assert!(said.ends_with("whoever restored it administers the vault and gets in as now"), "{view:?}");
    assert!(user_signs(&node).await, "and what the others had is back");
    let policy = node.run_as(successor, ReadPolicy, T0).await.unwrap().document;
    assert!(policy.assignments.iter().any(|a| a.id == [0x67; 16]) && policy.administrators.len() == 1);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_elses_restore_leaves_the_policy_as_it_is() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let folder = backed_up(&node).await;
    let iss = node.vault().issuer().unwrap().iss;
    let principal = Principal::new(iss.as_str(), subject(STRANGER)).id(&iss);
    let (id, role) = (Guid::from_bytes([0x66; 16]), ROLE.parse().unwrap());
    let assignment = AssignmentView { id, scope: Target::Vault, role, principal };
    node.run(CreateRoleAssignment { assignment }).await.unwrap();
    dismiss(&node).await;
    let begun = node.run_as(STRANGER, restore(&folder), T0).await.unwrap();
    let view = ended(&node, &begun).await;
    assert_eq!(view.state, JobState::Succeeded, "{view:?}");
    assert!(view.details.unwrap().contains("only an administrator's restore brings it back"));
    assert!(!user_signs(&node).await);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_while_a_restore_runs_is_not_given_back() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let folder = backed_up(&node).await;
    let begun = node.run(restore(&folder)).await.unwrap();
    dismiss(&node).await;
    let view = ended(&node, &begun).await;
    assert_eq!((view.state, view.error.unwrap().0), (JobState::Failed, "BackupOlder"));
    assert!(!user_signs(&node).await);
    let again = node.run(ReadRestore { job: begun.id }).await.unwrap();
    assert_eq!(again.state, JobState::Failed);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_leaves_approvers_and_rules_as_they_are() {
    let node = Node::new().await;
    let folder = backed_up(&node).await;
    let key = PublicKey::Ed25519(SigningKey::from_seed(&[1; 32]).public());
    let approvals = Approvals {
        approvers: vec![Approver { name: "alice".to_owned(), key: key.to_spki() }],
        rules: [(Rule::PathRemoval, 1)].into(),
    };
    node.run(WriteApprovals { approvals: approvals.clone() }).await.unwrap();
    node.run(CreateClient { name: "since".to_owned(), credential: None, expires: None }).await.unwrap();
    restored(&node, rollback(&folder)).await;
    let policy = node.run(ReadPolicy).await.unwrap().document;
    assert!(policy.clients.iter().all(|c| c.name != "since"), "the policy came back");
    assert_eq!(policy.approvals, approvals);
}
