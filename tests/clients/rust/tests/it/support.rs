//! Clients of the dev vault, and the few words that most tests say.

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorResponse;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{ClientOptions, Context, Request, RequestContent, StatusCode};
use azure_identity::ClientSecretCredential;
use azure_security_keyvault_keys::models::{CreateKeyParameters, CurveName, Key, KeyOperation, KeyType};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions, ResourceExt};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A variable that `keystead dev` says its clients need.
#[expect(clippy::disallowed_methods, reason = "the environment is what the server gave its clients")]
pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this through tests/run/rust-sdk"))
}

/// The vault under a name that has a parent domain, so that the challenge's resource is checked.
pub fn named_url() -> String {
    env("KEYSTEAD_VAULT_URL").replace("//localhost:", "//dev.localhost:")
}

/// A key name of this test's own.
pub fn name(of: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("rust-{of}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The client that `keystead dev` made: it may do everything with keys.
pub fn credential() -> Arc<dyn TokenCredential> {
    secret(&env("AZURE_TENANT_ID"), env("AZURE_CLIENT_ID"), env("AZURE_CLIENT_SECRET"))
}

/// The authority comes from AZURE_AUTHORITY_HOST, as every credential of the SDK takes it.
pub fn secret(tenant: &str, client: String, secret: String) -> Arc<dyn TokenCredential> {
    ClientSecretCredential::new(tenant, client, secret.into(), None).expect("a credential")
}

/// A client that is known and may do nothing.
pub fn stranger() -> Arc<dyn TokenCredential> {
    let words = ["client", "create", "stranger", "--secret"];
    let made = Command::new(env("KEYSTEAD")).args(words).output().expect("the command line of keystead");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let said = String::from_utf8(made.stdout).expect("text");
    let of = |name: &str| said.lines().find_map(|l| l.strip_prefix(name)).expect("its id and secret").to_owned();
    secret(&env("AZURE_TENANT_ID"), of("AZURE_CLIENT_ID="), of("AZURE_CLIENT_SECRET="))
}

/// The client of the SDK with no option but a listener.
pub fn client_of(credential: Arc<dyn TokenCredential>) -> KeyClient {
    client_at(&named_url(), credential, Some(true))
}

pub fn client() -> KeyClient {
    client_of(credential())
}

pub fn client_at(url: &str, credential: Arc<dyn TokenCredential>, verify: Option<bool>) -> KeyClient {
    let client_options = ClientOptions { per_call_policies: vec![Arc::new(Receipts)], ..ClientOptions::default() };
    let options = KeyClientOptions { client_options, verify_challenge_resource: verify, ..Default::default() };
    KeyClient::new(url, credential, Some(options)).expect("a client")
}

/// Hears each answer after challenge and retries: whatever was decided has a receipt. What was no command has none.
#[derive(Debug)]
struct Receipts;

#[async_trait]
impl Policy for Receipts {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let answer = next[0].send(context, request, &next[1..]).await?;
        let receipt = answer.headers().get_optional_str(&"x-keystead-receipt".into()).unwrap_or_default();
        let parts: Vec<&str> = receipt.split('.').collect();
        let unparsed = receipt.is_empty() && answer.status() == StatusCode::BadRequest;
        assert!(
            unparsed
                || matches!(parts[..], ["1", log, index, leaf]
                if log.len() == 32 && index.parse::<u64>().is_ok() && leaf.len() == 43),
            "{} for {} {}: receipt {receipt:?}",
            answer.status(),
            request.method(),
            request.url()
        );
        Ok(answer)
    }
}

/// A body as the SDK takes it.
pub fn body<T>(parameters: T) -> RequestContent<T>
where
    T: TryInto<RequestContent<T>, Error = azure_core::Error>,
{
    parameters.try_into().expect("parameters that can be written")
}

pub fn ec(curve: CurveName) -> CreateKeyParameters {
    CreateKeyParameters { kty: Some(KeyType::Ec), curve: Some(curve), ..Default::default() }
}

pub fn rsa(bits: i32) -> CreateKeyParameters {
    CreateKeyParameters { kty: Some(KeyType::Rsa), key_size: Some(bits), ..Default::default() }
}

/// A symmetric key for the operations named: its default has none that sign.
pub fn oct(bits: i32, operations: &[KeyOperation]) -> CreateKeyParameters {
    let key_ops = Some(operations.to_vec());
    CreateKeyParameters { kty: Some(KeyType::Oct), key_size: Some(bits), key_ops, ..Default::default() }
}

pub async fn create(client: &KeyClient, name: &str, parameters: CreateKeyParameters) -> Key {
    client.create_key(name, body(parameters), None).await.expect("created").into_model().expect("a key")
}

pub fn version(of: &impl ResourceExt) -> String {
    of.resource_id().expect("an id").version.expect("a version")
}

/// (status, code, inner code) of an error, as a program finds them.
pub fn refusal<T>(answer: azure_core::Result<T>) -> (u16, String, Option<String>) {
    let Err(error) = answer else { panic!("this must be refused") };
    let status = error.http_status().map_or(0, u16::from);
    let azure_core::error::ErrorKind::HttpResponse { error_code, .. } = error.kind() else { panic!("{error:?}") };
    let code = error_code.clone().expect("a code");
    let told = ErrorResponse::try_from(error).expect("the service's own words").error.expect("an error");
    assert!(told.message.is_some_and(|m| !m.is_empty()), "a person reads the message");
    (status, code, told.inner_error.and_then(|inner| inner.code))
}

/// What `refusal` gives, written shortly.
pub fn refused(status: u16, code: &str, inner: Option<&str>) -> (u16, String, Option<String>) {
    (status, code.to_owned(), inner.map(str::to_owned))
}
