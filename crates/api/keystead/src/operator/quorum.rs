//! What the customer and the custodians of a vault bring, and what they are asked.

use super::ask::{self, name, read_policy};
use super::view;
use keystead_api_table::{BadParameter, Body, Ids, Parts};
use keystead_engine::{
    ActKind, Answered, Appointee, Asked, BadChallenge, DomainActivation, DomainFiles, Instance, OperateError, is_name,
};
use keystead_model::Moment;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A request about a vault with custodians.
pub(super) enum Ask {
    /// Whether it is for other custodians.
    Offer(bool),
    Activate(Box<DomainActivation>, Box<Ids>),
    Confirm(Vec<Vec<u8>>),
    Challenge,
    Replace(Box<DomainFiles>, bool),
    Appoint(Appointee, bool),
    Enrol(String, bool),
    Answer(ActKind, Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferDocument {
    #[serde(default)]
    replace: bool,
}

/// The files as `keystead domain new` wrote them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplacementDocument {
    record: String,
    security_domain: String,
    transfer: String,
    /// Also in place of a challenge about others.
    #[serde(default)]
    again: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolmentDocument {
    token: String,
    #[serde(default)]
    again: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppointmentDocument {
    issuer: String,
    subject: String,
    /// SHA-256 of the secret of a new client of the vault's own, in hexadecimal digits.
    #[serde(default)]
    secret_sha256: Option<String>,
    #[serde(default)]
    again: bool,
}

/// The files as `keystead domain new` wrote them: each is text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainActivationDocument {
    record: String,
    security_domain: String,
    transfer: String,
    #[serde(default)]
    tokens: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmations {
    confirmations: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    answers: Vec<String>,
}

/// What custodians can be shown.
const A_NAME: &str = "1 to 512 bytes without control characters";

/// More than a vault has custodians.
const MOST: usize = 32;

pub(super) fn offer(parts: &Parts<'_>) -> Result<ask::Ask, BadParameter> {
    let replace = if parts.body().is_empty() { false } else { body::<OfferDocument>(parts)?.replace };
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Offer(replace)))
}

pub(super) fn activate(parts: &Parts<'_>, ids: &Ids) -> Result<ask::Ask, BadParameter> {
    let DomainActivationDocument { record, security_domain, transfer, tokens, paths } = body(parts)?;
    let activation = DomainActivation { domain: domain_files(record, security_domain, transfer), tokens, paths };
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Activate(Box::new(activation), Box::new(Ids::new(ids.next())))))
}

pub(super) fn confirm(parts: &Parts<'_>) -> Result<ask::Ask, BadParameter> {
    let Confirmations { confirmations } = body(parts)?;
    if !(1..=MOST).contains(&confirmations.len()) {
        return Err(BadParameter::Malformed { what: "confirmations", expected: "1 to 32 of them" });
    }
    let files = confirmations.into_iter().map(String::into_bytes).collect();
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Confirm(files)))
}

pub(super) fn ask(parts: &Parts<'_>) -> Result<ask::Ask, BadParameter> {
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Challenge))
}

pub(super) fn replace(parts: &Parts<'_>) -> Result<ask::Ask, BadParameter> {
    let ReplacementDocument { record, security_domain, transfer, again } = body(parts)?;
    let new = Box::new(domain_files(record, security_domain, transfer));
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Replace(new, again)))
}

pub(super) fn appoint(parts: &Parts<'_>) -> Result<ask::Ask, BadParameter> {
    let AppointmentDocument { issuer, subject, secret_sha256, again } = body(parts)?;
    if !is_name(&issuer) || !is_name(&subject) {
        return Err(BadParameter::Malformed { what: "issuer and subject", expected: A_NAME });
    }
    let digest = |text: String| hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let expected = "64 hexadecimal digits";
    let bad = BadParameter::Malformed { what: "secret_sha256", expected };
    let secret = secret_sha256.map(|text| digest(text).ok_or(bad)).transpose()?;
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Appoint(Appointee { issuer, subject, secret }, again)))
}

pub(super) fn enrol(parts: &Parts<'_>) -> Result<ask::Ask, BadParameter> {
    let EnrolmentDocument { token, again } = body(parts)?;
    if !is_name(&token) {
        return Err(BadParameter::Malformed { what: "token", expected: A_NAME });
    }
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Enrol(token, again)))
}

/// Answers to a challenge of this kind; none where what they agreed to is tried again.
pub(super) fn answer(parts: &Parts<'_>, kind: ActKind) -> Result<ask::Ask, BadParameter> {
    let Answers { answers } = body(parts)?;
    if answers.len() > MOST {
        return Err(BadParameter::Malformed { what: "answers", expected: "at most 32 of them" });
    }
    Ok(ask::Ask::Quorum(name(parts)?, Ask::Answer(kind, answers)))
}

fn domain_files(record: String, security_domain: String, transfer: String) -> DomainFiles {
    let (security_domain, transfer) = (security_domain.into_bytes(), transfer.into_bytes());
    DomainFiles { record: record.into_bytes(), security_domain, transfer }
}

fn body<T: DeserializeOwned>(parts: &Parts<'_>) -> Result<T, BadParameter> {
    serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))
}

pub(super) async fn perform(instance: &Instance, name: &str, ask: Ask, at: Moment) -> Result<Body, OperateError> {
    match ask {
        Ask::Offer(replace) => {
            let offered = instance.transfer_offer(name, replace, at).await?;
            let file = String::from_utf8_lossy(&offered.file);
            Ok(Body::json(&json!({ "offer": file, "node_words": offered.node_words })))
        }
        Ask::Activate(activation, ids) => {
            let read = |policy: &[u8]| read_policy(policy, &ids).map_err(|e| e.to_string());
            instance.activate_domain(name, *activation, &read, at).await.map(|v| view::one(&v))
        }
        Ask::Confirm(files) => instance.confirm(name, &files, at).await.map(|v| view::one(&v)),
        Ask::Challenge => instance.ask_quorum(name, at).await.map(|asked| Body::json(&shown(&asked))),
        Ask::Replace(new, again) => {
            instance.ask_replacement(name, *new, again, at).await.map(|asked| Body::json(&shown(&asked)))
        }
        Ask::Appoint(who, again) => {
            instance.ask_appointment(name, who, again, at).await.map(|asked| Body::json(&shown(&asked)))
        }
        Ask::Enrol(token, again) => {
            instance.ask_enrolment(name, &token, again, at).await.map(|asked| Body::json(&shown(&asked)))
        }
        Ask::Answer(kind, answers) => {
            instance.answer_quorum(name, kind, &answers, at).await.map(|done| answered(&done))
        }
    }
}

fn shown(asked: &Asked) -> Value {
    json!({
        "challenge": asked.challenge,
        "node_words": asked.node_words,
        "expires": asked.expires.0,
        "required": asked.required,
        "custodians": asked.custodians,
        "given": asked.given,
        "missing": asked.missing,
        "domain": asked.domain.to_string(),
        "store_says": asked.store_says.as_ref().map(view::Told::of),
    })
}

fn answered(done: &Answered) -> Body {
    let one = |answer: &Result<u8, BadChallenge>| match answer {
        Ok(number) => json!({ "share": number }),
        Err(why) => json!({ "refused": why.to_string() }),
    };
    Body::json(&json!({
        "status": done.vault.state,
        "answers": done.answers.iter().map(one).collect::<Vec<_>>(),
        "asked": done.asked.as_ref().map(shown),
    }))
}
