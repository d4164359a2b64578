//! Read what the clock says.

use crate::clock::Doubt;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Target, Time};

/// Reads what the node's clock says, and whether it is doubted in this vault.
pub struct ReadClock;
ask!(ReadClock, ReadClock, |c| Target::Vault);

/// The clock, as a vault sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockView {
    /// What it says.
    pub now: Time,
    /// Why it is doubted, if it is: what cannot be undone waits.
    pub doubt: Option<Doubt>,
}

impl Execute for ReadClock {
    type Output = ClockView;
    no_approval!();

    async fn execute(_: &Permit<Self>, room: &Room<'_>) -> Result<Effect<ClockView>, Refusal> {
        Ok(Effect::read(ClockView { now: room.at.now, doubt: room.vault().doubt_of(room.open()) }))
    }
}
