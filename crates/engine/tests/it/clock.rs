//! Timed work that cannot be undone waits for a clock that is believed. Time is the test's: `steady` is the clock that
//! cannot be set, the other the wall clock.

use crate::support::*;
use keystead_engine::{
    Beat, ClockNote, ConfirmClock, Doubt, GetDeletedKey, NODE_LOG, ReadClock, Refusal, SetRotationPolicy, Vault, Why,
};
use keystead_engine::{DeleteKey, SealVault};
use keystead_identity::Proof;
use keystead_model::{Action, KeySpec, Moment, OperationId, Time};
use keystead_store::{Changes, Kind, OutboxRow, Row, RowKey};
use std::sync::Arc;

const HOUR: i64 = 3_600_000;
const HELD: Beat = Beat { rotated: 0, notified: 0, purged: 0, forgotten: 0, held: 1 };
const PURGED: Beat = Beat { rotated: 0, notified: 0, purged: 1, forgotten: 0, held: 0 };

fn days(n: i64) -> Time {
    T0.plus_millis(n * DAY)
}

/// A node on which the key `gone` was deleted at [`T0`]: it goes for good after 7 days.
async fn deleted() -> Node {
    let node = Node::new().await;
    node.run(create("gone", KeySpec::EcP256)).await.unwrap();
    node.run(DeleteKey { name: name("gone") }).await.unwrap();
    node
}

/// Again with the note it left, at this time.
async fn restarted(node: Node, now: Time) -> Node {
    let note = node.instance.clock().note();
    node.restart_at(now, Some(note)).await
}

async fn tick(node: &Node, now: Time) -> Beat {
    node.instance.tick(at(now)).await.unwrap()
}

/// In a vault, as its officer.
async fn in_vault<C: keystead_engine::Command>(vault: &Arc<Vault>, ask: C, at: Moment) -> Result<C::Output, Refusal> {
    let (client, secret) = OFFICER;
    let officer = vault.authenticate(Proof::ClientSecret { client, secret }, None, T0).unwrap();
    vault.run(officer, ask, at).await.unwrap().into_parts().1
}

