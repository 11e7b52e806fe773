//! Many who publish at once: nothing is lost, and nothing is handed over twice.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

use outlast_core::{BatchSpec, JoinWithin, Subscription, WindowStatus};
use outlast_orchestrator::windows::{Acknowledge, WindowOptions};
use serde_json::json;

use crate::support::{BACKENDS, SECOND, World, join, join_within, names};

/// The seed of a test: that of `OUTLAST_SEED`, to replay one, or a fresh one.
#[allow(clippy::print_stdout)]
pub(crate) fn seed(test: &str) -> u64 {
    let given = std::env::var("OUTLAST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: replay with OUTLAST_SEED={seed}");
    seed
}

fn named(name: &str, spec: Subscription) -> Subscription {
    Subscription { name: name.to_owned(), ..spec }
}

/// One of every sort.
pub(crate) fn subscriptions() -> Vec<Subscription> {
    let pairs = BatchSpec { size: Some(3), timeout_ms: Some(20_000) };
    vec![
        named("timed", join(&["A", "B"], 30)),
        named("counted", join_within(&["A", "B"], JoinWithin::Count(25))),
        named("twice", join(&["A", "A", "B"], 1_000_000)),
        named("gate", Subscription::new("ann", "", ["A", "B"])),
        named("paired", join(&["A", "B"], 60).in_batches(pairs)),
        named("batch", Subscription::new("ann", "", ["A"]).in_batches(pairs)),
        named("each", Subscription::new("ann", "", ["B"])),
    ]
}

/// Where each artifact is, by subscription: in a window that waits, or that ended somehow.
async fn places(world: &World) -> BTreeMap<String, Vec<(String, WindowStatus)>> {
    let mut places: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let states = [
        WindowStatus::Waiting,
        WindowStatus::Dispatching,
        WindowStatus::Completed,
        WindowStatus::Flushed,
        WindowStatus::Expired,
    ];
    for status in states {
        for window in world.windows_in(status).await {
            for item in world.windows.items(window.id()).await.unwrap() {
                // What a join put together is found in the join.
                if item.type_name == "join" {
                    continue;
                }
                for artifact in &item.artifact_ids {
                    let place = (artifact.clone(), status);
                    places.entry(window.subscription.clone()).or_default().push(place);
                }
            }
        }
    }
    places
}

async fn publish_at_once(
    world: &World,
    random: &mut fastrand::Rng,
    round: usize,
) -> Vec<(char, String)> {
    let plan: Vec<(char, u32)> =
        (0..24).map(|_| (if random.bool() { 'A' } else { 'B' }, random.u32(0..6))).collect();
    let published = plan.iter().enumerate().map(|(place, (type_name, key))| {
        let payload = json!({ "name": format!("{round}-{place}"), "id": key });
        let type_name = *type_name;
        async move {
            let published = world.try_publish(&type_name.to_string(), payload).await.unwrap();
            (type_name, published.artifact_id)
        }
    });
    futures_util::future::join_all(published).await
}

