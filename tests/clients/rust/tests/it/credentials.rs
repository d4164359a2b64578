//! The credentials of `azure_identity` that a server outside Azure can serve.

use crate::support::{
    client_at, client_of, create, credential, ec, env, name, named_url, refusal, refused, secret, stranger,
};
use azure_core::error::ErrorKind;
use azure_identity::{ManagedIdentityCredential, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions};
use azure_security_keyvault_keys::models::CurveName;

const SOME_TENANT: &str = "7d3a0c52-5b1e-4a7c-9f7e-2b1d5f0c9a34";

/// An error and what caused it, in words.
fn causes(error: &azure_core::Error) -> String {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |e| e.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_client_secret_with_the_tenant_of_the_challenge_needs_no_option() {
    let key = create(&client_of(credential()), &name("secret"), ec(CurveName::P256)).await;
    assert!(key.key.unwrap().kid.unwrap().starts_with(&named_url()));
}

#[tokio::test]
async fn a_client_secret_with_any_guid_as_tenant_works() {
    let credential = secret(SOME_TENANT, env("AZURE_CLIENT_ID"), env("AZURE_CLIENT_SECRET"));
    create(&client_of(credential), &name("guid"), ec(CurveName::P256)).await;
}

#[tokio::test]
async fn a_bare_localhost_needs_only_the_switch_of_the_challenge() {
    let url = env("KEYSTEAD_VAULT_URL");
    create(&client_at(&url, credential(), Some(false)), &name("bare"), ec(CurveName::P256)).await;
    let error = client_at(&url, credential(), Some(true)).get_key("any", None).await.expect_err("no parent domain");
    assert!(causes(&error).contains("challenge resource"), "{error:?}");
}

#[tokio::test]
async fn managed_identity_works_through_the_app_service_endpoint() {
    let credential = ManagedIdentityCredential::new(None).expect("IDENTITY_ENDPOINT and IDENTITY_HEADER are set");
    create(&client_of(credential), &name("identity"), ec(CurveName::P256)).await;
}

#[tokio::test]
async fn a_wrong_secret_gets_no_token() {
    let credential = secret("adfs", env("AZURE_CLIENT_ID"), "wrong".to_owned());
    let error = client_of(credential).get_key("any", None).await.expect_err("no token");
    assert!(matches!(error.kind(), ErrorKind::Credential), "{error:?}");
    assert!(causes(&error).contains("AADSTS7000215"), "{error:?}");
}

#[tokio::test]
async fn a_workload_whose_token_no_issuer_vouches_for_gets_none() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "eyJhbGciOiJub25lIn0.e30.").expect("a token that proves nothing");
    let options = WorkloadIdentityCredentialOptions {
        client_id: Some(env("AZURE_CLIENT_ID")),
        tenant_id: Some("adfs".to_owned()),
        token_file_path: Some(file.path().to_owned()),
        ..Default::default()
    };
    let credential = WorkloadIdentityCredential::new(Some(options)).expect("a credential");
    let error = client_of(credential).get_key("any", None).await.expect_err("no token");
    assert!(matches!(error.kind(), ErrorKind::Credential), "{error:?}");
}

#[tokio::test]
async fn a_known_client_without_a_role_is_forbidden() {
    let client = client_of(stranger());
    let denied = refused(403, "Forbidden", Some("ForbiddenByRbac"));
    assert_eq!(refusal(client.get_key("any", None).await), denied);
    let made = client.create_key(&name("denied"), ec(CurveName::P256).try_into().unwrap(), None).await;
    assert_eq!(refusal(made), denied);
}
