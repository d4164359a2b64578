//! Purge protection: nobody purges, the end of the retention does.

use crate::support::*;
use keystead_engine::{
    Beat, ConfirmClock, CreateKey, DeleteKey, GetDeletedKey, NewVault, PurgeKey, RecoverKey, Recovery, Refusal, Vault,
};
use keystead_model::{KeySpec, Time};
use std::sync::Arc;

async fn run<C: keystead_engine::Command>(vault: &Arc<Vault>, ask: C, now: Time) -> Result<C::Output, Refusal> {
    let (client, secret) = OFFICER;
    let proof = keystead_identity::Proof::ClientSecret { client, secret };
    let officer = vault.authenticate(proof, None, T0).unwrap();
    vault.run(officer, ask, at(now)).await.unwrap().into_parts().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_key_is_purged_by_nobody_and_by_itself_when_its_retention_has_passed() {
    let node = Node::new().await;
    let new = NewVault { purge_protection: true, retention_days: 10, ..new_vault("kept") };
    let made = node.instance.create(new, at(T0)).await.unwrap();
    assert_eq!(made.purge_protection, Some(true));
    let vault = node.instance.named("kept").unwrap();
    let make = |n: &str| CreateKey { ..create(n, KeySpec::EcP256) };
    let key = run(&vault, make("k"), T0).await.unwrap();
    assert_eq!(key.recovery, Recovery { days: 10, purge_protection: true });
    run(&vault, DeleteKey { name: name("k") }, T0).await.unwrap();
    for day in [0, 9, 11] {
        let now = Time(T0.0 + day * DAY);
        assert!(matches!(run(&vault, PurgeKey { name: name("k") }, now).await, Err(Refusal::PurgeProtected)));
        assert!(matches!(run(&vault, make("k"), now).await, Err(Refusal::NameReserved { .. })));
    }
    assert!(matches!(run(&vault, PurgeKey { name: name("none") }, T0).await, Err(Refusal::DeletedKeyNotFound { .. })));

    // Over a seal and a restart it is what it was at creation.
    node.instance.seal("kept", at(T0)).await.unwrap();
    let sealed = node.instance.list().into_iter().find(|v| v.info.name == "kept").unwrap();
    assert_eq!(sealed.purge_protection, None, "only the vault itself knows, and it is sealed");
    node.instance.unseal("kept", at(T0)).await.unwrap();
    let node = node.restart().await;
    let vault = node.instance.named("kept").unwrap();
    assert!(matches!(run(&vault, PurgeKey { name: name("k") }, T0).await, Err(Refusal::PurgeProtected)));

    let tick = async |now: i64| node.instance.tick(at(Time(now))).await.unwrap();
    let end = T0.0 + 10 * DAY;
    assert_eq!(tick(end - 1).await, Beat::default());
    node.instance.watch_clock(at(Time(end)), 0).await;
    assert_eq!(tick(end).await, Beat { held: 1, ..Beat::default() }, "not while the clock is doubted");
    assert!(run(&vault, GetDeletedKey { name: name("k") }, Time(end)).await.is_ok());
    run(&vault, ConfirmClock { time: Time(end) }, Time(end)).await.unwrap();
    assert_eq!(tick(end).await, Beat { purged: 1, ..Beat::default() });
    assert!(run(&vault, make("k"), Time(end)).await.is_ok());
    run(&vault, DeleteKey { name: name("k") }, Time(end)).await.unwrap();
    run(&vault, RecoverKey { name: name("k") }, Time(end)).await.unwrap();
    assert_eq!(tick(end + 100 * DAY).await, Beat::default(), "a recovered key stays");
    node.stop_and_verify().await;
}
