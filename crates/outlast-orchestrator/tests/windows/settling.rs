//! Ends by hand, with the agent, with the engine; and the loops.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use outlast_core::{ErrorKind, FlushReason, Subscription, SystemClock, WindowStatus};
use outlast_orchestrator::Instance;
use outlast_orchestrator::windows::{Acknowledge, AtShutdown, Settled, WindowOptions, Windows};
use outlast_store::{Store, StoreOptions};
use serde_json::json;

use crate::support::{BACKENDS, Recorder, SECOND, World, batch, batched, join};

fn specs() -> Vec<Subscription> {
    vec![batched(Some(5), None), join(&["A", "B"], 10)]
}

#[tokio::test]
async fn a_shutdown_keeps_what_survives_it_and_hands_over_what_would_not() {
    for backend in BACKENDS {
        for (at_shutdown, flushes) in [
            (AtShutdown::Suits, backend == "memory"),
            (AtShutdown::Persist, false),
            (AtShutdown::Flush, true),
        ] {
            let options = WindowOptions { at_shutdown, ..WindowOptions::default() };
            let world = World::with(backend, specs(), options).await;
            world.publish("A", "a", json!(1)).await;
            let settled = world.windows.shutdown().await.unwrap();
            let flushed = u64::from(flushes);
            assert_eq!(settled, Settled { cancelled: 0, flushed, undelivered: 0 }, "{backend}");
            let expected = if flushes { vec![batch(&["a"])] } else { vec![] };
            assert_eq!(world.recorder.take(), expected, "{backend} {at_shutdown:?}");
            let late = world.try_publish("A", json!({ "name": "late" })).await.unwrap_err();
            assert_eq!(late.kind(), ErrorKind::Closed);
            let waiting = if flushes { 1 } else { 2 };
            assert_eq!(world.counts([WindowStatus::Waiting]).await, [waiting], "the join stays");
        }
    }
}

#[tokio::test]
async fn an_agent_that_is_shut_down_leaves_no_open_window() {
    for backend in BACKENDS {
        let mut specs = specs();
        specs.push(Subscription { agent_name: "bob".into(), ..join(&["A", "B"], 10) });
        let world = World::new(backend, specs).await;
        world.publish("A", "a", json!(1)).await;
        let settled = world.windows.settle_agent("ann").await.unwrap();
        assert_eq!((settled.cancelled, settled.flushed), (1, 1), "{backend}");
        world.tick().await;
        assert_eq!(world.recorder.all()[0].reason, Some(FlushReason::Shutdown));
        assert_eq!(world.recorder.take(), [batch(&["a"])]);
        world.publish("A", "late", json!(2)).await;
        let open = world.windows_in(WindowStatus::Waiting).await;
        assert!(open.iter().all(|window| window.agent_name == "bob"), "{backend}");
        assert_eq!(open.len(), 2);
        let unknown = world.windows.settle_agent("eve").await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_batch_is_flushed_by_hand() {
    for backend in BACKENDS {
        let world = World::new(backend, specs()).await;
        assert!(!world.windows.flush("ann/batch").await.unwrap(), "there is none");
        world.publish("A", "a", json!(1)).await;
        assert!(world.windows.flush("ann/batch").await.unwrap());
        world.tick().await;
        assert_eq!(world.recorder.all()[0].reason, Some(FlushReason::Manual), "{backend}");
        let unknown = world.windows.flush("ann/none").await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn two_subscriptions_of_one_name_are_refused() {
    let world = World::new("memory", vec![]).await;
    let twice = vec![batched(Some(1), None), batched(Some(2), None)];
    let handler = Arc::new(Recorder::default());
    let started = Windows::start(&world.instance, twice, handler, WindowOptions::default()).await;
    assert_eq!(started.unwrap_err().kind(), ErrorKind::Exists);
}

/// Waits until the recorder was called so often. The loop works by itself, as fast as it can.
async fn called(recorder: &Recorder, times: usize) {
    while recorder.all().len() < times {
        recorder.called.notified().await;
    }
}

#[tokio::test]
async fn the_loop_hands_over_what_is_full_and_what_is_over_and_ends_when_told() {
    for acknowledge in [Acknowledge::Strict, Acknowledge::Relaxed(Duration::from_millis(1))] {
        let backend = Arc::new(outlast_memory::Memory::new(&outlast_core::RandomIds));
        let clock = Arc::new(SystemClock::default());
        let store = Store::open(backend, StoreOptions { clock, ..StoreOptions::default() });
        let instance = Instance::acquire(&store, false).await.unwrap();
        let recorder = Arc::new(Recorder::default());
        let short = Subscription { name: "short".into(), ..batched(None, Some(20)) };
        let options = WindowOptions {
            acknowledge,
            retry_delay: Duration::from_millis(5),
            ..WindowOptions::default()
        };
        let specs = vec![batched(Some(2), None), short];
        let windows = Windows::start(&instance, specs, recorder.clone(), options).await.unwrap();
        let running = tokio::spawn({
            let windows = windows.clone();
            async move { windows.run().await }
        });
        recorder.failures.store(1, Ordering::SeqCst);
        for name in ["a", "b"] {
            let artifact =
                outlast_core::Artifact::new("A", json!({ "name": name }), store.clock().now());
            windows.publish(artifact).await.unwrap();
        }
        // One is full, one or two are over, and one of them is tried again.
        called(&recorder, 3).await;
        while windows.stats().open > 0 {
            tokio::task::yield_now().await;
        }
        windows.shutdown().await.unwrap();
        running.await.unwrap().unwrap();
        let stats = windows.stats();
        assert_eq!((stats.open, stats.failures, stats.losses), (0, 0, 0));
    }
}

#[tokio::test]
async fn what_is_handed_over_at_once_is_bounded() {
    for backend in BACKENDS {
        let options = WindowOptions { most_dispatches: 3, ..WindowOptions::default() };
        let world =
            World::with(backend, vec![Subscription::new("ann", "each", ["A"])], options).await;
        world.recorder.hangs.store(true, Ordering::SeqCst);
        for n in 0..8 {
            world.try_publish("A", json!({ "name": format!("{n}") })).await.unwrap();
        }
        tokio::select! {
            ended = world.windows.tick() => panic!("{backend} ended: {ended:?}"),
            () = called(&world.recorder, 3) => {}
        }
        assert_eq!(world.recorder.take().len(), 3, "{backend}");
        world.recorder.hangs.store(false, Ordering::SeqCst);
        world.advance(SECOND).await;
        assert_eq!(world.recorder.take().len(), 8, "those that were cut off come again");
        assert_eq!(world.windows.stats().open, 0);
    }
}
