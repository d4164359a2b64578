//! What an administrator keeps when he brings a policy back: the backup can be from before he came, and he would lock
//! himself out of the vault.

use crate::records::job::ByRecord;
use keystead_access::PolicyDocument;
use keystead_identity::Principal;

/// He administers the vault by his own name, and gets in as he does now. Whether the backup had it otherwise.
pub(super) fn keep(restored: &mut PolicyDocument, now: &PolicyDocument, by: &ByRecord, own: &str) -> bool {
    let before = restored.clone();
    let himself = Principal::new(&by.issuer, &by.subject);
    put(&mut restored.administrators, &himself, |named| *named == himself);
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
