//! Encrypt, decrypt, wrap and unwrap. Wrapping is encryption of another key; it has its own permission.

use super::sign::fits;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::room::{Place, Room, Usable};
use crate::run::{Effect, Execute};
use crate::uses;
use crate::view::KeyResult;
use keystead_access::{Ask, Permit};
use keystead_model::{CipherAlgorithm, CipherMode, KeyOperation, KeyRef, Target};
use keystead_store::{Changes, Kind, RowKey};
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

macro_rules! seals {
    ($(#[$doc:meta])* $name:ident, $op:ident) => {
        $(#[$doc])*
        pub struct $name {
            /// With which key.
            pub key: KeyRef,
            /// How.
            pub algorithm: CipherAlgorithm,
            /// What.
            pub plaintext: Zeroizing<Vec<u8>>,
            /// The initialisation vector (AES-CBC).
            pub iv: Option<Vec<u8>>,
            /// Additional authenticated data (AES-GCM).
            pub aad: Vec<u8>,
        }
        ask!($name, $name, |c| Target::Key(c.key.name.clone()));

        impl Execute for $name {
            type Output = KeyResult;
            no_approval!();

            async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyResult>, Refusal> {
                let c = permit.ask();
                let work = Sealing { algorithm: c.algorithm, plaintext: &c.plaintext, iv: c.iv.as_deref(), aad: &c.aad };
                seal(permit, room, &c.key, KeyOperation::$op, work).await
            }
        }
    };
}

macro_rules! opens {
    ($(#[$doc:meta])* $name:ident, $op:ident) => {
        $(#[$doc])*
        pub struct $name {
            /// With which key.
            pub key: KeyRef,
            /// How.
            pub algorithm: CipherAlgorithm,
            /// What.
            pub ciphertext: Vec<u8>,
            /// The nonce (AES-GCM) or initialisation vector (AES-CBC).
            pub iv: Option<Vec<u8>>,
            /// The tag (AES-GCM).
            pub tag: Option<Vec<u8>>,
            /// Additional authenticated data (AES-GCM).
            pub aad: Vec<u8>,
        }
        ask!($name, $name, |c| Target::Key(c.key.name.clone()));

        impl Execute for $name {
            type Output = KeyResult;
            no_approval!();

            async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyResult>, Refusal> {
                let c = permit.ask();
                let used = room.usable(permit, &c.key, KeyOperation::$op).await?;
                goes_with(&used, c.algorithm, KeyOperation::$op)?;
                let (iv, tag, by) = (c.iv.as_deref(), c.tag.as_deref(), room.at.deadline);
                let value = used.key.decrypt(c.algorithm, &c.ciphertext, iv, tag, &c.aad, by).await?;
                Ok(result(&used, value, None, None, None))
            }
        }
    };
}

seals!(
    /// Encrypts data.
    Encrypt, Encrypt
);
seals!(
    /// Wraps another key.
    WrapKey, WrapKey
);
opens!(
    /// Decrypts data.
    Decrypt, Decrypt
);
opens!(
    /// Unwraps another key.
    UnwrapKey, UnwrapKey
);

struct Sealing<'a> {
    algorithm: CipherAlgorithm,
    plaintext: &'a [u8],
    iv: Option<&'a [u8]>,
    aad: &'a [u8],
}

async fn seal<C: Ask>(
    permit: &Permit<C>,
    room: &Room<'_>,
    key: &KeyRef,
    op: KeyOperation,
    work: Sealing<'_>,
) -> Result<Effect<KeyResult>, Refusal> {
    let used = room.usable(permit, key, op).await?;
    goes_with(&used, work.algorithm, op)?;
    let is_gcm = work.algorithm.mode() == CipherMode::Gcm;
    let block = if is_gcm { take_use(room, &used).await? } else { None };
    let sealed = used.key.encrypt(work.algorithm, work.plaintext, work.iv, work.aad, room.at.deadline).await?;
    let aad = (is_gcm && !work.aad.is_empty()).then(|| work.aad.to_vec());
    let effect = result(&used, Zeroizing::new(sealed.value), sealed.iv, sealed.tag, aad);
    Ok(match block {
        None => effect,
        Some((changes, turn)) => {
            let version = used.version.version;
            effect.with(changes).after(move |open, _| {
                open.uses.add(version, uses::BLOCK.saturating_sub(1));
                drop(turn);
            })
        }
    })
}

/// The algorithm must belong to this kind of key, and to what is done.
fn goes_with(used: &Usable, algorithm: CipherAlgorithm, op: KeyOperation) -> Result<(), Refusal> {
    let v = &used.version;
    fits(v, algorithm.fits(v.record.spec) && algorithm.serves(op), algorithm.wire())
}

/// Takes one AES-GCM use of what is reserved; otherwise the change that reserves a block, of which this is the first,
/// with the turn to do so.
async fn take_use(room: &Room<'_>, used: &Usable) -> Result<Option<(Changes, OwnedMutexGuard<()>)>, Refusal> {
    let v = &used.version;
    if room.open().uses.take(v.version) {
        return Ok(None);
    }
    let turn = room.open().uses.turn(v.version).await;
    if room.open().uses.take(v.version) {
        return Ok(None);
    }
    let mut record = v.record.clone();
    record.uses_reserved = record.uses_reserved.saturating_add(uses::BLOCK);
    if record.uses_reserved > uses::LIMIT {
        return Err(Refusal::UsesExhausted);
    }
    if record.uses_reserved > uses::WARNING {
        tracing::warn!(version = %v.version, "more than 2^31 AES-GCM uses of this key version: rotate the key");
    }
    let row = room.row(Place::next_version(v), &record)?;
    // The key must still be live: deleting it leaves its versions as they are.
    let live = RowKey { kind: Kind::Key, lookup: v.tag, version: None };
    // A use is no change of the key, which a restore would take back.
    let changes = Changes { puts: vec![row], checks: vec![(live, v.head)], unchanged: true, ..Changes::default() };
    Ok(Some((changes, turn)))
}

fn result(
    used: &Usable,
    value: Zeroizing<Vec<u8>>,
    iv: Option<Vec<u8>>,
    tag: Option<[u8; 16]>,
    aad: Option<Vec<u8>>,
) -> Effect<KeyResult> {
    let v = &used.version;
    let result = KeyResult { name: v.name.clone(), version: v.version, value, iv, tag, aad };
    Effect::read(result).about(v.id, Some(v.version))
}

#[cfg(test)]
mod tests;
