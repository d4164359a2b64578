//! Check a signature.

use super::sign::{digest, fits};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use keystead_access::Permit;
use keystead_model::{KeyOperation, KeyRef, PublicKey, SignAlgorithm, Target};

/// Checks a signature over a digest that the caller computed.
pub struct Verify {
    /// Under which key.
    pub key: KeyRef,
    /// How it was made.
    pub algorithm: SignAlgorithm,
    /// The digest, as long as the algorithm's hash.
    pub digest: Vec<u8>,
    /// The signature. One of a wrong length is none.
    pub signature: Vec<u8>,
}
ask!(Verify, Verify, |c| Target::Key(c.key.name.clone()));

impl Execute for Verify {
    type Output = bool;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<bool>, Refusal> {
        let ask = permit.ask();
        let v = room.usable_version(&ask.key, KeyOperation::Verify).await?;
        fits(&v, ask.algorithm.fits(v.record.spec), ask.algorithm.wire())?;
        let digest = digest(ask.algorithm, &ask.digest, "digest")?;
        let (algorithm, signature, by) = (ask.algorithm, ask.signature.as_slice(), room.at.deadline);
        let good = match &v.record.public {
            // Only the secret tells.
            PublicKey::Symmetric => {
                let used = room.usable(permit, &ask.key, KeyOperation::Verify).await?;
                used.key.verify(algorithm, digest, signature, by).await?
            }
            public => room.protection().verify(public, algorithm, digest, signature, by).await?,
        };
        Ok(Effect::read(good).about(v.id, Some(v.version)))
    }
}
