//! Calls of a vault's administrators: who is believed, and since when. Secret values come back in answers once.

use hyper::Method;
use serde_json::Value;

use crate::client::Body;
use crate::form::escaped as encode;
use crate::reply::json;
use crate::{Client, ClientError, Done};

type Answer<T> = Result<Done<T>, ClientError>;

const POLICY: &str = "/keystead/v1/policy";

/// A part of a policy that can be read alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyPart {
    /// All of it.
    Whole,
    /// Issuers whose tokens are believed.
    Issuers,
    /// Built-in clients.
    Clients,
    /// Certificates that vouch for clients.
    Certificates,
}

impl PolicyPart {
    const fn path(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Issuers => "/issuers",
            Self::Clients => "/clients",
            Self::Certificates => "/certificates",
        }
    }
}

impl Client {
    /// Reads a part of the policy.
    pub async fn policy(&self, part: PolicyPart) -> Answer<Value> {
        json(self.call(Method::GET, &format!("{POLICY}{}", part.path()), Body::none()).await?)
    }

    /// Believes an issuer's tokens.
    pub async fn add_issuer(&self, issuer: &Value) -> Answer<Value> {
        self.post("/issuers", issuer).await
    }

    /// Believes them no more.
    pub async fn remove_issuer(&self, iss: &str) -> Answer<()> {
        self.delete(&format!("/issuers?iss={}", encode(iss))).await
    }

    /// Creates a built-in client.
    pub async fn create_client(&self, client: &Value) -> Answer<Value> {
        self.post("/clients", client).await
    }

    /// Removes one; its tokens are refused from then on.
    pub async fn remove_client(&self, id: &str) -> Answer<()> {
        self.delete(&format!("/clients/{}", encode(id))).await
    }

    /// Gives a built-in client another credential.
    pub async fn add_credential(&self, client: &str, credential: &Value) -> Answer<Value> {
        self.post(&format!("/clients/{}/credentials", encode(client)), credential).await
    }

    /// Takes one away; the client's tokens are refused from then on.
    pub async fn remove_credential(&self, client: &str, credential: &str) -> Answer<()> {
        self.delete(&format!("/clients/{}/credentials/{}", encode(client), encode(credential))).await
    }

    /// Believes the client certificates that somebody vouches for.
    pub async fn add_certificate(&self, certificate: &Value) -> Answer<Value> {
        self.post("/certificates", certificate).await
    }

    /// Believes them no more.
    pub async fn remove_certificate(&self, thumbprint: &str) -> Answer<()> {
        self.delete(&format!("/certificates/{}", encode(thumbprint))).await
    }

    /// Refuses tokens that were issued before a time.
    pub async fn revoke_tokens(&self, revocation: &Value) -> Answer<Value> {
        self.post("/not-before", revocation).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer<Value> {
        json(self.call(Method::POST, &format!("{POLICY}{path}"), Body::json(body)?).await?)
    }

    async fn delete(&self, path: &str) -> Answer<()> {
        Ok(self.call(Method::DELETE, &format!("{POLICY}{path}"), Body::none()).await?.map(drop))
    }
}
