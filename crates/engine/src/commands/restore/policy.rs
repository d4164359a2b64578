//! The last step of a restore of the whole vault: its policy.

use super::proceed::{ContinueRestore, Step};
use super::source::Source;
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::records::job::{AtRecord, RestoreWork};
use crate::records::whole::{Item, VaultItem};
use crate::room::Room;
use crate::whole::BackupError;
use crate::whole::place::Target;
use keystead_access::{Grantee, Permit, PolicyDocument};
use keystead_custody::BackupKey;
use keystead_identity::Principal;
use keystead_store::Changes;

/// What was done besides, in words.
type Said = Option<String>;

const LEFT: &str = "The policy was left as it is: only an administrator's restore brings it back";

/// Brings the policy back if an administrator began the restore. One that nobody could administer here is left.
pub(super) async fn restore(
    permit: &Permit<ContinueRestore>,
    room: &Room<'_>,
    target: &Target,
    (work, by): (&RestoreWork, &Principal),
) -> Result<(Step, Said), Refusal> {
    let done = || Step::Done(Changes::default());
    if !work.policy {
        return Ok((done(), Some(LEFT.to_owned())));
    }
    let frames = BackupKey::from_bytes(&work.key.0).frames(&work.header);
    let first = AtRecord::first(&work.header);
    let opened = Source::new(&room.vault().storage, target, frames, first).next().await?;
    let Some(Item::Vault(vault)) = opened.items.into_iter().next() else {
        return Err(BackupError::Altered { frame: 0 }.into());
    };
    let mut document = here(*vault, &room.open().issuer.info().iss);
    let mut editing = Editing::of(permit, room).await?;
    if !editing.edit.before().administers(by) {
        return Ok((done(), Some(LEFT.to_owned())));
    }
    // Who approves is not taken from a copy: an older one could have fewer, or somebody who was removed.
    document.approvals = editing.document().approvals.clone();
    if *editing.document() == document {
        return Ok((done(), None));
    }
    *editing.document() = document;
    match editing.removed(room, false) {
        Ok(effect) => Ok((Step::Policy(Box::new(effect)), Some("The policy was restored".to_owned()))),
        Err(why @ (Refusal::PolicyRefused(_) | Refusal::Role(_))) => {
            Ok((done(), Some(format!("The policy was left as it is: {why}"))))
        }
        Err(why) => Err(why),
    }
}

/// The document as it is in this vault: principals of the vault's own issuer are those of this vault's.
fn here(from: VaultItem, iss: &str) -> PolicyDocument {
    let VaultItem { iss: own, mut policy, .. } = from;
    let rename = |name: &mut String| {
        if *name == own {
            iss.clone_into(name);
        }
    };
    let principal = |p: &mut Principal| {
        if p.issuer() == own {
            *p = match p.is_group() {
                true => Principal::group(iss, p.subject()),
                false => Principal::new(iss, p.subject()),
            };
        }
    };
    policy.administrators.iter_mut().for_each(principal);
    for assignment in &mut policy.assignments {
        if let Grantee::Principal(named) = &mut assignment.principal {
            principal(named);
        }
    }
    policy.callers.not_before.iter_mut().for_each(|n| rename(&mut n.issuer));
    policy.directory.iter_mut().for_each(rename);
    policy
}
