//! Commands on the issuers that a vault trusts.

mod add;
mod remove;

pub use add::AddIssuer;
pub use remove::RemoveIssuer;
