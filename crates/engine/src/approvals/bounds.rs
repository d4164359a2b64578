//! How many proposals a vault has, and which of the ended ones it forgets so that another has room: pure.
//!
//! Only open ones are in anybody's way. Ended ones are kept to be looked at, as long as there is room: what happened is
//! in the audit log.

use super::ApprovalError;
use keystead_access::Rule;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Most rows: they are looked through.
const MOST: usize = 1_000;
/// Most that are open, and of them those of one proposer.
const MOST_OPEN: usize = 448;
const MOST_OPEN_OF_ONE: usize = 32;
/// How many more for administrators who change who may what, and of them for one: whoever fills a vault with proposals
/// does not keep them from taking his right away.
const RESERVED: usize = 64;
const RESERVED_OF_ONE: usize = 8;
/// What changes who may what.
const WHO_MAY: [Rule; 3] = [Rule::Approvers, Rule::Policy, Rule::Roles];

/// Most that are forgotten at once. More than one are in the way only after several came at the same time.
const MOST_FORGOTTEN: usize = 8;

/// One that is kept, as far as it matters here.
pub(super) struct Kept<'a> {
    pub(super) proposer: &'a str,
    pub(super) stands: Stands,
}

/// How it stands, and since when, ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// It may be voted on or carried out.
    Open,
    /// Rejected or expired.
    Unused(i64),
    /// Carried out.
    Executed(i64),
    /// By a clock that is doubted it has expired.
    Unknown,
}

