//! A vault takes another domain: whole, or not at all, whatever fails and whoever works beside.

use crate::support::*;
use keystead_crypto::rsa::{PrivateKey, Scheme};
use keystead_custody::shares::{Gathering, Quorum};
use keystead_custody::{Certificate, DomainSecrets, open_domain, open_share, send_domain};
use keystead_engine::{
    Custodian, DownloadSecurityDomain, GetTransferKey, ReadAudit, Refusal, SecurityDomainError, TurnedAway,
    UploadSecurityDomain, Verdict,
};
use keystead_formats::security_domain::SecurityDomain;
use keystead_model::{KeySpec, Time, VaultId};
use keystead_store::fault::CommitFault;
use keystead_store::{CommitError, Unavailable};
use keystead_unseal::{KeyFile, UnsealPath};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../custody/tests/golden/custodians/", $name)).as_slice()
    };
}

pub(crate) const CERTIFICATES: [&[u8]; 3] =
    [file!("1.certificate.der"), file!("2.certificate.der"), file!("3.certificate.der")];
const KEYS: [&[u8]; 2] = [file!("1.key.der"), file!("2.key.der")];
const DISK: Unavailable = Unavailable::Disk { code: 10 };

async fn downloaded(node: &Node) -> DomainSecrets {
    let custodian = |der: &&[u8]| Custodian { certificate: der.to_vec(), public: None };
    let ask = DownloadSecurityDomain { custodians: CERTIFICATES.iter().map(custodian).collect(), required: 2 };
    let file = SecurityDomain::parse(node.run(ask).await.unwrap().as_bytes()).unwrap();
    let mut gathering = Gathering::without_digests(Quorum::new(2, 3).unwrap());
    for (share, key) in file.shares.iter().zip(KEYS) {
        let key = PrivateKey::from_pkcs1(key).unwrap();
        let share = open_share(share, |cipher| key.decrypt(Scheme::OaepSha256, cipher).ok()).unwrap();
        gathering.add(share).unwrap();
    }
    open_domain(&file, &gathering).unwrap()
}

async fn bytes(node: &Node) -> Vec<u8> {
    downloaded(node).await.to_bytes().to_vec()
}

/// Of nobody yet.
fn another() -> DomainSecrets {
    DomainSecrets::generate(VaultId::from_bytes(keystead_crypto::random()), false)
}

async fn upload(node: &Node, secrets: &DomainSecrets) -> UploadSecurityDomain {
    let transfer = Certificate::parse(&node.run(GetTransferKey).await.unwrap().certificate).unwrap();
    UploadSecurityDomain { blob: send_domain(secrets, &transfer).unwrap().to_json().into_bytes() }
}

