//! Nothing grows without a bound, and what is refused is seen.

use std::sync::atomic::Ordering;

use outlast_core::{ErrorKind, JoinWithin, Subscription, WindowStatus};
use outlast_orchestrator::windows::WindowOptions;
use serde_json::json;

use crate::support::{BACKENDS, MICRO, SECOND, World, batched, join, join_within};

/// I9 in ARCHITECTURE.md.
#[tokio::test]
async fn windows_beyond_the_bound_are_refused_until_others_end() {
    for backend in BACKENDS {
        let options = WindowOptions { most_windows: 3, ..WindowOptions::default() };
        let world = World::with(backend, vec![join(&["A", "B"], 10)], options).await;
        for key in 0..3 {
            world.publish("A", "a", json!(key)).await;
        }
        let payload = json!({ "name": "a", "id": 3 });
        let error = world.try_publish("A", payload.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{backend} {error}");
        assert_eq!((world.windows.stats().refused, world.windows.stats().open), (1, 3));
        assert_eq!(world.counts([WindowStatus::Waiting]).await, [3], "nothing was published");

        world.publish("B", "b", json!(0)).await;
        world.try_publish("A", payload).await.unwrap();
        world.advance(SECOND * 10 + MICRO).await;
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn windows_that_are_not_acknowledged_count_too() {
    for backend in BACKENDS {
        let options = WindowOptions { most_windows: 2, ..WindowOptions::default() };
        let world =
            World::with(backend, vec![Subscription::new("ann", "each", ["A"])], options).await;
        world.recorder.failures.store(100, Ordering::SeqCst);
        world.publish("A", "a", json!(0)).await;
        world.publish("A", "b", json!(0)).await;
        let error = world.try_publish("A", json!({ "name": "c" })).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{backend}");
        world.recorder.failures.store(0, Ordering::SeqCst);
        world.advance(SECOND).await;
        world.publish("A", "c", json!(0)).await;
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn a_join_holds_so_many_and_the_one_that_completes_it_still_enters() {
    for backend in BACKENDS {
        let options = WindowOptions { most_items: 3, ..WindowOptions::default() };
        let world = World::with(backend, vec![join(&["A", "B"], 10)], options).await;
        for name in ["a1", "a2", "a3"] {
            world.publish("A", name, json!(1)).await;
        }
        let more = json!({ "name": "a4", "id": 1 });
        let error = world.try_publish("A", more).await.unwrap_err();
        assert_eq!(
            (error.kind(), world.windows.stats().refused),
            (ErrorKind::Busy, 1),
            "{backend}"
        );
        world.publish("B", "b1", json!(1)).await;
        assert_eq!(world.recorder.take().len(), 1);
        assert_eq!(world.windows_in(WindowStatus::Waiting).await[0].items_collected, 2);
    }
}

#[tokio::test]
async fn a_batch_without_a_size_is_handed_over_before_it_fits_into_no_commit() {
    let world = World::new("memory", vec![batched(None, Some(1_000_000))]).await;
    for n in 0..1100 {
        let payload = json!({ "name": format!("{n}") });
        world.try_publish("A", payload).await.unwrap();
    }
    world.tick().await;
    let groups = world.recorder.take();
    assert_eq!((groups.len(), groups[0].len()), (1, 1000));
    assert_eq!(world.windows_in(WindowStatus::Waiting).await[0].items_collected, 100);
}

/// Opens many windows of both sorts, goes through a restart, and ends them all.
async fn many_windows(backend: &'static str, count: usize) {
    let named = |name: &str, spec: Subscription| Subscription { name: name.to_owned(), ..spec };
    let half = count as u64 / 2;
    let specs = || {
        vec![
            named("timed", join(&["A", "B"], 100)),
            named("counted", join_within(&["C", "D"], JoinWithin::Count(half))),
        ]
    };
    let world = World::new(backend, specs()).await;
    for chunk in 0..half.div_ceil(500) {
        let keys = chunk * 500..half.min((chunk + 1) * 500);
        let published = keys.flat_map(|key| ["A", "C"].map(|type_name| (type_name, key)));
        let published = published.map(|(type_name, key)| {
            world.try_publish(type_name, json!({ "name": "x", "id": key }))
        });
        for published in futures_util::future::join_all(published).await {
            published.unwrap();
        }
    }
    let stats = world.windows.stats();
    assert_eq!((stats.open as u64, stats.timed as u64), (half * 2, half));
    let world = world.restart(specs(), SECOND).await;
    assert_eq!(world.windows.restored().waiting, half * 2);
    world.advance(SECOND * 100).await;
    assert_eq!(world.windows.stats().open as u64, half, "all that time ends are gone");
    for _ in 0..=half {
        world.try_publish("C", json!({ "name": "keyless" })).await.unwrap();
    }
    assert_eq!(world.windows.stats().open, 0, "and all that a number ends");
    assert_eq!(world.windows.stats().expired, half * 2);
}

/// How many windows there are in the ordinary test run. `OUTLAST_WINDOWS` asks for more.
const WINDOWS: usize = 400;

#[tokio::test]
async fn many_windows_are_kept_restored_and_swept() {
    let count = std::env::var("OUTLAST_WINDOWS").map_or(WINDOWS, |count| count.parse().unwrap());
    for backend in BACKENDS {
        many_windows(backend, count).await;
    }
}
