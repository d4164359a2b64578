//! The words of Keystead: ids, names, times, actions, targets, key kinds. Depends on nothing and decides nothing.
//!
//! - [`id`]: random 128-bit identities, 32 lower-case hex digits in text
//! - [`name`]: object names and references to keys
//! - [`time`]: milliseconds since the epoch, and the [`Moment`] at which work entered
//! - [`duration`]: ISO 8601 durations, as rotation policies write them
//! - [`action`]: every action a permit can be asked for, and the target it falls on
//! - [`data_action`]: what role definitions name, and which actions that allows; [`guid`]: their ids
//! - [`key`]: key kinds, algorithms and operations, with their names on the wire; [`level`]: how keys are protected

pub mod action;
pub mod data_action;
pub mod duration;
#[doc(hidden)]
pub mod fuzz;
pub mod guid;
pub mod id;
pub mod key;
pub mod level;
pub mod name;
pub mod time;
pub mod vault;

pub use action::{Action, BadScope, Target};
pub use data_action::DataAction;
pub use duration::{BadDuration, IsoDuration};
pub use guid::{BadGuid, Guid};
pub use id::{AssignmentId, Generation, InstanceId, NodeId, ObjectId, OperationId, Revision, VaultId, Version};
pub use key::{
    CipherAlgorithm, CipherMode, Curve, KeyOperation, KeySpec, PublicExponent, PublicKey, SignAlgorithm, Size,
};
pub use level::{Placement, ProtectionLevel};
pub use name::{BadName, KeyRef, Name};
pub use time::{Moment, Time};
pub use vault::{Authority, BadAuthority, VaultKind, VaultStatus};
