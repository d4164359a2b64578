//! The catalogue of errors: one match for each way a request can fail.
//!
//! SDKs retry 408, 429 and 5xx, so what is permanent never has one of those codes. The codes 429 and 503 carry
//! `Retry-After`.

use crate::challenge::challenge;
use crate::format::kid;
use hyper::StatusCode;
use hyper::header::{ALLOW, WWW_AUTHENTICATE};
use keystead_api_table::{BadParameter, Context, NoRoute, Reply, Shown, not_approved};
use keystead_engine::{BadBackup, BadRelease, Refusal, TurnedAway};
use keystead_identity::NotAuthenticated;
use keystead_model::{CipherAlgorithm, KeySpec, Name, SignAlgorithm, Size, Version};
use std::fmt::Write as _;

mod backup;
mod denied;
mod role;
mod security_domain;

/// 401, always with the challenge. The body is short: clients throw it away.
pub fn not_authenticated(why: &NotAuthenticated, context: &Context<'_>) -> Reply {
    let number = match why {
        NotAuthenticated::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        NotAuthenticated::WrongAudience => format!("AKV10022: Invalid audience: {why}."),
        NotAuthenticated::UnknownIssuer | NotAuthenticated::WrongTenant => format!("AKV10032: Invalid issuer: {why}."),
        _ => format!("AKV10001: {why}."),
    };
    Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized", None, &number).with(WWW_AUTHENTICATE, &challenge(context))
}

/// 403 where only the operator or the customer can help, and no challenge; 503 where waiting does.
pub fn turned_away(why: &TurnedAway, _: &Context<'_>) -> Reply {
    let text = sentence(why);
    match why {
        TurnedAway::Sealed => Reply::error(StatusCode::FORBIDDEN, "VaultSealed", None, &text),
        TurnedAway::Inactive { .. } => Reply::error(StatusCode::FORBIDDEN, "VaultNotActivated", None, &text),
        TurnedAway::Deleted => Reply::error(StatusCode::FORBIDDEN, "VaultDeleted", None, &text),
        TurnedAway::JournalFull | TurnedAway::JournalDown | TurnedAway::OutcomeUnknown => unavailable(&text, 10),
        TurnedAway::Busy => throttled(&text, 1),
        TurnedAway::Throttled { seconds, .. } => throttled(&text, *seconds),
        TurnedAway::Stopping => unavailable(&text, 1),
    }
}

/// 400 `BadParameter`, or 404 where the path names what cannot be there.
pub fn bad_parameter(why: &BadParameter, _: &Context<'_>) -> Reply {
    match why {
        BadParameter::NoSuch { code, .. } => Reply::error(StatusCode::NOT_FOUND, code, None, why.to_string()),
        why => bad(&why.to_string()),
    }
}

/// A path of ours with another method, an operation that is not served, or nothing of ours.
pub fn no_route(why: &NoRoute, context: &Context<'_>) -> Reply {
    let (method, path) = (context.parts.method(), context.parts.path());
    let last = Shown::of(path.iter().last().unwrap_or_default());
    let operation = path.len() > 2 && path.get(0).is_some_and(collection);
    match why {
        _ if operation => bad(&format!("Method {method} does not allow operation '{last}'")),
        NoRoute::Method { allowed } => {
            let text = format!("Method {method} is not allowed on '{last}'.");
            let allowed = allowed.iter().map(|m| m.as_str()).collect::<Vec<_>>().join(", ");
            Reply::error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", None, &text).with(ALLOW, &allowed)
        }
        NoRoute::Path => {
            let text = format!("The request URI names nothing that this service has: '{last}' not found.");
            Reply::error(StatusCode::NOT_FOUND, "NotFound", None, &text)
        }
    }
}

fn collection(segment: &str) -> bool {
    ["keys", "deletedkeys"].iter().any(|c| c.eq_ignore_ascii_case(segment))
}

