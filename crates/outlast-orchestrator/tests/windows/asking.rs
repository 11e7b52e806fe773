//! Asking for windows and artifacts.

use std::collections::BTreeSet;

use outlast_core::{Artifact, Clock, JoinWithin, Page, Subscription, WindowStatus};
use outlast_orchestrator::windows::{
    ArtifactQuery, Artifacts, FlushPrediction, PastWindows, Urgency, WindowState, snapshot,
};
use serde_json::json;

use crate::support::{BACKENDS, SECOND, World, batched, join, join_within};

fn page() -> Page {
    Page::first(100)
}

#[tokio::test]
async fn open_windows_say_how_far_they_are() {
    for backend in BACKENDS {
        let counted = Subscription {
            name: "counted".into(),
            agent_name: "bob".into(),
            ..join_within(&["A", "B"], JoinWithin::Count(8))
        };
        let specs = vec![join(&["B", "A", "A"], 100), batched(Some(4), Some(60_000)), counted];
        let world = World::new(backend, specs).await;
        world.publish("A", "a", json!("k")).await;
        world.advance(SECOND * 20).await;
        world.publish("A", "other", json!("l")).await;

        let joins = world.windows.active_joins(Some("ann"), page()).await.unwrap().items;
        let [WindowState::Join(state), _] = &joins[..] else { panic!("{joins:?}") };
        assert_eq!(state.correlation_key.as_deref(), Some("\"k\""));
        assert_eq!((state.common.elapsed_seconds, state.expires_in_seconds), (20.0, Some(80.0)));
        assert_eq!(state.expires_in_artifacts, None);
        assert_eq!(state.waiting_for, ["B", "A"], "{backend}");
        assert_eq!((state.is_complete, state.is_expired), (false, false));
        assert_eq!(state.common.urgency, Urgency::Safe);

        let joins = world.windows.active_joins(Some("bob"), page()).await.unwrap().items;
        let [WindowState::Join(state), _] = &joins[..] else { panic!("{joins:?}") };
        assert_eq!((state.expires_in_seconds, state.expires_in_artifacts), (None, Some(7)));

        let batches = world.windows.active_batches(None, page()).await.unwrap().items;
        let [WindowState::Batch(state)] = &batches[..] else { panic!("{batches:?}") };
        assert_eq!(
            (state.items_collected, state.items_target, state.items_remaining),
            (2, Some(4), Some(2))
        );
        assert_eq!(
            (state.timeout_seconds, state.timeout_remaining_seconds),
            (Some(60), Some(40.0))
        );
        assert_eq!(state.will_flush, FlushPrediction::OnSize, "half full in a third of its time");
        assert_eq!(world.windows.active_joins(None, page()).await.unwrap().items.len(), 4);
        assert_eq!(world.windows.active_joins(Some("eve"), page()).await.unwrap().items, []);

        let soon = world.windows.expiring(SECOND * 79, page()).await.unwrap().items;
        assert_eq!(soon.len(), 1, "only the batch");
        let soon = world.windows.expiring(SECOND * 80, page()).await.unwrap().items;
        assert!(matches!(&soon[..], [WindowState::Batch(_), WindowState::Join(_)]), "{soon:?}");
    }
}

#[tokio::test]
async fn the_past_is_found_by_agent_and_time_and_page_and_says_what_was_held() {
    for backend in BACKENDS {
        let bob = Subscription { agent_name: "bob".into(), ..batched(Some(1), None) };
        let world = World::new(backend, vec![batched(Some(2), None), bob]).await;
        let mut ends = Vec::new();
        for n in 0..6 {
            world.publish("A", &format!("{n}"), json!(0)).await;
            ends.push(world.clock.now());
            world.clock.advance(SECOND);
        }
        let of = |agent: Option<&str>| PastWindows {
            agent_name: agent.map(str::to_owned),
            page: page(),
            ..PastWindows::default()
        };
        let count =
            async |past: &PastWindows| world.windows.history(past).await.unwrap().items.len();
        assert_eq!(count(&of(None)).await, 9, "{backend}");
        assert_eq!(count(&of(Some("ann"))).await, 3);
        let since = PastWindows { since: Some(ends[3]), ..of(Some("ann")) };
        assert_eq!(count(&since).await, 2, "since is within");
        let until = PastWindows { until: Some(ends[3]), ..of(Some("ann")) };
        assert_eq!(count(&until).await, 1, "until is not");

        let mut walked = Vec::new();
        let mut past = PastWindows { page: Page::first(2), ..of(Some("bob")) };
        loop {
            let found = world.windows.history(&past).await.unwrap();
            walked
                .extend(found.items.into_iter().map(|window| window.unwrap().finished_at.unwrap()));
            let Some(next) = found.next else { break };
            past.page = past.page.after(next);
        }
        ends.reverse();
        assert_eq!(walked, ends, "{backend}: the last first");

        let last = world.windows.history(&of(Some("ann"))).await.unwrap().items.remove(0).unwrap();
        let held = world.windows.items(last.id()).await.unwrap();
        let ids: Vec<_> = held.iter().flat_map(|item| item.artifact_ids.clone()).collect();
        assert_eq!(ids.len(), 2);
        let artifact = Artifacts::of(&world.store).get(&ids[1]).await.unwrap();
        assert_eq!(artifact.payload["name"], "5");
    }
}

