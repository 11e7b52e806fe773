//! Windows whose subscription is gone or another, and what else a restart finds.

use outlast_core::{
    Actor, Artifact, BatchSpec, Cause, Claim, ErrorKind, Subscription, Window, WindowItem,
    WindowStatus,
};
use outlast_orchestrator::windows::Artifacts;
use serde_json::json;

use crate::support::{BACKENDS, MICRO, SECOND, World, batch, batched, group, join};

const ORPHANED: [WindowStatus; 2] = [WindowStatus::Orphaned, WindowStatus::Waiting];

#[tokio::test]
async fn a_changed_or_missing_subscription_never_takes_over_what_another_opened() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B"], 10), batched(Some(3), None)]).await;
        world.publish("A", "a", json!(1)).await;
        // Another length, and not there at all.
        let world = world.restart(vec![join(&["A", "B"], 20)], SECOND).await;
        assert_eq!(world.windows.restored().orphaned, 2);
        assert_eq!(world.counts(ORPHANED).await, [2, 0], "{backend}");
        assert_eq!(
            world.windows.orphans(outlast_core::Page::first(10)).await.unwrap().items.len(),
            2
        );
        world.publish("B", "b", json!(1)).await;
        assert_eq!(world.recorder.take().len(), 0, "{backend}: it was not attached");
        assert_eq!(world.counts(ORPHANED).await, [2, 1], "its key is free for others");
        world.advance(SECOND * 1000).await;
        assert_eq!(world.counts(ORPHANED).await, [2, 0], "kept, whatever the time");
        let world =
            world.restart(vec![join(&["A", "B"], 10), batched(Some(3), None)], SECOND).await;
        assert_eq!(world.windows.restored().changes(), 0, "nothing attaches it by itself");
        assert_eq!(world.counts(ORPHANED).await, [2, 0]);
        assert_eq!(world.count_of("window:orphaned").await, 2);
    }
}

#[tokio::test]
async fn the_order_of_subscriptions_decides_nothing() {
    for backend in BACKENDS {
        let one = join(&["A", "B"], 10);
        let two = Subscription { name: "other".into(), index: 1, ..join(&["A", "C"], 10) };
        let world = World::new(backend, vec![one.clone(), two.clone()]).await;
        world.publish("A", "a", json!(1)).await;
        let swapped = vec![Subscription { index: 0, ..two }, Subscription { index: 1, ..one }];
        let world = world.restart(swapped, SECOND).await;
        assert_eq!(world.windows.restored().orphaned, 0);
        world.publish("C", "c", json!(1)).await;
        let delivery = world.recorder.all().remove(0);
        assert_eq!(delivery.subscription, "other", "{backend}");
    }
}

#[tokio::test]
async fn an_orphan_is_attached_by_hand_and_goes_on() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B", "B"], 10)]).await;
        world.publish("A", "a", json!(1)).await;
        world.publish("B", "b", json!(1)).await;
        let changed = vec![join(&["A", "B", "B"], 20), batched(Some(1), None)];
        let world = world.restart(changed, SECOND).await;
        let id = world.windows_in(WindowStatus::Orphaned).await[0].id().to_owned();

        let wrong = world.windows.reattach(&id, "ann/batch").await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Invalid, "{wrong}");
        let unknown = world.windows.reattach(&id, "ann/nothing").await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
        let none = world.windows.reattach("none", "ann/join").await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::NotFound);

        world.windows.reattach(&id, "ann/join").await.unwrap();
        let again = world.windows.reattach(&id, "ann/join").await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::IllegalTransition);
        world.advance(SECOND * 15).await;
        assert_eq!(world.counts([WindowStatus::Expired]).await, [0], "20 s from its first now");
        world.publish("B", "b2", json!(1)).await;
        let groups: Vec<_> = world.recorder.take().into_iter().filter(|g| g[0].len() > 1).collect();
        assert_eq!(groups, [group(&["a", "b", "b2"])], "{backend}");
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn what_is_attached_and_complete_is_handed_over_and_what_is_late_expires() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B", "B"], 10)]).await;
        for key in [1, 2] {
            world.publish("A", "a", json!(key)).await;
        }
        world.publish("B", "b", json!(1)).await;
        let fewer = join(&["A", "B"], 10).in_batches(BatchSpec { size: Some(1), timeout_ms: None });
        let world = world.restart(vec![fewer], SECOND).await;
        for window in world.windows_in(WindowStatus::Orphaned).await {
            if window.correlation_key.as_deref() == Some("1") {
                world.windows.reattach(window.id(), "ann/join").await.unwrap();
            } else {
                world.clock.advance(SECOND * 10);
                world.windows.reattach(window.id(), "ann/join").await.unwrap();
            }
        }
        world.tick().await;
        assert_eq!(world.recorder.take(), [group(&["a", "b"])], "{backend}");
        let states = [WindowStatus::Completed, WindowStatus::Flushed, WindowStatus::Expired];
        assert_eq!(world.counts(states).await, [1, 1, 1], "{backend}");
        assert_eq!(world.windows.stats().open, 0);
    }
}

