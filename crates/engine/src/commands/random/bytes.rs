//! Random bytes.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::Target;
use zeroize::Zeroizing;

/// Gives random bytes. They stand in no record.
pub struct RandomBytes {
    /// How many: 1 to 128.
    pub count: u8,
}
ask!(RandomBytes, RandomBytes, |c| Target::Keys);

impl RandomBytes {
    /// Most bytes at a time.
    pub const MAX: u8 = 128;
}

impl Execute for RandomBytes {
    type Output = Zeroizing<Vec<u8>>;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<Zeroizing<Vec<u8>>>, Refusal> {
        match permit.ask().count {
            // A vault with an HSM gives the HSM's.
            count @ 1..=Self::MAX => match room.protection().tokens() {
                Ok(tokens) => Ok(Effect::read(Zeroizing::new(tokens.random(count, room.at.deadline).await?))),
                Err(_) => Ok(Effect::read(keystead_crypto::random_bytes(usize::from(count)))),
            },
            _ => Err(Refusal::OverBound { what: "1 to 128 random bytes are given at a time" }),
        }
    }
}
