//! What a protocol is: a table of routes, each a command with a parser and a formatter, and one match for each way a
//! request can fail. There are no handlers, so nothing can go round `Vault::run`.
//!
//! ```text
//! route::<GetKey>(Method::GET, "/keys/{name}/{version?}", parse::get, StatusCode::OK, format::key)
//! ```
//!
//! - [`route()`]: a row of the table; [`OpenRoute`] and [`ProofRoute`] for what needs no caller
//! - [`protocol`]: the rows together with their matches, and how they are listed
//! - [`table`]: [`Table::dispatch`], the one order in which a request is looked at; [`Table::admit`], whose long bodies
//!   are read
//! - [`path`], [`query`], [`parts`]: what parsers and formatters see of a request
//! - [`peer`]: what the listener knows of the other end
//! - [`bad`], [`reply`]: what goes back; `proposed`: what needs approvals, and is only proposed

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod bad;
#[doc(hidden)]
pub mod fuzz;
pub mod ids;
pub mod parts;
pub mod path;
pub mod peer;
pub(crate) mod proposed;
pub mod protocol;
pub mod query;
pub mod reply;
pub mod route;
pub mod stamp;
pub mod table;

pub use bad::{BadParameter, Shown};
pub use ids::Ids;
pub use parts::{Context, Parts};
pub use path::{Pattern, Segments};
pub use peer::ClientCertificates;
pub use proposed::{Proposing, not_approved, proposal, proposed};
pub use protocol::{Access, Front, NoRoute, Operation, Protocol, RouteInfo};
pub use query::Query;
pub use reply::{Body, Reply, Response};
pub use route::{OpenRoute, ProofRoute, Route, TokenAsk, TokenFault, TokenProof, route};
pub use stamp::Stamp;
pub use table::{NotAdmitted, Table};
