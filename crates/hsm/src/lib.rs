//! PKCS#11 tokens. Each has one worker process, the only one that loads the vendor's library; the server speaks with it
//! by messages over a socket pair and kills it when it does not answer in time.
//!
//! - [`call`]: what is asked of a token and what it answers; [`codec`]: both as bytes
//! - [`client`]: the server's side: one [`Client`] a token, with its worker supervised
//! - [`worker`]: the worker's side: sessions, objects, mechanisms, self-test
//! - [`export`]: keys of others that leave a token for a vault
//! - [`describe`]: what a token is and can, and what its self-test found
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod account;
pub mod call;
pub mod client;
mod clock;
mod codec;
pub mod describe;
mod error;
pub mod export;
pub mod fuzz;
pub mod worker;

pub use account::{Account, NoAccount};
pub use call::{Call, Destination, Held, KeyId, Owner, Parts, Reply, Stored};
pub use client::{Client, Config, Decrypted, TokenState};
pub use describe::{Assurance, Attack, Description, Mechanism, Native, Outcome, WrapClass};
pub use error::HsmError;
pub use export::{NotExported, Recipe, Step, Subject, Wanted};