/// Nothing of the vault is amiss: every path opens root and domain, and the root is sealed to the domain.
async fn well(node: &Node) {
    let found = node.instance.doctor(at(T0)).await;
    assert!(found.iter().all(|finding| finding.verdict != Verdict::Bad), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_leaves_the_domain_and_one_of_unknown_outcome_seals_the_vault() {
    let node = Node::new().await;
    let (own, new) = (bytes(&node).await, another());
    for fault in [
        CommitFault::Before(CommitError::Busy),
        CommitFault::Before(CommitError::DiskFull),
        CommitFault::Spent(CommitError::DiskFull),
        CommitFault::Before(CommitError::Unavailable(DISK)),
    ] {
        let ask = upload(&node, &new).await;
        node.faults.fail_commit(1, fault);
        let refused = node.run(ask).await.err();
        assert!(matches!(refused, Some(Refusal::Busy | Refusal::StoreFull | Refusal::Unavailable)), "{refused:?}");
        assert!(bytes(&node).await == own, "{fault:?}");
    }
    let ask = upload(&node, &new).await;
    node.faults.fail_commit(1, CommitFault::After(CommitError::Unavailable(DISK)));
    let unknown = node.try_run(OFFICER, ask, T0).await.err();
    assert_eq!(unknown, Some(TurnedAway::OutcomeUnknown));
    assert_eq!(node.vault().state().name(), "sealed");
    let node = node.restart().await;
    assert!(bytes(&node).await == new.to_bytes().to_vec());
    well(&node).await;
    node.stop_and_verify().await;
}

/// Also where the vault cannot be read once more after the commit: it is sealed then, and opens with what was
/// committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_leaves_one_domain_or_the_other() {
    let node = Node::new().await;
    let (mut own, mut refused, mut sealed) = (bytes(&node).await, 0, 0);
    for nth in 1..60 {
        let new = another();
        let ask = upload(&node, &new).await;
        node.faults.fail_read(nth, DISK);
        let before = node.faults.reads();
        let done = node.run(ask).await;
        if node.faults.reads() - before < nth {
            assert!(done.is_ok() && refused > 5 && sealed > 0, "{nth}: {done:?}");
            return;
        }
        match done {
            Ok(_) => {
                // Where it failed at the look whether anything was changed meanwhile, all of it is done once more.
                if node.vault().state().name() == "sealed" {
                    sealed += 1;
                    node.instance.unseal("dev", at(T0)).await.unwrap();
                }
                own = new.to_bytes().to_vec();
            }
            Err(why) => {
                refused += 1;
                assert!(matches!(why, Refusal::Unavailable), "{nth}: {why}");
            }
        }
        assert!(bytes(&node).await == own, "{nth}");
        well(&node).await;
    }
    panic!("it does not come to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_operator_does_meanwhile_every_path_opens_the_domain_that_stands() {
    let node = Node::new().await;
    let mut own = bytes(&node).await;
    let dir = node.stop().await;
    KeyFile::create(&dir.path().join("second.key")).unwrap();
    let path = |name: &str, dir: &Path| Arc::new(KeyFile::at(&dir.join(format!("{name}.key"))).named(name));
    let paths: Vec<Arc<dyn UnsealPath>> =
        vec![Arc::new(KeyFile::at(&dir.path().join("path.key"))), path("second", dir.path())];
    let node = Node::open_by(dir, paths).await;
    for round in 0..24_u64 {
        let new = another();
        let ask = upload(&node, &new).await;
        let act = async {
            tokio::time::sleep(Duration::from_millis(round / 3)).await;
            match round % 3 {
                0 => node.instance.add_path("dev", "second", at(T0)).await,
                1 => node.instance.rotate_root("dev", false, at(T0)).await.map(drop),
                _ => node.instance.remove_path("dev", "second", at(T0)).await,
            }
        };
        let (uploaded, acted) = tokio::join!(node.try_run(OFFICER, ask, T0), act);
        if let Err(why) = &acted {
            // It was told so, or the path stands as another round left it.
            assert!(!why.to_string().contains("damaged"), "{why}");
        }
        match uploaded {
            Ok(Ok(_)) => own = new.to_bytes().to_vec(),
            Ok(Err(why)) => assert!(
                matches!(why, Refusal::Conflict | Refusal::Domain(SecurityDomainError::Rotating { .. })),
                "{why}"
            ),
            Err(why) => panic!("{why}"),
        }
        node.turned().await;
        assert!(bytes(&node).await == own, "{round}");
        well(&node).await;
    }
    let node = node.restart().await;
    assert!(bytes(&node).await == own);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_says_who_got_the_domain_and_which_one_was_taken() {
    let node = Node::new().await;
    let (own, new) = (downloaded(&node).await, another());
    let ask = upload(&node, &new).await;
    node.run(ask).await.unwrap();
    let entries = node.run(ReadAudit { log: None, from: None, limit: 100 }).await.unwrap();
    let said = |action: &str| {
        let entry = entries.iter().find(|entry| entry.action == action).unwrap();
        entry.detail.reason.clone().unwrap()
    };
    let given = said("security-domain/download");
    let thumbprints: Vec<_> = CERTIFICATES.iter().map(|der| hex::encode(keystead_crypto::sha256(&[der]))).collect();
    assert!(thumbprints.iter().all(|of| given.contains(of)) && given.starts_with("2 of these"), "{given}");
    let taken = said("security-domain/upload");
    assert!(
        taken.contains(&new.working.domain.to_string()) && taken.contains(&own.working.domain.to_string()),
        "{taken}"
    );
    assert!(said("security-domain/transfer-key").contains("certificate is"));
    // Who may nothing learns nothing and changes nothing.
    for who in [USER, STRANGER] {
        assert!(matches!(node.run_as(who, GetTransferKey, T0).await, Err(Refusal::Denied(_))));
        let ask = DownloadSecurityDomain { custodians: Vec::new(), required: 2 };
        assert!(matches!(node.run_as(who, ask, T0).await, Err(Refusal::Denied(_))));
        assert!(matches!(node.run_as(who, upload(&node, &own).await, T0).await, Err(Refusal::Denied(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_after_it_was_asked_for_a_transfer_key_takes_nothing() {
    let node = Node::new().await;
    let late = Time(T0.0 + 3_600_000);
    let ask = upload(&node, &another()).await;
    let refused = node.run_as(OFFICER, ask, late).await.err();
    assert!(matches!(refused, Some(Refusal::Domain(SecurityDomainError::NoTransferKey))), "{refused:?}");
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let refused = node.run(upload(&node, &another()).await).await.err();
    assert!(matches!(refused, Some(Refusal::Domain(SecurityDomainError::HasKeys))), "{refused:?}");
}
