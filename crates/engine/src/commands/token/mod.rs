//! Commands on tokens.

mod issue;

pub use issue::{IssueToken, IssuedToken};
