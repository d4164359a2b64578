//! Make a new version of the same kind.

use super::create::{NewVersion, Source, add_version};
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::Work;
use crate::room::Room;
use crate::run::{Effect, Execute};
use crate::view::{KeyView, ReleasePolicy, SetAttributes};
use keystead_access::Permit;
use keystead_model::{Name, PublicExponent, PublicKey, Target};
use keystead_protection::NewKey;

/// Makes a new version with the kind, public exponent, operations, tags and release policy of the newest; it expires as
/// the rotation policy says.
pub struct RotateKey {
    /// Which key.
    pub name: Name,
}
ask!(RotateKey, RotateKey, |c| Target::Key(c.name.clone()));

impl Execute for RotateKey {
    type Output = KeyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<KeyView>, Refusal> {
        let name = &permit.ask().name;
        let head = room.live(name).await?;
        room.still_due(permit, &head, Work::Rotate)?;
        let missing = || Refusal::KeyNotFound { name: name.clone(), version: None };
        let old = room.newest(&head).await?.ok_or_else(missing)?.record;
        let expiry = head.record.rotation.as_ref().and_then(|r| r.expiry);
        let attributes = SetAttributes {
            enabled: Some(old.enabled),
            not_before: None,
            expires: expiry.map(|after| room.at.now.plus_millis(after)),
            exportable: old.exportable,
        };
        let release = old.release.as_ref().map(ReleasePolicy::of);
        let new = NewVersion {
            source: Source::Generate(NewKey { spec: old.spec, exponent: exponent(&old.public), level: old.level()? }),
            ops: old.ops,
            attributes: &attributes,
            tags: &old.tags,
            release: release.as_ref(),
        };
        add_version(room, name, Some(head), new).await
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
