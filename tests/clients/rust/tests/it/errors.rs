//! Refusals as a program that uses the SDK finds them: status, code, inner code.

use crate::openssl::digest;
use crate::support::{body, client, create, ec, name, refusal, refused, rsa};
use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_keys::models::{
    CurveName, GetRandomBytesParameters, KeyAttributes, KeyClientGetKeyOptions, KeyOperation, KeyOperationResult,
    SignParameters, SignatureAlgorithm, UpdateKeyPropertiesParameters,
};

async fn sign(
    client: &KeyClient,
    name: &str,
    algorithm: SignatureAlgorithm,
    value: Vec<u8>,
) -> azure_core::Result<azure_core::http::Response<KeyOperationResult>> {
    client.sign(name, body(SignParameters { algorithm: Some(algorithm), value: Some(value) }), None).await
}

#[tokio::test]
async fn an_unknown_key_or_version_is_not_found() {
    let (client, name) = (client(), name("none"));
    let missing = refused(404, "KeyNotFound", None);
    assert_eq!(refusal(client.get_key(&name, None).await), missing);
    assert_eq!(refusal(client.delete_key(&name, None).await), missing);
    assert_eq!(refusal(client.backup_key(&name, None).await), missing);
    assert_eq!(refusal(client.recover_deleted_key(&name, None).await), missing);
    create(&client, &name, ec(CurveName::P256)).await;
    let options = KeyClientGetKeyOptions { key_version: Some("0".repeat(32)), ..Default::default() };
    assert_eq!(refusal(client.get_key(&name, Some(options)).await), missing);
    assert_eq!(refusal(client.purge_deleted_key(&name, None).await).0, 404, "it is not deleted");
}

#[tokio::test]
async fn a_disabled_key_refuses_to_work() {
    let (client, name) = (client(), name("disabled"));
    create(&client, &name, ec(CurveName::P256)).await;
    let disabled = KeyAttributes { enabled: Some(false), ..Default::default() };
    let change = UpdateKeyPropertiesParameters { key_attributes: Some(disabled), ..Default::default() };
    client.update_key_properties(&name, body(change), None).await.unwrap();
    let made = sign(&client, &name, SignatureAlgorithm::Es256, digest("256", b"")).await;
    assert_eq!(refusal(made), refused(403, "Forbidden", Some("KeyDisabled")));
}

#[tokio::test]
async fn an_operation_outside_key_ops_is_forbidden() {
    let (client, name) = (client(), name("verify-only"));
    let mut parameters = rsa(2048);
    parameters.key_ops = Some(vec![KeyOperation::Verify]);
    create(&client, &name, parameters).await;
    let made = sign(&client, &name, SignatureAlgorithm::Rs256, digest("256", b"")).await;
    assert_eq!(refusal(made), refused(403, "Forbidden", Some("KeyOperationForbidden")));
}

#[tokio::test]
async fn what_does_not_fit_the_key_is_a_bad_parameter() {
    let (client, name) = (client(), name("unfit"));
    create(&client, &name, ec(CurveName::P256)).await;
    let bad = refused(400, "BadParameter", None);
    assert_eq!(refusal(sign(&client, &name, SignatureAlgorithm::Rs256, digest("256", b"")).await), bad);
    assert_eq!(refusal(sign(&client, &name, SignatureAlgorithm::Es256, b"short".to_vec()).await), bad);
    let unknown = SignatureAlgorithm::UnknownValue("ES256X".to_owned());
    assert_eq!(refusal(sign(&client, &name, unknown, digest("256", b"")).await), bad);
    let ask = GetRandomBytesParameters { count: Some(129) };
    assert_eq!(refusal(client.get_random_bytes(body(ask), None).await), bad);
    let made = client.create_key(&name, body(rsa(1024)), None).await;
    assert_eq!(refusal(made), bad);
}
