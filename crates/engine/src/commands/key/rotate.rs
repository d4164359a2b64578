//! Make a new version of the same kind.

use super::create::{NewVersion, add_version};
use crate::commands::ask;
use crate::error::Refusal;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::{KeyView, SetAttributes};
use keystead_access::Permit;
use keystead_model::{Name, PublicExponent, PublicKey, Target};
use keystead_protection::NewKey;

/// Makes a new version with the kind, public exponent, operations and tags of the newest; it expires as the rotation
/// policy says.
pub struct RotateKey {
    /// Which key.
    pub name: Name,
}
ask!(RotateKey, RotateKey, |c| Target::Key(c.name.clone()));

impl Execute for RotateKey {
    type Output = KeyView;

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let name = &permit.ask().name;
        let head = room.live(name).await?;
        room.still_due(permit, &head)?;
        let missing = || Refusal::KeyNotFound { name: name.clone(), version: None };
        let old = room.newest(&head).await?.ok_or_else(missing)?;
        let expiry = head.record.rotation.as_ref().and_then(|r| r.expiry);
        let attributes = SetAttributes {
            enabled: Some(old.record.enabled),
            not_before: None,
            expires: expiry.map(|after| room.at.now.plus_millis(after)),
        };
        let key = NewKey { spec: old.record.spec, exponent: exponent(&old.record.public) };
        let (ops, tags) = (old.record.ops.clone(), &old.record.tags);
        add_version(room, name, Some(head), NewVersion { key, ops, attributes: &attributes, tags }).await
    }
}

/// The public exponent of an RSA key; where it says nothing, the usual one.
fn exponent(public: &PublicKey) -> PublicExponent {
    let number = match public {
        PublicKey::Rsa { e, .. } if e.len() <= 4 => {
            e.iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte))
        }
        _ => 0,
    };
    PublicExponent::new(number).unwrap_or_default()
}
