//! Sign a digest.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::{KeyVersion, Room};
use crate::run::{Effect, Execute};
use crate::view::KeyResult;
use keystead_access::Permit;
use keystead_model::{KeyOperation, KeyRef, SignAlgorithm, Target};
use zeroize::Zeroizing;

/// Signs a digest that the caller computed.
pub struct Sign {
    /// With which key.
    pub key: KeyRef,
    /// How.
    pub algorithm: SignAlgorithm,
    /// The digest, as long as the algorithm's hash.
    pub digest: Vec<u8>,
}
ask!(Sign, Sign, |c| Target::Key(c.key.name.clone()));

impl Execute for Sign {
    type Output = KeyResult;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyResult>, Refusal> {
        let ask = permit.ask();
        let used = room.usable(permit, &ask.key, KeyOperation::Sign).await?;
        let v = &used.version;
        fits(v, ask.algorithm.fits(v.record.spec), ask.algorithm.wire())?;
        let digest = digest(ask.algorithm, &ask.digest, "value")?;
        let value = Zeroizing::new(used.key.sign(ask.algorithm, digest, room.at.deadline).await?);
        let result = KeyResult { name: v.name.clone(), version: v.version, value, iv: None, tag: None, aad: None };
        Ok(Effect::read(result).about(v.id, Some(v.version)))
    }
}

/// The algorithm must belong to this kind of key.
pub(super) fn fits(v: &KeyVersion, fits: bool, alg: &'static str) -> Result<(), Refusal> {
    if fits {
        return Ok(());
    }
    Err(Refusal::WrongAlgorithm { alg, spec: v.record.spec, name: v.name.clone(), version: v.version })
}

/// A digest must have the length of the algorithm's hash.
pub(super) fn digest<'a>(algorithm: SignAlgorithm, digest: &'a [u8], what: &'static str) -> Result<&'a [u8], Refusal> {
    let wanted = algorithm.digest_len();
    if digest.len() == wanted {
        return Ok(digest);
    }
    Err(Refusal::BadLength { what, expected: format!("a digest of {wanted} bytes") })
}
