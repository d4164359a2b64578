//! Calls of the operator, over the unix socket: who may open the socket needs no token.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use keystead_model::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::{Body, exchange, within};
use crate::pool::Pool;
use crate::reply::{accept, json};
use crate::transport::Place;
use crate::{ClientError, Done, Proposing};

const VAULTS: &str = "/keystead/v1/operator/vaults";

/// Bytes of an answer's body.
const MAX_ANSWER: usize = 16 << 20;

/// A vault as the operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaultInfo {
    /// Unique in the instance.
    pub name: String,
    /// `inactive`, `sealed`, `open` or `deleted`.
    pub status: String,
    /// `vault` or `hsm`.
    #[serde(default)]
    pub kind: String,
    /// What holds its domain key: `file`.
    #[serde(default)]
    pub custody: String,
    /// The hosts it answers to.
    #[serde(default)]
    pub authorities: Vec<String>,
    /// Whatever else the server tells.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[derive(Deserialize)]
pub(crate) struct Vaults {
    #[serde(alias = "value")]
    vaults: Vec<VaultInfo>,
}

/// An unseal path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathInfo {
    /// Its name.
    pub name: String,
    /// `file`, `credential` or `hsm`.
    pub kind: String,
    /// Whether the server is configured with it.
    pub configured: bool,
    /// Whether the vault is behind it.
    pub of_vault: bool,
    /// When it was added, ms since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<i64>,
}

#[derive(Deserialize)]
pub(crate) struct Paths {
    paths: Vec<PathInfo>,
}

/// What came of a path that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether it opened.
    pub ok: bool,
    /// What it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What came of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedInfo {
    /// The vault's id.
    pub vault: String,
    /// Keys that went, live and deleted ones.
    pub keys: u64,
    /// What older copies of the store are worth, by path.
    pub copies: Vec<CopyInfo>,
    /// Its custodians, who open older copies as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custodians: Option<Value>,
    /// What could not be destroyed.
    pub left: Vec<String>,
    /// The proposal that was approved, with its votes: the server has it no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Value>,
}

/// An older copy of the store, behind one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyInfo {
    /// The path's name.
    pub path: String,
    /// `file`, `credential` or `hsm`.
    pub kind: String,
    /// Whether it opened what the vault had; none if nobody could try.
    pub opens: Option<bool>,
}

/// What a vault that waits says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferInfo {
    /// The file.
    pub offer: String,
    /// The words of the node that signed it.
    pub node_words: String,
}

/// What custodians are asked, and who has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedInfo {
    /// One line.
    pub challenge: String,
    /// The words of the node that asks.
    pub node_words: String,
    /// Until when, ms since the epoch.
    pub expires: i64,
    /// How many shares are needed.
    pub required: u8,
    /// How many custodians there are.
    pub custodians: u8,
    /// Whose shares are there.
    pub given: Vec<u8>,
    /// How many are lacking.
    pub missing: u8,
    /// The security domain whose custodians are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// What the store says of the sealed vault, unproven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_says: Option<Value>,
}

/// What came of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredInfo {
    /// The vault's state after them.
    pub status: String,
    /// Of each.
    pub answers: Vec<AnswerInfo>,
    /// Who is asked on, unless the vault is open.
    #[serde(default)]
    pub asked: Option<AskedInfo>,
}

/// What came of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerInfo {
    /// The number of the share that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u8>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Whether nothing is bad.
    pub ok: bool,
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// Of which vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `ok`, `warning` or `bad`.
    pub verdict: String,
    /// In words.
    pub says: String,
}

/// A client of the operator's socket. Clones share connections.
#[derive(Clone)]
pub struct OperatorClient {
    pool: Arc<Pool>,
    deadline: Duration,
}

impl OperatorClient {
    /// Connects with the first call.
    pub fn new(socket: &Path, deadline: Duration) -> Self {
        Self { pool: Arc::new(Pool::new(Place::Unix(socket.to_owned()), MAX_ANSWER)), deadline }
    }

    /// All vaults.
    pub async fn vaults(&self) -> Result<Done<Vec<VaultInfo>>, ClientError> {
        Ok(json::<Vaults>(self.call(Method::GET, VAULTS, Body::none()).await?)?.map(|answer| answer.vaults))
    }

