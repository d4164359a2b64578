//! Check a signature.

use super::sign::{digest, fits};
use crate::commands::ask;
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{KeyOperation, KeyRef, SignAlgorithm, Target};

/// Checks a signature over a digest that the caller computed.
pub struct Verify {
    /// Under which key.
    pub key: KeyRef,
    /// How it was made.
    pub algorithm: SignAlgorithm,
    /// The digest: 32 bytes for SHA-256.
    pub digest: Vec<u8>,
    /// The signature. One of a wrong length is none.
    pub signature: Vec<u8>,
}
ask!(Verify, Verify, |c| Target::Key(c.key.name.clone()));

impl Execute for Verify {
    type Output = bool;

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<bool>, Refusal> {
        let ask = permit.ask();
        let v = room.usable_version(&ask.key, KeyOperation::Verify).await?;
        fits(&v, ask.algorithm.spec(), ask.algorithm.wire())?;
        let digest = digest(ask.algorithm, &ask.digest, "digest")?;
        let good = keystead_protection::verify(&v.record.public, ask.algorithm, digest, &ask.signature);
        Ok(Effect::read(good).about(v.id, Some(v.version)))
    }
}
