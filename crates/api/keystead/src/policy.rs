//! Who is believed: issuers, built-in clients, certificates and revocations, for the vault's administrators. Bodies
//! refuse unknown members: a misspelt one would silently give the policy another meaning.

use keystead_access::Grantee;
use keystead_api_table::{BadParameter, Body, Context, Parts};
use keystead_engine::{
    AddAuthority, AddCredential, AddIssuer, CreateClient, CreatedClient, NewCredential, PolicyView, ReadPolicy,
    RemoveAuthority, RemoveClient, RemoveCredential, RemoveIssuer, RevokeTokens,
};
use keystead_identity::{
    By, CertificateAuthority, Client, Credential, Federation, NotBefore, SubjectName, TrustedIssuer, discovery,
};
use keystead_model::{AssignmentId, Time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Any of the routes that read.
pub fn read(_: &Parts<'_>) -> Result<ReadPolicy, BadParameter> {
    Ok(ReadPolicy)
}

/// `GET /keystead/v1/policy`
pub fn whole(view: PolicyView, _: &Context<'_>) -> Body {
    let d = &view.document;
    let assignments = d.assignments.iter().map(|a| {
        let id = AssignmentId::from_bytes(a.id).to_string();
        json!({ "id": id, "scope": a.scope, "principal": grantee(&a.principal), "role": a.role })
    });
    Body::json(&json!({
        "revision": view.revision.0,
        "administrators": d.administrators,
        "assignments": assignments.collect::<Vec<_>>(),
        "own_issuer": view.own_issuer,
        "directory": d.directory,
        "issuers": d.issuers,
        "clients": d.clients.iter().map(shown).collect::<Vec<_>>(),
        "certificates": d.callers.authorities.iter().map(vouching).collect::<Vec<_>>(),
        "not_before": d.callers.not_before,
        "approvers": d.approvals.approvers,
        "approvals": d.approvals.rules,
    }))
}

/// `GET /keystead/v1/policy/issuers`
pub fn issuers(view: PolicyView, _: &Context<'_>) -> Body {
    Body::json(&json!({ "own_issuer": view.own_issuer, "issuers": view.document.issuers }))
}

/// `GET /keystead/v1/policy/clients`
pub fn clients(view: PolicyView, _: &Context<'_>) -> Body {
    Body::json(&json!({ "clients": view.document.clients.iter().map(shown).collect::<Vec<_>>() }))
}

/// `GET /keystead/v1/policy/certificates`
pub fn certificates(view: PolicyView, _: &Context<'_>) -> Body {
    let all: Vec<Value> = view.document.callers.authorities.iter().map(vouching).collect();
    Body::json(&json!({ "certificates": all }))
}

/// A client as it is shown: of a secret only that there is one.
fn shown(client: &Client) -> Value {
    let unnamed = client.secrets.iter().map(|d| json!({ "id": hex::encode(d), "kind": "secret" }));
    let credentials: Vec<Value> = unnamed.chain(client.credentials.iter().map(credential)).collect();
    json!({ "id": client.id, "name": client.name, "subject": client.subject, "credentials": credentials })
}

fn credential(c: &Credential) -> Value {
    let mut all = match &c.by {
        By::Secret(_) => json!({ "id": c.id, "kind": "secret" }),
        By::Key(_) => json!({ "id": c.id, "kind": "key" }),
        By::Federated(f) => json!({ "id": c.id, "kind": "federated", "federated": f }),
    };
    if let (Some(expires), Some(members)) = (c.expires, all.as_object_mut()) {
        members.insert("expires".to_owned(), expires.into());
    }
    all
}

fn vouching(a: &CertificateAuthority) -> Value {
    let mut all = serde_json::to_value(a).unwrap_or_default();
    if let Some(members) = all.as_object_mut() {
        members.insert("thumbprint".to_owned(), a.thumbprint().into());
        members.insert("issuer".to_owned(), a.issuer().into());
    }
    all
}

/// `POST /keystead/v1/policy/issuers`. Unless its keys stand there, they are fetched from where OpenID Connect has
/// them.
pub fn add_issuer(parts: &Parts<'_>) -> Result<AddIssuer, BadParameter> {
    let mut issuer: TrustedIssuer = body(parts)?;
    if issuer.iss.is_empty() {
        return Err(BadParameter::Missing { what: "iss" });
    }
    if issuer.keys.is_empty() && issuer.jwks.is_none() && issuer.metadata.is_none() {
        issuer.metadata = Some(discovery::metadata_url(&issuer.iss));
    }
    Ok(AddIssuer { issuer })
}

/// The issuer as it was added.
pub fn issuer(issuer: TrustedIssuer, _: &Context<'_>) -> Body {
    Body::json(&issuer)
}

/// `DELETE /keystead/v1/policy/issuers?iss={iss}`
pub fn remove_issuer(parts: &Parts<'_>) -> Result<RemoveIssuer, BadParameter> {
    let iss = parts.query("iss").ok_or(BadParameter::Missing { what: "iss" })?;
    Ok(RemoveIssuer { iss: iss.into_owned() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    name: String,
    #[serde(default)]
    credential: Option<Proof>,
    #[serde(default)]
    expires: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProof {
    credential: Proof,
    #[serde(default)]
    expires: Option<i64>,
}

/// `"secret"`, `{"key":{JWK}}` or `{"federated":{"iss":..,"sub":..,"aud":..}}`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Proof {
    Secret,
    Key(Value),
    Federated(Federation),
}

impl From<Proof> for NewCredential {
    fn from(proof: Proof) -> Self {
        match proof {
            Proof::Secret => Self::Secret,
            Proof::Key(jwk) => Self::Key(jwk.to_string()),
            Proof::Federated(f) => Self::Federated(f),
        }
    }
}

/// `POST /keystead/v1/policy/clients`
pub fn create_client(parts: &Parts<'_>) -> Result<CreateClient, BadParameter> {
    let NewClient { name, credential, expires } = body(parts)?;
    Ok(CreateClient { name, credential: credential.map(Into::into), expires: expires.map(Time) })
}

/// The client, and its new secret this once.
pub fn client(made: CreatedClient, _: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Made<'a> {
        client: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        credential: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<&'a str>,
    }
    let (credential, secret) = (made.credential.as_deref(), made.secret.as_ref().map(|s| s.as_str()));
    Body::json(&Made { client: shown(&made.client), credential, secret })
}

/// `DELETE /keystead/v1/policy/clients/{id}`
pub fn remove_client(parts: &Parts<'_>) -> Result<RemoveClient, BadParameter> {
    Ok(RemoveClient { client: parameter(parts, "id")? })
}

/// `POST /keystead/v1/policy/clients/{id}/credentials`
pub fn add_credential(parts: &Parts<'_>) -> Result<AddCredential, BadParameter> {
    let NewProof { credential, expires } = body(parts)?;
    let (client, credential) = (parameter(parts, "id")?, credential.into());
    Ok(AddCredential { client, credential, expires: expires.map(Time) })
}

/// `DELETE /keystead/v1/policy/clients/{id}/credentials/{credential}`
pub fn remove_credential(parts: &Parts<'_>) -> Result<RemoveCredential, BadParameter> {
    Ok(RemoveCredential { client: parameter(parts, "id")?, credential: parameter(parts, "credential")? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAuthority {
    /// PEM, one certificate.
    certificate: String,
    subject: SubjectName,
    /// SHA-256 thumbprints in hex.
    #[serde(default)]
    only: Vec<String>,
}

/// `POST /keystead/v1/policy/certificates`
pub fn add_authority(parts: &Parts<'_>) -> Result<AddAuthority, BadParameter> {
    let new: NewAuthority = body(parts)?;
    let expected = "one certificate in PEM";
    let certificate = pem(&new.certificate).ok_or(BadParameter::Malformed { what: "certificate", expected })?;
    let print = |text: &String| {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).ok().map(|()| digest)
    };
    let only: Option<Vec<[u8; 32]>> = new.only.iter().map(print).collect();
    let expected = "SHA-256 thumbprints of 64 hexadecimal digits";
    let only = only.ok_or(BadParameter::Malformed { what: "only", expected })?;
    Ok(AddAuthority { authority: CertificateAuthority { certificate, subject: new.subject, only } })
}

/// The certificate as it was added.
pub fn authority(authority: CertificateAuthority, _: &Context<'_>) -> Body {
    Body::json(&vouching(&authority))
}

/// `DELETE /keystead/v1/policy/certificates/{thumbprint}`
pub fn remove_authority(parts: &Parts<'_>) -> Result<RemoveAuthority, BadParameter> {
    Ok(RemoveAuthority { thumbprint: parameter(parts, "thumbprint")? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    issuer: String,
    #[serde(default)]
    subject: Option<String>,
    /// Ms since the epoch.
    #[serde(default)]
    before: Option<i64>,
}

/// `POST /keystead/v1/policy/not-before`
pub fn revoke(parts: &Parts<'_>) -> Result<RevokeTokens, BadParameter> {
    let Revocation { issuer, subject, before } = body(parts)?;
    Ok(RevokeTokens { issuer, subject, before: before.map(Time) })
}

/// What is refused from now on.
pub fn revoked(not_before: NotBefore, _: &Context<'_>) -> Body {
    Body::json(&not_before)
}

fn body<T: DeserializeOwned>(parts: &Parts<'_>) -> Result<T, BadParameter> {
    serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))
}

fn parameter(parts: &Parts<'_>, what: &'static str) -> Result<String, BadParameter> {
    parts.parameter(what).map(str::to_owned).ok_or(BadParameter::Missing { what })
}

/// The DER inside one PEM certificate (RFC 7468).
fn pem(text: &str) -> Option<Vec<u8>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let (_, rest) = text.split_once(BEGIN)?;
    let (inner, rest) = rest.split_once(END)?;
    let base64: String = inner.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    (!rest.contains(BEGIN)).then_some(der)
}

/// A principal, or the id of one that is not known here.
fn grantee(grantee: &Grantee) -> Value {
    match grantee {
        Grantee::Principal(principal) => json!(principal),
        Grantee::Id(id) => json!({ "id": id.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;
    use keystead_api_table::fuzz::with_parts;

    fn of<T>(body: &str, parse: fn(&Parts<'_>) -> Result<T, BadParameter>) -> Result<T, BadParameter> {
        with_parts("/p/c-1", "/p/{id}", HeaderMap::new(), body.as_bytes(), parse).unwrap()
    }

    #[test]
    fn an_issuer_without_keys_is_looked_up_where_openid_connect_has_them() {
        let bare = r#"{"iss":"https://i.example/t","audiences":["a"],"subject_claim":"sub"}"#;
        let issuer = of(bare, add_issuer).ok().unwrap().issuer;
        assert_eq!(issuer.metadata.as_deref(), Some("https://i.example/t/.well-known/openid-configuration"));
        let stated = bare.replace("\"subject_claim\"", "\"jwks\":\"{}\",\"subject_claim\"");
        assert_eq!(of(&stated, add_issuer).ok().unwrap().issuer.metadata, None);
        for bad in [bare.replace("audiences", "audience"), bare.replace("https://i.example/t", ""), String::new()] {
            assert!(of(&bad, add_issuer).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_credential_is_a_secret_a_key_or_a_federation() {
        let kinds = [
            (r#"{"credential":"secret","expires":5}"#, true),
            (r#"{"credential":{"key":{"kty":"EC"}}}"#, true),
            (r#"{"credential":{"federated":{"iss":"i","sub":"s","aud":"a"}}}"#, true),
            (r#"{"credential":{"federated":{"iss":"i","sub":"s"}}}"#, false),
            (r#"{"credential":{"secret":"of my own"}}"#, false),
            (r#"{"credential":"secret","expire":5}"#, false),
            ("{}", false),
        ];
        for (body, good) in kinds {
            assert_eq!(of(body, add_credential).is_ok(), good, "{body}");
        }
    }

    #[test]
    fn one_certificate_is_read_and_not_two() {
        let one = "-----BEGIN CERTIFICATE-----\nAAEC\nAwQ=\n-----END CERTIFICATE-----\n";
        assert_eq!(pem(one), Some(vec![0, 1, 2, 3, 4]));
        assert_eq!(pem(&format!("{one}{one}")), None);
        for bad in ["", "AAEC", &one.replace("AAEC", "A-EC"), &one.replace("END", "BEGIN")] {
            assert_eq!(pem(bad), None, "{bad}");
        }
    }
}