#[tokio::test]
async fn an_orphan_is_not_attached_where_another_waits_and_can_be_called_off() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "B"], 10)]).await;
        world.publish("A", "old", json!(1)).await;
        let world = world.restart(vec![join(&["A", "B"], 20)], SECOND).await;
        world.publish("A", "new", json!(1)).await;
        let id = world.windows_in(WindowStatus::Orphaned).await[0].id().to_owned();
        let taken = world.windows.reattach(&id, "ann/join").await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::Exists, "{backend} {taken}");

        let by = Cause::by(Actor::User(outlast_core::Id::new("eve").unwrap()));
        world.windows.with_cause(by).cancel(&id, "not needed").await.unwrap();
        let [window] = &world.windows_in(WindowStatus::Cancelled).await[..] else { panic!() };
        assert_eq!(window.error.as_deref(), Some("not needed"));
        let again = world.windows.cancel(&id, "again").await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::IllegalTransition);

        let open = world.windows_in(WindowStatus::Waiting).await[0].id().to_owned();
        world.windows.cancel(&open, "no more").await.unwrap();
        assert_eq!(world.windows.stats().open, 0);
        world.publish("B", "b", json!(1)).await;
        assert_eq!(world.recorder.take().len(), 0);
    }
}

#[tokio::test]
async fn what_is_gone_or_consumed_is_taken_out_and_the_rest_goes_on() {
    for backend in BACKENDS {
        let specs = || vec![batched(Some(4), None), join(&["A", "B"], 100)];
        let world = World::new(backend, specs()).await;
        let mut ids = Vec::new();
        for name in ["gone", "consumed", "kept"] {
            ids.push(world.publish("A", name, json!(name)).await.artifact_id);
        }
        let artifacts = world.store.kind::<Artifact>();
        artifacts.delete(&artifacts.get(&ids[0]).await.unwrap()).await.unwrap();
        let consumer = Artifacts::of(&world.store);
        consumer.consume(&ids[1], "ann", Some("by hand")).await.unwrap();
        consumer.consume(&ids[2], "bob", None).await.unwrap();

        let world = world.restart(specs(), SECOND).await;
        let restored = world.windows.restored();
        assert_eq!((restored.waiting, restored.cancelled, restored.removed_items), (2, 2, 4));
        assert_eq!(world.counts([WindowStatus::Waiting, WindowStatus::Cancelled]).await, [2, 2]);
        let world = world.restart(specs(), SECOND).await;
        assert_eq!(world.windows.restored().changes(), 0, "{backend}: doing it again does nothing");
        for name in ["x", "y", "z"] {
            world.publish("A", name, json!(name)).await;
        }
        assert_eq!(world.recorder.take(), [batch(&["kept", "x", "y", "z"])], "{backend}");
    }
}

