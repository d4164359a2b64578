//! Calls about keys. Each is one request; `api-version` is [`API_VERSION`](crate::API_VERSION).

use bytes::Bytes;
use hyper::Method;
use keystead_model::{CipherAlgorithm, KeyRef, Name, SignAlgorithm};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::client::Body;
use crate::operation::{CipherRequest, OperationResult, SignRequest};
use crate::reply::json;
use crate::{
    API_VERSION, Ciphertext, Client, ClientError, CreateKey, DeletedKeyBundle, DeletedKeyItem, Done, KeyBundle,
    KeyItem, NextLink, Page, Plaintext, Sealed, Signature, UpdateKey, base64url,
};

pub(crate) type Answer<T> = Result<Done<T>, ClientError>;

impl Client {
    /// Makes a key, or a new version of one.
    pub async fn create_key(&self, name: &Name, create: &CreateKey) -> Answer<KeyBundle> {
        self.send_json(Method::POST, &format!("/keys/{name}/create"), create).await
    }

    /// Reads a version, or the newest.
    pub async fn get_key(&self, key: &KeyRef) -> Answer<KeyBundle> {
        json(self.call_keys(Method::GET, &at(key, "")).await?)
    }

    /// Lists keys; the next page if a link is given.
    pub async fn list_keys(&self, next: Option<&NextLink>) -> Answer<Page<KeyItem>> {
        self.list("/keys", next).await
    }

    /// Lists a key's versions; the next page if a link is given.
    pub async fn list_key_versions(&self, name: &Name, next: Option<&NextLink>) -> Answer<Page<KeyItem>> {
        self.list(&format!("/keys/{name}/versions"), next).await
    }

    /// Changes a version, or the newest.
    pub async fn update_key(&self, key: &KeyRef, update: &UpdateKey) -> Answer<KeyBundle> {
        self.send_json(Method::PATCH, &at(key, ""), update).await
    }

    /// Deletes a key with all its versions; it can be recovered until it is purged.
    pub async fn delete_key(&self, name: &Name) -> Answer<DeletedKeyBundle> {
        json(self.call_keys(Method::DELETE, &format!("/keys/{name}")).await?)
    }

    /// Lists deleted keys; the next page if a link is given.
    pub async fn list_deleted_keys(&self, next: Option<&NextLink>) -> Answer<Page<DeletedKeyItem>> {
        self.list("/deletedkeys", next).await
    }

    /// Reads a deleted key.
    pub async fn get_deleted_key(&self, name: &Name) -> Answer<DeletedKeyBundle> {
        json(self.call_keys(Method::GET, &format!("/deletedkeys/{name}")).await?)
    }

    /// Undoes a deletion.
    pub async fn recover_key(&self, name: &Name) -> Answer<KeyBundle> {
        json(self.call_keys(Method::POST, &format!("/deletedkeys/{name}/recover")).await?)
    }

    /// Removes a deleted key for good.
    pub async fn purge_key(&self, name: &Name) -> Answer<()> {
        Ok(self.call_keys(Method::DELETE, &format!("/deletedkeys/{name}")).await?.map(|_| ()))
    }

    /// Signs a digest.
    pub async fn sign(&self, key: &KeyRef, alg: SignAlgorithm, digest: &[u8]) -> Answer<Signature> {
        let done = self.operate(key, "sign", &SignRequest::new(alg, digest)).await?;
        Ok(done.map(|mut r| Signature { kid: r.kid, value: std::mem::take(&mut r.value) }))
    }

    /// Encrypts. AES-CBC takes an `iv`; AES-GCM takes none, and authenticates `aad`.
    pub async fn encrypt(&self, key: &KeyRef, alg: CipherAlgorithm, input: &Sealed<'_>) -> Answer<Ciphertext> {
        self.seal(key, "encrypt", alg, input).await
    }

    /// Decrypts.
    pub async fn decrypt(&self, key: &KeyRef, alg: CipherAlgorithm, input: &Sealed<'_>) -> Answer<Plaintext> {
        self.open(key, "decrypt", alg, input).await
    }

    /// Wraps another key.
    pub async fn wrap(&self, key: &KeyRef, alg: CipherAlgorithm, plain: &[u8]) -> Answer<Ciphertext> {
        self.seal(key, "wrapkey", alg, &Sealed { value: plain, ..Sealed::default() }).await
    }

    /// Unwraps another key.
    pub async fn unwrap(&self, key: &KeyRef, alg: CipherAlgorithm, input: &Sealed<'_>) -> Answer<Plaintext> {
        self.open(key, "unwrapkey", alg, input).await
    }

    async fn seal(&self, key: &KeyRef, verb: &str, alg: CipherAlgorithm, input: &Sealed<'_>) -> Answer<Ciphertext> {
        let text = Zeroizing::new(base64url::encode(input.value));
        let done = self.operate(key, verb, &CipherRequest::new(alg, &text, input)).await?;
        Ok(done.map(|mut r| Ciphertext { kid: r.kid, value: std::mem::take(&mut r.value), iv: r.iv, tag: r.tag }))
    }

    async fn open(&self, key: &KeyRef, verb: &str, alg: CipherAlgorithm, input: &Sealed<'_>) -> Answer<Plaintext> {
        let text = Zeroizing::new(base64url::encode(input.value));
        let done = self.operate(key, verb, &CipherRequest::new(alg, &text, input)).await?;
        Ok(done.map(|r| Plaintext { kid: r.kid, value: r.value }))
    }

    async fn operate(&self, key: &KeyRef, verb: &str, request: &impl Serialize) -> Answer<OperationResult> {
        self.send_json(Method::POST, &at(key, &format!("/{verb}")), request).await
    }

    async fn list<T: DeserializeOwned>(&self, path: &str, next: Option<&NextLink>) -> Answer<Page<T>> {
        match next {
            None => json(self.call_keys(Method::GET, path).await?),
            Some(link) => json(self.call(Method::GET, &self.own_path(link)?, Body::none()).await?),
        }
    }

    pub(crate) async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Answer<T> {
        json(self.call(method, &versioned(path), Body::json(body)?).await?)
    }

    pub(crate) async fn call_keys(&self, method: Method, path: &str) -> Answer<Bytes> {
        self.call(method, &versioned(path), Body::none()).await
    }
}

fn versioned(path: &str) -> String {
    format!("{path}?api-version={API_VERSION}")
}

/// `/keys/{name}/{version}{after}`; the newest version is written as an empty segment.
fn at(key: &KeyRef, after: &str) -> String {
    let version = key.version.map(|version| version.to_string()).unwrap_or_default();
    format!("/keys/{}/{version}{after}", key.name)
}
