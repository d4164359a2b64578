//! What a recovery loses of the approvals that the old vault asked for. No restore brings them back.

use crate::exit::Failure;
use crate::output;
use keystead_access::{Approvals, Rule};
use serde::Deserialize as _;
use serde_json::{Map, Value};

/// Refuses a policy that has no approvers where the old record's had some, unless that was said; tells of what would
/// need fewer approvals.
pub(super) fn kept(old: &Value, new: &Value, without: bool) -> Result<(), Failure> {
    let replaced = old.as_object().is_some_and(Map::is_empty);
    let (old, new) = (of(old)?, of(new)?);
    if replaced && new.approvers.is_empty() && !without {
        return Err(Failure::usage(
            "the record is of custodians who replaced others, and does not say which approvals the vault had, which no \
             restore brings back. Name its approvers in the policy (`[[approvers]]`, `[approvals]`), or say \
             --without-approvals",
        ));
    }
    output::note(compared(replaced));
    let lost = lost(&old, &new);
    if lost.is_empty() {
        return Ok(());
    }
    let lost = lost.join(", ");
    if !new.approvers.is_empty() {
        let numbers = |(rule, before, now): (Rule, u8, u8)| format!("{} {before} -> {now}", rule.name());
        let fewer: Vec<_> = new.fewer_than(&old).into_iter().map(numbers).collect();
        output::note(&format!(
            "WARNING: needs fewer approvals than in the old vault's first policy: {}",
            fewer.join(", ")
        ));
        return Ok(());
    }
    let names: Vec<_> = old.approvers.iter().map(|approver| output::printable(&approver.name)).collect();
    let names = names.join(", ");
    if without {
        output::note(&format!("the recovered vault has no approvers, where the old one began with {names} for {lost}"));
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the old vault began with the approvers {names}, who had to approve: {lost}. The policy names no approvers, and no \
         restore brings them back, so in the recovered vault whoever has the right would do all of that alone. Name \
         them in the policy (`[[approvers]]`, `[approvals]`), or say --without-approvals"
    )))
}

/// With what the new rules can be compared here.
const fn compared(replaced: bool) -> &'static str {
    match replaced {
        true => {
            "WARNING: the record is of custodians who replaced others, and does not say which approvals the vault \
             asked for: hold the policy against its rules yourself. `keystead restore start` says what needs fewer than in \
             the backup"
        }
        false => {
            "the rules of approvals are held against those that the old vault began with; what needs fewer than at the \
             time of the backup, `keystead restore start` says"
        }
    }
}

/// What needs fewer approvals than before, with the number of before.
fn lost(old: &Approvals, new: &Approvals) -> Vec<String> {
    new.fewer_than(old).into_iter().map(|(rule, before, _)| format!("{} {before}", rule.name())).collect()
}

/// The part of a first policy about approvals.
fn of(policy: &Value) -> Result<Approvals, Failure> {
    let member = |name: &str| policy.get(name).map(|value| (name.to_owned(), value.clone()));
    let part: Map<_, _> = ["approvers", "approvals"].into_iter().filter_map(member).collect();
    Approvals::deserialize(Value::Object(part))
        .map_err(|e| Failure::check(format!("the approvals of a policy cannot be read: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_access::Approver;
    use keystead_crypto::ed25519::SigningKey;
    use keystead_crypto::signature::PrivateKey;
    use serde_json::json;

    fn policy(approvers: u8, rules: &Value) -> Value {
        let pem = |n: u8| {
            let key = PrivateKey::Ed25519(SigningKey::from_seed(&[n; 32]));
            Approver::pem_of_key(&key.public().unwrap().to_spki())
        };
        let approver = |n: u8| json!({ "name": format!("a{n}"), "key": pem(n) });
        let approvers: Vec<_> = (1..=approvers).map(approver).collect();
        json!({ "administrators": [], "approvers": approvers, "approvals": rules })
    }

    #[test]
    fn a_recovery_without_the_approvals_of_before_is_refused_unless_it_was_said() {
        let old = policy(3, &json!({ "purge": 2, "restore": 1 }));
        let none = json!({ "administrators": [] });
        let refused = kept(&old, &none, false).err().unwrap().into_message();
        for named in ["a1, a2, a3", "purge 2", "restore 1", "approvers 2", "--without-approvals"] {
            assert!(refused.contains(named), "{named}: {refused}");
        }
        assert!(kept(&old, &none, true).is_ok());
        for (new, fewer) in [
            (policy(3, &json!({ "purge": 2, "restore": 1 })), 0),
            (policy(2, &json!({ "purge": 2, "restore": 2, "export": 1 })), 0),
            (policy(1, &json!({ "purge": 1, "restore": 1 })), 2),
            (policy(1, &json!({})), 3),
        ] {
            let (before, after) = (of(&old).ok().unwrap(), of(&new).ok().unwrap());
            assert_eq!(lost(&before, &after).len(), fewer, "{new}");
            assert!(kept(&old, &new, false).is_ok(), "{new}");
        }
        for old in [none, policy(2, &json!({}))] {
            assert!(kept(&old, &json!({}), false).is_ok(), "nothing was asked for");
        }
        // The record of a replacement says nothing of them.
        let unknown = kept(&json!({}), &json!({ "administrators": [] }), false).err().unwrap().into_message();
        assert!(unknown.contains("--without-approvals"), "{unknown}");
        assert!(kept(&json!({}), &json!({}), true).is_ok() && kept(&json!({}), &policy(1, &json!({})), false).is_ok());
        assert!(kept(&json!({ "approvers": 1 }), &json!({}), true).is_err());
    }
}
