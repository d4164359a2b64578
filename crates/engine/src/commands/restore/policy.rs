//! The last step of a restore of the whole vault: its policy.

use super::keeps;
use super::proceed::{ContinueRestore, Step};
use super::source::Source;
use crate::backup::place::Target;
use crate::backup::{BackupError, jobs};
use crate::error::Refusal;
use crate::policy_row::Editing;
use crate::records::backup::{Item, VaultItem};
use crate::records::job::{AtRecord, ByRecord, RestoreWork};
use crate::room::Room;
use keystead_access::{Approvals, Grantee, Permit, PolicyDocument, Rule};
use keystead_custody::BackupKey;
use keystead_identity::{NotBefore, Principal};
use keystead_store::Changes;

/// What was done besides, in words.
type Said = Option<String>;

const LEFT: &str = "The policy was left as it is: only an administrator's restore brings it back";

/// Brings the policy back if an administrator began the restore. One that nobody could administer here is left.
pub(super) async fn restore(
    permit: &Permit<ContinueRestore>,
    room: &Room<'_>,
    target: &Target,
    (work, by): (&RestoreWork, &ByRecord),
) -> Result<(Step, Said), Refusal> {
    let done = || Step::Done(Changes::default());
    let frames = BackupKey::from_bytes(&work.key.0).frames(&work.header);
    let first = AtRecord::first(&work.header);
    let opened = Source::new(&room.vault().storage, target, frames, first).next().await?;
    let Some(Item::Vault(vault)) = opened.items.into_iter().next() else {
        return Err(BackupError::Altered { frame: 0 }.into());
    };
    let mut document = here(*vault, &room.open().issuer.info().iss);
    let mut editing = Editing::of(permit, room).await?;
    let fewer = fewer(&document.approvals, &editing.document().approvals);
    let told = |said: Option<&str>| {
        let both: Vec<&str> = said.into_iter().chain(fewer.as_deref()).collect();
        (!both.is_empty()).then(|| both.join(". "))
    };
    if !work.policy || !jobs::administers(editing.edit.before(), by) {
        return Ok((done(), told(Some(LEFT))));
    }
    // Who approves is not taken from a copy: an older one could have fewer, or somebody who was removed.
    document.approvals = editing.document().approvals.clone();
    still_revoked(&mut document.callers.not_before, &editing.document().callers.not_before);
    if *editing.document() == document {
        return Ok((done(), told(None)));
    }
    let now = editing.document().clone();
    let said = match keeps::keep(&mut document, &now, by, &room.open().issuer.info().iss) {
        true => "The policy was restored, but that whoever restored it administers the vault and gets in as now",
        false => "The policy was restored",
    };
    *editing.document() = document;
    match editing.restored(room, false) {
        Ok(effect) => Ok((Step::Policy(Box::new(effect)), told(Some(said)))),
        Err(why @ (Refusal::PolicyRefused(_) | Refusal::Role(_))) => {
            Ok((done(), told(Some(&format!("The policy was left as it is: {why}")))))
        }
        Err(why) => Err(why),
    }
}

/// What may be done here with fewer approvals than where the backup was taken: its rules do not come back.
fn fewer(backup: &Approvals, now: &Approvals) -> Option<String> {
    let number = |(rule, before, now): (Rule, u8, u8)| format!("{} {before} -> {now}", rule.name());
    let all: Vec<_> = now.fewer_than(backup).into_iter().map(number).collect();
    let all = all.join(", ");
    (!all.is_empty())
        .then(|| format!("Approvals are left as they are, and fewer than in the backup are needed for: {all}"))
}

/// Tokens that were revoked since stay so: of two times the later counts.
fn still_revoked(restored: &mut Vec<NotBefore>, now: &[NotBefore]) {
    for since in now {
        let same = |n: &&mut NotBefore| (&n.issuer, &n.subject) == (&since.issuer, &since.subject);
        match restored.iter_mut().find(same) {
            Some(known) => known.time = known.time.max(since.time),
            None => restored.push(since.clone()),
        }
    }
}

/// The document as it is in this vault: principals of the vault's own issuer are those of this vault's.
pub(crate) fn here(from: VaultItem, iss: &str) -> PolicyDocument {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::VaultRecord;
    use keystead_access::policy::AssignmentDocument;

    fn not_before(issuer: &str, subject: Option<&str>, time: i64) -> NotBefore {
        NotBefore { issuer: issuer.to_owned(), subject: subject.map(str::to_owned), time }
    }

    fn item(policy: PolicyDocument) -> VaultItem {
        let vault = VaultRecord {
            name: "pay".to_owned(),
            kind: "vault".to_owned(),
            status: "active".to_owned(),
            authorities: Vec::new(),
            custody: "file".to_owned(),
            created: 0,
            retention_days: 7,
            tenant: "adfs".to_owned(),
        };
        VaultItem { vault, purge_protection: false, hsm: None, iss: "there".to_owned(), policy }
    }

    #[test]
    fn principals_of_the_own_issuer_become_those_of_the_vault_that_restores() {
        let assignment = |principal: Principal| AssignmentDocument {
            id: [1; 16],
            scope: "/".to_owned(),
            principal: principal.into(),
            role: "r".to_owned(),
        };
        let policy = |own: &str| {
            let mut document = PolicyDocument {
                administrators: vec![
                    Principal::new(own, "a"),
                    Principal::group(own, "g"),
                    Principal::new("other", "a"),
                ],
                assignments: vec![assignment(Principal::new(own, "a")), assignment(Principal::new("other", "a"))],
                directory: Some(own.to_owned()),
                ..PolicyDocument::default()
            };
            document.callers.not_before = vec![not_before(own, Some("a"), 1), not_before("other", None, 2)];
            document
        };
        assert!(here(item(policy("there")), "here") == policy("here"));
        let elsewhere = PolicyDocument { directory: Some("other".to_owned()), ..policy("there") };
        assert_eq!(here(item(elsewhere), "here").directory.as_deref(), Some("other"));
    }

    #[test]
    fn a_restore_says_what_needs_fewer_approvals_than_in_the_backup() {
        let of = |rules: &[(Rule, u8)]| Approvals { approvers: Vec::new(), rules: rules.iter().copied().collect() };
        let before = of(&[(Rule::Purge, 2), (Rule::Restore, 2), (Rule::PathRemoval, 1)]);
        let said = fewer(&before, &of(&[(Rule::Purge, 1), (Rule::Restore, 2)])).unwrap();
        for named in ["purge 2 -> 1", "path-removal 1 -> 0"] {
            assert!(said.contains(named), "{named}: {said}");
        }
        assert!(!said.contains("restore 2"), "{said}");
        assert_eq!((fewer(&before, &before), fewer(&Approvals::default(), &before)), (None, None));
    }

    #[test]
    fn of_two_revocations_the_later_counts() {
        let mut restored = vec![not_before("i", None, 5), not_before("i", Some("s"), 9)];
        still_revoked(
            &mut restored,
            &[not_before("i", None, 7), not_before("i", Some("s"), 3), not_before("j", None, 1)],
        );
        let all = [not_before("i", None, 7), not_before("i", Some("s"), 9), not_before("j", None, 1)];
        assert_eq!(restored, all);
    }
}
