//! Joins and gates.

use outlast_core::{BatchSpec, ErrorKind, JoinWithin, Subscription, WindowKind, WindowStatus};
use serde_json::json;

use crate::support::{BACKENDS, MICRO, SECOND, World, group, join, join_within};

#[tokio::test]
async fn the_order_of_arrival_does_not_matter_and_that_of_delivery_is_declared() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B", "C"], 60)]).await;
        let orders = [["A", "B", "C"], ["A", "C", "B"], ["B", "A", "C"], ["C", "B", "A"]];
        for (key, order) in orders.iter().enumerate() {
            for (place, type_name) in order.iter().enumerate() {
                assert_eq!(world.recorder.take().len(), 0, "{backend} {order:?} {place}");
                world.publish(type_name, &type_name.to_lowercase(), json!(key)).await;
            }
            assert_eq!(world.recorder.take(), [group(&["a", "b", "c"])], "{backend} {order:?}");
        }
        assert_eq!(world.counts([WindowStatus::Completed, WindowStatus::Waiting]).await, [4, 0]);
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn the_same_type_twice_waits_for_two_and_comes_in_the_order_of_arrival() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["B", "A", "A"], 60)]).await;
        world.publish("A", "a1", json!(1)).await;
        world.publish("B", "b", json!(1)).await;
        assert_eq!(world.recorder.take().len(), 0);
        world.publish("A", "a2", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["b", "a1", "a2"])], "{backend}");
    }
}

#[tokio::test]
async fn a_time_window_ends_strictly_after_its_length_and_from_its_first_artifact() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B", "C"], 10)]).await;
        world.publish("A", "a", json!(1)).await;
        world.advance(SECOND * 6).await;
        world.publish("B", "b", json!(1)).await;
        world.advance(SECOND * 4).await;
        assert_eq!(world.counts([WindowStatus::Expired]).await, [0], "exactly 10 s is in time");
        world.publish("C", "c", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["a", "b", "c"])], "{backend}");

        world.publish("A", "a2", json!(1)).await;
        world.publish("B", "b2", json!(1)).await;
        let next = world.advance(SECOND * 10).await;
        assert_eq!(world.counts([WindowStatus::Expired]).await, [0]);
        assert!(next.is_some(), "the engine knows when it is over");
        world.advance(MICRO).await;
        assert_eq!(world.counts([WindowStatus::Expired, WindowStatus::Waiting]).await, [1, 0]);
        world.publish("C", "c2", json!(1)).await;
        assert_eq!(world.recorder.take().len(), 0, "partial data is never handed over");
        assert_eq!(world.counts([WindowStatus::Waiting]).await, [1], "the key starts anew");
        assert_eq!(world.count_of("window:expired").await, 1);
        assert_eq!(world.windows.stats().expired, 1);
    }
}

#[tokio::test]
async fn an_artifact_after_the_end_opens_a_new_window_also_before_the_timer_fires() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B"], 10)]).await;
        world.publish("A", "old", json!(1)).await;
        world.clock.advance(SECOND * 10 + MICRO);
        let late = world.try_publish("B", json!({ "name": "b", "id": 1 })).await.unwrap();
        let states: Vec<_> = late.changes.iter().map(|change| change.status).collect();
        assert_eq!(states, [WindowStatus::Expired, WindowStatus::Waiting], "{backend}");
        world.publish("A", "new", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["new", "b"])]);
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn a_count_window_takes_the_artifact_of_its_number_and_not_the_next() {
    for backend in BACKENDS {
        let spec = || vec![join_within(&["A", "B"], JoinWithin::Count(10))];
        let world = World::new(backend, spec()).await;
        world.publish("A", "first", json!("x")).await;
        for n in 0..9 {
            world.publish("A", "other", json!(n)).await;
        }
        world.publish("B", "tenth", json!("x")).await;
        assert_eq!(world.recorder.take(), [group(&["first", "tenth"])], "{backend} n + 10");

        let world = World::new(backend, spec()).await;
        world.publish("A", "first", json!("x")).await;
        for n in 0..10 {
            world.publish("A", "other", json!(n)).await;
        }
        assert_eq!(world.counts([WindowStatus::Expired]).await, [0]);
        world.publish("B", "eleventh", json!("x")).await;
        assert_eq!(world.recorder.take().len(), 0, "{backend} n + 11");
        assert_eq!(world.counts([WindowStatus::Expired, WindowStatus::Waiting]).await, [1, 11]);
    }
}

