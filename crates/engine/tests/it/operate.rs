//! What the operator does to vaults.

use crate::support::*;
use keystead_engine::{Instance, NODE_LOG, NewVault, OperateError, TurnedAway};
use keystead_model::{Action, KeySpec, VaultKind};

async fn refused(instance: &Instance, new: NewVault) -> OperateError {
    instance.create(new, at(T0)).await.expect_err("this is refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_cannot_be_is_refused_by_name_and_leaves_nothing() {
    let node = Node::new().await;
    let create = async |new| refused(&node.instance, new).await;
    for bad in ["", "ab", "1abc", "-abc", "Abc", "a_b", &"a".repeat(25), "a b"] {
        let new = NewVault { name: bad.to_owned(), ..new_vault("other") };
        assert!(matches!(create(new).await, OperateError::BadName), "{bad}");
    }
    for retention_days in [0, 6, 91] {
        let new = NewVault { retention_days, ..new_vault("other") };
        assert!(matches!(create(new).await, OperateError::BadRetention));
    }
    let nowhere = NewVault { authorities: Vec::new(), ..new_vault("other") };
    assert!(matches!(create(nowhere).await, OperateError::NoAuthority));
    let mut nobody = new_vault("other");
    nobody.policy.administrators.clear();
    assert!(matches!(create(nobody).await, OperateError::Policy(_)));
    assert!(matches!(create(new_vault("dev")).await, OperateError::Exists));
    let same_place = NewVault { authorities: new_vault("dev").authorities, ..new_vault("other") };
    assert!(matches!(create(same_place).await, OperateError::Exists));
    assert_eq!(node.instance.list().len(), 1);
    assert!(node.instance.create(new_vault("other"), at(T0)).await.is_ok(), "the name is still free");
    assert_eq!(node.restart().await.instance.list().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_was_created_and_does_not_open_is_there_and_sealed() {
    let node = Node::new().await;
    node.faults.fail_read(1, keystead_store::Unavailable::Locked { code: 5 });
    assert_eq!(node.instance.create(new_vault("two"), at(T0)).await.unwrap().state, "sealed");
    assert_eq!(node.instance.named("two").unwrap().ready(), Err(TurnedAway::Sealed));
    assert!(matches!(refused(&node.instance, new_vault("two")).await, OperateError::Exists));
    let node = node.restart().await;
    assert!(node.instance.named("two").unwrap().ready().is_ok(), "nobody sealed it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_found_by_each_of_its_authorities_and_no_other() {
    let node = Node::new().await;
    let authorities: Vec<_> = ["a.example", "b.example:8443"].map(|a| a.parse().unwrap()).to_vec();
    let new = NewVault { authorities: authorities.clone(), ..new_vault("two") };
    node.instance.create(new, at(T0)).await.unwrap();
    let node = node.restart().await;
    for authority in &authorities {
        assert_eq!(node.instance.vault(authority).unwrap().info().name, "two");
    }
    for other in ["b.example", "a.example:8443", "example", "dev.localhost"] {
        assert!(node.instance.vault(&other.parse().unwrap()).is_none());
    }
    let names: Vec<_> = node.instance.list().into_iter().map(|v| v.info.name).collect();
    assert_eq!(names, ["dev", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_one_vault_are_not_in_another_and_a_caller_of_one_is_nobody_in_another() {
    let node = Node::new().await;
    node.instance.create(new_vault("two"), at(T0)).await.unwrap();
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let two = node.instance.named("two").unwrap();
    // Proven in `dev`, brought to `two`: another issuer, so no role there.
    let answer = two.run(node.caller(OFFICER), keystead_engine::GetKey { key: key("k") }, at(T0)).await.unwrap();
    let (_, result) = answer.into_parts();
    assert!(matches!(result, Err(keystead_engine::Refusal::Denied(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_of_kind_hsm_is_inactive_and_names_what_it_waits_for() {
    let node = Node::new().await;
    let new = NewVault { kind: VaultKind::Hsm, ..new_vault("hsm") };
    assert_eq!(node.instance.create(new, at(T0)).await.unwrap().state, "inactive");
    let node = node.restart().await;
    let vault = node.instance.named("hsm").unwrap();
    assert_eq!(vault.ready(), Err(TurnedAway::Inactive { setting: "[[hsm]]" }));
    for refused in [node.instance.seal("hsm", at(T0)).await, node.instance.unseal("hsm", at(T0)).await] {
        assert!(matches!(refused, Err(OperateError::WrongState { state: "inactive", .. })));
    }
    let unknown = node.instance.seal("nowhere", at(T0)).await.unwrap_err();
    assert!(matches!(unknown, OperateError::UnknownVault { .. }));
    let health = node.instance.health();
    assert_eq!(health.vaults, [("dev".to_owned(), "open"), ("hsm".to_owned(), "inactive")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nodes_own_log_says_what_happened_to_its_vaults_and_names_them_by_id() {
    let node = Node::new().await;
    node.instance.seal("dev", at(T0)).await.unwrap();
    node.instance.unseal("dev", at(T0)).await.unwrap();
    let node = node.restart().await;
    let records = node.records_of(NODE_LOG);
    let actions: Vec<_> = records.iter().filter_map(|r| r.action()).collect();
    use Action::*;
    assert_eq!(actions, [NodeEnrolled, VaultCreated, VaultSealed, VaultUnsealed, VaultUnsealed]);
    let vault = *node.vault().info().id.as_bytes();
    assert!(records[1..].iter().all(|r| r.object().is_some_and(|o| *o.as_bytes() == vault)));
    assert!(records.iter().all(|r| r.sealed().is_none()));
    let vkey: String = minicbor::decode(records[0].clear()).unwrap();
    assert_eq!(vkey, node.journal.vkey(NODE_LOG));
    assert_eq!(keystead_engine::last_recorded(&node.journal), Some(T0));
    node.stop_and_verify().await;
}
