//! Golden files: what the first release wrote reads back for ever, and is written the same. They were made by another
//! implementation of the layouts.

use super::*;
use crate::records::{decode, encode};
use keystead_access::AdministersBy;
use keystead_formats::backup::Header;
use keystead_identity::Principal;

fn golden(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn header() -> Vec<u8> {
    let whole = golden(include_str!("../../../tests/golden/vault-backup-v1.hex"));
    let (header, _) = Header::parse(&whole).unwrap();
    header.to_bytes()
}

/// Decodes, compares, and encodes to the same bytes.
fn is_golden<T: PartialEq + Encode<()> + for<'b> Decode<'b, ()>>(text: &str, expected: &T) {
    let bytes = golden(text);
    assert!(decode::<T>(&bytes).unwrap() == *expected);
    assert_eq!(hex::encode(&*encode(expected).unwrap()), hex::encode(&bytes));
}

fn place() -> PlaceRecord {
    PlaceRecord {
        container: "https://pay.vault.example/backups".to_owned(),
        folder: "mhsm-pay-2030031717464000".to_owned(),
        token: Some("sv=1".to_owned()),
    }
}

fn at() -> AtRecord {
    AtRecord { number: 3, before: [8; 32].into(), byte: 5000 }
}

const COUNTS: Counts = Counts { keys: 1, deleted: 2, versions: 3, left_out: 4 };

fn job<W>(work: Option<W>) -> JobRecord<W> {
    let by = ByRecord { issuer: "i".to_owned(), subject: "s".to_owned(), assignment: None, administers: None };
    JobRecord {
        state: 1,
        started: 100,
        ended: None,
        place: place(),
        by,
        check: false,
        error: None,
        progressed: 200,
        details: None,
        work,
    }
}

#[test]
fn golden_backup_jobs() {
    let work = BackupWork {
        key: JobKey([0x77; 32]),
        header: header().into(),
        at: at(),
        parts: 2,
        pass: 1,
        after: Some([9; 32].into()),
        inside: Some(CopiedKey {
            tag: [10; 32].into(),
            id: [11; 16].into(),
            newest: [12; 16].into(),
            after: Some([13; 16].into()),
            whole: true,
        }),
        counts: COUNTS,
    };
    let issuer = "https://dev/1".to_owned();
    let by = ByRecord { issuer, subject: "officer".to_owned(), assignment: Some([7; 16].into()), administers: None };
    let running = JobRecord { by, details: Some("said".to_owned()), ..job(Some(work)) };
    is_golden(include_str!("../../../tests/golden/backup-job-v1.hex"), &running);
    let place = PlaceRecord { container: "https://a/b".to_owned(), folder: "f".to_owned(), token: None };
    let error = Some(ErrorRecord { code: 10, message: "full".to_owned() });
    let failed = JobRecord::<BackupWork> { state: 3, ended: Some(300), place, check: true, error, ..job(None) };
    is_golden(include_str!("../../../tests/golden/backup-job-failed-v1.hex"), &failed);
}

#[test]
fn golden_restore_jobs() {
    let head = KeyRecord {
        name: "Payments".to_owned(),
        newest: [6; 16],
        newest_created: 100,
        rotation: None,
        deletion: None,
        newest_expires: None,
        notified: None,
    };
    let work = RestoreWork {
        key: JobKey([0x77; 32]),
        backup: [1; 16].into(),
        header: header().into(),
        at: at(),
        phase: 2,
        counts: COUNTS,
        since: Some(77),
        after: Some([9; 32].into()),
        inside: Some(RestoredKey { head, id: Some([14; 16].into()), existed: None }),
        only: Some("Payments".to_owned()),
        found: true,
        policy: true,
        done: Restored { versions: 5, kept: 6, deleted: 7 },
        rollback: None,
        seen: None,
    };
    is_golden(include_str!("../../../tests/golden/restore-job-v1.hex"), &job(Some(work.clone())));
    let inside = work.inside.clone().map(|inside| RestoredKey { existed: Some(true), ..inside });
    let later = RestoreWork { inside, rollback: Some(true), seen: Some(78), ..work };
    let administers = Some(AdministersBy::Listed(Principal::new("i", "s")));
    let first = job(Some(later));
    let second = JobRecord { by: ByRecord { administers, ..first.by.clone() }, ..first };
    is_golden(include_str!("../../../tests/golden/restore-job-v2.hex"), &second);
    let jobs = JobsRecord {
        recent: vec![RecentJob { id: [1; 16].into(), restore: false }, RecentJob { id: [2; 16].into(), restore: true }],
    };
    is_golden(include_str!("../../../tests/golden/jobs-record-v1.hex"), &jobs);
}
