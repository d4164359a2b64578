//! Commands on the vault itself.

mod seal;
mod settings;

pub use seal::SealVault;
pub use settings::{GetSetting, ListSettings, Setting, UpdateSetting};
