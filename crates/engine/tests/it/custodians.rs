//! A vault in the custody of a quorum, and what the owner of the database does to it and to the domain of others.

mod kept_answers;
mod replacement;
mod replacement_crashes;

use crate::support::*;
use keystead_audit::{Draft, Outcome};
use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_crypto::sha256;
use keystead_custody::activation::{ActivationRecord, Custodian};
use keystead_custody::challenge::{Answer, SignedChallenge};
use keystead_custody::confirmation::Confirmation;
use keystead_custody::offer::TransferOffer;
use keystead_custody::shares::Quorum;
use keystead_custody::{
    Certificate, DomainKey, DomainSecrets, WorkingKeys, make_domain, open_share, send_working_keys,
};
use keystead_engine::{
    ActKind, DomainActivation, DomainFiles, NewVault, OperateError, Refusal, TurnedAway, VaultSummary,
};
use keystead_engine::{DownloadSecurityDomain, NotActivated, Verdict};
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::{Action, Generation, OperationId, VaultId};
use keystead_store::{Changes, Kind, OutboxRow, Row, RowKey};
use keystead_unseal::{KeyFile, UnsealPath};
use std::sync::Arc;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../custody/tests/golden/custodians/", $name)).as_slice()
    };
}

const CERTIFICATES: [&[u8]; 3] = [file!("1.certificate.der"), file!("2.certificate.der"), file!("3.certificate.der")];
const KEYS: [&[u8]; 2] = [file!("1.key.der"), file!("2.key.der")];
pub(crate) const HELD: &str = "held";

/// What the customer has of the vault `held`.
pub(crate) struct Made {
    pub(crate) secrets: DomainSecrets,
    pub(crate) file: Vec<u8>,
    pub(crate) record: ActivationRecord,
}

/// A vault that waits, and what its customer makes for it.
async fn made(node: &Node) -> (Made, Certificate) {
    node.instance.create(NewVault { quorum: true, ..new_vault(HELD) }, at(T0)).await.unwrap();
    let offer = node.instance.transfer_offer(HELD, false, at(T0)).await.unwrap();
    let offer = TransferOffer::parse(&offer.file).unwrap();
    let id = offer.vault;
    made_for(offer, id)
}

/// Another domain for the vault, and what is sent to it.
pub(crate) async fn made_in_its_place(node: &Node) -> (Made, DomainFiles) {
    made_in_its_place_as(node, VaultId::from_bytes(keystead_crypto::random())).await
}

/// The same with this id.
pub(crate) async fn made_in_its_place_as(node: &Node, domain: VaultId) -> (Made, DomainFiles) {
    let offer = node.instance.transfer_offer(HELD, true, at(T0)).await.unwrap();
    let offer = TransferOffer::parse(&offer.file).unwrap();
    let (made, transfer) = made_for(offer, domain);
    let sent = sent(&made, (&made.secrets.working, &transfer));
    (made, sent)
}

fn made_for(offer: TransferOffer, domain: VaultId) -> (Made, Certificate) {
    let custodians: Vec<_> = CERTIFICATES.iter().map(|der| Certificate::parse(der).unwrap()).collect();
    let secrets = DomainSecrets::generate(domain, false);
    let new = make_domain(&secrets, &custodians, 2).unwrap();
    let file = new.file.to_json().into_bytes();
    let shares = custodians.into_iter().zip(new.share_digests);
    let record = ActivationRecord {
        vault: offer.vault,
        name: offer.name,
        kind: offer.kind,
        authorities: offer.authorities,
        tenant: offer.tenant,
        retention_days: offer.retention_days,
        purge_protection: false,
        policy: serde_json::json!({}),
        domain_public: secrets.key.public(),
        working_keys: secrets.working.digest(),
        security_domain: sha256(&[&file]),
        quorum: Quorum::new(2, 3).unwrap(),
        custodians: shares.map(|(certificate, share)| Custodian { certificate, share }).collect(),
        nodes: vec![offer.node],
        paths: vec!["file:file".parse().unwrap()],
    };
    (Made { secrets, file, record }, offer.transfer_key)
}

fn sent(made: &Made, keys: (&WorkingKeys, &Certificate)) -> DomainFiles {
    DomainFiles {
        record: made.record.to_bytes(),
        security_domain: made.file.clone(),
        transfer: send_working_keys(keys.0, keys.1).unwrap().to_json().into_bytes(),
    }
}

