//! Commands on what the vault believes of the node's clock.

mod confirm;
mod read;

pub use confirm::ConfirmClock;
pub use read::{ClockView, ReadClock};
