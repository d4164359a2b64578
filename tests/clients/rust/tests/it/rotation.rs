//! Rotation and its policy.

use crate::support::{body, client, create, ec, name, refusal, rsa, version};
use azure_core::time::Duration;
use azure_security_keyvault_keys::models::{
    CurveName, KeyRotationPolicy, KeyRotationPolicyAction, KeyRotationPolicyAttributes, LifetimeAction,
    LifetimeActionTrigger, LifetimeActionType,
};

type Said = (KeyRotationPolicyAction, Option<String>, Option<String>);

fn action((what, after, before): (KeyRotationPolicyAction, Option<&str>, Option<&str>)) -> LifetimeAction {
    let (time_after_create, time_before_expiry) = (after.map(str::to_owned), before.map(str::to_owned));
    LifetimeAction {
        action: Some(LifetimeActionType { type_prop: Some(what) }),
        trigger: Some(LifetimeActionTrigger { time_after_create, time_before_expiry }),
    }
}

fn policy(expiry: &str, actions: Vec<LifetimeAction>) -> KeyRotationPolicy {
    let attributes = KeyRotationPolicyAttributes { expiry_time: Some(expiry.to_owned()), ..Default::default() };
    KeyRotationPolicy { attributes: Some(attributes), lifetime_actions: Some(actions), ..Default::default() }
}

fn said(policy: &KeyRotationPolicy) -> Vec<Said> {
    let all = policy.lifetime_actions.as_ref().unwrap().iter();
    all.map(|one| {
        let trigger = one.trigger.clone().unwrap();
        (one.action.as_ref().unwrap().type_prop.unwrap(), trigger.time_after_create, trigger.time_before_expiry)
    })
    .collect()
}

#[tokio::test]
async fn a_rotation_policy_is_kept_as_it_was_written() {
    use KeyRotationPolicyAction::{Notify, Rotate};
    let (client, name) = (client(), name("policy"));
    create(&client, &name, ec(CurveName::P256)).await;
    let notify = (Notify, None, Some("P30D".to_owned()));
    let unset = client.get_key_rotation_policy(&name, None).await.unwrap().into_model().unwrap();
    assert_eq!(said(&unset), std::slice::from_ref(&notify));

    let wanted = policy("P1Y10D", vec![action((Rotate, Some("P2M"), None))]);
    let stored = client.update_key_rotation_policy(&name, body(wanted), None).await.unwrap().into_model().unwrap();
    let found = client.get_key_rotation_policy(&name, None).await.unwrap().into_model().unwrap();
    for policy in [stored, found] {
        assert_eq!(said(&policy), [(Rotate, Some("P2M".to_owned()), None), notify.clone()]);
        let attributes = policy.attributes.unwrap();
        assert_eq!(attributes.expiry_time.as_deref(), Some("P1Y10D"));
        assert!(attributes.created.is_some() && attributes.updated >= attributes.created);
        assert!(policy.id.unwrap().ends_with(&format!("/keys/{name}/rotationpolicy")));
    }
    let too_soon = policy("P90D", vec![action((Rotate, Some("P5D"), None))]);
    let (status, code, _) = refusal(client.update_key_rotation_policy(&name, body(too_soon), None).await);
    assert_eq!((status, code.as_str()), (400, "BadParameter"));
}

#[tokio::test]
async fn rotation_makes_a_new_version_of_the_same_kind() {
    let (client, name) = (client(), name("rotate"));
    let first = create(&client, &name, rsa(2048)).await;
    let second = client.rotate_key(&name, None).await.unwrap().into_model().unwrap();
    assert_ne!(version(&second), version(&first));
    let (old, new) = (first.key.unwrap(), second.key.unwrap());
    assert_eq!((new.kty, new.key_ops), (old.kty, old.key_ops));
    assert_ne!(new.n, old.n);
    assert_eq!(second.attributes.unwrap().expires, None, "the policy says how long versions last, and there is none");
    let wanted = policy("P90D", Vec::new());
    client.update_key_rotation_policy(&name, body(wanted), None).await.unwrap();
    let third = client.rotate_key(&name, None).await.unwrap().into_model().unwrap().attributes.unwrap();
    assert_eq!(third.expires.unwrap() - third.created.unwrap(), Duration::days(90));
}