async fn activated(
    node: &Node,
    made: &Made,
    keys: (&WorkingKeys, &Certificate),
    paths: &[&str],
) -> Result<VaultSummary, OperateError> {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    let new = DomainActivation { domain: sent(made, keys), tokens: Vec::new(), paths };
    node.instance.activate_domain(HELD, new, &|_| Ok(new_vault(HELD).policy), at(T0)).await
}

/// A node with the vault `held`, open.
pub(crate) async fn held() -> (Node, Made) {
    held_by(&[]).await
}

/// The same, which these paths open, too.
pub(crate) async fn held_by(paths: &[&str]) -> (Node, Made) {
    let node = Node::new().await;
    let (made, transfer) = made(&node).await;
    activated(&node, &made, (&made.secrets.working, &transfer), paths).await.unwrap();
    (node, made)
}

/// What two of its custodians answer to a challenge.
pub(crate) fn answers(made: &Made, challenge: &str) -> Vec<String> {
    let challenge = SignedChallenge::parse_text(challenge).unwrap();
    let file = SecurityDomain::parse(&made.file).unwrap();
    let answer = |(share, key)| {
        let key = PrivateKey::from_pkcs1(key).unwrap();
        let share = open_share(share, |cipher| key.decrypt(Scheme::OaepSha256, cipher).ok()).unwrap();
        Answer::seal(&challenge, &share, T0).unwrap().to_text()
    };
    file.shares.iter().zip(KEYS).map(answer).collect()
}

/// Two of its custodians answer.
async fn answered(node: &Node, made: &Made) -> Result<String, OperateError> {
    let asked = node.instance.ask_quorum(HELD, at(T0)).await?;
    let answers = answers(made, &asked.challenge);
    let answered = node.instance.answer_quorum(HELD, ActKind::Unseal, &answers, at(T0)).await?;
    Ok(answered.vault.state.to_owned())
}

/// What the owner of the database does to a vault's rows.
pub(crate) async fn altered(node: &Node, log: VaultId, changes: Changes) {
    let (journal, position) = (node.journal.clone(), node.journal.position());
    let operation = OperationId::from_bytes(keystead_crypto::random());
    let make = Box::new(move |revision| {
        let draft = Draft::vault(Action::VaultUnsealed, log, Vec::new(), operation, T0);
        let mut record = draft.encode(Outcome::DONE, None, NODE);
        record.set_revision(revision);
        OutboxRow { operation, log, position, bytes: journal.vouch(position, &record) }
    });
    node.store.commit(log, changes, make).await.unwrap();
}

pub(crate) fn id_of(node: &Node, name: &str) -> VaultId {
    node.instance.named(name).unwrap().info().id
}

async fn one(node: &Node, vault: VaultId, kind: Kind) -> Row {
    let at = RowKey { kind, lookup: [kind.code(); 32], version: None };
    node.store.get(vault, at).await.unwrap().unwrap()
}

pub(crate) async fn replaced(node: &Node, vault: VaultId, kind: Kind, bytes: &[u8]) {
    let row = one(node, vault, kind).await;
    let row = Row { counter: row.counter + 1, sealed: bytes.to_vec(), ..row };
    altered(node, vault, Changes { puts: vec![row], ..Changes::default() }).await;
}

