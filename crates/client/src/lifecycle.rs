//! Calls about where keys come from, where they go and how they are renewed: import, backup and restore, rotation; and
//! random bytes.

use hyper::Method;
use keystead_model::{Curve, IsoDuration, Name};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keys::Answer;
use crate::reply::json;
use crate::{Client, KeyBundle, SetAttributes, base64url};

/// A private key as a JWK (RFC 7517). No Debug.
#[derive(Serialize)]
#[serde(transparent)]
pub struct PrivateJwk(serde_json::Map<String, serde_json::Value>);

impl PrivateJwk {
    /// From JSON; none if it is not an object.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }

    /// A symmetric key of these bytes.
    pub fn symmetric(key: &[u8]) -> Self {
        Self::of(vec![("kty", "oct".to_owned()), ("k", base64url::encode(key))])
    }

    /// A key of this kind (`EC-HSM`, `RSA-HSM`, ...) that a transfer blob (`.byok`) holds; of an EC key the curve is
    /// said.
    pub fn transfer_blob(kty: &str, curve: Option<Curve>, file: &[u8]) -> Self {
        let mut members = vec![("kty", kty.to_owned()), ("key_hsm", base64url::encode(file))];
        members.extend(curve.map(|curve| ("crv", curve.wire().to_owned())));
        Self::of(members)
    }

    fn of(members: Vec<(&str, String)>) -> Self {
        Self(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

/// A key to be imported. No Debug.
#[derive(Serialize)]
pub struct ImportKey {
    /// The key.
    pub key: PrivateJwk,
    /// Whether it goes into the vault's HSM, if its kind does not say so.
    #[serde(rename = "Hsm", skip_serializing_if = "Option::is_none")]
    pub hsm: Option<bool>,
    /// Attributes; none for the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<SetAttributes>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<std::collections::BTreeMap<String, String>>,
}

/// What is done with a key by itself. Durations are ISO 8601.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationPolicy {
    /// URL; only in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is done when.
    #[serde(default)]
    pub lifetime_actions: Vec<LifetimeAction>,
    /// How long versions last, and the policy's times.
    #[serde(default)]
    pub attributes: PolicyAttributes,
}

/// One action of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAction {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub action: ActionType,
}

/// When an action is done: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// So long after the newest version was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_after_create: Option<String>,
    /// So long before it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_before_expiry: Option<String>,
}

/// What an action is: `Rotate` or `Notify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionType {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
}

/// How long versions last, and the policy's times in seconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAttributes {
    /// New versions expire so long after they are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<String>,
    /// First stored; only in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Last stored; only in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
}

impl RotationPolicy {
    /// The same with one more action.
    #[must_use]
    pub fn with(mut self, kind: &str, trigger: Trigger) -> Self {
        self.lifetime_actions.push(LifetimeAction { trigger, action: ActionType { kind: kind.to_owned() } });
        self
    }
}

impl Trigger {
    /// So long after the newest version was made.
    pub fn after_create(after: &IsoDuration) -> Self {
        Self { time_after_create: Some(after.to_string()), ..Self::default() }
    }

    /// So long before the newest version expires.
    pub fn before_expiry(before: &IsoDuration) -> Self {
        Self { time_before_expiry: Some(before.to_string()), ..Self::default() }
    }
}

/// What is sent.
#[derive(Serialize)]
struct Value {
    value: String,
}

/// What comes back.
#[derive(Deserialize)]
struct Given {
    #[serde(deserialize_with = "base64url::read")]
    value: Zeroizing<Vec<u8>>,
}

#[derive(Serialize)]
struct Count {
    count: u8,
}

impl Client {
    /// Imports a key, or a new version of one.
    pub async fn import_key(&self, name: &Name, import: &ImportKey) -> Answer<KeyBundle> {
        self.send_json(Method::PUT, &format!("/keys/{name}"), import).await
    }

    /// Takes a sealed copy of a key with all its versions.
    pub async fn backup_key(&self, name: &Name) -> Answer<Vec<u8>> {
        let done = json::<Given>(self.call_keys(Method::POST, &format!("/keys/{name}/backup")).await?)?;
        Ok(done.map(|mut given| std::mem::take(&mut *given.value)))
    }

    /// Brings a key back from such a copy.
    pub async fn restore_key(&self, backup: &[u8]) -> Answer<KeyBundle> {
        self.send_json(Method::POST, "/keys/restore", &Value { value: base64url::encode(backup) }).await
    }

    /// Makes a new version of the same kind.
    pub async fn rotate_key(&self, name: &Name) -> Answer<KeyBundle> {
        json(self.call_keys(Method::POST, &format!("/keys/{name}/rotate")).await?)
    }

    /// Reads a rotation policy.
    pub async fn rotation_policy(&self, name: &Name) -> Answer<RotationPolicy> {
        json(self.call_keys(Method::GET, &format!("/keys/{name}/rotationpolicy")).await?)
    }

    /// Stores a rotation policy in place of the one there is.
    pub async fn set_rotation_policy(&self, name: &Name, policy: &RotationPolicy) -> Answer<RotationPolicy> {
        self.send_json(Method::PUT, &format!("/keys/{name}/rotationpolicy"), policy).await
    }

    /// So many random bytes, at most 128.
    pub async fn random_bytes(&self, count: u8) -> Answer<Zeroizing<Vec<u8>>> {
        let done = self.send_json::<Given>(Method::POST, "/rng", &Count { count }).await?;
        Ok(done.map(|given| given.value))
    }
}
