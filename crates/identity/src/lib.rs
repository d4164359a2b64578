//! Proof to [`Caller`]: bearer tokens and client secrets. Pure: what is trusted and what time it is are arguments.
//!
//! - [`principal`]: who someone is, and a principal that was proven
//! - [`principal_id`]: principals as the GUIDs of the Key Vault API
//! - [`trust`]: whom a vault believes: issuers with their keys, and built-in clients
//! - [`authenticate`]: [`Identity`], the only maker of a [`Caller`]
//! - [`token`]: how a built-in issuer writes its tokens and shows its keys
//!
//! A principal is an issuer and a subject. The subject is the one claim that the vault's policy names for the issuer;
//! no other claim stands in for it.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod authenticate;
mod bearer;
mod object;
pub mod principal;
pub mod principal_id;
pub mod token;
pub mod trust;

#[doc(hidden)]
pub mod fuzz;

pub use authenticate::{Identity, NotAuthenticated, Proof, Proven};
pub use principal::{Caller, Principal};
pub use principal_id::Named;
pub use trust::{Client, IssuerKey, TrustedIssuer, secret_digest};
