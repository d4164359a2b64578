//! Calls about what was proposed to a vault's approvers.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::Body;
use crate::reply::json as answer;
use crate::{Client, ClientError, Done, base64url};

type Answer<T> = Result<Done<T>, ClientError>;

const APPROVALS: &str = "/keystead/v1/approvals";

impl Client {
    /// All proposals that are kept, the newest first: `value`.
    pub async fn proposals(&self) -> Answer<Value> {
        answer(self.call(Method::GET, APPROVALS, Body::none()).await?)
    }

    /// A proposal with its votes.
    pub async fn proposal(&self, id: &str) -> Answer<Value> {
        answer(self.call(Method::GET, &format!("{APPROVALS}/{}", checked(id)?), Body::none()).await?)
    }

    /// Brings an approver's signature: `approve` or `reject`, with his public key in PEM.
    pub async fn vote(&self, id: &str, verdict: &str, key_pem: &str, signature: &[u8]) -> Answer<Value> {
        let body = json!({ "verdict": verdict, "key": key_pem, "signature": base64url::encode(signature) });
        answer(self.call(Method::POST, &format!("{APPROVALS}/{}/votes", checked(id)?), Body::json(&body)?).await?)
    }

    /// Says who approves, and what needs approvals: all that is to stand.
    pub async fn set_approvals(&self, approvals: &Value) -> Answer<Value> {
        answer(self.call(Method::PUT, "/keystead/v1/policy/approvals", Body::json(approvals)?).await?)
    }
}

fn checked(id: &str) -> Result<&str, ClientError> {
    let good = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if good { Ok(id) } else { Err(ClientError::BadArgument("a proposal's id has 32 hexadecimal digits")) }
}
