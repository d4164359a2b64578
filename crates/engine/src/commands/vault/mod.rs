//! Commands on the vault itself.

mod seal;

pub use seal::SealVault;
