//! Going on after a crash.

use std::sync::atomic::Ordering;

use outlast_core::{JoinWithin, WindowStatus};
use serde_json::json;

use crate::support::{
    BACKENDS, MICRO, SECOND, World, batch, batched, group, join, join_within, just_before,
};

#[tokio::test]
async fn what_is_left_of_the_time_is_what_is_waited_after_a_restart() {
    for backend in BACKENDS {
        let specs = || vec![batched(None, Some(10_000)), join(&["A", "B"], 10)];
        let world = World::new(backend, specs()).await;
        world.publish("A", "a", json!(1)).await;
        world.advance(SECOND * 2).await;
        let world = world.restart(specs(), SECOND * 4).await;
        assert_eq!((world.windows.restored().waiting, world.windows.restored().changes()), (2, 0));
        world.advance(just_before(SECOND * 4)).await;
        assert_eq!(world.recorder.take().len(), 0, "{backend}");
        world.advance(MICRO).await;
        assert_eq!(world.recorder.take(), [batch(&["a"])], "{backend} at the original deadline");
        assert_eq!(world.counts([WindowStatus::Expired]).await, [0]);
        world.advance(MICRO).await;
        assert_eq!(world.counts([WindowStatus::Expired]).await, [1]);
    }
}

#[tokio::test]
async fn an_open_join_is_completed_after_a_restart() {
    for backend in BACKENDS {
        let specs = || vec![join(&["A", "B", "A"], 10)];
        let world = World::new(backend, specs()).await;
        world.publish("A", "a1", json!("k")).await;
        world.publish("B", "b", json!("k")).await;
        let world = world.restart(specs(), SECOND).await;
        world.publish("A", "a2", json!("k")).await;
        assert_eq!(world.recorder.take(), [group(&["a1", "a2", "b"])], "{backend}");
    }
}

#[tokio::test]
async fn a_deadline_that_passed_meanwhile_expires_a_join_and_flushes_a_batch_once() {
    for backend in BACKENDS {
        let specs = || vec![batched(None, Some(10_000)), join(&["A", "B"], 10)];
        let world = World::new(backend, specs()).await;
        world.publish("A", "a", json!(1)).await;
        let world = world.restart(specs(), SECOND * 60).await;
        let restored = world.windows.restored();
        assert_eq!((restored.expired, restored.dispatched, restored.waiting), (1, 1, 0));
        let ids = world.windows_in(WindowStatus::Dispatching).await;
        assert_eq!(ids.len(), 1, "{backend}");
        let id = ids[0].dispatch.as_ref().unwrap().id.clone();
        let world = world.restart(specs(), SECOND).await;
        assert_eq!(world.windows.restored().changes(), 0, "{backend} nothing is done twice");
        world.tick().await;
        let all = world.recorder.all();
        assert_eq!((all.len(), &all[0].dispatch_id), (1, &id), "{backend}");
        assert_eq!(world.recorder.take(), [batch(&["a"])]);
        assert_eq!(world.count_of("window:expired").await, 1);
        let states = [WindowStatus::Expired, WindowStatus::Flushed, WindowStatus::Waiting];
        assert_eq!(world.counts(states).await, [1, 1, 0]);
    }
}

/// I6 in ARCHITECTURE.md.
#[tokio::test]
async fn a_crash_before_the_acknowledgement_brings_the_same_dispatch_again() {
    for backend in BACKENDS {
        let specs = || vec![batched(Some(1), None)];
        let world = World::new(backend, specs()).await;
        world.recorder.hangs.store(true, Ordering::SeqCst);
        world.try_publish("A", json!({ "name": "a" })).await.unwrap();
        tokio::select! {
            ended = world.windows.tick() => panic!("{backend} ended: {ended:?}"),
            () = world.recorder.called.notified() => {}
        }
        let first = world.recorder.all().remove(0);
        let world = world.restart(specs(), SECOND).await;
        assert_eq!(world.windows.restored().redelivered, 1);
        world.tick().await;
        let again = world.recorder.all().remove(0);
        assert_eq!(again.dispatch_id, first.dispatch_id, "{backend}");
        assert_eq!((first.attempt, again.attempt), (1, 2));
        assert_eq!(world.counts([WindowStatus::Flushed]).await, [1]);
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn count_windows_go_on_counting_after_a_restart() {
    for backend in BACKENDS {
        let specs = || vec![join_within(&["A", "B"], JoinWithin::Count(10))];
        for (others, joins) in [(9, true), (10, false)] {
            let world = World::new(backend, specs()).await;
            world.publish("A", "first", json!("x")).await;
            for n in 0..5 {
                world.publish("A", "other", json!(n)).await;
            }
            let world = world.restart(specs(), SECOND).await;
            for n in 5..others {
                world.publish("A", "other", json!(n)).await;
            }
            world.publish("B", "last", json!("x")).await;
            assert_eq!(world.recorder.take().len(), usize::from(joins), "{backend} {others}");
        }
    }
}

#[tokio::test]
async fn a_count_window_in_its_last_moment_lives_through_a_restart() {
    for backend in BACKENDS {
        let specs = || vec![join_within(&["A", "B"], JoinWithin::Count(3))];
        let world = World::new(backend, specs()).await;
        for key in ["first", "x", "y", "z"] {
            world.publish("A", key, json!(key)).await;
        }
        let world = world.restart(specs(), SECOND).await;
        assert_eq!((world.windows.restored().waiting, world.windows.restored().changes()), (4, 0));
        world.publish("A", "one more", json!("one more")).await;
        assert_eq!(world.counts([WindowStatus::Expired]).await, [1], "{backend}");
    }
}

#[tokio::test]
async fn what_opened_no_window_is_still_counted_after_a_restart() {
    for backend in BACKENDS {
        let specs = || vec![join_within(&["A", "B"], JoinWithin::Count(3))];
        for (before, joins) in [(2, true), (3, false)] {
            let world = World::new(backend, specs()).await;
            world.publish("A", "first", json!("x")).await;
            for _ in 0..before {
                world.try_publish("A", json!({ "name": "keyless" })).await.unwrap();
            }
            let world = world.restart(specs(), SECOND).await;
            world.publish("B", "last", json!("x")).await;
            assert_eq!(world.recorder.take().len(), usize::from(joins), "{backend} {before}");
        }
    }
}
