//! Keys that were born elsewhere.

use crate::openssl::{decrypt_cbc, digest, hmac, new_ec, new_rsa, verifies_ecdsa, verifies_rsa};
use crate::support::{body, client, name, refusal, refused};
use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_keys::models::{
    EncryptionAlgorithm, ImportKeyParameters, JsonWebKey, Key, KeyOperationParameters, KeyType, SignParameters,
    SignatureAlgorithm,
};

fn parameters(key: &JsonWebKey) -> ImportKeyParameters {
    ImportKeyParameters { key: Some(key.clone()), hsm: Some(false), ..Default::default() }
}

async fn import(client: &KeyClient, name: &str, key: &JsonWebKey) -> Key {
    client.import_key(name, body(parameters(key)), None).await.expect("imported").into_model().expect("a key")
}

async fn sign(client: &KeyClient, name: &str, algorithm: SignatureAlgorithm, digest: &[u8]) -> Vec<u8> {
    let ask = SignParameters { algorithm: Some(algorithm), value: Some(digest.to_vec()) };
    client.sign(name, body(ask), None).await.expect("signed").into_model().expect("a result").result.expect("a value")
}

#[tokio::test]
async fn an_imported_key_signs_as_the_key_it_is() {
    let (client, digest) = (client(), digest("256", b"imported"));
    let (ec, rsa) = (new_ec(), new_rsa());
    let name = name("import");
    let shown = import(&client, &name, &ec).await.key.unwrap();
    assert_eq!((&shown.x, &shown.y, shown.d), (&ec.x, &ec.y, None));
    assert!(verifies_ecdsa(&ec, &digest, &sign(&client, &name, SignatureAlgorithm::Es256, &digest).await));
    // Another kind under the same name: a new version.
    let shown = import(&client, &name, &rsa).await.key.unwrap();
    assert_eq!((shown.kty, shown.d, shown.p), (Some(KeyType::Rsa), None, None));
    let signature = sign(&client, &name, SignatureAlgorithm::Ps256, &digest).await;
    assert!(verifies_rsa(&rsa, "256", true, &digest, &signature));
}

#[tokio::test]
async fn an_imported_symmetric_key_encrypts_and_signs_as_the_key_it_is() {
    let (client, name, secret) = (client(), name("import-oct"), [7_u8; 32]);
    let key_ops = Some(["encrypt", "sign"].map(str::to_owned).to_vec());
    let key = JsonWebKey { kty: Some(KeyType::Oct), k: Some(secret.to_vec()), key_ops, ..Default::default() };
    assert_eq!(import(&client, &name, &key).await.key.unwrap().k, None);
    let ask = KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::A256Cbcpad),
        iv: Some(vec![9; 16]),
        value: Some(b"any length".to_vec()),
        ..Default::default()
    };
    let made = client.encrypt(&name, body(ask), None).await.unwrap().into_model().unwrap();
    assert_eq!(decrypt_cbc(&secret, &[9; 16], &made.result.unwrap()).unwrap(), b"any length");
    let digest = digest("256", b"imported");
    let signature = sign(&client, &name, SignatureAlgorithm::Hs256, &digest).await;
    assert_eq!(signature, hmac("256", &secret, &digest));
}

#[tokio::test]
async fn what_is_not_one_sound_key_is_refused() {
    let (client, name) = (client(), name("unsound"));
    let (mut bad, other) = (new_ec(), new_ec());
    bad.d = other.d;
    let made = client.import_key(&name, body(parameters(&bad)), None).await;
    assert_eq!(refusal(made), refused(400, "BadParameter", None));
    let hardware = ImportKeyParameters { hsm: Some(true), ..parameters(&new_ec()) };
    assert_eq!(refusal(client.import_key(&name, body(hardware), None).await).0, 400, "no HSM here");
    assert_eq!(refusal(client.get_key(&name, None).await), refused(404, "KeyNotFound", None));
}
