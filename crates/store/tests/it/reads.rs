//! Lists, versions, due rows, facts about the instance.

use crate::support::{Bench, V, key, puts, record, row, vault, version};
use keystead_model::{Time, VaultId, Version};
use keystead_store::{Changes, DueAt, Kind, Row};

#[tokio::test]
async fn pages_are_in_the_order_of_tags_and_leave_nothing_out() {
    let b = Bench::new().await;
    for lookup in [5, 0, 255, 3, 128, 1] {
        b.put(row(lookup, 1)).await;
        b.put(version(lookup, 1)).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = b.store.page(V, Kind::Key, after, 2).await.unwrap();
        assert!(page.len() <= 2 && page.iter().all(|r| r.kind == Kind::Key && r.version.is_none()));
        let Some(last) = page.last() else { break };
        after = Some(last.lookup);
        seen.extend(page.iter().map(|r| r.lookup[0]));
    }
    assert_eq!(seen, [0, 1, 3, 5, 128, 255]);
    assert_eq!(b.store.page(V, Kind::KeyVersion, None, 9).await.unwrap(), []);
    assert_eq!(b.store.page(V, Kind::Key, None, 0).await.unwrap(), []);
}

#[tokio::test]
async fn all_rows_of_a_kind_are_read_page_by_page_each_once_and_counted() {
    let b = Bench::new().await;
    for (lookup, v) in [(2, 9), (2, 0), (1, 4)] {
        b.put(version(lookup, v)).await;
    }
    for lookup in [0, 2, 255] {
        b.put(Row { kind: Kind::KeyVersion, ..row(lookup, 1) }).await;
        b.put(row(lookup, 1)).await;
    }
    for page in 1..4 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let rows = b.store.rows(V, Kind::KeyVersion, after, page).await.unwrap();
            let Some(last) = rows.last() else { break };
            after = Some((last.lookup, last.version));
            seen.extend(rows.iter().map(|r| (r.lookup[0], r.version.map(|v| v.as_bytes()[0]))));
        }
        assert_eq!(seen, [(0, None), (1, Some(4)), (2, None), (2, Some(0)), (2, Some(9)), (255, None)]);
    }
    assert_eq!(b.store.count(V, &[Kind::KeyVersion, Kind::Key, Kind::Policy]).await.unwrap(), 9);
    assert_eq!(b.store.count(VaultId::from_bytes([1; 16]), Kind::ALL).await.unwrap(), 0);
}

#[tokio::test]
async fn versions_are_those_of_one_row_in_their_own_order() {
    let b = Bench::new().await;
    for v in [9, 0, 4] {
        b.put(version(1, v)).await;
        b.put(version(2, v)).await;
    }
    b.put(Row { kind: Kind::KeyVersion, ..row(1, 1) }).await;
    let list = async |after: Option<u8>, n| {
        let after = after.map(|v| Version::from_bytes([v; 16]));
        let rows = b.store.versions(V, Kind::KeyVersion, [1; 32], after, n).await.unwrap();
        rows.iter().map(|r| r.version.unwrap().as_bytes()[0]).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, [0, 4, 9]);
    assert_eq!(list(Some(0), 1).await, [4]);
    assert_eq!(list(Some(9), 9).await, [0; 0]);
}

#[tokio::test]
async fn the_places_of_all_versions_are_listed_page_by_page_each_once() {
    let b = Bench::new().await;
    for (lookup, v) in [(2, 9), (2, 0), (1, 4), (255, 255)] {
        b.put(version(lookup, v)).await;
    }
    for lookup in [1, 2] {
        b.put(row(lookup, 1)).await;
        b.put(Row { kind: Kind::KeyVersion, ..row(lookup, 1) }).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = b.store.version_ids(V, Kind::KeyVersion, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        seen.extend(page.iter().map(|(lookup, version)| (lookup[0], version.as_bytes()[0])));
    }
    assert_eq!(seen, [(1, 4), (2, 0), (2, 9), (255, 255)]);
    assert_eq!(b.store.version_ids(VaultId::from_bytes([8; 16]), Kind::KeyVersion, None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn due_rows_of_all_vaults_come_earliest_first_and_only_once_due() {
    let b = Bench::new().await;
    let other = VaultId::from_bytes([8; 16]);
    let due = |lookup, at| Row { due: Some(Time(at)), ..row(lookup, 1) };
    b.store.create_vault(vault(other, "other"), puts([due(1, 20), due(2, 40)]), record().0).await.unwrap();
    let changes = Changes { puts: vec![due(3, 30), due(4, -1), row(5, 1)], ..Changes::default() };
    b.store.commit(V, changes, record().0).await.unwrap();
    let list = async |now, n| {
        let rows = b.store.due(Time(now), None, n).await.unwrap();
        rows.iter().map(|(v, r)| (*v, r.lookup[0])).collect::<Vec<_>>()
    };
    assert_eq!(list(30, 9).await, [(V, 4), (other, 1), (V, 3)]);
    assert_eq!(list(100, 2).await, [(V, 4), (other, 1)]);
    b.put(Row { counter: 2, ..row(4, 2) }).await;
    assert_eq!(list(30, 1).await, [(other, 1)]);
}

#[tokio::test]
async fn due_rows_are_listed_page_by_page_each_once() {
    let b = Bench::new().await;
    let other = VaultId::from_bytes([8; 16]);
    let due = |lookup, at| Row { due: Some(Time(at)), ..row(lookup, 1) };
    let many = || Changes { puts: (0..20).map(|n| due(n, i64::from(n / 5))).collect(), ..Changes::default() };
    b.store.create_vault(vault(other, "other"), many(), record().0).await.unwrap();
    b.store.commit(V, many(), record().0).await.unwrap();
    let all = b.store.due(Time(9), None, 99).await.unwrap();
    assert_eq!(all.len(), 40);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = b.store.due(Time(9), after, 7).await.unwrap();
        let Some((vault, last)) = page.last() else { break };
        after = Some(DueAt { due: last.due.unwrap(), vault: *vault, key: last.key() });
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn a_fact_about_the_instance_is_written_once() {
    let b = Bench::new().await;
    assert_eq!(b.store.meta_get("instance").await.unwrap(), None);
    assert_eq!(b.store.meta_put_once("instance", b"first".to_vec()).await.unwrap(), b"first");
    assert_eq!(b.store.meta_put_once("instance", b"second".to_vec()).await.unwrap(), b"first");
    let b = b.dropped();
    assert_eq!(b.store.meta_get("instance").await.unwrap().unwrap(), b"first");
}

#[tokio::test]
async fn a_removed_row_is_gone_from_every_list() {
    let b = Bench::new().await;
    b.put(Row { due: Some(Time(1)), ..row(1, 1) }).await;
    let changes = Changes { removes: vec![(key(1), 1)], ..Changes::default() };
    b.store.commit(V, changes, record().0).await.unwrap();
    assert_eq!(b.store.get(V, key(1)).await.unwrap(), None);
    assert_eq!(b.store.page(V, Kind::Key, None, 9).await.unwrap(), []);
    assert_eq!(b.store.due(Time(9), None, 9).await.unwrap(), []);
}
