//! Backups of a whole vault, and restores from them: what commands on them share.
//!
//! A backup or a restore is a row with a due time and a chain of commands. Each step writes or reads one part of the
//! backup and commits how far it has come; what a step did before it was cut off is done again in the same place. Who
//! began it must still have the right at each step.
//!
//! - [`place`]: where a backup lies; [`storage`]: how it gets there and back
//! - `stream`: from records to frames and back; [`told`]: what a backup says of the vault itself
//! - `beat`: what goes on with them; `jobs`: the rows; [`view`]: what their readers see
//! - [`error`]: why there is no backup, or none that is restored

mod beat;
pub mod error;
pub(crate) mod jobs;
pub mod place;
pub mod storage;
pub(crate) mod stream;
pub mod told;
pub mod view;

pub use error::BackupError;
pub use place::BackupPlace;
pub use storage::{ObjectCall, Objects, Storage};
pub use told::{NotTold, Told};
pub use view::{JobKind, JobState, JobView};
