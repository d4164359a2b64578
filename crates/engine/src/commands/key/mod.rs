//! Commands on keys.

mod attest;
mod backup;
mod cipher;
mod create;
mod delete;
mod deleted;
mod get;
mod import;
mod list;
mod notify;
mod purge;
mod recover;
mod restore;
mod rotate;
mod rotation_policy;
mod sign;
mod update;
mod verify;

pub use attest::{AttestedKey, GetKeyAttestation};
pub use backup::BackupKey;
pub use cipher::{Decrypt, Encrypt, UnwrapKey, WrapKey};
pub use create::CreateKey;
pub use delete::DeleteKey;
pub(crate) use delete::moved;
pub use deleted::{GetDeletedKey, ListDeletedKeys};
pub use get::GetKey;
pub use import::{ImportKey, Incoming};
pub use list::{ListKeys, ListVersions};
pub use notify::NotifyExpiry;
pub use purge::PurgeKey;
pub use recover::RecoverKey;
pub use restore::RestoreKey;
pub use rotate::RotateKey;
pub use rotation_policy::{GetRotationPolicy, RotateWhen, RotationPolicy, RotationPolicyView, SetRotationPolicy};
pub use sign::Sign;
pub use update::UpdateKey;
pub use verify::Verify;

use crate::room::Key;
use keystead_model::Version;
use serde_json::{Value, json};

/// Which key it is, and up to which version: what approvers sign of it besides its name.
fn as_it_is(key: &Key) -> Value {
    json!({ "id": key.id.to_string(), "newest": Version::from_bytes(key.record.newest).to_string() })
}
