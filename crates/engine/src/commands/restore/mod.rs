//! Commands that restore from a backup of the whole vault.

mod apply;
mod keeps;
mod older;
mod policy;
mod proceed;
mod read;
mod source;
mod start;
mod steps;

pub(crate) use policy::here;
pub(crate) use proceed::ContinueRestore;
pub use read::ReadRestore;
pub use start::{RestoreKeyFromBackup, StartRestore};
