//! What the store, the handler or another driver does wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outlast_core::{Artifact, ErrorKind, Lease, Result, WindowStatus};
use outlast_orchestrator::windows::{Acknowledge, Delivery, Handler, WindowOptions, Windows};
use serde_json::json;

use crate::concurrent::{seed, subscriptions, whole};
use crate::faulty::{Fate, Faulty};
use crate::support::{BACKENDS, SECOND, World, batch, batched, group, join};

#[tokio::test]
async fn writes_that_fail_now_and_then_lose_nothing_and_double_nothing() {
    let mut random = fastrand::Rng::with_seed(seed("writes_that_fail_now_and_then"));
    for round in 0..6 {
        let store = Arc::new(Faulty::new());
        // What relaxed acknowledgement loses it loses whole: what the store has fits together.
        let relaxed = Acknowledge::Relaxed(Duration::from_millis(1));
        let acknowledge = if round % 2 == 0 { Acknowledge::Strict } else { relaxed };
        let options =
            WindowOptions { acknowledge, most_attempts: 1000, ..WindowOptions::default() };
        let world = World::over(store.clone(), subscriptions(), options).await;
        let mut fates = random.fork();
        store.decide_by(move || match fates.u8(0..8) {
            0 => Fate::Refused,
            1 => Fate::AppliedAndDenied,
            _ => Fate::Written,
        });
        for round in 0..80 {
            let type_name = if random.bool() { "A" } else { "B" };
            let payload = json!({ "name": format!("{round}"), "id": random.u32(0..4) });
            let _ = world.try_publish(type_name, payload).await;
            if random.u8(0..4) == 0 {
                world.clock.advance(SECOND);
                let _ = world.windows.tick().await;
            }
        }
        store.decide_by(|| Fate::Written);
        world.windows.sync().await.unwrap();
        world.advance(SECOND * 2).await;
        world.advance(world.options.most_retry_delay).await;
        whole(&world).await;
        let open = world.windows_in(WindowStatus::Waiting).await.len();
        for subscription in subscriptions() {
            // Whatever was left in doubt is read again.
            let _ = world.windows.settle_agent(&subscription.agent_name).await.unwrap();
        }
        world.tick().await;
        assert_eq!(world.windows_in(WindowStatus::Waiting).await.len(), 0, "of {open}");
        assert_eq!(world.windows.stats().open, 0, "of {open}");
    }
}

#[tokio::test]
async fn a_failed_publish_leaves_the_window_as_the_store_has_it() {
    for fate in [Fate::Refused, Fate::AppliedAndDenied] {
        let store = Arc::new(Faulty::new());
        let specs = vec![batched(Some(3), None)];
        let world = World::over(store.clone(), specs, WindowOptions::default()).await;
        world.publish("A", "a", json!(0)).await;
        store.fail_once(fate);
        let failed = world.try_publish("A", json!({ "name": "b" })).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Unavailable);
        for name in ["c", "d"] {
            world.publish("A", name, json!(0)).await;
        }
        let (expected, left) = match fate {
            Fate::AppliedAndDenied => (batch(&["a", "b", "c"]), 1),
            _ => (batch(&["a", "c", "d"]), 0),
        };
        assert_eq!((world.recorder.take(), world.windows.stats().open), (vec![expected], left));
    }
}

#[tokio::test]
async fn a_hand_over_whose_commit_was_denied_is_found() {
    let store = Arc::new(Faulty::new());
    let world =
        World::over(store.clone(), vec![join(&["A", "B"], 9)], WindowOptions::default()).await;
    world.publish("A", "a", json!(0)).await;
    store.fail_once(Fate::AppliedAndDenied);
    assert!(world.try_publish("B", json!({ "name": "b", "id": 0 })).await.is_err());
    world.advance(SECOND).await;
    assert_eq!(world.recorder.take(), [group(&["a", "b"])]);
    assert_eq!(world.windows.stats().open, 0);
}

#[tokio::test]
async fn an_acknowledgement_that_cannot_be_written_brings_the_same_dispatch_again() {
    let store = Arc::new(Faulty::new());
    let world =
        World::over(store.clone(), vec![batched(Some(1), None)], WindowOptions::default()).await;
    world.try_publish("A", json!({ "name": "a" })).await.unwrap();
    store.fail_once(Fate::Refused);
    assert_eq!(world.windows.tick().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(world.counts([WindowStatus::Dispatching]).await, [1]);
    world.advance(SECOND).await;
    let all = world.recorder.all();
    assert_eq!((all.len(), &all[0].dispatch_id), (2, &all[1].dispatch_id));
    assert_eq!((all[0].attempt, all[1].attempt), (1, 2));
    assert_eq!(world.counts([WindowStatus::Flushed]).await, [1]);
}

#[tokio::test]
async fn what_relaxed_acknowledgement_loses_is_counted_and_the_windows_are_read_anew() {
    let store = Arc::new(Faulty::new());
    let acknowledge = Acknowledge::Relaxed(Duration::from_millis(1));
    let options = WindowOptions { acknowledge, ..WindowOptions::default() };
    let world = World::over(store.clone(), vec![batched(Some(3), None)], options).await;
    world.publish("A", "a", json!(0)).await;
    world.windows.sync().await.unwrap();
    store.fail_once(Fate::Refused);
    world.try_publish("A", json!({ "name": "lost" })).await.unwrap();
    world.windows.sync().await.unwrap();
    let stats = world.windows.stats();
    assert_eq!(stats.losses, 1, "{stats:?}");
    for name in ["b", "c"] {
        world.publish("A", name, json!(0)).await;
    }
    assert_eq!(world.recorder.take(), [batch(&["a", "b", "c"])]);
    assert_eq!(world.windows.stats().open, 0);
}

struct Panics;

#[async_trait]
impl Handler for Panics {
    async fn deliver(&self, _: Delivery) -> Result<()> {
        panic!("as the test wants it");
    }
}

#[tokio::test]
async fn a_handler_that_panics_has_failed() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![]).await;
        let options = WindowOptions { most_attempts: 2, ..WindowOptions::default() };
        let specs = vec![batched(Some(1), None)];
        let windows =
            Windows::start(&world.instance, specs, Arc::new(Panics), options).await.unwrap();
        windows.publish(Artifact::new("A", json!({}), windows_now(&world))).await.unwrap();
        windows.tick().await.unwrap();
        world.clock.advance(SECOND);
        windows.tick().await.unwrap();
        let [window] = &world.windows_in(WindowStatus::DeadLetter).await[..] else { panic!() };
        assert!(window.error.as_ref().unwrap().contains("panicked"), "{backend} {window:?}");
    }
}

