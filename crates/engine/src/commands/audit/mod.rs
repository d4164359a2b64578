//! Commands on the audit log.

mod read;

pub use read::{AuditEntry, ReadAudit};
