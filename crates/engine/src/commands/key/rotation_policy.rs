//! Store a rotation policy: a mandate that the scheduler carries out.

use crate::commands::ask;
use crate::error::Refusal;
use crate::records::{KeyRecord, RotationRecord};
use crate::room::{Place, Room};
use crate::run::{Effect, Execute};
use keystead_access::{Permit, Who};
use keystead_model::{Name, Target};
use keystead_store::Changes;

/// When a key is rotated by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    /// So many milliseconds after its newest version was made; at least 7 days.
    pub after_create_millis: i64,
    /// New versions expire so many milliseconds after they are made; at least 28 days.
    pub expiry_millis: Option<i64>,
}

const DAY: i64 = 86_400_000;

impl RotationPolicy {
    /// Shortest time to rotation: 7 days.
    pub const MIN_AFTER: i64 = DAY.saturating_mul(7);
    /// Shortest expiry: 28 days.
    pub const MIN_EXPIRY: i64 = DAY.saturating_mul(28);
}

/// Stores a key's rotation policy, or removes it.
pub struct SetRotationPolicy {
    /// Which key.
    pub name: Name,
    /// The policy; `None` removes it.
    pub policy: Option<RotationPolicy>,
}
ask!(SetRotationPolicy, SetRotationPolicy, |c| Target::Key(c.name.clone()));

impl Execute for SetRotationPolicy {
    type Output = ();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<()>, Refusal> {
        let ask = permit.ask();
        let mut key = room.live(&ask.name).await?;
        let rotation = match ask.policy {
            None => None,
            Some(p) if p.after_create_millis < RotationPolicy::MIN_AFTER => {
                return Err(Refusal::OverBound { what: "rotation comes at least 7 days after creation" });
            }
            Some(p) if p.expiry_millis.is_some_and(|e| e < RotationPolicy::MIN_EXPIRY) => {
                return Err(Refusal::OverBound { what: "expiry is at least 28 days" });
            }
            Some(p) => Some(RotationRecord {
                after_create: p.after_create_millis,
                set_by: set_by(permit.who()),
                expiry: p.expiry_millis,
                at: permit.policy().0,
            }),
        };
        key.record = KeyRecord { rotation, ..key.record };
        let changes = Changes { puts: vec![room.row(Place::next(&key), &key.record)?], ..Changes::default() };
        Ok(Effect::change((), changes).about(key.id, None))
    }
}

fn set_by(who: &Who) -> String {
    match who {
        Who::Caller(c) => format!("{}|{}", c.principal().issuer(), c.principal().subject()),
        Who::Mandate(m) => m.set_by.clone(),
    }
}
