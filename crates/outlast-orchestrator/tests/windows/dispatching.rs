//! Hand-overs.

use std::sync::atomic::Ordering;

use outlast_core::{Consumption, WindowStatus};
use serde_json::json;

use crate::support::{BACKENDS, MICRO, SECOND, World, batched, join, just_before};

#[tokio::test]
async fn what_was_done_is_consumed_in_the_commit_that_says_so() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B"], 60)]).await;
        world.publish("A", "a", json!(1)).await;
        world.publish("B", "b", json!(1)).await;
        let [window] = &world.windows_in(WindowStatus::Completed).await[..] else { panic!() };
        let kind = world.store.kind::<Consumption>();
        let consumed = kind.list(&kind.query().unwrap()).await.unwrap().items;
        assert_eq!(consumed.len(), 2, "{backend}");
        for consumption in consumed.into_iter().map(Result::unwrap) {
            assert_eq!(consumption.consumer, "ann");
            assert_eq!(consumption.subscription.as_deref(), Some("join"));
            assert_eq!(consumption.run_id, window.dispatch.as_ref().map(|one| one.id.clone()));
            assert_eq!(consumption.updated_at, window.updated_at);
        }
    }
}

#[tokio::test]
async fn a_failure_is_tried_again_under_the_same_id_after_growing_pauses() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(1), None)]).await;
        world.recorder.failures.store(3, Ordering::SeqCst);
        world.publish("A", "a", json!(1)).await;
        for pause in [1, 2, 4] {
            let tried = world.recorder.all().len();
            world.advance(just_before(SECOND * pause)).await;
            assert_eq!(world.recorder.all().len(), tried, "{backend} before {pause} s");
            world.advance(MICRO).await;
            assert_eq!(world.recorder.all().len(), tried + 1, "{backend} after {pause} s");
        }
        let all = world.recorder.all();
        let attempts: Vec<_> = all.iter().map(|delivery| delivery.attempt).collect();
        assert_eq!(attempts, [1, 2, 3, 4]);
        assert!(all.iter().all(|delivery| delivery.dispatch_id == all[0].dispatch_id));
        assert_eq!(world.counts([WindowStatus::Flushed]).await, [1]);
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn after_the_last_try_it_is_given_up_visibly() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(1), None)]).await;
        world.recorder.failures.store(100, Ordering::SeqCst);
        world.publish("A", "a", json!(1)).await;
        for _ in 0..20 {
            world.advance(SECOND * 100).await;
        }
        assert_eq!(world.recorder.all().len(), 5, "{backend}");
        let [window] = &world.windows_in(WindowStatus::DeadLetter).await[..] else { panic!() };
        assert_eq!(window.error.as_deref(), Some("the agent is away"));
        assert!(window.finished_at.is_some());
        assert_eq!(world.count_of("window:dead_letter").await, 1);
        assert_eq!(world.windows.stats().open, 0);
    }
}
