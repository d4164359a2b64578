//! Proof to [`Caller`]: bearer tokens, client secrets and assertions, client certificates. Pure: what is trusted, what
//! issuers published and what time it is are arguments.
//!
//! - [`principal`]: who someone is, and a principal that was proven
//! - [`principal_id`]: principals as the GUIDs of the Key Vault API
//! - [`trust`]: whom a vault believes: issuers with their keys, and built-in clients; [`credential`]: what those prove
//!   themselves with; [`certificate`]: who vouches for certificates; [`callers`]: and whose tokens are no good any more
//! - [`discovery`], [`keys`]: what an issuer publishes about itself, and its keys
//! - [`authenticate`]: [`Identity`], the only maker of a [`Caller`]; [`claimed`]: a proof before its signature is
//!   verified
//! - [`token`]: how a built-in issuer writes its tokens and shows its keys
//!
//! A principal is an issuer and a subject. The subject is the one claim that the vault's policy names for the issuer;
//! no other claim stands in for it.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod assertion;
pub mod authenticate;
mod bearer;
pub mod callers;
pub mod certificate;
pub mod claimed;
pub mod credential;
pub mod discovery;
pub mod keys;
mod object;
pub mod principal;
pub mod principal_id;
pub mod token;
pub mod trust;

#[doc(hidden)]
pub mod fuzz;

pub use authenticate::{Identity, NotAuthenticated, Proof, Proven};
pub use bearer::Published;
pub use callers::{Callers, NotBefore};
pub use certificate::{CertificateAuthority, SubjectName};
pub use claimed::Claimed;
pub use credential::{By, Credential, Federation};
pub use principal::{Caller, Principal};
pub use trust::{Client, IssuerKey, TrustedIssuer, secret_digest};