#[tokio::test]
async fn count_windows_end_though_their_key_never_comes_back() {
    for backend in BACKENDS {
        let spec = vec![join_within(&["A", "B"], JoinWithin::Count(3))];
        let world = World::new(backend, spec).await;
        for n in 0..20 {
            world.publish("A", "a", json!(n)).await;
            assert!(world.windows.stats().open <= 4, "{backend} {n}");
        }
        assert_eq!(world.counts([WindowStatus::Expired, WindowStatus::Waiting]).await, [16, 4]);
    }
}

#[tokio::test]
async fn subscriptions_count_for_themselves_and_only_what_matched() {
    for backend in BACKENDS {
        let named = |name: &str, types: [&str; 2]| Subscription {
            name: name.to_owned(),
            ..join_within(&types, JoinWithin::Count(2))
        };
        let world =
            World::new(backend, vec![named("ab", ["A", "B"]), named("cd", ["C", "D"])]).await;
        world.publish("A", "a", json!("x")).await;
        for n in 0..5 {
            world.publish("C", "c", json!(n)).await;
            world.publish("E", "of no interest", json!(n)).await;
        }
        // One without a key matched all the same.
        world.try_publish("A", json!({ "name": "keyless" })).await.unwrap();
        world.publish("B", "b", json!("x")).await;
        assert_eq!(world.recorder.take(), [group(&["a", "b"])], "{backend}");
        assert_eq!(world.windows.stats().skipped, 1);
    }
}

#[tokio::test]
async fn keys_of_different_types_never_meet_and_missing_ones_are_recorded() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B"], 60)]).await;
        world.publish("A", "number", json!(1)).await;
        world.publish("B", "text", json!("1")).await;
        assert_eq!(world.recorder.take().len(), 0);
        world.publish("B", "float", json!(1.0)).await;
        assert_eq!(world.recorder.take(), [group(&["number", "float"])], "{backend}");
        for payload in [json!({ "name": "x" }), json!({ "name": "x", "id": null })] {
            let skipped = world.try_publish("A", payload).await.unwrap();
            assert_eq!(skipped.skipped[0].0, "ann/join");
            assert_eq!(skipped.changes, []);
        }
        assert_eq!(world.count_of("window:skipped").await, 2);
        assert_eq!(world.windows.stats().skipped, 2);
    }
}

#[tokio::test]
async fn what_is_left_over_begins_a_window_of_its_own_at_its_first() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B"], 10)]).await;
        world.publish("A", "a1", json!(1)).await;
        world.advance(SECOND * 2).await;
        let second = outlast_core::Clock::now(&*world.clock).to_string();
        world.publish("A", "a2", json!(1)).await;
        world.advance(SECOND).await;
        world.publish("A", "a3", json!(1)).await;
        world.publish("B", "b1", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["a1", "b1"])], "{backend}");
        let [rest] = &world.windows_in(WindowStatus::Waiting).await[..] else { panic!() };
        assert_eq!((rest.items_collected, rest.created_at.to_string()), (2, second));
        world.publish("B", "b2", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["a2", "b2"])]);
        world.advance(SECOND * 10).await;
        assert_eq!(world.counts([WindowStatus::Waiting]).await, [1], "10 s after a3 is in time");
        world.advance(MICRO).await;
        assert_eq!(world.counts([WindowStatus::Waiting, WindowStatus::Expired]).await, [0, 1]);
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn a_gate_without_a_key_waits_for_all_types_and_keeps_what_is_left_over() {
    for backend in BACKENDS {
        let gate = Subscription::new("ann", "gate", ["A", "B", "B"]);
        let world = World::new(backend, vec![gate]).await;
        for (type_name, name) in [("B", "b1"), ("A", "a1"), ("A", "a2")] {
            world.publish(type_name, name, json!(name)).await;
        }
        world.advance(SECOND * 1_000_000).await;
        world.publish("B", "b2", json!(7)).await;
        assert_eq!(world.recorder.take(), [group(&["a1", "b1", "b2"])], "{backend}");
        world.publish("B", "b3", json!(7)).await;
        world.publish("B", "b4", json!(7)).await;
        assert_eq!(world.recorder.take(), [group(&["a2", "b3", "b4"])]);
    }
}