async fn confirm(node: &Node, now: Time) -> Result<Option<Doubt>, Refusal> {
    node.run_as(OFFICER, ConfirmClock { time: now }, now).await.map(|clock| clock.doubt)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_clock_is_doubted_purges_wait_and_rotations_and_notices_do_not() {
    let node = deleted().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    node.run(SetRotationPolicy { name: name("k"), policy: Some(after_create(7, Some(28))) }).await.unwrap();
    // The wall clock jumps ahead, the steady one does not.
    node.instance.watch_clock(at(T0), 0).await;
    node.instance.watch_clock(at(days(8)), 1_000).await;
    assert_eq!(tick(&node, days(8)).await, Beat { rotated: 1, ..HELD });
    assert_eq!(tick(&node, days(8)).await, Beat { notified: 1, ..HELD });
    assert!(node.run_as(OFFICER, GetDeletedKey { name: name("gone") }, days(8)).await.is_ok());
    assert_eq!(confirm(&node, days(8)).await.unwrap(), None);
    assert_eq!(tick(&node, days(8)).await, PURGED);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_off_or_whose_clock_was_set_meanwhile_waits_over_restarts_until_an_administrator_confirms() {
    let node = deleted().await;
    let node = restarted(node, days(7)).await;
    let doubt = node.vault().doubt().unwrap();
    assert_eq!((doubt.why, doubt.said, doubt.expected), (Why::Start, days(7), Some(T0)));
    assert_eq!(tick(&node, days(7)).await, HELD);
    let mut node = node;
    for minute in 1..4 {
        let now = days(7).plus_millis(minute * 60_000);
        node = restarted(node, now).await;
        assert_eq!(node.vault().doubt(), Some(doubt), "restart {minute} changes nothing");
        assert_eq!(tick(&node, now).await, HELD);
    }
    let now = days(7).plus_millis(240_000);
    assert_eq!(node.run_as(OFFICER, ReadClock, now).await.unwrap().doubt, Some(doubt));
    confirm(&node, now).await.unwrap();
    assert_eq!((node.vault().doubt(), node.instance.doubted()), (None, 0));
    let node = restarted(node, now).await;
    assert_eq!(node.vault().doubt(), None, "a restart keeps the confirmation, too");
    assert_eq!(tick(&node, now).await, PURGED);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_behind_what_was_noted_is_doubted_and_setting_it_right_is_no_confirmation() {
    let node = restarted(deleted().await, days(-1)).await;
    assert_eq!(node.vault().doubt().unwrap().why, Why::Start);
    let before = node.vault().doubt();
    node.instance.watch_clock(at(T0), 5_000).await;
    let after = node.vault().doubt().unwrap();
    assert_eq!((after.why, after.expected), (Why::Step, Some(days(-1).plus_millis(5_000))));
    assert_ne!(Some(after.id), before.map(|d| d.id));
    assert_eq!(tick(&node, days(7)).await, HELD);
    confirm(&node, T0).await.unwrap();
    assert_eq!(tick(&node, days(7)).await, PURGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_no_doubt_and_what_only_runs_is_none() {
    let node = restarted(deleted().await, T0.plus_millis(HOUR)).await;
    for (now, steady) in [(HOUR, 0), (2 * HOUR + 1_000, 1_000), (9 * DAY, 9 * DAY - HOUR), (8 * DAY, 8 * DAY)] {
        node.instance.watch_clock(at(T0.plus_millis(now)), steady).await;
        assert_eq!(node.vault().doubt(), None, "{now} {steady}");
    }
    assert_eq!(tick(&node, days(8)).await, PURGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_is_believed_and_one_without_its_note_is_not() {
    let node = deleted().await;
    assert_eq!(node.instance.clock().note(), ClockNote { seen: T0, doubt: None });
    let node = node.restart_at(T0, None).await;
    let doubt = node.vault().doubt().unwrap();
    assert_eq!((doubt.why, doubt.said, doubt.expected), (Why::NoNote, T0, Some(T0)), "the newest record is of T0");
    // An empty journal over vaults that are there is no first start.
    let node = node.restart_at(T0, None).await;
    let dir = node.stop().await;
    std::fs::remove_dir_all(dir.path().join("audit")).unwrap();
    let node = Node::open(dir, LIMITS).await.restart_at(T0, None).await;
    assert_eq!(node.vault().doubt().unwrap().why, Why::NoNote);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_vault_confirms_for_itself_and_one_that_is_made_meanwhile_need_not() {
    let node = deleted().await;
    node.instance.create(new_vault("second"), at(T0)).await.unwrap();
    node.instance.create(new_vault("third"), at(T0)).await.unwrap();
    let of = |node: &Node, vault| node.instance.named(vault).unwrap();
    let second = of(&node, "second");
    in_vault(&second, create("gone", KeySpec::EcP256), at(T0)).await.unwrap();
    in_vault(&second, DeleteKey { name: name("gone") }, at(T0)).await.unwrap();
    node.instance.seal("third", at(T0)).await.unwrap();
    let node = restarted(node, days(9)).await;
    assert_eq!((tick(&node, days(9)).await.held, node.instance.doubted()), (2, 2));
    confirm(&node, days(9)).await.unwrap();
    assert_eq!(tick(&node, days(9)).await, Beat { held: 1, ..PURGED });
    let listed = |name: &str| node.instance.list().into_iter().find(|v| v.info.name == name).unwrap().clock_doubted;
    assert_eq!((listed("dev"), listed("second"), listed("third")), (Some(false), Some(true), None));
    node.instance.create(new_vault("fourth"), at(days(9))).await.unwrap();
    assert_eq!(of(&node, "fourth").doubt(), None, "nothing in it is older than the doubt");
    node.instance.unseal("third", at(days(9))).await.unwrap();
    assert!(of(&node, "third").doubt().is_some(), "what was sealed meanwhile waits as well");
    let node = restarted(node, days(9)).await;
    let waiting = ["dev", "second", "third", "fourth"].map(|vault| of(&node, vault).doubt().is_some());
    assert_eq!(waiting, [false, true, true, false]);
    in_vault(&of(&node, "second"), ConfirmClock { time: days(9) }, at(days(9))).await.unwrap();
    assert_eq!(tick(&node, days(9)).await, PURGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_administrator_cannot_confirm_or_read_the_clock() {
    let node = restarted(deleted().await, days(8)).await;
    for who in [USER, NARROW, STRANGER] {
        let confirmed = node.run_as(who, ConfirmClock { time: days(8) }, days(8)).await;
        assert!(matches!(confirmed, Err(Refusal::Denied(_))), "{who:?}");
        assert!(matches!(node.run_as(who, ReadClock, days(8)).await, Err(Refusal::Denied(_))), "{who:?}");
    }
    assert_eq!(tick(&node, days(8)).await, HELD);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_says_something_else_than_the_administrator_saw_is_not_confirmed() {
    let node = restarted(deleted().await, days(8)).await;
    for seen in [T0, days(8).plus_millis(HOUR + 1), days(8).plus_millis(-HOUR - 1), Time(i64::MIN), Time(i64::MAX)] {
        let refused = node.run_as(OFFICER, ConfirmClock { time: seen }, days(8)).await;
        assert!(matches!(refused, Err(Refusal::ClockMoved)), "{seen:?}: {refused:?}");
    }
    assert_eq!(tick(&node, days(8)).await, HELD);
    let revision = node.revision().await;
    let seen = ConfirmClock { time: days(8).plus_millis(-HOUR) };
    node.run_as(OFFICER, seen, days(8)).await.unwrap();
    assert_eq!(node.revision().await.0, revision.0 + 1);
    confirm(&node, days(8)).await.unwrap();
    assert_eq!(node.revision().await.0, revision.0 + 1, "where nothing is doubted nothing is written");
    assert_eq!(tick(&node, days(8)).await, PURGED);
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_confirmed_one_doubt_did_not_confirm_the_next() {
    let node = restarted(deleted().await, days(3)).await;
    confirm(&node, days(3)).await.unwrap();
    node.instance.watch_clock(at(days(8)), 1_000).await;
    assert_eq!(tick(&node, days(8)).await, HELD);
    let node = restarted(node, days(8)).await;
    assert_eq!(tick(&node, days(8)).await, HELD);
    confirm(&node, days(8)).await.unwrap();
    assert_eq!(tick(&node, days(8)).await, PURGED);
    node.stop_and_verify().await;
}

/// The row in which the vault `dev` keeps what it confirmed.
async fn stands(node: &Node) -> Option<Row> {
    node.store.get(node.vault().info().id, PLACE).await.unwrap()
}

const PLACE: RowKey = RowKey { kind: Kind::Clock, lookup: [Kind::Clock.code(); 32], version: None };

/// As the owner of the database: the row is gone, or another stands there.
async fn put_back(node: &Node, row: Option<Row>) {
    let id = node.vault().info().id;
    let write = async |changes: Changes| {
        let operation = OperationId::from_bytes(keystead_crypto::random());
        let record = Box::new(move |_| OutboxRow { operation, log: id, position: 0, bytes: Vec::new() });
        node.store.commit(id, changes, record).await.unwrap();
        node.store.forget(operation);
    };
    let now = stands(node).await.unwrap();
    write(Changes { removes: vec![(PLACE, now.counter)], ..Changes::default() }).await;
    let Some(row) = row else { return };
    // Its counter again, by as many writes as that takes.
    for counter in 1..=row.counter {
        write(Changes { puts: vec![Row { counter, ..row.clone() }], ..Changes::default() }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_database_brings_a_doubt_back_and_never_ends_one() {
    let node = restarted(deleted().await, days(3)).await;
    let born = stands(&node).await;
    confirm(&node, days(3)).await.unwrap();
    let first = stands(&node).await;
    let node = restarted(node, days(8)).await;
    for (what, row) in [("no row", None), ("as it was born", born), ("the first confirmation", first)] {
        put_back(&node, row).await;
        let node = node.instance.seal("dev", at(days(8))).await.map(|_| &node).unwrap();
        node.instance.unseal("dev", at(days(8))).await.unwrap();
        assert_eq!(tick(node, days(8)).await, HELD, "{what}");
        confirm(node, days(8)).await.unwrap();
        assert_eq!(node.vault().doubt(), None, "{what}: it can be confirmed all the same");
    }
    // One that the vault did not seal does not open.
    let mut forged = stands(&node).await.unwrap();
    let last = forged.sealed.len() - 1;
    forged.sealed[last] ^= 1;
    put_back(&node, Some(forged)).await;
    node.run_as(OFFICER, SealVault, days(8)).await.unwrap();
    assert!(node.instance.unseal("dev", at(days(8))).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubt_is_in_the_nodes_log_once_and_its_confirmation_in_the_vaults() {
    let node = restarted(deleted().await, days(8)).await;
    let node = restarted(node, days(8)).await;
    node.instance.watch_clock(at(days(8)), 0).await;
    confirm(&node, days(8)).await.unwrap();
    let doubts: Vec<_> =
        node.records_of(NODE_LOG).into_iter().filter(|r| r.action() == Some(Action::ClockDoubted)).collect();
    assert_eq!((doubts.len(), doubts[0].at()), (1, days(8)));
    let confirmed: Vec<_> = node.records().into_iter().filter(|r| r.action() == Some(Action::ConfirmClock)).collect();
    assert_eq!(confirmed.len(), 1);
    assert!(confirmed[0].revision().is_some() && confirmed[0].digest().is_some());
    node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubt_that_cannot_be_recorded_yet_holds_and_is_recorded_later() {
    let limits = keystead_audit::Limits { max_bytes: 3 << 20, ..LIMITS };
    let node = Node::with(limits).await;
    node.run(create("gone", KeySpec::EcP256)).await.unwrap();
    node.run(DeleteKey { name: name("gone") }).await.unwrap();
    // All room is taken by work under way.
    let mut slots = Vec::new();
    while let Ok(slot) = node.journal.reserve() {
        slots.push(slot);
    }
    node.instance.watch_clock(at(days(8)), 0).await;
    assert!(node.vault().doubt().is_some());
    let recorded =
        |node: &Node| node.records_of(NODE_LOG).iter().filter(|r| r.action() == Some(Action::ClockDoubted)).count();
    assert_eq!(recorded(&node), 0);
    drop(slots);
    node.instance.watch_clock(at(days(8)), 0).await;
    assert_eq!((recorded(&node), tick(&node, days(8)).await), (1, HELD));
    node.stop_and_verify().await;
}