/// What a command was refused with.
pub fn refusal(why: &Refusal, context: &Context<'_>) -> Reply {
    match why {
        Refusal::Denied(denial) => forbidden("ForbiddenByRbac", &denied::text(denial, context)),
        Refusal::KeyNotFound { name, version } => not_found(&key_not_found(name, *version)),
        Refusal::DeletedKeyNotFound { name } => not_found(&format!("Deleted Key not found: {name}")),
        Refusal::NameReserved { name } => conflict(
            Some("ObjectIsDeletedButRecoverable"),
            &format!(
                "Key {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged."
            ),
        ),
        Refusal::Role(why) => role::not_changed(why),
        Refusal::SettingNotFound { name } => {
            let text = format!("The setting '{}' was not found.", Shown::of(name));
            Reply::error(StatusCode::NOT_FOUND, "SettingNotFound", None, &text)
        }
        Refusal::NameTaken { name } => {
            conflict(None, &format!("Key {name} exists; a key is restored only under a free name."))
        }
        Refusal::PurgeProtected => forbidden("PurgeProtectionEnabled", PURGE_PROTECTED),
        Refusal::BadRelease(BadRelease::PolicyNeeded) => bad("AKV.SKR.1004: Exportable keys must have release policy."),
        Refusal::BadRelease(BadRelease::NotExportable) => bad("Non-exportable keys must not have release policy."),
        Refusal::BadRelease(BadRelease::Settled | BadRelease::ExportOfNone) => bad(&sentence(why)),
        Refusal::BadRelease(BadRelease::Immutable) => forbidden("ReleasePolicyImmutable", &sentence(why)),
        Refusal::BadBackup(BadBackup::NotABackup) => bad("Backup blob contains invalid or corrupt version."),
        Refusal::Backup(why) => backup::refused(why),
        Refusal::Approval(why) => not_approved(why),
        Refusal::Domain(why) => security_domain::refused(why),
        Refusal::BadImport(_) | Refusal::BadBackup(_) | Refusal::BadRotationPolicy { .. } => bad(&sentence(why)),
        Refusal::UnknownLog => Reply::error(StatusCode::NOT_FOUND, "LogNotFound", None, sentence(why)),
        Refusal::Conflict => conflict(None, &sentence(why)),
        Refusal::ClockMoved => Reply::error(StatusCode::CONFLICT, "ClockMoved", None, sentence(why)),
        Refusal::KeyDisabled { op } => {
            forbidden("KeyDisabled", &format!("Operation {op} is not allowed on a disabled key."))
        }
        Refusal::KeyExpired { op } => {
            forbidden("KeyExpired", &format!("Operation {op} is not allowed on an expired key."))
        }
        Refusal::KeyNotYetValid { op } => {
            forbidden("KeyNotYetValid", &format!("Operation {op} is not allowed on a key that is not yet valid."))
        }
        Refusal::OperationNotPermitted { op } => {
            forbidden("KeyOperationForbidden", &format!("Operation {op} is not permitted on this key."))
        }
        Refusal::UsesExhausted => forbidden("KeyUsesExhausted", &sentence(why)),
        Refusal::WrongAlgorithm { alg, spec, name, version } => bad(&format!(
            "Key and algorithm are incompatible. Key {} is of type {}, and algorithm '{alg}' can only be used with a key of type {}.",
            kid(context, name, *version),
            kind(*spec, &[*spec], needed(alg)),
            kind(*needed(alg).first().unwrap_or(spec), needed(alg), &[*spec]),
        )),
        Refusal::BadLength { what, expected } => bad(&format!("Invalid length of '{what}': {expected}.")),
        Refusal::BadOperations { spec } => {
            let possible: Vec<_> = spec.possible().iter().map(|op| op.wire()).collect();
            bad(&format!("A key of type '{}' can only have these key_ops: {}.", spec.kty(), possible.join(", ")))
        }
        Refusal::DecryptFailed | Refusal::BadDates | Refusal::OverBound { .. } | Refusal::BadPageToken => {
            bad(&sentence(why))
        }
        Refusal::PolicyRefused(_) | Refusal::ImportSettled => bad(&sentence(why)),
        Refusal::NotInPolicy { .. } => Reply::error(StatusCode::NOT_FOUND, "NotFound", None, sentence(why)),
        Refusal::Busy => throttled(&sentence(why), 1),
        Refusal::Deadline => unavailable(&sentence(why), 1),
        Refusal::StoreFull | Refusal::Unavailable => unavailable(&sentence(why), 10),
        Refusal::Damaged => forbidden("StoredRecordDamaged", &sentence(why)),
        Refusal::ImportAlone => {
            bad("Key operations other than import are not allowed on a key with the operation import.")
        }
        Refusal::NoHsm => bad("HSM keys are not served by this vault: it has no HSM. Ask for a software key."),
        Refusal::HsmCannot { .. } => Reply::error(StatusCode::BAD_REQUEST, "NotSupported", None, sentence(why)),
        Refusal::Hsm(_) => bad(&sentence(why)),
        Refusal::HsmAway(_) => unavailable(&sentence(why), 2),
        Refusal::Fault => Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", None, sentence(why)),
    }
}

