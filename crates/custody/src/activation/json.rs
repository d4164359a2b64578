//! The spelling of an activation record.

use super::{ActivationRecord, AllowedPath, BadActivation, Custodian, NodeIdentity};
use crate::shares::Quorum;
use crate::{Certificate, DomainPublic};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_model::{Authority, NodeId, VaultId, VaultKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Json {
    keystead_activation: u64,
    vault: String,
    name: String,
    kind: String,
    authorities: Vec<String>,
    tenant: String,
    retention_days: u8,
    purge_protection: bool,
    policy: Value,
    domain_public: String,
    working_keys: String,
    security_domain: String,
    required: u8,
    custodians: Vec<CustodianJson>,
    nodes: Vec<NodeJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustodianJson {
    certificate: String,
    share: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeJson {
    id: String,
    key: String,
}

/// Enough of a record to tell its version.
#[derive(Deserialize)]
struct Version {
    keystead_activation: u64,
}

impl Json {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadActivation> {
        let not_one = |e: serde_json::Error| BadActivation::NotOne(e.to_string());
        match serde_json::from_slice::<Version>(bytes).map_err(not_one)?.keystead_activation {
            VERSION => serde_json::from_slice(bytes).map_err(not_one),
            other => Err(BadActivation::Version(other)),
        }
    }

    pub(super) fn of(record: &ActivationRecord) -> Self {
        let custodian = |of: &Custodian| CustodianJson {
            certificate: STANDARD.encode(of.certificate.der()),
            share: hex::encode(of.share),
        };
        let node = |of: &NodeIdentity| NodeJson { id: of.id.to_string(), key: hex::encode(of.key) };
        Self {
            keystead_activation: VERSION,
            vault: record.vault.to_string(),
            name: record.name.clone(),
            kind: record.kind.name().to_owned(),
            authorities: record.authorities.iter().map(|authority| authority.as_str().to_owned()).collect(),
            tenant: record.tenant.clone(),
            retention_days: record.retention_days,
            purge_protection: record.purge_protection,
            policy: sorted(record.policy.clone()),
            domain_public: hex::encode(record.domain_public.as_bytes()),
            working_keys: hex::encode(record.working_keys),
            security_domain: hex::encode(record.security_domain),
            required: record.quorum.required(),
            custodians: record.custodians.iter().map(custodian).collect(),
            nodes: record.nodes.iter().map(node).collect(),
            paths: record.paths.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and values always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn parse(self) -> Result<ActivationRecord, BadActivation> {
        let bad = BadActivation::Member;
        let authority = |text: String| text.parse::<Authority>().map_err(|_| bad("an authority is none"));
        let custodians: Vec<Custodian> =
            (1..).zip(self.custodians).map(|(at, of)| of.parse(at)).collect::<Result<_, _>>()?;
        Ok(ActivationRecord {
            vault: self.vault.parse::<VaultId>().map_err(|_| bad("its vault has no id of 32 hexadecimal digits"))?,
            name: self.name,
            kind: VaultKind::from_name(&self.kind).ok_or(bad("its kind is neither vault nor hsm"))?,
            authorities: self.authorities.into_iter().map(authority).collect::<Result<_, _>>()?,
            tenant: self.tenant,
            retention_days: self.retention_days,
            purge_protection: self.purge_protection,
            policy: self.policy,
            domain_public: DomainPublic::from_bytes(digest(&self.domain_public)?),
            working_keys: digest(&self.working_keys)?,
            security_domain: digest(&self.security_domain)?,
            quorum: Quorum::new(self.required.into(), custodians.len())?,
            custodians,
            nodes: self.nodes.iter().map(NodeJson::parse).collect::<Result<_, _>>()?,
            paths: self
                .paths
                .iter()
                .map(|path| AllowedPath::stored(path).map_err(|_| bad("an unseal path is no NAME:KIND")))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl CustodianJson {
    fn parse(self, at: usize) -> Result<Custodian, BadActivation> {
        let der = STANDARD.decode(&self.certificate);
        let der = der.map_err(|_| BadActivation::Member("a certificate is not base64"))?;
        let certificate = Certificate::parse(&der).map_err(|why| BadActivation::Custodian { at, why })?;
        Ok(Custodian { certificate, share: digest(&self.share)? })
    }
}

impl NodeJson {
    fn parse(&self) -> Result<NodeIdentity, BadActivation> {
        let id = self.id.parse::<NodeId>();
        let id = id.map_err(|_| BadActivation::Member("a node has no id of 32 hexadecimal digits"))?;
        Ok(NodeIdentity { id, key: digest(&self.key)? })
    }
}

fn digest(text: &str) -> Result<[u8; 32], BadActivation> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(BadActivation::Member("a key or a digest is not 64 hexadecimal digits"))
}

/// The same with the members of each object in the order of their names, whatever order the library keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().map(|(n, v)| (n, sorted(v))).collect();
            Value::Object(members.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
