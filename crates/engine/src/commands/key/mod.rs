//! Commands on keys.

mod cipher;
mod create;
mod delete;
mod deleted;
mod get;
mod list;
mod purge;
mod recover;
mod rotate;
mod rotation_policy;
mod sign;
mod update;
mod verify;

pub use cipher::{Decrypt, Encrypt, UnwrapKey, WrapKey};
pub use create::CreateKey;
pub use delete::DeleteKey;
pub use deleted::{GetDeletedKey, ListDeletedKeys};
pub use get::GetKey;
pub use list::{ListKeys, ListVersions};
pub use purge::PurgeKey;
pub use recover::RecoverKey;
pub use rotate::RotateKey;
pub use rotation_policy::{RotationPolicy, SetRotationPolicy};
pub use sign::Sign;
pub use update::UpdateKey;
pub use verify::Verify;
