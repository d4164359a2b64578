//! Commands on the rest of a vault's policy.

mod authority;
mod read;
mod revoke;

pub use authority::{AddAuthority, RemoveAuthority};
pub use read::{PolicyView, ReadPolicy};
pub use revoke::RevokeTokens;
