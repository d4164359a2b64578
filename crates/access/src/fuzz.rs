//! Entry points for fuzzing: each takes any bytes and must return.

use crate::{Policy, PolicyDocument, RecordedVote};
use keystead_model::{Revision, Target};

/// A policy document, as it comes out of a sealed record: what reads is a policy or is refused by name.
pub fn policy(bytes: &[u8]) {
    let Ok(document) = minicbor::decode::<PolicyDocument>(bytes) else { return };
    if let Err(why) = Policy::new(&document, Revision(1)) {
        let _ = why.to_string();
    }
    let stored = Policy::stored(&document, Revision(1)).is_ok();
    assert!(stored || Policy::new(&document, Revision(1)).is_err(), "what may be stored opens again");
}

/// The scope of a role assignment: what reads prints the same.
pub fn scope(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(scope) = text.parse::<Target>() {
        assert_eq!(scope.to_string(), text);
        assert!(Target::Vault.covers(&scope) && scope.covers(&scope));
    }
}

/// A vote in a record: what reads prints the same.
pub fn recorded_vote(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(vote) = RecordedVote::parse(&text) {
        assert_eq!(vote.to_text(), text);
    }
}
