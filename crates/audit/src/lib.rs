//! The audit: one append-only journal per node, made durable before anything is answered, with a Merkle tree, tiles,
//! signed checkpoints and receipts over it.
//!
//! A *log* is one vault on one node. Its records lie in the journal between those of the other logs; the node's own log
//! has vault id zero. Whatever reached a decision becomes a [`Record`], and whoever asked gets a [`Receipt`], which
//! only the journal can make and only after the record is on disk:
//!
//! ```no_run
//! # use keystead_audit::{Answer, Draft, Journal, JournalDown, Outcome};
//! # async fn request(journal: Journal, draft: Draft, node: keystead_model::NodeId) -> Result<(), JournalDown> {
//! let slot = journal.reserve()?; // before the work: a full disk is met here
//! let record = draft.encode(Outcome::DONE, None, node);
//! let receipt = slot.write(record).await?; // on disk when it returns
//! let answer = Answer::<_, ()>::new(receipt, Ok("signature"));
//! # let _ = answer; Ok(()) }
//! ```
//!
//! - [`record`]: the layout of a record; [`draft`]: a permit or a denial on its way to becoming one; [`noted`]: what it
//!   says in words
//! - [`receipt`]: receipts, and the answers that cannot be built without one
//! - [`waiting`]: a record as the store keeps it until the journal has it
//! - [`journal`]: segments on disk, the one writer, recovery, reading
//! - [`tlog`]: RFC 6962 tree, C2SP tiles, signed checkpoints, proofs; usable offline
//! - [`verify`]: a data directory checked from first record to last
//! - [`sink`]: copies for elsewhere, each with its own cursor, never in a request's way; [`syslog`]: one of them
//! - [`error`]: every way this can fail, with its remedy

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

pub mod draft;
pub mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod journal;
pub mod noted;
pub mod receipt;
pub mod record;
pub mod sink;
pub mod syslog;
pub mod tlog;
pub mod verify;
pub mod waiting;

pub use draft::{Detail, Draft, Outcome};
pub use error::{JournalDown, OpenError, ReadError};
pub use journal::{Clock, Journal, JournalHealth, Limits, Node, Slot, TurnedAwayReason, system_clock};
pub use noted::{Note, TooManyFacts};
pub use receipt::{Answer, Receipt, ReceiptText};
pub use record::{BadRecord, Record};
pub use sink::{FileSink, Pump, Sink};
pub use syslog::{Connect, Line, SyslogSettings, SyslogSink};
pub use waiting::NotVouched;
