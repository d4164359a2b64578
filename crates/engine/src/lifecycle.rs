//! What a key version may be used for, and which attributes it may have: plain rules of their arguments.

use crate::error::{BadRelease, Refusal};
use crate::records::VersionRecord;
use crate::view::{ReleasePolicy, SetAttributes};
use keystead_model::{KeyOperation, KeySpec, Time};
use std::collections::BTreeMap;

/// Most tags on an object, and the longest name or value of one, in characters.
pub const MAX_TAGS: usize = 15;
/// Longest tag name or value, in characters.
pub const MAX_TAG_CHARS: usize = 256;

/// Whether this version may do `op` now. Outside `nbf..exp` only what reads old data still works: decrypt, unwrap,
/// verify.
pub(crate) fn usable(v: &VersionRecord, op: KeyOperation, now: Time) -> Result<(), Refusal> {
    let name = op.wire();
    if !v.enabled {
        return Err(Refusal::KeyDisabled { op: name });
    }
    if !v.ops.contains(&op) {
        return Err(Refusal::OperationNotPermitted { op: name });
    }
    let reads_old_data = matches!(op, KeyOperation::Decrypt | KeyOperation::UnwrapKey | KeyOperation::Verify);
    if !reads_old_data && v.not_before.is_some_and(|t| now.0 < t) {
        return Err(Refusal::KeyNotYetValid { op: name });
    }
    if !reads_old_data && v.expires.is_some_and(|t| now.0 >= t) {
        return Err(Refusal::KeyExpired { op: name });
    }
    Ok(())
}

/// The operations a version gets: those named, once each, or what its kind is usually for if nothing was said.
pub(crate) fn operations(spec: KeySpec, asked: Option<&[KeyOperation]>) -> Result<Vec<KeyOperation>, Refusal> {
    match asked {
        None => Ok(spec.usual().to_vec()),
        // A key that unwraps keys for the vault does nothing else: it would be an oracle for what it unwrapped.
        Some(ops) if ops.contains(&KeyOperation::Import) && ops.iter().any(|o| *o != KeyOperation::Import) => {
            Err(Refusal::ImportAlone)
        }
        Some(ops) if ops.iter().all(|o| spec.possible().contains(o)) => {
            let mut unique = Vec::new();
            for op in ops {
                if !unique.contains(op) {
                    unique.push(*op);
                }
            }
            Ok(unique)
        }
        Some(_) => Err(Refusal::BadOperations { spec }),
    }
}

/// The operations a version gets in place of those it has. Whether it unwraps keys for the vault is settled when it is
/// made: changed to decrypt for a moment, it would tell what it unwrapped.
pub(crate) fn other_operations(v: &VersionRecord, asked: &[KeyOperation]) -> Result<Vec<KeyOperation>, Refusal> {
    let ops = operations(v.spec, Some(asked))?;
    match v.ops.contains(&KeyOperation::Import) == ops.contains(&KeyOperation::Import) {
        true => Ok(ops),
        false => Err(Refusal::ImportSettled),
    }
}

/// Merges attributes member by member into a version.
pub(crate) fn set_attributes(v: &mut VersionRecord, set: &SetAttributes) -> Result<(), Refusal> {
    if let Some(enabled) = set.enabled {
        v.enabled = enabled;
    }
    if let Some(t) = set.not_before {
        v.not_before = Some(t.0);
    }
    if let Some(t) = set.expires {
        v.expires = Some(t.0);
    }
    match (v.not_before, v.expires) {
        (Some(nbf), Some(exp)) if exp <= nbf => Err(Refusal::BadDates),
        _ => Ok(()),
    }
}

/// An exportable version has a release policy, and no other has one.
pub(crate) fn check_release(v: &VersionRecord) -> Result<(), Refusal> {
    match (v.exportable.unwrap_or(false), &v.release) {
        (true, None) => Err(BadRelease::PolicyNeeded.into()),
        (false, Some(_)) => Err(BadRelease::NotExportable.into()),
        (false, None) if v.ops.contains(&KeyOperation::Export) => Err(BadRelease::ExportOfNone.into()),
        (_, Some(r)) if r.data.len() > ReleasePolicy::MAX_DATA => {
            Err(Refusal::OverBound { what: "a release policy has at most 16,384 bytes" })
        }
        (_, Some(r)) if r.content_type.len() > ReleasePolicy::MAX_CONTENT_TYPE => {
            Err(Refusal::OverBound { what: "a release policy's content type has at most 255 bytes" })
        }
        _ => Ok(()),
    }
}

/// Changes the release policy of a version, unless it is immutable. What is asked again as it stands is no change.
pub(crate) fn set_release(
    v: &mut VersionRecord,
    exportable: Option<bool>,
    policy: Option<&ReleasePolicy>,
) -> Result<(), Refusal> {
    if exportable.is_some_and(|asked| asked != v.exportable.unwrap_or(false)) {
        return Err(BadRelease::Settled.into());
    }
    let Some(asked) = policy.map(ReleasePolicy::record) else { return check_release(v) };
    if v.release.as_ref().is_some_and(|r| r.immutable && *r != asked) {
        return Err(BadRelease::Immutable.into());
    }
    v.release = Some(asked);
    check_release(v)
}

/// Bounds tags.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > MAX_TAGS {
        return Err(Refusal::OverBound { what: "an object has at most 15 tags" });
    }
    let long = |s: &String| s.chars().count() > MAX_TAG_CHARS;
    if tags.iter().any(|(k, v)| long(k) || long(v)) {
        return Err(Refusal::OverBound { what: "a tag's name and value have at most 256 characters each" });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
