//! Who may do what. [`Policy::decide`] takes a caller and a command and returns a [`Permit`]: a permit *is* the
//! permitted command, so its action and target cannot differ from what runs. Pure: no clock, no I/O.
//!
//! - [`policy`]: the sealed document of a vault, and the decision
//! - [`permit`]: what a decision gives, and what a denial says
//! - [`role`]: what role definitions say; [`grantee`]: whom an assignment names
//! - [`change`]: which changes of roles and assignments are allowed, and what comes of them
//! - [`approval`]: what needs the signatures of approvers, and whether they are there
//! - `standing`: whether long work may go on
//! - [`way_in`]: whether anybody is left who administers the vault
//!
//! Deny is the default: an action is allowed by a role assignment whose scope covers the target, by being one of the
//! vault's administrators (for the few actions on the vault itself and its roles), by being one of its built-in clients
//! (for a token of one's own), or by a mandate that names it.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod approval;
pub(crate) mod callers;
pub mod change;
#[doc(hidden)]
pub mod fuzz;
pub mod grantee;
pub mod permit;
pub mod policy;
pub mod role;
pub(crate) mod standing;
pub mod way_in;

pub use approval::{Approvals, Approver, Operation, Proposal, RecordedVote, Rule, Standing, Verdict, Vote};
pub use change::{AssignmentView, Edit, NotChanged, Undefined};
pub use grantee::Grantee;
pub use permit::{Ask, Denial, Ground, Mandate, Permit, Who};
pub use policy::{Assignment, BadPolicy, Policy, PolicyDocument};
pub use role::{Definition, Permission, Role};
pub use standing::AdministersBy;
pub use way_in::Known;
