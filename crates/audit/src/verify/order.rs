//! What must hold across the records of all logs: no operation twice, and no gap in a vault's revisions.
//!
//! Changes of one vault run at the same time, so their records may stand in another order than their revisions: a
//! missing one is found once [`LATE`] more records have followed. Operations are remembered over the last
//! [`REMEMBERED`] records; a record repeated later than that still differs from what the tree covers.

use std::collections::{BTreeMap, HashSet, VecDeque};

use keystead_model::{OperationId, Revision, VaultId};

use super::finding::{Damage, Finding};
use crate::error::Place;
use crate::record::Record;

/// Records after which a missing revision is not merely late.
pub(super) const LATE: u64 = 4_096;
/// Operations remembered.
pub(super) const REMEMBERED: usize = 65_536;

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Order {
    operations: HashSet<(VaultId, OperationId)>,
    in_order: VecDeque<(VaultId, OperationId)>,
    vaults: BTreeMap<VaultId, Revisions>,
    /// The journal does not begin with the first record, so a vault may begin with any revision.
    archived: bool,
}

#[derive(Default)]
struct Revisions {
    /// The vault's first revision here.
    first: u64,
    /// The last of those without a gap.
    last: u64,
    /// Those after a gap, and their records.
    ahead: BTreeMap<u64, Place>,
}

impl Order {
    /// `archived`: the journal's first segments are gone.
    pub(super) fn new(archived: bool) -> Self {
        Self { archived, ..Self::default() }
    }

    /// Adds the record at a place. What is wrong with it, or with those before it, if anything.
    pub(super) fn add(&mut self, place: &Place, record: &Record) -> Option<Finding> {
        let operation = (record.vault(), record.operation());
        if !self.operations.insert(operation) {
            return Some(Finding::record(place.clone(), Damage::Duplicated));
        }
        self.in_order.push_back(operation);
        if self.in_order.len() > REMEMBERED
            && let Some(old) = self.in_order.pop_front()
        {
            self.operations.remove(&old);
        }
        let vault = changed_vault(record);
        match record.revision() {
            Some(revision) => self.add_revision(place, vault, revision),
            None => None,
        }
    }

    /// The vaults with a gap, and the missing revision. On a running node they are late, not lost.
    pub(super) fn open_gaps(&self) -> Vec<(VaultId, Revision)> {
        let gaps = self.vaults.iter().filter(|(_, r)| !r.ahead.is_empty());
        gaps.map(|(vault, r)| (*vault, Revision(r.last.saturating_add(1)))).collect()
    }

    /// A revision that is missing for longer than [`LATE`] records before frame `frames`, and the record after the gap.
    pub(super) fn missing(&self, frames: u64) -> Option<Finding> {
        self.vaults.iter().find_map(|(vault, revisions)| revisions.missing(*vault, frames))
    }

    fn add_revision(&mut self, place: &Place, vault: VaultId, revision: Revision) -> Option<Finding> {
        let Revision(number) = revision;
        let before = if self.archived { number.saturating_sub(1) } else { 0 };
        let new = || Revisions { first: before.saturating_add(1), last: before, ahead: BTreeMap::new() };
        let revisions = self.vaults.entry(vault).or_insert_with(new);
        if number < revisions.first {
            return None;
        }
        if number <= revisions.last || revisions.ahead.contains_key(&number) {
            return Some(Finding::record(place.clone(), Damage::RevisionTwice { vault, revision }));
        }
        if number != revisions.last.saturating_add(1) {
            revisions.ahead.insert(number, place.clone());
            return revisions.missing(vault, place.frame);
        }
        revisions.last = number;
        while revisions.ahead.remove(&revisions.last.saturating_add(1)).is_some() {
            revisions.last = revisions.last.saturating_add(1);
        }
        revisions.missing(vault, place.frame)
    }
}

impl Revisions {
    fn missing(&self, vault: VaultId, frame: u64) -> Option<Finding> {
        let (_, after) = self.ahead.first_key_value()?;
        let oldest = self.ahead.values().map(|place| place.frame).min()?;
        let damage = Damage::RevisionMissing { vault, revision: Revision(self.last.saturating_add(1)) };
        (frame.saturating_sub(oldest) > LATE).then(|| Finding::record(after.clone(), damage))
    }
}

