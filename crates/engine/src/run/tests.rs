//! The order of a run, with commands that stop on the way.

use crate::commands::{ask, no_approval};
use crate::error::{Refusal, TurnedAway};
use crate::records::KeyRecord;
use crate::room::{Place, Room};
use crate::run::{Effect, Execute, Run};
use crate::support::*;
use crate::{DeleteKey, GetKey, PurgeKey, RecoverKey, RotateKey, SetAttributes, SetRotationPolicy, UpdateKey};
use keystead_access::{Grantee, Permit, Policy, PolicyDocument, Who};
use keystead_audit::{Answer, Outcome};
use keystead_identity::Principal;
use keystead_model::{Action, KeyOperation, KeySpec, Moment, ObjectId, OperationId, Revision, Target};
use keystead_store::{Changes, Kind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Tells that it is at work, waits to be let on, then does what it was made for.
struct Gate {
    here: Arc<Notify>,
    on: Arc<Notify>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Answer,
    Change,
    Refuse,
    Panic,
    /// Uses the key `gate` before it tells that it is at work, and answers.
    Use,
}

ask!(Gate, Sign, |c| Target::Key(name("gate")));

impl Execute for Gate {
    type Output = &'static str;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<&'static str>, Refusal> {
        let gate = permit.ask();
        if matches!(gate.then, Then::Use) {
            room.usable(permit, &key("gate"), KeyOperation::Sign).await?;
        }
        gate.here.notify_one();
        gate.on.notified().await;
        match gate.then {
            Then::Answer | Then::Use => Ok(Effect::read("done")),
            Then::Change => Ok(Effect::change("changed", change(room))),
            Then::Refuse => Err(Refusal::BadDates),
            Then::Panic => panic!("a command that panics, as this test wants it"),
        }
    }
}

/// Puts a key's row where `gate` would stand.
fn change(room: &Room<'_>) -> Changes {
    let record = KeyRecord {
        name: "gate".into(),
        newest: [1; 16],
        newest_created: 0,
        rotation: None,
        deletion: None,
        newest_expires: None,
        notified: None,
    };
    let id = ObjectId::from_bytes([1; 16]);
    let place = Place { kind: Kind::Key, tag: room.tag(&name("gate")), version: None, id, counter: 1, due: None };
    Changes { puts: vec![room.row(place, &record).unwrap()], ..Changes::default() }
}

type Ran = Result<Answer<&'static str, Refusal>, TurnedAway>;

struct Bench {
    node: Node,
    here: Arc<Notify>,
    on: Arc<Notify>,
}

impl Bench {
    async fn new() -> Self {
        Self { node: Node::new().await, here: Arc::default(), on: Arc::default() }
    }

    /// Starts a command and waits until it is at work.
    async fn start(&self, then: Then, at: Moment) -> JoinHandle<Ran> {
        let gate = Gate { here: Arc::clone(&self.here), on: Arc::clone(&self.on), then };
        let (vault, caller) = (self.node.vault(), self.node.caller(OFFICER));
        let running = tokio::spawn(async move { vault.run(caller, gate, at).await });
        self.here.notified().await;
        running
    }

    /// Lets it on and waits for its end.
    async fn end(&self, running: JoinHandle<Ran>) -> Ran {
        self.on.notify_one();
        running.await.unwrap()
    }

    /// Another policy, as if it had been stored at this revision. `allowing` keeps the officer's role.
    fn move_policy(&self, allowing: bool, revision: u64) {
        let vault = self.node.vault();
        let own = vault.issuer().unwrap().iss;
        let principal = |p: &Principal| Principal::new(own.clone(), p.subject());
        let mut document: PolicyDocument = new_vault("dev").policy;
        document.administrators = document.administrators.iter().map(principal).collect();
        for a in &mut document.assignments {
            if let Grantee::Principal(p) = &mut a.principal {
                *p = principal(p);
            }
        }
        if !allowing {
            document.assignments.clear();
        }
        let policy = Policy::new(&document, Revision(revision)).unwrap();
        vault.open().unwrap().policy.store(Arc::new(policy));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_right_while_the_command_worked_is_denied_at_the_door() {
    for then in [Then::Answer, Then::Change, Then::Refuse, Then::Panic] {
        let bench = Bench::new().await;
        let before = bench.node.revision().await;
        let running = bench.start(then, at(T0)).await;
        bench.move_policy(false, 77);
        let (receipt, result) = bench.end(running).await.unwrap().into_parts();
        assert!(matches!(result, Err(Refusal::Denied(_))), "{result:?}");
        let record = bench.node.record(&receipt);
        assert_eq!((record.outcome(), record.policy(), record.revision()), (Outcome::DENIED, Revision(77), None));
        assert_eq!(bench.node.revision().await, before, "nothing was changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_stands_under_the_new_policy_is_recorded_under_it() {
    let bench = Bench::new().await;
    let running = bench.start(Then::Change, at(T0)).await;
    bench.move_policy(true, 78);
    let (receipt, result) = bench.end(running).await.unwrap().into_parts();
    assert_eq!(result.unwrap(), "changed");
    assert_eq!(bench.node.record(&receipt).policy(), Revision(78));
    bench.node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_panics_is_a_fault_with_a_record_and_the_vault_goes_on() {
    let bench = Bench::new().await;
    let before = bench.node.revision().await;
    for _ in 0..3 {
        let running = bench.start(Then::Panic, at(T0)).await;
        let (receipt, result) = bench.end(running).await.unwrap().into_parts();
        assert!(matches!(result, Err(Refusal::Fault)), "{result:?}");
        assert_eq!(bench.node.record(&receipt).outcome(), Refusal::Fault.outcome());
    }
    assert_eq!(bench.node.revision().await, before);
    assert!(bench.node.run(create("k", KeySpec::EcP256)).await.is_ok());
    bench.node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_while_the_vault_is_sealed_gets_no_answer_and_nothing_of_the_root_is_left() {
    for then in [Then::Answer, Then::Change, Then::Refuse, Then::Panic] {
        let bench = Bench::new().await;
        let root = Arc::downgrade(&bench.node.vault().open().unwrap());
        let running = bench.start(then, at(T0)).await;
        bench.node.instance.seal("dev", at(T0)).await.unwrap();
        let (records, revision) = (bench.node.records().len(), bench.node.revision().await);
        assert!(bench.node.vault().open().is_err(), "out of reach at once");
        assert_eq!(bench.end(running).await.err(), Some(TurnedAway::Sealed));
        until("the last to hold it", async || root.upgrade().is_none()).await;
        assert_eq!((bench.node.records().len(), bench.node.revision().await), (records, revision));
        bench.node.instance.unseal("dev", at(T0)).await.unwrap();
        assert!(matches!(bench.node.run(GetKey { key: key("gate") }).await, Err(Refusal::KeyNotFound { .. })));
        bench.node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_opened_again_meanwhile_is_not_the_one_the_command_began_in() {
    let bench = Bench::new().await;
    let running = bench.start(Then::Change, at(T0)).await;
    bench.node.instance.seal("dev", at(T0)).await.unwrap();
    bench.node.instance.unseal("dev", at(T0)).await.unwrap();
    assert_eq!(bench.end(running).await.err(), Some(TurnedAway::Busy));
    bench.node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_leaves_nothing_open_where_nobody_works() {
    let node = Node::new().await;
    node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let root = Arc::downgrade(&node.vault().open().unwrap());
    node.run(crate::SealVault).await.unwrap();
    until("the last to hold it", async || root.upgrade().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_does_not_end_is_refused_at_its_deadline() {
    let bench = Bench::new().await;
    let soon = Moment { now: T0, deadline: Instant::now() + Duration::from_millis(30) };
    let running = bench.start(Then::Change, soon).await;
    let (receipt, result) = running.await.unwrap().unwrap().into_parts();
    assert!(matches!(result, Err(Refusal::Deadline)), "{result:?}");
    assert_eq!(bench.node.record(&receipt).outcome(), Refusal::Deadline.outcome());
    bench.node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mandate_does_nothing_that_is_no_longer_due() {
    use crate::GetDeletedKey;
    use keystead_access::Mandate;

    let node = Node::new().await;
    let mandate = |action| {
        Who::Mandate(Mandate { action, target: Target::Key(name("k")), set_by: "test".into(), at: Revision(2) })
    };
    let old = node.run(create("k", KeySpec::EcP256)).await.unwrap();
    let policy = Some(after_create(7, None));
    node.run(SetRotationPolicy { name: name("k"), policy }).await.unwrap();
    let rotate = RotateKey { name: name("k") };
    let answer = node.vault().run_as(mandate(Action::RotateKey), rotate, at(T0)).await.unwrap();
    assert!(matches!(answer.into_parts().1, Err(Refusal::Conflict)));
    assert_eq!(node.run(GetKey { key: key("k") }).await.unwrap(), old);
    node.run(DeleteKey { name: name("k") }).await.unwrap();
    let purge = PurgeKey { name: name("k") };
    let answer = node.vault().run_as(mandate(Action::PurgeKey), purge, at(T0)).await.unwrap();
    assert!(matches!(answer.into_parts().1, Err(Refusal::Conflict)));
    assert!(node.run(GetDeletedKey { name: name("k") }).await.is_ok());
    // And nothing that it does not name.
    let answer = node.vault().run_as(mandate(Action::RotateKey), PurgeKey { name: name("k") }, at(T0)).await.unwrap();
    assert!(matches!(answer.into_parts().1, Err(Refusal::Denied(_))));
    node.stop_and_verify().await;
}

fn disable() -> UpdateKey {
    let attributes = SetAttributes { enabled: Some(false), ..SetAttributes::default() };
    UpdateKey { key: key("gate"), ops: None, attributes, tags: None, release: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_under_way_with_a_key_that_is_revoked_meanwhile_is_not_answered() {
    for revoke in ["disable", "delete", "purge", "purge and create"] {
        let bench = Bench::new().await;
        bench.node.run(create("gate", KeySpec::EcP256)).await.unwrap();
        let running = bench.start(Then::Use, at(T0)).await;
        if revoke == "disable" {
            bench.node.run(disable()).await.unwrap();
        } else {
            bench.node.run(DeleteKey { name: name("gate") }).await.unwrap();
        }
        if revoke.starts_with("purge") {
            bench.node.run(PurgeKey { name: name("gate") }).await.unwrap();
        }
        if revoke.ends_with("create") {
            bench.node.run(create("gate", KeySpec::EcP256)).await.unwrap();
        }
        let (receipt, result) = bench.end(running).await.unwrap().into_parts();
        let refusal = result.expect_err(revoke);
        let right = match revoke {
            "disable" => matches!(refusal, Refusal::KeyDisabled { .. }),
            _ => matches!(refusal, Refusal::KeyNotFound { version: None, .. }),
        };
        assert!(right, "{revoke}: {refusal}");
        assert_eq!(bench.node.record(&receipt).outcome(), refusal.outcome());
        bench.node.stop_and_verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_under_way_with_a_key_that_is_changed_and_not_revoked_is_answered() {
    let bench = Bench::new().await;
    bench.node.run(create("gate", KeySpec::EcP256)).await.unwrap();
    let running = bench.start(Then::Use, at(T0)).await;
    bench
        .node
        .run(UpdateKey { tags: Some(tags(&[("a", "b")])), attributes: SetAttributes::default(), ..disable() })
        .await
        .unwrap();
    bench.node.run(RotateKey { name: name("gate") }).await.unwrap();
    bench.node.run(disable()).await.unwrap();
    bench.node.run(DeleteKey { name: name("gate") }).await.unwrap();
    bench.node.run(RecoverKey { name: name("gate") }).await.unwrap();
    // Disabled is the newest version by now, and not the one that works.
    assert_eq!(bench.end(running).await.unwrap().into_parts().1.unwrap(), "done");
    bench.node.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_key_that_is_revoked_while_the_record_is_written_is_not_given_out() {
    let node = Node::new().await;
    node.run(create("gate", KeySpec::EcP256)).await.unwrap();
    let (vault, open) = (node.vault(), node.vault().open().unwrap());
    let run = Run {
        vault: &vault,
        open: Arc::clone(&open),
        slot: node.journal.reserve().unwrap(),
        operation: OperationId::from_bytes([9; 16]),
        at: at(T0),
        place: None,
    };
    let gate = Gate { here: Arc::default(), on: Arc::default(), then: Then::Use };
    gate.on.notify_one();
    let permit = open.policy.load().decide(Who::Caller(node.caller(OFFICER)), gate).unwrap();
    let effect = run.execute(&permit).await.unwrap();
    // Here the second decision has been made, and the record is on its way.
    node.run(disable()).await.unwrap();
    let (receipt, result) = run.answer(permit, effect).await.unwrap().into_parts();
    assert!(matches!(result, Err(Refusal::KeyDisabled { .. })), "{result:?}");
    assert_eq!(node.record(&receipt).outcome(), Outcome::DONE, "the key was used, and the log says so");
    node.stop_and_verify().await;
}

/// Whether a signature is given out.
async fn signs(node: &Node, ask: crate::Sign) -> bool {
    node.vault().run(node.caller(USER), ask, at(T0)).await.unwrap().into_parts().1.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sent_after_the_revoking_call_returned_succeeds() {
    use crate::Sign;
    use keystead_model::SignAlgorithm;

    let node = Arc::new(Node::new().await);
    let sign = |k: &str| Sign { key: key(k), algorithm: SignAlgorithm::Es256, digest: vec![1; 32] };
    for round in 0..8 {
        let named = format!("k{round}");
        node.run(create(&named, KeySpec::EcP256)).await.unwrap();
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let (node, ask) = (Arc::clone(&node), sign);
                let named = named.clone();
                tokio::spawn(async move { while signs(&node, ask(&named)).await {} })
            })
            .collect();
        tokio::task::yield_now().await;
        if round % 2 == 0 {
            node.run(UpdateKey { key: key(&named), ..disable() }).await.unwrap();
        } else {
            node.run(DeleteKey { name: name(&named) }).await.unwrap();
        }
        for _ in 0..5 {
            assert!(!signs(&node, sign(&named)).await);
        }
        for one in busy {
            one.await.unwrap();
        }
    }
    Arc::into_inner(node).unwrap().stop_and_verify().await;
}
