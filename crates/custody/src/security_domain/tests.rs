use super::*;
use crate::testing::{custodian_key, custodians, decrypt_with};
use keystead_crypto::rsa::{EXPONENT, Size};
use keystead_model::VaultId;

const ID: VaultId = VaultId::from_bytes([5; 16]);

fn secrets() -> DomainSecrets {
    DomainSecrets::generate(ID, true)
}

fn same(a: &DomainSecrets, b: &DomainSecrets) -> bool {
    a.to_bytes() == b.to_bytes()
}

#[test]
fn every_pair_of_three_custodians_opens_the_domain_that_was_made() {
    let secrets = secrets();
    let made = make_domain(&secrets, &custodians(3), 2).unwrap();
    let file = SecurityDomain::parse(made.file.to_json().as_bytes()).unwrap();
    assert_eq!(file, made.file);
    for pair in [[0, 1], [2, 0], [1, 2]] {
        let mut gathering = Gathering::new(2, made.share_digests.clone()).unwrap();
        for at in pair {
            assert!(gathering.combine().is_err());
            let share = open_share(&file.shares[at], decrypt_with(at)).unwrap();
            assert_eq!(usize::from(share.number()), at + 1);
            gathering.add(share).unwrap();
        }
        assert!(same(&open_domain(&file, &gathering).unwrap(), &secrets));
    }
}

#[test]
fn without_its_record_a_domain_opens_too_and_a_false_share_does_not_open_it() {
    let (secrets, custodians) = (secrets(), custodians(3));
    let [made, other] = [(); 2].map(|()| make_domain(&secrets, &custodians, 2).unwrap());
    let share = |domain: &NewDomain, at: usize| open_share(&domain.file.shares[at], decrypt_with(at)).unwrap();
    let open = |shares: [Share; 2]| {
        let mut gathering = Gathering::without_digests(Quorum::new(2, 3).unwrap());
        for share in shares {
            gathering.add(share).unwrap();
        }
        open_domain(&made.file, &gathering)
    };
    assert!(same(&open([share(&made, 0), share(&made, 2)]).unwrap(), &secrets));
    let refused = open([share(&made, 0), share(&other, 2)]).err();
    assert!(matches!(refused, Some(DomainError::NotOpened | DomainError::Share(ShareError::Disagree))), "{refused:?}");
}

#[test]
fn one_key_opens_its_own_share_only() {
    let made = make_domain(&secrets(), &custodians(3), 2).unwrap();
    assert_eq!(open_share(&made.file.shares[0], decrypt_with(1)).err(), Some(DomainError::ShareNotOpened));
    let mut moved = made.file.clone();
    moved.shares.swap(0, 1);
    let share = open_share(&moved.shares[0], decrypt_with(1)).unwrap();
    assert_eq!(share.number(), 2, "its number goes with it");
}

#[test]
fn custodians_are_three_to_ten_with_a_key_each() {
    let (secrets, four) = (secrets(), custodians(4));
    for (custodians, required) in [(&four[..2], 2), (&four[..3], 1), (&four[..3], 4)] {
        assert_eq!(make_domain(&secrets, custodians, required), Err(DomainError::Quorum(BadQuorum)));
    }
    let twice = [&four[..3], &four[..1]].concat();
    assert_eq!(make_domain(&secrets, &twice, 2), Err(DomainError::Twice { at: 4 }));
    assert_eq!(Certificate::parse(b"not one"), Err(DomainError::Certificate));
}

#[test]
fn a_changed_file_does_not_open() {
    let made = make_domain(&secrets(), &custodians(3), 2).unwrap();
    let mut gathering = Gathering::new(2, made.share_digests).unwrap();
    for at in [0, 1] {
        gathering.add(open_share(&made.file.shares[at], decrypt_with(at)).unwrap()).unwrap();
    }
    let other = make_domain(&secrets(), &custodians(3), 2).unwrap();
    assert_eq!(open_domain(&other.file, &gathering).err(), Some(DomainError::NotOpened));
    let mut renamed = made.file;
    renamed.data[0].tag = "keystead_working".to_owned();
    assert_eq!(open_domain(&renamed, &gathering).err(), Some(DomainError::NotOurs));
}

#[test]
fn what_is_sent_to_a_vault_opens_with_its_transfer_key_only() {
    let (secrets, transfer) = (secrets(), &custodians(1)[0]);
    let thumbprint = transfer.thumbprint();
    let working = send_working_keys(&secrets.working, transfer).unwrap();
    let working = RestoreBlob::parse(working.to_json().as_bytes()).unwrap();
    match receive(&working, &thumbprint, custodian_key(0)).unwrap() {
        Restored::Working(keys) => assert_eq!(keys.digest(), secrets.working.digest()),
        Restored::Domain(_) => panic!("the private key was sent along"),
    }
    let whole = send_domain(&secrets, transfer).unwrap();
    match receive(&whole, &thumbprint, custodian_key(0)).unwrap() {
        Restored::Domain(domain) => assert!(same(&domain, &secrets)),
        Restored::Working(_) => panic!("all was sent"),
    }
    let refused = |blob: &RestoreBlob, thumbprint: &[u8; 32], key: &PrivateKey| receive(blob, thumbprint, key).err();
    let other = PrivateKey::generate(Size::Bits3072, EXPONENT).unwrap();
    assert_eq!(refused(&whole, &thumbprint, &other), Some(DomainError::OtherTransferKey));
    assert_eq!(refused(&whole, &[0; 32], custodian_key(0)), Some(DomainError::OtherTransferKey));
    let mixed = RestoreBlob { data: whole.data.clone(), ..working.clone() };
    assert_eq!(refused(&mixed, &thumbprint, custodian_key(0)), Some(DomainError::NotOpened));
    let mut renamed = whole;
    renamed.data[0].tag = "other".to_owned();
    assert_eq!(refused(&renamed, &thumbprint, custodian_key(0)), Some(DomainError::NotOurs));
    renamed.data[0].tag = "keystead_working".to_owned();
    assert_eq!(refused(&renamed, &thumbprint, custodian_key(0)), Some(DomainError::NotOpened));
}