/// Whether there is room for one more of this proposer, and which are forgotten for it, by their places in `kept`.
/// Those that came to nothing go first, then those that were carried out; of them, the oldest of whoever has most: so
/// nobody's proposals push out more than their share of another's.
pub(super) fn room_for(
    kept: &[Kept<'_>],
    proposer: &str,
    (rules, administers): (&[Rule], bool),
) -> Result<Vec<usize>, ApprovalError> {
    let reserved = administers && rules.iter().any(|rule| WHO_MAY.contains(rule));
    let most = |usual: usize, more: usize| usual.saturating_add(if reserved { more } else { 0 });
    let open = |one: &&Kept<'_>| one.stands == Stands::Open;
    let own = kept.iter().filter(open).filter(|one| one.proposer == proposer).count();
    if own >= most(MOST_OPEN_OF_ONE, RESERVED_OF_ONE) {
        return Err(ApprovalError::TooMany {
            what: "whoever proposes it has the most open proposals that one may have",
        });
    }
    if kept.iter().filter(open).count() >= most(MOST_OPEN, RESERVED) {
        return Err(ApprovalError::TooMany { what: "the vault has the most open proposals that it may have" });
    }
    let mut left: Vec<(usize, &Kept<'_>)> = kept.iter().enumerate().collect();
    let mut forgotten = Vec::new();
    while left.len() >= MOST && forgotten.len() < MOST_FORGOTTEN {
        let at = least(&left).ok_or(ApprovalError::ClockDoubted)?;
        left.retain(|(other, _)| *other != at);
        forgotten.push(at);
    }
    Ok(forgotten)
}

fn least(left: &[(usize, &Kept<'_>)]) -> Option<usize> {
    let ended = left.iter().filter_map(|(place, one)| match one.stands {
        Stands::Unused(at) => Some((false, one.proposer, at, *place)),
        Stands::Executed(at) => Some((true, one.proposer, at, *place)),
        Stands::Open | Stands::Unknown => None,
    });
    let mut has: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for (executed, proposer, ..) in ended.clone() {
        let count = has.entry((executed, proposer)).or_default();
        *count = count.saturating_add(1);
    }
    let most = |executed, proposer| Reverse(has.get(&(executed, proposer)).copied().unwrap_or_default());
    let ranked = ended.map(|(executed, by, at, place)| (executed, most(executed, by), by, at, place));
    ranked.min().map(|(.., place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stands::{Executed, Open, Unknown, Unused};

    fn kept<'a>(of: &[(&'a str, Stands, usize)]) -> Vec<Kept<'a>> {
        let each = |(proposer, stands, count): &(&'a str, Stands, usize)| {
            let (proposer, stands) = (*proposer, *stands);
            std::iter::repeat_with(move || Kept { proposer, stands }).take(*count).collect::<Vec<_>>()
        };
        of.iter().flat_map(each).collect()
    }

    const PURGE: (&[Rule], bool) = (&[Rule::Purge], true);
    const POLICY: (&[Rule], bool) = (&[Rule::Restore, Rule::Policy], true);

    fn forgotten(of: &[(&str, Stands, usize)]) -> Vec<Stands> {
        let all = kept(of);
        room_for(&all, "new", PURGE).unwrap().into_iter().map(|at| all[at].stands).collect()
    }

    #[test]
    fn only_open_ones_are_in_the_way() {
        assert_eq!(forgotten(&[("a", Executed(1), 500), ("b", Unused(1), 499)]), [], "there is room");
        for ended in [Executed(1), Unused(1)] {
            let all = kept(&[("a", ended, 1_000)]);
            assert_eq!(room_for(&all, "a", PURGE).unwrap().len(), 1, "{ended:?}");
        }
        let all = kept(&[("a", Open, MOST_OPEN_OF_ONE), ("b", Executed(1), 500)]);
        assert!(matches!(room_for(&all, "a", PURGE), Err(ApprovalError::TooMany { .. })));
        assert!(room_for(&all, "b", PURGE).is_ok());
    }

    #[test]
    fn what_came_to_nothing_goes_before_what_was_carried_out_and_the_oldest_first() {
        assert_eq!(forgotten(&[("a", Executed(1), 997), ("b", Unused(9), 1), ("c", Unused(8), 2)]), [Unused(8)]);
        assert_eq!(forgotten(&[("a", Executed(2), 400), ("a", Executed(1), 1), ("b", Unknown, 599)]), [Executed(1)]);
        let several = forgotten(&[("a", Executed(2), 999), ("a", Unused(7), 2), ("a", Executed(1), 1)]);
        assert_eq!(several, [Unused(7), Unused(7), Executed(1)]);
    }

    #[test]
    fn who_fills_the_vault_pushes_out_his_own() {
        let of = [("honest", Unused(1), 100), ("flood", Unused(5), 700), ("flood", Unused(3), 200)];
        assert_eq!(forgotten(&of), [Unused(3)]);
        let of = [("honest", Executed(1), 100), ("flood", Executed(5), 899), ("flood", Executed(3), 1)];
        assert_eq!(forgotten(&of), [Executed(3)]);
    }

    #[test]
    fn administrators_have_room_of_their_own_to_change_who_may_what() {
        let names: Vec<String> = (0..14).map(|at| format!("flood {at}")).collect();
        let flood: Vec<_> = names.iter().map(|name| (name.as_str(), Open, MOST_OPEN_OF_ONE)).collect();
        let full = kept(&flood);
        assert_eq!(full.len(), MOST_OPEN);
        assert!(matches!(room_for(&full, "admin", PURGE), Err(ApprovalError::TooMany { .. })));
        assert!(matches!(room_for(&full, "admin", (POLICY.0, false)), Err(ApprovalError::TooMany { .. })));
        for rule in WHO_MAY {
            assert!(room_for(&full, "admin", (&[rule], true)).is_ok(), "{rule:?}");
        }
        assert!(room_for(&full, "admin", POLICY).is_ok());
        // Nor is he kept from it by what he has proposed himself, up to a bound, too.
        let own = |count| kept(&[("admin", Open, count)]);
        assert!(room_for(&own(MOST_OPEN_OF_ONE), "admin", PURGE).is_err());
        assert!(room_for(&own(MOST_OPEN_OF_ONE), "admin", POLICY).is_ok());
        assert!(room_for(&own(MOST_OPEN_OF_ONE + RESERVED_OF_ONE), "admin", POLICY).is_err());
        const { assert!(MOST_OPEN + RESERVED < MOST, "there is always an ended one") };
    }

    #[test]
    fn what_expired_by_a_doubted_clock_is_not_forgotten() {
        let all = kept(&[("a", Unknown, 1_000)]);
        assert_eq!(room_for(&all, "a", PURGE), Err(ApprovalError::ClockDoubted));
        assert_eq!(forgotten(&[("a", Unknown, 999), ("b", Executed(1), 1)]), [Executed(1)]);
    }
}
