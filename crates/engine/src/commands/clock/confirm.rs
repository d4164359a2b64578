//! Confirm the clock.

use super::ClockView;
use crate::clock::confirmed::confirming;
use crate::clock::near;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{Target, Time};

/// Says that the node's clock is right, so that what waits for it in this vault is done. Where nothing is doubted it
/// changes nothing.
pub struct ConfirmClock {
    /// What time it is, as the administrator saw it: a clock that says something else by now is not confirmed.
    pub time: Time,
}
ask!(ConfirmClock, ConfirmClock, |c| Target::Vault);

impl Execute for ConfirmClock {
    type Output = ClockView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<ClockView>, Refusal> {
        let now = room.at.now;
        if !near(now, permit.ask().time) {
            return Err(Refusal::ClockMoved);
        }
        let confirmed = ClockView { now, doubt: None };
        let Some(doubt) = room.vault().doubt_of(room.open()) else { return Ok(Effect::read(confirmed)) };
        let changes = confirming(room, &doubt).await?;
        Ok(Effect::change(confirmed, changes).after(move |open, revision| open.confirm(doubt.id, revision)))
    }
}