async fn removed(node: &Node, vault: VaultId, kind: Kind) {
    let row = one(node, vault, kind).await;
    altered(node, vault, Changes { removes: vec![(row.key(), row.counter)], ..Changes::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_custodians_of_a_vault_open_it() {
    let (node, made) = held().await;
    node.instance.seal(HELD, at(T0)).await.unwrap();
    assert_eq!(answered(&node, &made).await.unwrap(), "open");
    node.instance.rotate_root(HELD, false, at(T0)).await.unwrap();
    node.turned().await;
    node.instance.seal(HELD, at(T0)).await.unwrap();
    assert_eq!(answered(&node, &made).await.unwrap(), "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_somebody_else_made_for_the_custodians_does_not_open_by_them() {
    let node = Node::new().await;
    let (mut made, transfer) = made(&node).await;
    // All that is in the clear is theirs; the keys below the root are not.
    let others = DomainSecrets::generate(made.record.vault, false).working;
    made.record.working_keys = others.digest();
    activated(&node, &made, (&others, &transfer), &[]).await.unwrap();
    node.instance.seal(HELD, at(T0)).await.unwrap();
    let refused = answered(&node, &made).await.unwrap_err();
    assert!(matches!(refused, OperateError::Altered { what: "root" }), "{refused}");
    assert_eq!(node.instance.named(HELD).unwrap().ready(), Err(TurnedAway::Sealed));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_root_and_no_backup_is_sealed_to_a_domain_key_that_was_swapped() {
    let (node, made) = held().await;
    let stranger = DomainKey::generate().public();
    for name in ["dev", HELD] {
        replaced(&node, id_of(&node, name), Kind::Domain, stranger.as_bytes()).await;
        let refused = node.instance.rotate_root(name, false, at(T0)).await.unwrap_err();
        assert!(matches!(refused, OperateError::Altered { what: "domain key" }), "{refused}");
    }
    let ask = crate::backup::start();
    assert!(matches!(node.run(ask).await, Err(Refusal::Damaged)));
    node.instance.seal(HELD, at(T0)).await.unwrap();
    let refused = answered(&node, &made).await.unwrap_err();
    assert!(matches!(refused, OperateError::Altered { what: "domain key" }), "{refused}");
    let node = node.restart().await;
    let refused = node.instance.unseal("dev", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::Altered { what: "domain key" }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_key_file_no_longer_opens_its_domain_gets_no_other_root() {
    let node = Node::new().await;
    removed(&node, id_of(&node, "dev"), Kind::WrappedDomain).await;
    let refused = node.instance.rotate_root("dev", false, at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::NoPath { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_without_the_row_of_its_unseal_paths_was_altered() {
    let (node, made) = held().await;
    for name in ["dev", HELD] {
        removed(&node, id_of(&node, name), Kind::Paths).await;
        let refused = node.instance.rotate_root(name, false, at(T0)).await.unwrap_err();
        assert!(matches!(refused, OperateError::Refused(Refusal::Damaged)), "{refused}");
    }
    let node = node.restart().await;
    let refused = answered(&node, &made).await.unwrap_err();
    assert!(matches!(refused, OperateError::Altered { what: "list of unseal paths" }), "{refused}");
    let found = node.instance.doctor(at(T0)).await;
    let bad = found.iter().find(|f| f.what == "vault" && f.vault.as_deref() == Some(HELD)).unwrap();
    assert!(bad.verdict == Verdict::Bad && bad.says.contains("list of unseal paths"), "{bad:?}");
    let refused = node.instance.unseal("dev", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::Altered { what: "list of unseal paths" }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_opens_what_is_sealed_to_the_domain_and_says_what_only_custodians_can() {
    let (node, made) = held().await;
    let root = async |vault: &str| {
        let found = node.instance.doctor(at(T0)).await.into_iter();
        let mut of = found.filter(|f| f.what == "root" && f.vault.as_deref() == Some(vault));
        of.next().map(|finding| (finding.verdict, finding.says)).unwrap()
    };
    assert_eq!(root("dev").await.0, Verdict::Good);
    let (verdict, says) = root(HELD).await;
    assert!(verdict == Verdict::Good && says.contains("unaltered since it was written"), "{says}");
    let other = one(&node, id_of(&node, HELD), Kind::SealedRoot).await.sealed;
    replaced(&node, id_of(&node, "dev"), Kind::SealedRoot, &other).await;
    assert_eq!(root("dev").await.0, Verdict::Bad);
    // What only custodians open is known again as it was written.
    let held = id_of(&node, HELD);
    let again = made.secrets.key.public().seal_root(held, &keystead_custody::Root::generate(Generation(1))).unwrap();
    replaced(&node, held, Kind::SealedRoot, &again).await;
    let (verdict, says) = root(HELD).await;
    assert!(verdict == Verdict::Bad && says.contains("the row of generation 1 is not the one"), "{says}");
    removed(&node, held, Kind::SealedRoot).await;
    let (verdict, says) = root(HELD).await;
    assert!(verdict == Verdict::Bad && says.contains("generation 1 is not sealed"), "{says}");
    // Another generation makes it good, and custodians open it.
    node.instance.rotate_root(HELD, false, at(T0)).await.unwrap();
    node.turned().await;
    let (verdict, says) = root(HELD).await;
    assert!(verdict == Verdict::Good && says.contains("unaltered"), "{says}");
    node.instance.seal(HELD, at(T0)).await.unwrap();
    assert_eq!(answered(&node, &made).await.unwrap(), "open");
    assert_eq!(root(HELD).await.0, Verdict::Good);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_are_older_than_the_root_are_told_by_the_doctor() {
    let (node, made) = held().await;
    let held = id_of(&node, HELD);
    let older = one(&node, held, Kind::Secrets).await;
    node.instance.rotate_root(HELD, false, at(T0)).await.unwrap();
    // The owner of the database puts the row back as it was, which still opens: the rotation goes on.
    let put = |row: &Row| {
        let db = rusqlite::Connection::open(node.dir.path().join("store/keystead.db")).unwrap();
        let sql = "UPDATE item SET sealed = ?1, counter = ?2 WHERE vault = ?3 AND kind = ?4";
        let counter = i64::try_from(row.counter).unwrap();
        let values = rusqlite::params![row.sealed, counter, held.as_bytes(), row.kind.code()];
        assert_eq!(db.execute(sql, values).unwrap(), 1);
    };
    let root = async || {
        let found = node.instance.doctor(at(T0)).await.into_iter();
        let of = found.filter(|f| f.what == "root" && f.vault.as_deref() == Some(HELD));
        of.map(|finding| (finding.verdict, finding.says)).next().unwrap()
    };
    let newer = one(&node, held, Kind::Secrets).await;
    put(&older);
    let (verdict, says) = root().await;
    assert!(verdict == Verdict::Bad && says.contains("older than generation 2"), "{says}");
    put(&newer);
    assert_eq!(root().await.0, Verdict::Good);
    node.turned().await;
    node.instance.seal(HELD, at(T0)).await.unwrap();
    assert_eq!(answered(&node, &made).await.unwrap(), "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_was_altered_of_what_custodians_need() {
    let (node, made) = held().await;
    let held = id_of(&node, HELD);
    let domain = async || {
        let found = node.instance.doctor(at(T0)).await.into_iter();
        let of: Vec<_> = found.filter(|f| f.what == "domain").collect();
        let [one] = of.as_slice() else { panic!("one vault has custodians: {of:?}") };
        (one.verdict, one.says.clone())
    };
    let key = PrivateKey::from_pkcs1(KEYS[0]).unwrap();
    let confirmation = Confirmation::sign(&made.record, &key).unwrap().to_bytes();
    node.instance.confirm(HELD, std::slice::from_ref(&confirmation), at(T0)).await.unwrap();
    let (verdict, says) = domain().await;
    assert!(verdict == Verdict::Good && says.contains("1 confirmed"), "{says}");
    let place =
        RowKey { kind: Kind::Confirmation, lookup: made.record.custodians[0].certificate.thumbprint(), version: None };
    let row = node.store.get(held, place).await.unwrap().unwrap();
    let row = Row { counter: row.counter + 1, sealed: b"{}".to_vec(), ..row };
    altered(&node, held, Changes { puts: vec![row], ..Changes::default() }).await;
    let (verdict, says) = domain().await;
    assert!(verdict == Verdict::Bad && says.contains("confirmation of custodian 1 does not verify"), "{says}");
    node.instance.confirm(HELD, &[confirmation], at(T0)).await.unwrap();
    assert_eq!(domain().await.0, Verdict::Good, "it was brought again");
    let other = ActivationRecord { retention_days: 8, ..made.record.clone() };
    replaced(&node, held, Kind::Activation, &other.to_bytes()).await;
    let (verdict, says) = domain().await;
    assert!(verdict == Verdict::Bad && says.contains("activation record in the database is not"), "{says}");
    replaced(&node, held, Kind::Activation, &made.record.to_bytes()).await;
    replaced(&node, held, Kind::SecurityDomain, b"{}").await;
    for sealed in [false, true] {
        if sealed {
            node.instance.seal(HELD, at(T0)).await.unwrap();
        }
        let (verdict, says) = domain().await;
        assert!(verdict == Verdict::Bad && says.contains("security domain in the database is not"), "{says}");
    }
    // Nobody is called by a name that the record does not have.
    let root = async |node: &Node| {
        let found = node.instance.doctor(at(T0)).await.into_iter();
        let mut of = found.filter(|f| f.what == "root" && f.vault.as_deref() == Some(HELD));
        of.next().map(|finding| (finding.verdict, finding.says)).unwrap()
    };
    let id = made.record.domain_public.id().to_string();
    let (verdict, says) = root(&node).await;
    assert!(verdict == Verdict::Good && says.contains(&id) && says.contains("unproven until unsealed"), "{says}");
    let shown = node.instance.show(HELD).await.unwrap();
    assert_eq!(shown.store_says.map(|says| says.domain), Some(made.record.domain_public.id()));
    let (node, _) = self::held().await;
    replaced(&node, id_of(&node, HELD), Kind::Domain, &[9; 32]).await;
    node.instance.seal(HELD, at(T0)).await.unwrap();
    let (verdict, says) = root(&node).await;
    assert!(verdict == Verdict::Bad && says.contains("domain key"), "{says}");
    assert!(node.instance.show(HELD).await.unwrap().store_says.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_path_through_the_same_key_destroys_no_key_of_the_first() {
    let node = Node::new().await;
    node.rotated(true).await;
    let dir = node.stop().await;
    let file = dir.path().join("path.key");
    let paths: Vec<Arc<dyn UnsealPath>> =
        vec![Arc::new(KeyFile::at(&file)), Arc::new(KeyFile::at(&file).named("second"))];
    let node = Node::open_by(dir, paths).await;
    node.instance.add_path("dev", "second", at(T0)).await.unwrap();
    node.instance.prove_path("dev", "file", at(T0)).await.unwrap();
    node.instance.remove_path("dev", "second", at(T0)).await.unwrap();
    let node = node.restart().await;
    assert!(node.vault().ready().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_erases_a_vault_is_told_that_the_domain_he_gave_out_opens_older_copies() {
    let node = Node::new().await;
    let custodian = |der: &&[u8]| keystead_engine::Custodian { certificate: der.to_vec(), public: None };
    let custodians = CERTIFICATES.iter().map(custodian).collect();
    node.run(DownloadSecurityDomain { custodians, required: 2 }).await.unwrap();
    let erased = node.instance.erase("dev", at(T0)).await.unwrap();
    assert!(erased.left.iter().any(|left| left.contains("whose custodians open older copies")), "{:?}", erased.left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_custodians_did_not_confirm_needs_approvals() {
    let node = Node::new().await;
    let dir = node.stop().await;
    let file = dir.path().join("path.key");
    KeyFile::create(&dir.path().join("second.key")).unwrap();
    let second = KeyFile::at(&dir.path().join("second.key")).named("second");
    let node = Node::open_by(dir, vec![Arc::new(KeyFile::at(&file)), Arc::new(second)]).await;
    let (made, transfer) = made(&node).await;
    let keys = (&made.secrets.working, &transfer);
    let refused = activated(&node, &made, keys, &["second"]).await.unwrap_err();
    assert!(matches!(refused, OperateError::NotActivated(NotActivated::Path(_))), "{refused}");
    activated(&node, &made, keys, &[]).await.unwrap();
    let refused = node.instance.add_path(HELD, "second", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::PathNotAllowed { .. }), "{refused}");
    node.instance.add_path(HELD, "file", at(T0)).await.unwrap();
    // What stands behind the name of one that was removed may be another key.
    node.instance.remove_path(HELD, "file", at(T0)).await.unwrap();
    let refused = node.instance.add_path(HELD, "file", at(T0)).await.unwrap_err();
    assert!(matches!(refused, OperateError::PathRemovedBefore { .. }), "{refused}");
    // With custody `file` the operator has the domain's key anyway.
    node.instance.add_path("dev", "second", at(T0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_root_is_wrapped_by_another_key_than_the_one_that_opens_the_vault_under_that_name() {
    let node = Node::new().await;
    let (made, transfer) = made(&node).await;
    activated(&node, &made, (&made.secrets.working, &transfer), &["file"]).await.unwrap();
    let dir = node.stop().await;
    let others = dir.path().join("others.key");
    KeyFile::create(&others).unwrap();
    let node = Node::open_by(dir, vec![Arc::new(KeyFile::at(&others))]).await;
    assert_eq!(answered(&node, &made).await.unwrap(), "open");
    for after_purge in [false, true] {
        let refused = node.instance.rotate_root(HELD, after_purge, at(T0)).await.unwrap_err();
        assert!(matches!(refused, OperateError::PathFailed { .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_opens_a_vault_that_its_new_custodians_do_not_confirm() {
    let node = Node::new().await;
    let (before, transfer) = made(&node).await;
    activated(&node, &before, (&before.secrets.working, &transfer), &["file"]).await.unwrap();
    let offer = node.instance.transfer_offer(HELD, true, at(T0)).await.unwrap();
    let offer = TransferOffer::parse(&offer.file).unwrap();
    let (mut next, transfer) = made_for(offer, VaultId::from_bytes([9; 16]));
    for (allowed, asked) in [(None, false), (Some("file:hsm"), false), (Some("file:file"), true)] {
        next.record.paths = allowed.iter().map(|path| path.parse().unwrap()).collect();
        let new = sent(&next, (&next.secrets.working, &transfer));
        match node.instance.ask_replacement(HELD, new, false, at(T0)).await {
            Err(OperateError::NotReplaced(NotActivated::Path(path))) => assert!(!asked && path == "file:file"),
            other => assert!(asked && other.is_ok(), "{other:?}"),
        }
    }
}