#[tokio::test]
async fn what_another_subscription_of_the_agent_handed_over_is_still_waited_with() {
    for backend in BACKENDS {
        let specs = || vec![Subscription::new("ann", "each", ["A"]), join(&["A", "B"], 100)];
        let world = World::new(backend, specs()).await;
        world.publish("A", "a", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["a"])]);
        let world = world.restart(specs(), SECOND).await;
        assert_eq!(world.windows.restored().removed_items, 0, "{backend}");
        world.publish("B", "b", json!(1)).await;
        assert_eq!(world.recorder.take(), [group(&["a", "b"])], "{backend}");
    }
}

#[tokio::test]
async fn a_lost_claim_is_claimed_again_and_a_taken_one_is_not() {
    for backend in BACKENDS {
        let specs = || vec![join(&["A", "B"], 100)];
        let world = World::new(backend, specs()).await;
        world.publish("A", "one", json!(1)).await;
        world.publish("A", "two", json!(2)).await;
        let claims = world.store.kind::<Claim>();
        let all = claims.list(&claims.query().unwrap()).await.unwrap().items;
        let mut all = all.into_iter().map(Result::unwrap).filter(|c| c.id().starts_with("window/"));
        let (first, second) = (all.next().unwrap(), all.next().unwrap());
        let other = Claim { holder: "another".into(), ..(*second).clone() };
        claims.delete(&first).await.unwrap();
        claims.replace(&second, other).await.unwrap();
        let world = world.restart(specs(), SECOND).await;
        assert_eq!((world.windows.restored().waiting, world.windows.restored().orphaned), (1, 1));
        let claims = world.store.kind::<Claim>();
        assert_eq!(claims.get(first.id()).await.unwrap().holder, first.holder, "{backend}");
        assert_eq!(claims.get(second.id()).await.unwrap().holder, "another");
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_reported_and_stays() {
    for backend in BACKENDS {
        let specs = || vec![join(&["A", "B"], 100)];
        let world = World::new(backend, specs()).await;
        world.publish("A", "one", json!(1)).await;
        world.publish("A", "two", json!(2)).await;
        let id = world.windows_in(WindowStatus::Waiting).await[0].id().to_owned();
        let item = world.windows.items(&id).await.unwrap().remove(0);
        let strange = WindowItem { type_name: "strange".into(), ..(*item).clone() };
        world.store.kind::<WindowItem>().replace(&item, strange).await.unwrap();
        let world = world.restart(specs(), SECOND).await;
        let restored = world.windows.restored();
        assert_eq!((restored.waiting, restored.unreadable, restored.changes()), (1, 1, 0));
        assert_eq!(restored.errors[0].0, id, "{backend}");
        world.advance(SECOND * 100 + MICRO).await;
        assert_eq!(world.counts([WindowStatus::Waiting, WindowStatus::Expired]).await, [1, 1]);
    }
}

#[tokio::test]
async fn a_hand_over_outlives_its_subscription_and_waits_for_its_agent() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(1), None)]).await;
        world.try_publish("A", json!({ "name": "a" })).await.unwrap();
        let world = world.restart(vec![join(&["A", "B"], 10)], SECOND).await;
        assert_eq!(world.windows.restored().unclaimed, 1);
        world.advance(SECOND * 1000).await;
        assert_eq!(world.recorder.take().len(), 0, "{backend}");
        // Complete under the terms it was opened under, whatever they are now.
        let world = world.restart(vec![batched(Some(7), None)], SECOND).await;
        world.tick().await;
        assert_eq!(world.recorder.take(), [batch(&["a"])], "{backend}");
        assert_eq!(world.counts([WindowStatus::Flushed]).await, [1]);
    }
}

#[tokio::test]
async fn a_window_that_was_changed_by_others_is_read_anew() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![batched(Some(3), None)]).await;
        world.publish("A", "a", json!(1)).await;
        let row = world.windows_in(WindowStatus::Waiting).await.remove(0);
        let windows = world.store.kind::<Window>();
        windows.replace(&row, (*row).clone()).await.unwrap();
        world.publish("A", "b", json!(1)).await;
        world.publish("A", "c", json!(1)).await;
        assert_eq!(world.recorder.take(), [batch(&["a", "b", "c"])], "{backend}");
        assert_eq!(world.windows.stats().open, 0);
    }
}
