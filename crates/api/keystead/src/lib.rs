//! Our own REST: the audit and the state of a vault at its authority, and the operator's table at the local socket.
//!
//! - [`routes`]: the table at a vault's authority
//! - [`logs`]: logs, checkpoints and tiles, for anybody; [`records`]: names and details, for who may read them
//! - [`policy`]: who is believed, and [`clock`]: whether the clock is, for administrators
//! - [`approvals`]: what was proposed to the approvers, and their votes
//! - [`inventory`]: what a vault holds, signed, for who may back it up
//! - [`health`]: a vault's state; [`ready`]: whether requests can be served, and why not
//! - [`operator`]: what the operator may do *to* vaults, over the unix socket; he has no role *in* any
//! - [`errors`]: one match for each way a request can fail

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod approvals;
pub mod backups;
pub mod clock;
pub mod errors;
#[doc(hidden)]
pub mod fuzz;
pub mod health;
pub mod inventory;
pub mod logs;
pub mod operator;
pub mod policy;
pub mod ready;
pub mod records;
pub mod routes;

pub use operator::{Metrics, Operator};
pub use routes::protocol;