    /// One vault.
    pub async fn vault(&self, name: &Name) -> Result<Done<VaultInfo>, ClientError> {
        json(self.call(Method::GET, &format!("{VAULTS}/{name}"), Body::none()).await?)
    }

    /// Creates a vault; the body is the API's.
    pub async fn create_vault(&self, vault: &impl Serialize) -> Result<Done<VaultInfo>, ClientError> {
        json(self.call(Method::POST, VAULTS, Body::json(vault)?).await?)
    }

    /// Gives an inactive vault its HSM and its first policy; the body is the API's.
    pub async fn activate_vault(&self, name: &Name, body: &impl Serialize) -> Result<Done<VaultInfo>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/activate"), Body::json(body)?).await?)
    }

    /// Gives a token the wrapping key of a vault.
    pub async fn enrol_token(&self, name: &Name, token: &str) -> Result<Done<VaultInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "token": token }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/tokens"), body).await?)
    }

    /// What the custodians of an open vault are asked before a token gets its wrapping key.
    pub async fn ask_enrolment(&self, name: &Name, token: &str, again: bool) -> Result<Done<AskedInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "token": token, "again": again }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/tokens/challenge"), body).await?)
    }

    /// Brings custodians' answers to that.
    pub async fn answer_enrolment(&self, name: &Name, answers: &[String]) -> Result<Done<AnsweredInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "answers": answers }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/tokens/answers"), body).await?)
    }

    /// Seals a vault: it answers nothing until it is unsealed, over restarts too.
    pub async fn seal_vault(&self, name: &Name) -> Result<Done<()>, ClientError> {
        Ok(self.call(Method::POST, &format!("{VAULTS}/{name}/seal"), Body::none()).await?.map(|_| ()))
    }

    /// Unseals a vault.
    pub async fn unseal_vault(&self, name: &Name) -> Result<Done<()>, ClientError> {
        Ok(self.call(Method::POST, &format!("{VAULTS}/{name}/unseal"), Body::none()).await?.map(|_| ()))
    }

    /// Destroys a vault with all of its keys, or proposes that to its approvers.
    pub async fn erase_vault(
        &self,
        name: &Name,
        proposing: Option<Proposing>,
    ) -> Result<Done<ErasedInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "confirm": name.as_str() }))?;
        let body = match proposing {
            Some(proposing) => body.proposing(proposing),
            None => body,
        };
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/erase"), body).await?)
    }

    /// Makes the next generation of a vault's root; rows are resealed in the background.
    pub async fn rotate_root(&self, name: &Name, after_purge: bool) -> Result<Done<VaultInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "after_purge": after_purge }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/root/rotate"), body).await?)
    }

    /// The unseal paths of a vault, and those it could have.
    pub async fn paths(&self, name: &Name) -> Result<Done<Vec<PathInfo>>, ClientError> {
        self.path_list(Method::GET, &format!("{VAULTS}/{name}/paths"), Body::none()).await
    }

    /// Wraps a vault's root by another path.
    pub async fn add_path(&self, name: &Name, path: &Name) -> Result<Done<Vec<PathInfo>>, ClientError> {
        let body = Body::json(&serde_json::json!({ "path": path.as_str() }))?;
        self.path_list(Method::POST, &format!("{VAULTS}/{name}/paths"), body).await
    }

    /// Proposes that to the vault's approvers, and comes back with [`ClientError::Proposed`].
    pub async fn propose_path_addition(
        &self,
        name: &Name,
        path: &Name,
        proposing: Proposing,
    ) -> Result<Done<Vec<PathInfo>>, ClientError> {
        let body = Body::json(&serde_json::json!({ "path": path.as_str() }))?.proposing(proposing);
        self.path_list(Method::POST, &format!("{VAULTS}/{name}/paths"), body).await
    }

    /// Destroys a path's wraps of a vault.
    pub async fn remove_path(&self, name: &Name, path: &Name) -> Result<Done<Vec<PathInfo>>, ClientError> {
        self.path_list(Method::DELETE, &format!("{VAULTS}/{name}/paths/{path}"), Body::none()).await
    }

    /// Proposes that to the vault's approvers, and comes back with [`ClientError::Proposed`].
    pub async fn propose_path_removal(
        &self,
        name: &Name,
        path: &Name,
        proposing: Proposing,
    ) -> Result<Done<Vec<PathInfo>>, ClientError> {
        let body = Body::none().proposing(proposing);
        self.path_list(Method::DELETE, &format!("{VAULTS}/{name}/paths/{path}"), body).await
    }

    /// Opens every wrap of a path and holds it against the open vault.
    pub async fn prove_path(&self, name: &Name, path: &Name) -> Result<Done<PathReport>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/paths/{path}/prove"), Body::none()).await?)
    }

    /// Tries a path as an unseal would use it.
    pub async fn test_path(&self, name: &Name, path: &Name) -> Result<Done<PathReport>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/paths/{path}/test"), Body::none()).await?)
    }

    /// Has everything tried that the instance needs.
    pub async fn doctor(&self) -> Result<Done<Findings>, ClientError> {
        json(self.call(Method::GET, "/keystead/v1/operator/doctor", Body::none()).await?)
    }

    /// What a vault that waits says of itself, for `keystead domain new`.
    pub async fn transfer_offer(&self, name: &Name, replace: bool) -> Result<Done<OfferInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "replace": replace }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/domain/offer"), body).await?)
    }

    /// Gives an inactive vault the domain of its custodians; the body is the API's.
    pub async fn activate_domain(&self, name: &Name, body: &impl Serialize) -> Result<Done<VaultInfo>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/domain/activate"), Body::json(body)?).await?)
    }

    /// Stores custodians' confirmations of a vault's activation record.
    pub async fn confirm_domain(&self, name: &Name, files: &[String]) -> Result<Done<VaultInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "confirmations": files }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/domain/confirmations"), body).await?)
    }

    /// What the custodians of a sealed vault are asked.
    pub async fn ask_quorum(&self, name: &Name) -> Result<Done<AskedInfo>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/unseal/challenge"), Body::none()).await?)
    }

    /// What the custodians of an open vault are asked before others replace them; the body is the API's.
    pub async fn ask_replacement(&self, name: &Name, body: &impl Serialize) -> Result<Done<AskedInfo>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/custodians/challenge"), Body::json(body)?).await?)
    }

    /// Brings custodians' answers to that.
    pub async fn answer_replacement(&self, name: &Name, answers: &[String]) -> Result<Done<AnsweredInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "answers": answers }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/custodians/answers"), body).await?)
    }

    /// What the custodians of an open vault are asked before somebody administers it; the body is the API's.
    pub async fn ask_appointment(&self, name: &Name, body: &impl Serialize) -> Result<Done<AskedInfo>, ClientError> {
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/administrator/challenge"), Body::json(body)?).await?)
    }

    /// Brings custodians' answers to that.
    pub async fn answer_appointment(&self, name: &Name, answers: &[String]) -> Result<Done<AnsweredInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "answers": answers }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/administrator/answers"), body).await?)
    }

    /// Brings custodians' answers.
    pub async fn answer_quorum(&self, name: &Name, answers: &[String]) -> Result<Done<AnsweredInfo>, ClientError> {
        let body = Body::json(&serde_json::json!({ "answers": answers }))?;
        json(self.call(Method::POST, &format!("{VAULTS}/{name}/unseal/answers"), body).await?)
    }

    async fn path_list(&self, method: Method, path: &str, body: Body) -> Result<Done<Vec<PathInfo>>, ClientError> {
        Ok(json::<Paths>(self.call(method, path, body).await?)?.map(|answer| answer.paths))
    }

    /// How the instance is.
    pub async fn health(&self) -> Result<Done<Value>, ClientError> {
        json(self.call(Method::GET, "/keystead/v1/operator/health", Body::none()).await?)
    }

    async fn call(&self, method: Method, path: &str, body: Body) -> Result<Done<Bytes>, ClientError> {
        within(self.deadline, exchange(&self.pool, &method, path, &body, None)).await.and_then(accept)
    }
}