const PURGE_PROTECTED: &str = "Operation \"purge\" is not allowed because purge protection is enabled for this vault. \
     Key Vault service will automatically purge it after the retention period has passed.";

fn key_not_found(name: &Name, version: Option<Version>) -> String {
    let mut id = name.to_string();
    if let Some(version) = version {
        let _ = write!(id, "/{version}");
    }
    format!(
        "A key with (name/id) {id} was not found in this key vault. If you recently deleted this key you may be able to \
         recover it using the correct recovery command. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125182"
    )
}

fn needed(alg: &str) -> &'static [KeySpec] {
    let sign = SignAlgorithm::from_wire(alg).map(SignAlgorithm::specs);
    sign.or_else(|| CipherAlgorithm::from_wire(alg).map(CipherAlgorithm::specs)).unwrap_or_default()
}

/// The type of a key, with its sizes if the type is that of the others too.
fn kind(spec: KeySpec, sizes: &[KeySpec], others: &[KeySpec]) -> String {
    let kty = spec.kty();
    if !others.iter().any(|other| other.kty() == kty) {
        return format!("'{kty}'");
    }
    let size = |spec: &KeySpec| match spec.size() {
        Size::Curve(curve) => curve.wire().to_owned(),
        Size::Modulus(bits) | Size::Secret(bits) => format!("{bits} bits"),
    };
    format!("'{kty}' ({})", sizes.iter().map(size).collect::<Vec<_>>().join(", "))
}

/// An error's text as a sentence.
fn sentence(why: &impl ToString) -> String {
    let text = why.to_string();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    format!("{}{}.", first.map(String::from).unwrap_or_default(), chars.as_str())
}

fn bad(message: &str) -> Reply {
    Reply::error(StatusCode::BAD_REQUEST, "BadParameter", None, message)
}

fn forbidden(inner: &str, message: &str) -> Reply {
    Reply::error(StatusCode::FORBIDDEN, "Forbidden", Some(inner), message)
}

fn not_found(message: &str) -> Reply {
    Reply::error(StatusCode::NOT_FOUND, "KeyNotFound", None, message)
}

fn conflict(inner: Option<&str>, message: &str) -> Reply {
    Reply::error(StatusCode::CONFLICT, "Conflict", inner, message)
}

fn throttled(message: &str, seconds: u16) -> Reply {
    Reply::error(StatusCode::TOO_MANY_REQUESTS, "Throttled", None, message).retry_after(seconds)
}

fn unavailable(message: &str, seconds: u16) -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", None, message).retry_after(seconds)
}
