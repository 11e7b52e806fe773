//! Batches.

use outlast_core::{FlushReason, WindowStatus};
use serde_json::json;

use crate::support::{BACKENDS, MICRO, SECOND, World, batch, batched, just_before};

#[tokio::test]
async fn a_batch_is_full_at_its_size_and_keeps_the_order_of_arrival() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(3), None)]).await;
        for name in ["c", "a"] {
            world.publish("A", name, json!(0)).await;
        }
        world.advance(SECOND * 1_000_000).await;
        assert_eq!(world.recorder.take().len(), 0, "time does not end it");
        world.publish("A", "b", json!(0)).await;
        world.publish("A", "d", json!(0)).await;
        let [delivery] = &world.recorder.all()[..] else { panic!() };
        assert_eq!(delivery.reason, Some(FlushReason::Size));
        assert!(delivery.is_batch());
        assert_eq!(world.recorder.take(), [batch(&["c", "a", "b"])], "{backend}");
        assert_eq!(world.counts([WindowStatus::Flushed, WindowStatus::Waiting]).await, [1, 1]);
    }
}

#[tokio::test]
async fn a_batch_of_one_is_handed_over_at_once() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(1), Some(1000))]).await;
        world.publish("A", "a", json!(0)).await;
        world.publish("A", "b", json!(0)).await;
        assert_eq!(world.recorder.take(), [batch(&["a"]), batch(&["b"])], "{backend}");
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn a_timeout_counts_from_the_first_item_and_ends_exactly_then() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(None, Some(10_000))]).await;
        world.advance(SECOND * 100).await;
        world.publish("A", "a", json!(0)).await;
        world.advance(SECOND * 6).await;
        world.publish("A", "b", json!(0)).await;
        world.advance(just_before(SECOND * 4)).await;
        assert_eq!(world.recorder.take().len(), 0);
        world.advance(MICRO).await;
        assert_eq!(world.recorder.all()[0].reason, Some(FlushReason::Timeout));
        assert_eq!(world.recorder.take(), [batch(&["a", "b"])], "{backend} partial, and not lost");
        assert_eq!(world.advance(SECOND * 100).await, None, "an empty batch waits for nothing");
        assert_eq!(world.recorder.take().len(), 0);
        world.publish("A", "c", json!(0)).await;
        world.advance(SECOND * 10).await;
        assert_eq!(world.recorder.take(), [batch(&["c"])], "its time began with it");
    }
}

#[tokio::test]
async fn of_size_and_timeout_the_first_wins() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(2), Some(10_000))]).await;
        world.publish("A", "a", json!(0)).await;
        world.advance(SECOND * 9).await;
        world.publish("A", "b", json!(0)).await;
        assert_eq!(world.recorder.take(), [batch(&["a", "b"])], "{backend} by size");
        world.publish("A", "c", json!(0)).await;
        world.advance(SECOND * 10).await;
        assert_eq!(world.recorder.take(), [batch(&["c"])], "by time");
        world.advance(SECOND * 100).await;
        assert_eq!(world.recorder.take().len(), 0, "the first batch's time died with it");
    }
}

#[tokio::test]
async fn an_item_after_the_timeout_is_of_the_next_batch_also_before_the_timer_fires() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(9), Some(10_000))]).await;
        world.publish("A", "a", json!(0)).await;
        world.clock.advance(SECOND * 10);
        world.publish("A", "b", json!(0)).await;
        assert_eq!(world.recorder.take(), [batch(&["a"])], "{backend}");
        assert_eq!(world.counts([WindowStatus::Flushed, WindowStatus::Waiting]).await, [1, 1]);
    }
}
