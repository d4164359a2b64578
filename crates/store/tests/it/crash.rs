//! What was acknowledged is there after any end.

use crate::support::{Bench, V, key, puts, record, revision_in, row};
use keystead_model::Revision;
use keystead_store::{Changes, Store};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_dropped_without_close_keeps_all_acknowledged_commits() {
    let mut b = Bench::new().await;
    for round in 0..5_u8 {
        let mut asked = tokio::task::JoinSet::new();
        for i in 0..40 {
            let store = b.store.clone();
            asked.spawn(async move { store.commit(V, puts([row(round * 40 + i, 1)]), record().0).await });
        }
        // Some answers are never waited for: the store may do those commits or not, whole.
        let mut acknowledged = 0;
        for _ in 0..30 {
            asked.join_next().await.unwrap().unwrap().unwrap();
            acknowledged += 1;
        }
        asked.shutdown().await;
        b = b.dropped();
        let rows = b.store.page(V, keystead_store::Kind::Key, None, 1000).await.unwrap();
        assert!(rows.len() >= usize::from(round) * 30 + acknowledged);
        assert_eq!(b.revision().await, Revision(1 + rows.len() as u64));
        assert_eq!(b.store.outbox().await.unwrap().len(), 1 + rows.len());
    }
}

const VICTIM: &str = "KEYSTEAD_STORE_TEST_VICTIM";

/// Not a test by itself: the process the next one kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_until_killed() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let store = Store::open(Path::new(&path)).unwrap();
    for counter in 1.. {
        let all = (0..8).map(|lookup| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(V, puts([row(lookup, counter)]), record().0).await })
        });
        for (lookup, done) in all.collect::<Vec<_>>().into_iter().enumerate() {
            let revision = done.await.unwrap().unwrap().revision.0;
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {lookup} {counter} {revision}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[tokio::test]
async fn a_killed_process_leaves_all_acknowledged_commits() {
    let b = Bench::new().await;
    b.store.close().await;
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::commits_until_killed", "--nocapture"])
        .env(VICTIM, b.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut newest = [(0_u64, 0_u64); 8];
    let mut note = |line: String| {
        let words: Vec<_> = line.split(' ').collect();
        // The harness's own words may stand before ours; a last line may be cut.
        if let [.., "acknowledged", lookup, counter, revision] = words[..]
            && let (Ok(lookup), Ok(counter), Ok(revision)) =
                (lookup.parse::<usize>(), counter.parse(), revision.parse())
        {
            newest[lookup] = (counter, revision);
        }
    };
    lines.by_ref().take(500).for_each(|line| note(line.unwrap()));
    victim.kill().unwrap();
    lines.map_while(Result::ok).for_each(&mut note);
    victim.wait().unwrap();

    let b = b.dropped();
    for (lookup, (counter, revision)) in (0..8).zip(newest) {
        let read = b.store.get(V, key(lookup)).await.unwrap().unwrap();
        assert!(counter > 1 && read.counter >= counter && read.revision.0 >= revision, "{lookup}");
    }
    let revisions: Vec<_> = b.store.outbox().await.unwrap().iter().map(|r| revision_in(&r.bytes).0).collect();
    assert_eq!(revisions, (1..=b.revision().await.0).collect::<Vec<_>>(), "every change has its record, and only it");
    b.store.commit(V, Changes::default(), record().0).await.unwrap();
}