fn windows_now(world: &World) -> outlast_core::Timestamp {
    outlast_core::Clock::now(&*world.clock)
}

#[tokio::test]
async fn artifacts_that_are_gone_never_make_a_join_partial_and_never_hold_a_batch_up() {
    for backend in BACKENDS {
        let specs = vec![join(&["A", "B"], 60), batched(Some(2), None)];
        let world = World::new(backend, specs).await;
        let a = json!({ "name": "a", "id": 1 });
        let gone = world.try_publish("A", a).await.unwrap().artifact_id;
        world.try_publish("B", json!({ "name": "b", "id": 1 })).await.unwrap();
        world.try_publish("A", json!({ "name": "kept", "id": 2 })).await.unwrap();
        let artifacts = world.store.kind::<Artifact>();
        artifacts.delete(&artifacts.get(&gone).await.unwrap()).await.unwrap();
        world.tick().await;
        assert_eq!(world.recorder.take(), [batch(&["kept"])], "{backend}");
        let states = [WindowStatus::DeadLetter, WindowStatus::Flushed];
        assert_eq!(world.counts(states).await, [1, 1], "{backend}");
    }
}

#[tokio::test]
async fn who_has_lost_the_right_learns_it_with_relaxed_acknowledgement_too() {
    for backend in BACKENDS {
        let acknowledge = Acknowledge::Relaxed(Duration::from_millis(1));
        let options = WindowOptions { acknowledge, ..WindowOptions::default() };
        let world = World::with(backend, vec![batched(Some(5), None)], options).await;
        let leases = world.store.kind::<Lease>();
        let lease = leases.get("run").await.unwrap();
        leases.replace(&lease, (*lease).clone()).await.unwrap();
        world.try_publish("A", json!({ "name": "lost" })).await.unwrap();
        let fenced = world.windows.sync().await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced, "{backend} {fenced}");
        assert_eq!(world.windows.stats().losses, 1);
        let closed = world.try_publish("A", json!({ "name": "late" })).await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Closed, "{backend}");
    }
}

/// Writes a record as a newer program would.
async fn make_unreadable<T: outlast_core::Entity>(world: &World, id: &str) {
    let key = world.store.kind::<T>().key(id).unwrap();
    let slot = world.store.get(std::slice::from_ref(&key)).await.unwrap().remove(0);
    let record = slot.live().unwrap().unwrap();
    let mut draft = world.store.draft();
    draft.op(outlast_core::Op::Put(outlast_core::Put {
        key,
        expect: outlast_core::Expect::Live,
        schema: T::SCHEMA + 1,
        attrs: record.attrs,
        state: record.state,
    }));
    draft.commit().await.unwrap();
}

#[tokio::test]
async fn one_unreadable_record_stops_neither_a_restart_nor_the_others() {
    for backend in BACKENDS {
        let specs = || vec![join(&["A", "B"], 60)];
        let world = World::new(backend, specs()).await;
        let mut artifacts = Vec::new();
        for key in 0..4 {
            artifacts.push(world.publish("A", "a", json!(key)).await.artifact_id);
        }
        let windows = world.windows_in(WindowStatus::Waiting).await;
        let item = world.windows.items(windows[0].id()).await.unwrap().remove(0);
        make_unreadable::<outlast_core::WindowItem>(&world, item.id()).await;
        make_unreadable::<outlast_core::Window>(&world, windows[1].id()).await;
        make_unreadable::<Artifact>(&world, &artifacts[2]).await;

        let world = world.restart(specs(), SECOND).await;
        let restored = world.windows.restored();
        assert_eq!((restored.waiting, restored.unreadable, restored.changes()), (2, 2, 0));
        for key in [2, 3] {
            world.publish("B", "b", json!(key)).await;
        }
        assert_eq!(world.recorder.take(), [group(&["a", "b"])], "{backend}");
        for _ in 0..10 {
            world.advance(world.options.most_retry_delay).await;
        }
        let [dead] = &world.windows_in(WindowStatus::DeadLetter).await[..] else { panic!() };
        assert!(dead.error.as_ref().unwrap().contains("newer program"), "{backend} {dead:?}");
    }
}

#[tokio::test]
async fn who_has_lost_the_right_to_drive_changes_nothing_any_more() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(2), Some(1000))]).await;
        world.publish("A", "a", json!(0)).await;
        let leases = world.store.kind::<Lease>();
        let lease = leases.get("run").await.unwrap();
        leases.replace(&lease, (*lease).clone()).await.unwrap();
        let fenced = world.try_publish("A", json!({ "name": "b" })).await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced, "{backend} {fenced}");
        world.clock.advance(SECOND);
        assert_eq!(world.windows.tick().await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(world.windows.run().await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(world.recorder.all().len(), 0);
        assert_eq!(world.windows_in(WindowStatus::Waiting).await[0].items_collected, 1);
    }
}
