//! What the owner of the database writes into its clear parts: the vault's own row, and the outbox.

use crate::support::*;
use keystead_audit::journal::JournalState;
use keystead_audit::{Draft, NotVouched, Outcome, Record};
use keystead_crypto::ed25519::SigningKey;
use keystead_engine::{OperateError, SealVault, TurnedAway};
use keystead_model::{Action, KeySpec, OperationId, Revision, Time, VaultId, VaultKind, VaultStatus};
use keystead_store::{Changes, Kind, MakeRecord, OutboxRow, RowKey, Store, VaultRow};

/// The singleton rows of a vault, all at counter 1.
const BORN: [Kind; 9] = [
    Kind::Domain,
    Kind::WrappedDomain,
    Kind::SealedRoot,
    Kind::WrappedRoot,
    Kind::Secrets,
    Kind::Policy,
    Kind::Issuer,
    Kind::Paths,
    Kind::Vault,
];

/// A record as the node would write it, so that the outbox is not what is found.
fn vouched(node: &Node, log: VaultId) -> MakeRecord {
    let (journal, position) = (node.journal.clone(), node.journal.position());
    let operation = OperationId::from_bytes(keystead_crypto::random());
    Box::new(move |revision| {
        let mut record = of(log, operation);
        record.set_revision(revision);
        OutboxRow { operation, log, position, bytes: journal.vouch(position, &record) }
    })
}

fn of(log: VaultId, operation: OperationId) -> Record {
    Draft::vault(Action::VaultUnsealed, log, Vec::new(), operation, T0).encode(Outcome::DONE, None, NODE)
}