async fn is_conserved(backend: &'static str, options: WindowOptions) {
    let mut random = fastrand::Rng::with_seed(seed("is_conserved"));
    let mut world = World::with(backend, subscriptions(), options).await;
    let mut published = Vec::new();
    let mut delivered = Vec::new();
    for round in 0..6 {
        published.extend(publish_at_once(&world, &mut random, round).await);
        if random.bool() {
            world.advance(SECOND * random.u32(0..25)).await;
        }
        if random.u8(0..3) == 0 {
            world.windows.sync().await.unwrap();
            delivered.extend(world.recorder.all());
            world = world.restart(subscriptions(), SECOND * random.u32(0..10)).await;
        }
    }
    world.windows.sync().await.unwrap();
    world.tick().await;
    delivered.extend(world.recorder.all());

    let places = places(&world).await;
    for subscription in subscriptions() {
        let wanted: BTreeSet<&String> = published
            .iter()
            .filter(|(type_name, _)| subscription.types.contains(&type_name.to_string()))
            .map(|(_, id)| id)
            .collect();
        let found = places.get(&subscription.name).cloned().unwrap_or_default();
        let distinct: BTreeSet<&String> = found.iter().map(|(id, _)| id).collect();
        assert_eq!(found.len(), distinct.len(), "{backend} {}: in two places", subscription.name);
        assert_eq!(distinct, wanted, "{backend} {}: lost or made up", subscription.name);
    }
    let mut seen = BTreeSet::new();
    for delivery in &delivered {
        assert!(seen.insert(delivery.dispatch_id.clone()), "handed over twice");
        assert!(!names(delivery).is_empty());
        for artifact in delivery.artifacts() {
            let place = (delivery.subscription.clone(), artifact.id().to_owned());
            assert!(seen.insert(format!("{place:?}")), "{backend}: {place:?} handed over twice");
        }
    }
    let states = [WindowStatus::Dispatching, WindowStatus::DeadLetter, WindowStatus::Orphaned];
    assert_eq!(world.counts(states).await, [0, 0, 0]);
    let open = world.windows_in(WindowStatus::Waiting).await.len();
    assert_eq!(world.windows.stats().open, open, "{backend}");
    assert_eq!(world.windows.stats().losses, 0);
    let claims = world.store.kind::<outlast_core::Claim>();
    let claimed = claims.count(&claims.query().unwrap(), &[]).await.unwrap().total;
    assert_eq!(claimed, open as u64, "{backend}: one claim for each open window");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_publish_at_once_is_neither_lost_nor_doubled() {
    for backend in BACKENDS {
        is_conserved(backend, WindowOptions::default()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_it_with_relaxed_acknowledgement() {
    for backend in BACKENDS {
        let acknowledge = Acknowledge::Relaxed(std::time::Duration::from_millis(2));
        is_conserved(backend, WindowOptions { acknowledge, ..WindowOptions::default() }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_from_many_tasks_makes_whole_groups() {
    for backend in BACKENDS {
        let world = Arc::new(World::new(backend, vec![join(&["A", "B"], 60)]).await);
        let tasks = (0..60).map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                let type_name = if n % 2 == 0 { "A" } else { "B" };
                let payload = json!({ "name": format!("{type_name}{n}"), "id": 1 });
                world.try_publish(type_name, payload).await.unwrap();
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        world.tick().await;
        let groups = world.recorder.take();
        assert_eq!(groups.len(), 30, "{backend}");
        for group in groups {
            assert!(group[0][0].starts_with('A') && group[0][1].starts_with('B'), "{group:?}");
        }
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn a_publish_that_is_cut_off_happens_whole_or_not_at_all() {
    let mut random = fastrand::Rng::with_seed(seed("a_publish_that_is_cut_off"));
    for backend in BACKENDS {
        let world = World::new(backend, subscriptions()).await;
        for round in 0..40 {
            let type_name = if random.bool() { "A" } else { "B" };
            let payload = json!({ "name": format!("{round}"), "id": random.u32(0..3) });
            let mut publish = Box::pin(world.try_publish(type_name, payload));
            let mut context = Context::from_waker(Waker::noop());
            // Polled a few times, and then dropped, or carried through.
            for _ in 0..random.u32(0..12) {
                if publish.as_mut().poll(&mut context).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(publish);
        }
        world.publish("A", "last", json!(1)).await;
        world.publish("B", "last", json!(1)).await;
        world.store.sync().await.unwrap();
        world.advance(SECOND * 2).await;
        whole(&world).await;
    }
}

/// Checks that each artifact that is there is in one place for each subscription that it matches,
/// and that everything complete was handed over.
pub(crate) async fn whole(world: &World) {
    let backend = world.backend;
    let kind = world.store.kind::<outlast_core::Artifact>();
    let mut query = kind.query().unwrap();
    query.page.limit = 1000;
    let all = kind.list(&query).await.unwrap().items;
    let places = places(world).await;
    for subscription in subscriptions() {
        let mut wanted: Vec<String> = all
            .iter()
            .map(|artifact| artifact.as_ref().unwrap())
            .filter(|artifact| subscription.types.contains(&artifact.type_name))
            .map(|artifact| artifact.id().to_owned())
            .collect();
        let found = places.get(&subscription.name).cloned().unwrap_or_default();
        let mut found: Vec<String> = found.into_iter().map(|(id, _)| id).collect();
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "{backend} {}", subscription.name);
    }
    assert_eq!(world.counts([WindowStatus::Dispatching]).await, [0], "{backend}");
}
