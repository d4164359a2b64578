//! What an administrator keeps when he brings a policy back: the backup can be from before he came, and he would lock
//! himself out of the vault.

use crate::records::job::ByRecord;
use keystead_access::{AdministersBy, PolicyDocument};
use keystead_identity::Principal;

/// He administers the vault by what he does now, and gets in as now. Whether the backup had it otherwise.
pub(super) fn keep(restored: &mut PolicyDocument, now: &PolicyDocument, by: &ByRecord, own: &str) -> bool {
    let before = restored.clone();
    match &by.administers {
        // His group stays the way to it where that is his way.
        Some(AdministersBy::Listed(named)) => put(&mut restored.administrators, named, |other| other == named),
        Some(AdministersBy::Assigned(id)) => {
            if let Some(his) = now.assignments.iter().find(|held| held.id == **id) {
                put(&mut restored.assignments, his, |held| held.id == his.id);
            }
        }
        // A job of an earlier release.
        None => {
            let himself = Principal::new(&by.issuer, &by.subject);
            put(&mut restored.administrators, &himself, |named| *named == himself);
        }
    }
    if by.issuer == own {
        // With the credentials of today: those of the backup may have ended.
        if let Some(his) = now.clients.iter().find(|client| client.subject == by.subject) {
            put(&mut restored.clients, his, |c| c.subject == his.subject || c.id.eq_ignore_ascii_case(&his.id));
        }
    } else if let Some(his) = now.issuers.iter().find(|issuer| issuer.iss == by.issuer) {
        put(&mut restored.issuers, his, |issuer| issuer.iss == his.iss);
    } else if let Some(his) = now.callers.authorities.iter().find(|authority| authority.issuer() == by.issuer) {
        put(&mut restored.callers.authorities, his, |authority| authority.certificate == his.certificate);
    }
    *restored != before
}

/// In the place of what is the same thing.
fn put<T: Clone>(list: &mut Vec<T>, his: &T, same: impl Fn(&T) -> bool) {
    match list.iter_mut().find(|thing| same(thing)) {
        Some(place) => *place = his.clone(),
        None => list.push(his.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_access::policy::AssignmentDocument;

    fn by(administers: AdministersBy) -> ByRecord {
        let (issuer, subject) = ("https://idp".to_owned(), "eve".to_owned());
        ByRecord { issuer, subject, assignment: None, administers: Some(administers) }
    }

    #[test]
    fn who_administers_by_a_group_or_an_assignment_does_so_by_nothing_else_after_it() {
        let group = Principal::group("https://idp", "admins");
        let now = PolicyDocument { administrators: vec![group.clone()], ..PolicyDocument::default() };
        let mut restored = now.clone();
        assert!(!keep(&mut restored, &now, &by(AdministersBy::Listed(group.clone())), "own"));
        assert!(restored == now, "the backup has the group, too");
        let mut restored = PolicyDocument::default();
        assert!(keep(&mut restored, &now, &by(AdministersBy::Listed(group)), "own"));
        assert!(restored == now, "the group came back, and nobody by his own name");
        let held = AssignmentDocument {
            id: [7; 16],
            scope: "/".to_owned(),
            principal: Principal::new("https://idp", "eve").into(),
            role: "Keystead Vault Administrator".to_owned(),
        };
        let now = PolicyDocument { assignments: vec![held], ..PolicyDocument::default() };
        let mut restored = PolicyDocument::default();
        assert!(keep(&mut restored, &now, &by(AdministersBy::Assigned([7; 16].into())), "own"));
        assert!(restored == now);
    }
}
