//! Clocks that jump.

use std::sync::atomic::Ordering;

use outlast_core::{Clock, WindowStatus};
use serde_json::json;

use crate::support::{BACKENDS, MICRO, SECOND, World, batch, batched, join, just_before};

fn specs() -> Vec<outlast_core::Subscription> {
    vec![batched(None, Some(10_000)), join(&["A", "B"], 10)]
}

#[tokio::test]
async fn a_clock_that_went_back_while_down_gives_the_full_time_once() {
    for backend in BACKENDS {
        let world = World::new(backend, specs()).await;
        world.publish("A", "a", json!(1)).await;
        let opened = world.clock.now();
        world.clock.jump_to(opened.minus(SECOND * 3600));
        let world = world.restart(specs(), SECOND).await;
        assert_eq!(world.windows.restored().skewed, 2);
        assert_eq!(world.count_of("window:clock_skew").await, 2, "{backend}");
        let world = world.restart(specs(), SECOND * 4).await;
        assert_eq!(world.windows.restored().changes(), 0, "{backend}: once");
        world.advance(just_before(SECOND * 6)).await;
        assert_eq!(world.recorder.take().len(), 0);
        world.advance(MICRO).await;
        assert_eq!(world.recorder.take(), [batch(&["a"])], "{backend}: 10 s in all, not 3600");
        world.advance(MICRO).await;
        assert_eq!(world.counts([WindowStatus::Expired]).await, [1]);
        assert_eq!(world.count_of("window:clock_skew").await, 2);
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_while_running_gives_the_full_time_once() {
    for backend in BACKENDS {
        let world = World::new(backend, specs()).await;
        world.publish("A", "a", json!(1)).await;
        world.clock.jump_to(world.clock.now().minus(SECOND * 3600));
        world.tick().await;
        assert_eq!(world.count_of("window:clock_skew").await, 2, "{backend}");
        world.advance(just_before(SECOND * 10)).await;
        assert_eq!(world.recorder.take().len(), 0);
        world.advance(MICRO).await;
        assert_eq!(world.recorder.take(), [batch(&["a"])], "{backend}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_what_is_due() {
    for backend in BACKENDS {
        let world = World::new(backend, specs()).await;
        world.publish("A", "a", json!(1)).await;
        world.clock.jump_to(world.clock.now().plus(SECOND * 3600));
        world.tick().await;
        assert_eq!(world.recorder.take(), [batch(&["a"])], "{backend}");
        assert_eq!(world.counts([WindowStatus::Expired]).await, [1]);
        assert_eq!(world.count_of("window:clock_skew").await, 0);
    }
}

#[tokio::test]
async fn a_retry_does_not_wait_for_a_clock_that_went_back() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(1), None)]).await;
        world.recorder.failures.store(1, Ordering::SeqCst);
        world.publish("A", "a", json!(1)).await;
        world.clock.jump_to(world.clock.now().minus(SECOND * 86_400));
        world.tick().await;
        world.advance(world.options.most_retry_delay).await;
        assert_eq!(world.recorder.all().len(), 2, "{backend}");

        world.recorder.failures.store(1, Ordering::SeqCst);
        world.publish("A", "b", json!(1)).await;
        world.clock.jump_to(world.clock.now().minus(SECOND * 86_400));
        let world = world.restart(vec![batched(Some(1), None)], SECOND).await;
        world.advance(world.options.most_retry_delay).await;
        assert_eq!(world.recorder.all().len(), 1, "{backend} after a restart");
    }
}
