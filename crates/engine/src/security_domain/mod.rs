//! The security domain of a vault whose server holds its private key: shared among custodians, and adopted from another
//! vault, both as Managed HSM's clients do it. A vault in the custody of a quorum has none of this: no server has the
//! private key of its domain.
//!
//! - `secrets`: all of the domain that the vault has, opened
//! - `transfer`: the key to which clients encrypt a domain for the vault
//! - `adopt`: what changes when the vault takes another domain
//! - [`error`]: why that is not done

pub(crate) mod adopt;
pub mod error;
pub(crate) mod secrets;
pub(crate) mod transfer;

pub use error::SecurityDomainError;

use crate::error::Refusal;
use crate::node::QUORUM;
use crate::room::Room;

/// Refused where only custodians have the domain.
pub(crate) fn is_here(room: &Room<'_>) -> Result<(), Refusal> {
    match room.vault().info().custody.as_str() {
        QUORUM => Err(SecurityDomainError::WithCustodians.into()),
        _ => Ok(()),
    }
}
