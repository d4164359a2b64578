//! Commands on backups of the whole vault.

mod copy;
pub(crate) mod inventory;
mod proceed;
mod read;
mod start;
mod trial;

pub use inventory::{BadPlace, InventoryPage, InventoryPlace, ReadInventory};
pub(crate) use proceed::ContinueBackup;
pub use read::{ListBackups, ReadBackup};
pub use start::StartBackup;