#[tokio::test]
async fn artifacts_are_found_by_all_that_is_said_of_them() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![Subscription::new("ann", "each", ["A"])]).await;
        let artifacts = Artifacts::of(&world.store);
        let mut ids = Vec::new();
        for n in 0..4_u32 {
            let artifact = Artifact {
                produced_by: if n < 2 { "bob".into() } else { Artifact::EXTERNAL.into() },
                correlation_id: (n % 2 == 0).then(|| "order-1".to_owned()),
                tags: BTreeSet::from([format!("t{}", n / 3), "all".to_owned()]),
                ..Artifact::new(
                    if n == 3 { "B" } else { "A" },
                    json!({ "name": n.to_string() }),
                    world.clock.now(),
                )
            };
            ids.push(world.windows.publish(artifact).await.unwrap().artifact_id);
        }
        world.tick().await;
        let found = async |query: ArtifactQuery| {
            let page = artifacts.list(&query).await.unwrap();
            let of = |id: &str| ids.iter().position(|known| known == id).unwrap();
            page.items.into_iter().map(|one| of(one.unwrap().id())).collect::<Vec<usize>>()
        };
        let all = || ArtifactQuery { page: page(), ..ArtifactQuery::default() };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(all()).await, [0, 1, 2, 3], "{backend}");
        assert_eq!(found(ArtifactQuery { newest_first: true, ..all() }).await, [3, 2, 1, 0]);
        assert_eq!(found(ArtifactQuery { type_name: some("A"), ..all() }).await, [0, 1, 2]);
        assert_eq!(found(ArtifactQuery { produced_by: some("bob"), ..all() }).await, [0, 1]);
        let correlated = ArtifactQuery { correlation_id: some("order-1"), ..all() };
        assert_eq!(found(correlated.clone()).await, [0, 2]);
        assert_eq!(found(ArtifactQuery { tag: some("t1"), ..all() }).await, [3]);
        let tagged = ArtifactQuery { tag: some("all"), newest_first: true, ..correlated };
        assert_eq!(found(tagged).await, [2, 0], "{backend}: all conditions together");
        assert_eq!(found(ArtifactQuery { tag: some("t2"), ..all() }).await, Vec::<usize>::new());

        let consumed = artifacts.consumed_by("ann", page()).await.unwrap().items;
        assert_eq!(consumed.len(), 3);
        let one = artifacts.consume(&ids[0], "eve", Some("run")).await.unwrap();
        let two = artifacts.consume(&ids[0], "eve", Some("run")).await.unwrap();
        assert_eq!(one.consumed_at, two.consumed_at);
        let of_first = artifacts.consumptions(&ids[0], page()).await.unwrap().items;
        assert_eq!(of_first.len(), 3, "{backend}: two in one moment are two");
    }
}

#[tokio::test]
async fn a_snapshot_is_put_together_from_rows() {
    for backend in BACKENDS {
        let world = World::new(backend, vec![join(&["A", "A", "B"], 100)]).await;
        let first = world.publish("A", "a1", json!(1)).await;
        let second = world.publish("A", "a2", json!(1)).await;
        let window = world.windows_in(WindowStatus::Waiting).await.remove(0);
        let shot = snapshot(&world.store, window.id()).await.unwrap();
        assert_eq!(shot["format"], 1);
        assert_eq!((shot["id"].as_str(), shot["version"].as_u64()), (Some(window.id()), Some(2)));
        assert_eq!(shot["window"]["status"], "waiting");
        assert_eq!(shot["window"]["collected"], json!({ "A": 2 }));
        let ids: Vec<_> = shot["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["artifact_ids"][0].clone())
            .collect();
        assert_eq!(ids, [json!(first.artifact_id), json!(second.artifact_id)], "{backend}");
    }
}