/// The vault whose revision a record carries: in the node's own log it is the object.
fn changed_vault(record: &Record) -> VaultId {
    let log = record.vault();
    match record.object() {
        Some(object) if *log.as_bytes() == [0; 16] => VaultId::from_bytes(*object.as_bytes()),
        _ => log,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Spot;
    use super::*;
    use std::path::PathBuf;

    /// A record of vault `log`, operation `n`.
    fn record(log: u8, n: u64, revision: u64) -> Record {
        let mut bytes = vec![0; Record::HEADER];
        bytes[0] = 1;
        bytes[16..32].fill(log);
        bytes[48..56].copy_from_slice(&n.to_be_bytes());
        bytes[64..80].fill(9);
        bytes[96..104].copy_from_slice(&revision.to_be_bytes());
        Record::parse(&bytes).unwrap()
    }

    fn place(frame: u64) -> Place {
        Place { path: PathBuf::from("j"), offset: frame, frame, record: None }
    }

    /// What is found wrong, and the frame that is named.
    fn add(order: &mut Order, frame: u64, record: &Record) -> Option<(Damage, u64)> {
        order.add(&place(frame), record).map(named)
    }

    fn named(finding: Finding) -> (Damage, u64) {
        let Spot::Record(place) = finding.at else { panic!("{finding}") };
        (finding.damage, place.frame)
    }

    const NINE: VaultId = VaultId::from_bytes([9; 16]);

    #[test]
    fn revisions_may_stand_in_another_order_but_not_twice() {
        let mut order = Order::new(false);
        for (n, revision) in [2, 0, 3, 1, 0, 4].into_iter().enumerate() {
            assert_eq!(add(&mut order, n as u64, &record(9, n as u64, revision)), None);
        }
        assert_eq!(order.open_gaps(), []);
        for revision in [1, 4] {
            let twice = Damage::RevisionTwice { vault: NINE, revision: Revision(revision) };
            assert_eq!(add(&mut order, 7, &record(9, 10 + revision, revision)), Some((twice, 7)));
        }
    }

    #[test]
    fn a_revision_is_missing_once_it_is_later_than_any_record_can_be() {
        let missing = Damage::RevisionMissing { vault: NINE, revision: Revision(2) };
        let mut order = Order::new(false);
        assert_eq!(add(&mut order, 0, &record(9, 0, 1)), None);
        assert_eq!(add(&mut order, 1, &record(9, 1, 3)), None);
        assert_eq!(order.open_gaps(), [(NINE, Revision(2))]);
        assert_eq!(order.missing(1 + LATE), None);
        assert_eq!(order.missing(2 + LATE).map(named), Some((missing.clone(), 1)), "the record after the gap is named");
        assert_eq!(add(&mut order, 2 + LATE, &record(9, 2, 4)), Some((missing, 1)));
    }

    #[test]
    fn revisions_of_a_vault_go_on_from_the_nodes_log_and_begin_with_one() {
        let mut order = Order::new(false);
        // In the node's log the vault is the object.
        assert_eq!(add(&mut order, 0, &record(0, 0, 1)), None);
        assert_eq!(add(&mut order, 1, &record(9, 1, 2)), None);
        assert_eq!(order.open_gaps(), []);
        assert_eq!(add(&mut order, 2, &record(8, 2, 2)), None);
        assert_eq!(order.open_gaps(), [(VaultId::from_bytes([8; 16]), Revision(1))]);
        let mut archived = Order::new(true);
        assert_eq!(add(&mut archived, 70, &record(9, 0, 50)), None);
        assert_eq!(add(&mut archived, 71, &record(9, 1, 49)), None);
        assert_eq!(archived.open_gaps(), []);
    }

    #[test]
    fn an_operation_is_remembered_over_the_window_and_forgotten_after_it() {
        let mut order = Order::new(false);
        for n in 0..REMEMBERED as u64 {
            assert_eq!(add(&mut order, n, &record(9, n, 0)), None);
        }
        assert_eq!(add(&mut order, 1, &record(9, 0, 0)), Some((Damage::Duplicated, 1)));
        assert_eq!(add(&mut order, 1, &record(8, 0, 0)), None);
        assert_eq!(order.in_order.len(), REMEMBERED);
        assert_eq!(order.operations.len(), REMEMBERED);
    }
}
