//! Commands on backups of the whole vault.

mod copy;
mod proceed;
mod read;
mod start;

pub(crate) use proceed::ContinueBackup;
pub use read::{ListBackups, ReadBackup};
pub use start::StartBackup;