#[tokio::test]
async fn a_single_type_without_a_batch_is_handed_over_at_once() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![Subscription::new("ann", "each", ["A"])]).await;
        world.publish("A", "a1", json!(1)).await;
        world.publish("A", "a2", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["a1"]), group(&["a2"])], "{backend}");
        assert_eq!(world.counts([WindowStatus::Completed]).await, [2]);
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn a_complete_join_is_one_item_of_a_batch_and_an_open_one_is_none() {
    for backend in BACKENDS {
        let spec = join(&["A", "B"], 60).in_batches(BatchSpec { size: Some(2), timeout_ms: None });
        let world = World::new(backend, vec![spec]).await;
        world.publish("B", "b1", json!(1)).await;
        world.publish("A", "a1", json!(1)).await;
        world.publish("A", "a2", json!(2)).await;
        world.publish("A", "open", json!(3)).await;
        assert_eq!(world.recorder.take().len(), 0, "one item, not two");
        world.publish("B", "b2", json!(2)).await;
        let expected = vec![vec!["a1".to_owned(), "b1".into()], vec!["a2".into(), "b2".into()]];
        assert_eq!(world.recorder.take(), [expected], "{backend}");
        let states = [WindowStatus::Completed, WindowStatus::Flushed, WindowStatus::Waiting];
        assert_eq!(world.counts(states).await, [2, 1, 1]);
        assert_eq!(world.windows.stats().open, 1);
    }
}

#[tokio::test]
async fn a_gate_feeds_a_batch_with_all_that_it_lets_through() {
    for backend in BACKENDS {
        let spec = Subscription::new("ann", "pairs", ["A", "A"])
            .in_batches(BatchSpec { size: Some(2), timeout_ms: None });
        let world = World::new(backend, vec![spec]).await;
        for name in ["a1", "a2", "a3", "a4", "a5"] {
            world.publish("A", name, json!(0)).await;
        }
        let expected = vec![vec!["a1".to_owned(), "a2".into()], vec!["a3".into(), "a4".into()]];
        assert_eq!(world.recorder.take(), [expected], "{backend}");
        world.publish("A", "a6", json!(0)).await;
        world.publish("A", "a7", json!(0)).await;
        world.publish("A", "a8", json!(0)).await;
        let expected = vec![vec!["a5".to_owned(), "a6".into()], vec!["a7".into(), "a8".into()]];
        assert_eq!(world.recorder.take(), [expected], "nothing vanished");
    }
}

#[tokio::test]
async fn one_artifact_goes_through_every_subscription_that_it_matches() {
    for backend in BACKENDS {
        let of =
            |agent: &str| Subscription { agent_name: agent.to_owned(), ..join(&["A", "B"], 9) };
        let world = World::new(backend, vec![of("ann"), of("bob")]).await;
        let first = world.publish("A", "a", json!(1)).await;
        assert_eq!(first.changes.len(), 2);
        assert!(first.changes.iter().all(|change| change.operation == WindowKind::Join));
        world.publish("B", "b", json!(1)).await;
        let mut agents: Vec<_> =
            world.recorder.all().into_iter().map(|delivery| delivery.agent_name).collect();
        agents.sort();
        assert_eq!(agents, ["ann", "bob"], "{backend}");
    }
}

#[tokio::test]
async fn an_artifact_that_too_many_wait_for_is_refused_whole() {
    let of = |n: usize| Subscription { agent_name: format!("a{n}"), ..join(&["A", "B"], 9) };
    let world = World::new("memory", (0..200).map(of).collect()).await;
    let error = world.try_publish("A", json!({ "name": "a", "id": 1 })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(world.counts([WindowStatus::Waiting]).await, [0]);
    assert_eq!(
        world
            .store
            .count(&world.store.kind::<outlast_core::Artifact>().query().unwrap(), &[])
            .await
            .unwrap()
            .total,
        0
    );
}