/// The node again, over a database in which the vault has this row and these of its rows.
async fn rewritten(alter: impl FnOnce(&mut VaultRow), kinds: &[Kind]) -> Node {
    let node = Node::new().await;
    let mut row = node.store.vaults().await.unwrap().remove(0);
    let mut puts = Vec::new();
    for kind in kinds {
        let at = RowKey { kind: *kind, lookup: [kind.code(); 32], version: None };
        puts.push(node.store.get(row.id, at).await.unwrap().unwrap());
    }
    alter(&mut row);
    let record = vouched(&node, row.id);
    let dir = node.stop().await;
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let store = Store::open(&dir.path().join("store/keystead.db")).unwrap();
    store.create_vault(row, Changes { puts, ..Changes::default() }, record).await.unwrap();
    store.close().await;
    Node::open(dir, LIMITS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_clear_row_was_changed_stays_sealed_and_says_what_was_changed() {
    let same = rewritten(|_| (), &BORN).await;
    assert_eq!(same.instance.list()[0].state, "open", "rows written as they were open");
    type Alter = fn(&mut VaultRow);
    let altered: [(&str, Alter); 7] = [
        ("name", |row| row.name = "another".to_owned()),
        ("kind", |row| row.kind = VaultKind::Hsm),
        ("authorities", |row| row.authorities = vec!["evil.localhost:8443".parse().unwrap()]),
        ("authorities", |row| row.authorities.push("evil.localhost:8443".parse().unwrap())),
        ("creation time", |row| row.created = Time(0)),
        ("retention", |row| row.retention_days = 8),
        ("tenant", |row| row.tenant = "evil".to_owned()),
    ];
    for (column, alter) in altered {
        let node = rewritten(alter, &BORN).await;
        let listed = node.instance.list().remove(0);
        assert_eq!(listed.state, "sealed", "{column}");
        let refused = node.instance.unseal(&listed.info.name, at(T0)).await.unwrap_err();
        assert!(matches!(refused, OperateError::Altered { what } if what == column), "{column}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_sealed_copy_is_gone_stays_sealed() {
    let node = rewritten(|_| (), &BORN[..8]).await;
    assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
    assert!(matches!(node.instance.unseal("dev", at(T0)).await, Err(OperateError::Damaged)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_vault_that_the_database_says_is_active_does_not_open() {
    for by_operator in [true, false] {
        let node = Node::new().await;
        if by_operator {
            node.instance.seal("dev", at(T0)).await.unwrap();
        } else {
            node.run(SealVault).await.unwrap();
        }
        let id = node.vault().info().id;
        let record = vouched(&node, id);
        node.store.set_status(id, VaultStatus::Active, Changes::default(), record).await.unwrap();
        let node = node.restart().await;
        assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed));
        let refused = node.instance.unseal("dev", at(T0)).await.unwrap_err();
        assert!(matches!(refused, OperateError::Altered { what: "status" }), "{refused}");
        // The operator's way back: what he seals, he may unseal.
        node.instance.seal("dev", at(T0)).await.unwrap();
        node.instance.unseal("dev", at(T0)).await.unwrap();
        let node = node.restart().await;
        assert!(node.run(create("k", KeySpec::EcP256)).await.is_ok());
        node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_did_not_open_can_be_sealed_and_then_waits_for_its_operator() {
    let node = Node::new().await;
    let node = Node::open_through(node.stop().await, LIMITS, &[]).await;
    assert_eq!(node.instance.seal("dev", at(T0)).await.unwrap().state, "sealed");
    let again = node.instance.seal("dev", at(T0)).await.unwrap_err();
    assert!(matches!(again, OperateError::WrongState { .. }));
    let node = node.restart().await;
    assert_eq!(node.vault().ready(), Err(TurnedAway::Sealed), "its key file is there again, and it stays sealed");
    node.instance.unseal("dev", at(T0)).await.unwrap();
    let node = node.restart().await;
    assert!(node.vault().ready().is_ok());
    node.stop_and_verify().await;
}

/// Puts a row into the outbox, as the owner of the database can.
async fn put(node: &Node, row: OutboxRow) {
    let vault = node.vault().info().id;
    node.store.commit(vault, Changes::default(), Box::new(|_| row)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_in_the_outbox_that_the_node_did_not_write_keeps_it_from_starting() {
    let operation = OperationId::from_bytes([5; 16]);
    type Forge = fn(&Node, OutboxRow, &Record) -> OutboxRow;
    let forged: [(&str, Forge); 7] = [
        ("bare", |_, row, record| OutboxRow { bytes: record.bytes().to_vec(), ..row }),
        ("empty", |_, row, _| OutboxRow { bytes: Vec::new(), ..row }),
        ("made with a guessed key", |node, row, record| {
            let dir = tempfile::tempdir().unwrap();
            let owner = keystead_audit::Node {
                instance: keystead_model::InstanceId::from_bytes([1; 16]),
                node: NODE,
                key: SigningKey::from_seed(&[4; 32]),
            };
            let clock = keystead_audit::system_clock();
            let (other, _) = keystead_audit::Journal::open(dir.path(), owner, LIMITS, clock).unwrap();
            assert_eq!(node.journal.health().state, JournalState::Ready);
            OutboxRow { bytes: other.vouch(row.position, record), ..row }
        }),
        ("changed", |_, mut row, _| {
            let last = row.bytes.last_mut().unwrap();
            *last ^= 1;
            row
        }),
        ("moved to where the journal is not looked through", |_, row, _| OutboxRow {
            position: row.position + 1,
            ..row
        }),
        ("under another operation", |_, row, _| OutboxRow { operation: OperationId::from_bytes([6; 16]), ..row }),
        ("in another log", |_, row, _| OutboxRow { log: VaultId::from_bytes([0; 16]), ..row }),
    ];
    for (how, forge) in forged {
        let node = Node::new().await;
        let (log, position) = (node.vault().info().id, node.journal.position());
        let mut record = of(log, operation);
        record.set_revision(Revision(2));
        let bytes = node.journal.vouch(position, &record);
        let row = forge(&node, OutboxRow { operation, log, position, bytes }, &record);
        let (named, records) = (row.operation, node.records().len());
        put(&node, row).await;
        let dir = node.stop().await;
        let (refused, dir) = Node::try_open(dir, LIMITS).await.err().expect(how);
        let right = matches!(refused, OperateError::Outbox { operation, .. } if operation == named);
        assert!(right, "{how}: {refused}");
        if how == "bare" {
            assert!(matches!(refused, OperateError::Outbox { why: NotVouched::Version(1), .. }));
        }
        // Still there, and found by the next start, too; nothing was appended.
        let (refused, dir) = Node::try_open(dir, LIMITS).await.err().expect(how);
        assert!(matches!(refused, OperateError::Outbox { .. }), "{how}: {refused}");
        assert_eq!(journal_size(&dir, log), records as u64, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_node_did_write_is_appended_once() {
    let node = Node::new().await;
    let (id, records) = (node.vault().info().id, node.records().len());
    let record = vouched(&node, id);
    node.store.commit(id, Changes::default(), record).await.unwrap();
    let mut node = node.restart().await;
    for _ in 0..2 {
        assert_eq!(node.records().len(), records + 1);
        node = node.restart().await;
    }
    node.stop_and_verify().await;
}

fn journal_size(dir: &tempfile::TempDir, log: VaultId) -> u64 {
    let owner = keystead_audit::Node {
        instance: keystead_model::InstanceId::from_bytes([1; 16]),
        node: NODE,
        key: SigningKey::from_seed(&[3; 32]),
    };
    let clock = keystead_audit::system_clock();
    let (journal, _) = keystead_audit::Journal::open(&dir.path().join("audit"), owner, LIMITS, clock).unwrap();
    journal.size(log)
}
