//! The journal, read from its segments, against the store: no change without its record, no record without its change.

use super::ledger::Receipt;
use keystead_audit::journal::scan::Scan;
use keystead_audit::journal::segment;
use keystead_audit::{Outcome, ReceiptText, Record, tlog};
use keystead_model::{Action, VaultId};
use keystead_store::Kind;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Records of the vault `dev`, and those of the node that are about it.
pub(super) struct History {
    log_id: [u8; 16],
    records: Vec<Record>,
    /// The vault's revisions, each with the record that has it.
    revisions: BTreeMap<u64, Record>,
}

impl History {
    /// Reads the whole journal in `data`.
    pub(super) fn read(data: &Path) -> Self {
        let vault = vault_id(data);
        let dir = data.join("audit/journal");
        let mut history = Self { log_id: [0; 16], records: Vec::new(), revisions: BTreeMap::new() };
        for first in segment::list(&dir).unwrap() {
            let (header, mut scan) = Scan::open(&segment::path_of(&dir, first)).unwrap();
            history.log_id = tlog::log_id(&tlog::origin(header.instance, vault, header.node));
            while let Some(found) = scan.read().unwrap() {
                history.add(vault, found.frame.index, found.frame.record);
            }
        }
        history
    }

    fn add(&mut self, vault: VaultId, index: u64, record: Record) {
        let own = record.vault() == vault;
        let of_node = *record.vault().as_bytes() == [0; 16];
        let about = of_node && record.object().is_some_and(|o| o.as_bytes() == vault.as_bytes());
        if let Some(revision) = record.revision().filter(|_| own || about) {
            assert_eq!(record.outcome(), Outcome::DONE);
            let twice = self.revisions.insert(revision.0, record.clone());
            assert!(twice.is_none(), "revision {} has two records", revision.0);
        }
        if own {
            assert_eq!(index, self.records.len() as u64, "a log's records are numbered without a gap");
            self.records.push(record);
        }
    }

    /// Every receipt names the record it was given for, and a change's record has a revision.
    pub(super) fn check_receipts<'a>(&self, receipts: impl Iterator<Item = &'a Receipt>) {
        for receipt in receipts {
            let text: ReceiptText = receipt.text.parse().unwrap();
            assert_eq!(text.log, self.log_id);
            let record = self.records.get(usize::try_from(text.index).unwrap());
            let record = record.unwrap_or_else(|| panic!("record {} is lost: {}", text.index, receipt.text));
            assert_eq!(tlog::leaf_hash(&record.entry()), text.leaf, "record {} is another", text.index);
            assert!(!receipt.change || record.revision().is_some(), "a change without a revision: {record:?}");
        }
    }

    /// Each revision has one record, and the rows are what the records say.
    pub(super) fn check_store(&self, data: &Path) {
        let store = open(data);
        let vault = vault_id(data);
        let revision: u64 = number(&store, "SELECT revision FROM vault WHERE name = 'dev'");
        let all: Vec<u64> = self.revisions.keys().copied().collect();
        assert_eq!(all, (1..=revision).collect::<Vec<_>>(), "one record for each of {revision} revisions");

        let rows = newest_rows(&store, vault);
        let mut objects = BTreeSet::new();
        let by_object = self.revisions.iter().rev().filter(|(_, record)| is_of_key(record));
        for (revision, record) in by_object {
            let object = *record.object().expect("a change of a key names it").as_bytes();
            if !objects.insert(object) {
                continue;
            }
            // The last change of this key.
            let kept = (record.action() != Some(Action::PurgeKey)).then_some(*revision);
            assert_eq!(rows.get(&object).copied(), kept, "rows of the key of {record:?}");
        }
        let unknown: Vec<_> = rows.keys().filter(|object| !objects.contains(*object)).collect();
        assert!(unknown.is_empty(), "rows that no record speaks of: {unknown:?}");
        self.check_last_digest(&store, vault, revision);
    }

    /// The last change's digest is that of its rows, if none of them was removed.
    fn check_last_digest(&self, store: &Connection, vault: VaultId, revision: u64) {
        let record = &self.revisions[&revision];
        if !matches!(record.action(), Some(Action::CreateKey | Action::UpdateKey)) {
            return;
        }
        let rows = rows_of(store, vault, revision);
        let mut reversed = rows.clone();
        reversed.reverse();
        let digest = |rows: &[Vec<u8>]| *keystead_crypto::sha256(&[&rows.concat()]).first_chunk::<32>().unwrap();
        assert!(
            [digest(&rows), digest(&reversed)].contains(&record.digest().unwrap()),
            "the digest of revision {revision} is that of other rows: {record:?}"
        );
    }
}

/// Uses that are counted change nothing of a key: its rows keep their revision.
fn is_of_key(record: &Record) -> bool {
    use Action::{CreateKey, DeleteKey, PurgeKey, RecoverKey, UpdateKey};
    let of_key = [CreateKey, UpdateKey, DeleteKey, RecoverKey, PurgeKey];
    record.action().is_some_and(|action| of_key.contains(&action))
}

fn open(data: &Path) -> Connection {
    Connection::open(data.join("store/keystead.db")).unwrap()
}

fn number(store: &Connection, sql: &str) -> u64 {
    store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
}

/// The vault `dev`.
fn vault_id(data: &Path) -> VaultId {
    let id: [u8; 16] = open(data).query_row("SELECT id FROM vault WHERE name = 'dev'", [], |row| row.get(0)).unwrap();
    VaultId::from_bytes(id)
}

/// For each key object, the newest revision among its rows.
fn newest_rows(store: &Connection, vault: VaultId) -> BTreeMap<[u8; 16], u64> {
    let sql = "SELECT id, max(revision) FROM item WHERE vault = ?1 AND kind IN (?2, ?3, ?4) GROUP BY id";
    let kinds = [Kind::Key, Kind::KeyVersion, Kind::DeletedKey].map(Kind::code);
    let mut query = store.prepare(sql).unwrap();
    let rows = query.query_map((vault.as_bytes(), kinds[0], kinds[1], kinds[2]), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// What the digest covers of each row with this revision: kind, lookup, version, counter, hash of the sealed part.
fn rows_of(store: &Connection, vault: VaultId, revision: u64) -> Vec<Vec<u8>> {
    let sql =
        "SELECT kind, lookup, version, counter, sealed FROM item WHERE vault = ?1 AND revision = ?2 ORDER BY kind";
    let mut query = store.prepare(sql).unwrap();
    let rows = query.query_map((vault.as_bytes(), revision.cast_signed()), |row| {
        let (lookup, version, sealed): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?, row.get(4)?);
        let version = if version.is_empty() { vec![0; 16] } else { version };
        let counter = row.get::<_, i64>(3)?.to_be_bytes().to_vec();
        let hash = keystead_crypto::sha256(&[&sealed]).to_vec();
        Ok([vec![row.get::<_, u8>(0)?], lookup, version, counter, hash].concat())
    });
    rows.unwrap().map(Result::unwrap).collect()
}
