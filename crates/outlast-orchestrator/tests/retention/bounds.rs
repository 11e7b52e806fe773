//! Slices, the newest checkpoints, bounds of output, and what was left half done.

use std::time::Duration;

use outlast_core::{
    Checkpoint, Command, CommandStatus, Entity, Key, Page, StreamQuery, Swarm, SwarmStatus, Task,
    TaskStatus,
};
use outlast_orchestrator::retention::{Policies, Sweeper};

use crate::cut_off::cut_off;
use crate::support::{BACKENDS, DAY, attempt, completed, content, days_ago, ids, now, record};
use crate::sweeping::{agent, command, counts, create, event, fill, output, site, swarm, sweeper};

/// I13 in ARCHITECTURE.md.
#[tokio::test]
async fn ticks_are_bounded_and_together_remove_what_a_preview_says() {
    for backend in BACKENDS {
        let site = site(backend).await;
        for n in 0..7 {
            fill(&site, &format!("old{n}"), DAY * 40).await;
            fill(&site, &format!("young{n}"), Duration::ZERO).await;
        }
        for n in 0..300 {
            create(
                &site.store,
                &format!("c{n}"),
                &command(CommandStatus::Error, None, days_ago(40)),
            )
            .await;
        }
        let sweeper = sweeper(&site).in_slices(1);
        let dry = sweeper.preview().await.unwrap();
        let (mut removed, mut ticks) = (std::collections::BTreeMap::new(), 0);
        loop {
            let sweep = sweeper.tick().await.unwrap();
            assert!(sweep.total().count <= 500, "{:?}", sweep.removed);
            for (kind, tally) in &sweep.removed {
                let sum: &mut (u64, u64) = removed.entry(kind.clone()).or_default();
                *sum = (sum.0 + tally.count, sum.1 + tally.bytes);
            }
            ticks += 1;
            if !sweep.has_more {
                break;
            }
        }
        let mut expected: std::collections::BTreeMap<_, _> =
            dry.removed.iter().map(|(kind, of)| (kind.clone(), (of.count, of.bytes))).collect();
        // Old events lie behind a young one.
        for removed in [&mut expected, &mut removed] {
            removed.remove("event");
        }
        assert_eq!(removed, expected, "{backend}");
        assert!(ticks > 5, "{backend}: {ticks}");
        assert_eq!(counts(&sweeper.tick().await.unwrap()), []);
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn of_each_entity_the_newest_checkpoints_stay_and_those_that_a_rollback_names() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let swarms = site.store.kind::<Swarm>();
        for id in ["many", "few"] {
            create(&site.store, id, &swarm(SwarmStatus::Active, now())).await;
        }
        let mut saved = Vec::new();
        let named = swarms.rollback_to("many", 1).await.unwrap();
        let rolled_back = swarms.latest_checkpoint("many").await.unwrap().unwrap();
        assert_eq!(named.version.n, 2);
        for _ in 0..13 {
            saved.push(swarms.checkpoint("many", "now and then").await.unwrap().id().to_owned());
        }
        let few = swarms.checkpoint("few", "once").await.unwrap();
        let dry = sweeper(&site).preview().await.unwrap();
        let sweep = sweeper(&site).tick().await.unwrap();
        assert_eq!(counts(&sweep), [("checkpoint", 3)], "{backend}");
        assert_eq!(dry.removed, sweep.removed);
        let mut left: Vec<_> = saved[3..].to_vec();
        left.extend([rolled_back.id().to_owned(), few.id().to_owned()]);
        left.sort_unstable();
        assert_eq!(ids::<Checkpoint>(&site.store).await, left, "{backend}");
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn checkpoints_go_with_what_they_are_of() {
    for backend in BACKENDS {
        let site = site(backend).await;
        create(&site.store, "s", &swarm(SwarmStatus::Completed, days_ago(2))).await;
        for _ in 0..12 {
            site.store.kind::<Swarm>().checkpoint("s", "now and then").await.unwrap();
        }
        let dry = sweeper(&site).preview().await.unwrap();
        let sweep = sweeper(&site).tick().await.unwrap();
        assert_eq!(counts(&sweep), [("checkpoint", 12), ("swarm", 1)], "{backend}");
        assert_eq!(dry.removed, sweep.removed);
        site.store.close().await.unwrap();
    }
}

async fn entries(site: &crate::sweeping::Site, kind: &str, id: &str) -> u64 {
    let query =
        StreamQuery { page: Page::first(1000), ..StreamQuery::of(Key::new(kind, id).unwrap()) };
    site.store.read(&query).await.unwrap().items.len() as u64
}

#[tokio::test]
async fn output_of_what_is_over_is_bounded_by_age_count_and_bytes() {
    let bounded = |age: Option<Duration>, entries: Option<u64>, bytes: Option<u64>| {
        let mut policies = Policies::default().with_age("log", age).unwrap();
        (policies.log_entries, policies.log_bytes) = (entries, bytes);
        policies
    };
    let cases = [
        (bounded(None, None, None), 10),
        (bounded(Some(DAY * 2), None, None), 5),
        (bounded(None, Some(4), None), 4),
        (bounded(None, None, Some(49)), 4),
    ];
    for backend in BACKENDS {
        for (policies, left) in cases.clone() {
            let site = site(backend).await;
            let store = &site.store;
            create(store, "over", &command(CommandStatus::Success, None, now())).await;
            create(store, "live", &command(CommandStatus::Executing, None, now())).await;
            record(store, "run", 2, &[completed("a", 1), attempt("b", 1, TaskStatus::Running, 1)])
                .await;
            for (kind, id) in
                [(Command::LOG, "over"), (Command::LOG, "live"), (Task::LOG, "nobody")]
            {
                site.back_then(DAY * 3, output(store, kind, id, 5)).await;
                output(store, kind, id, 5).await;
            }
            let sweeper = Sweeper::new(store, policies);
            let dry = sweeper.preview().await.unwrap();
            let sweep = sweeper.tick().await.unwrap();
            assert_eq!(dry.removed, sweep.removed, "{backend}");
            assert_eq!(sweep.of("log").count, 10 - left, "{backend}: {sweep:?}");
            assert_eq!(sweep.of("log").bytes, 10 * (10 - left));
            assert_eq!(entries(&site, Command::LOG, "over").await, left);
            assert_eq!(entries(&site, Command::LOG, "live").await, 10, "it is not over");
            assert_eq!(entries(&site, Task::LOG, "run-b-1").await, 2, "it is not over");
            assert_eq!(entries(&site, Task::LOG, "nobody").await, 10, "nobody wrote it");
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn events_before_the_first_young_one_go_and_places_go_on() {
    for backend in BACKENDS {
        let site = site(backend).await;
        for (days, message) in [(9, "a"), (8, "b"), (1, "c"), (9, "d")] {
            site.back_then(DAY * days, event(&site.store, message)).await;
        }
        let dry = sweeper(&site).preview().await.unwrap();
        let sweep = sweeper(&site).tick().await.unwrap();
        assert_eq!(counts(&sweep), [("event", 2)], "{backend}");
        assert_eq!(dry.removed, sweep.removed);
        let query = StreamQuery::of(outlast_core::Event::log().unwrap());
        let left = site.store.read(&query).await.unwrap().items;
        let places: Vec<_> = left.into_iter().map(|entry| entry.unwrap().seq.0).collect();
        assert_eq!(places, [3, 4, 5], "{backend}: the last says what was removed");
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_process_that_ended_left_half_done_is_completed() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let store = &site.store;
        create(store, "c", &command(CommandStatus::Success, None, days_ago(40))).await;
        create(store, "others", &command(CommandStatus::Success, None, days_ago(40))).await;
        output(store, Command::LOG, "c", 3).await;
        let commands = store.kind::<Command>();
        commands.delete(&commands.get("others").await.unwrap()).await.unwrap();
        let cause = outlast_core::Cause::by(outlast_core::Actor::Cleanup);
        let cause = cause.called(outlast_core::Action::new("cleanup").unwrap());
        commands.with_cause(cause).delete(&commands.get("c").await.unwrap()).await.unwrap();
        assert_eq!(ids::<Command>(store).await, ["c deleted", "others deleted"]);
        sweeper(&site).tick().await.unwrap();
        assert_eq!(ids::<Command>(store).await, ["others deleted"], "{backend}");
        assert_eq!(entries(&site, Command::LOG, "c").await, 0);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_read_stays_and_is_reported_and_the_others_go() {
    use outlast_core::{AgentStatus, Expect, Json, Op, Put};

    let site = site("memory").await;
    let store = &site.store;
    create(store, "a1", &agent(AgentStatus::Completed, None, days_ago(2))).await;
    create(store, "a2", &agent(AgentStatus::Completed, None, days_ago(2))).await;
    let stored = store.kind::<outlast_core::Agent>().get("a1").await.unwrap();
    let record = store.get(std::slice::from_ref(&stored.key)).await.unwrap().remove(0);
    let record = record.live().unwrap().unwrap();
    let state = Json::parse("{}").unwrap();
    let (key, attrs) = (record.key, record.attrs);
    let mut draft = store.draft();
    draft.op(Op::Put(Put { key, expect: Expect::Live, schema: 1, attrs, state }));
    draft.commit().await.unwrap();
    let sweep = sweeper(&site).tick().await.unwrap();
    assert_eq!((sweep.of("agent").count, sweep.unreadable), (1, 1));
    assert!(sweep.problems[0].to_string().contains("agent/a1"), "{:?}", sweep.problems);
    assert_eq!(ids::<outlast_core::Agent>(store).await, ["a1"]);
    assert_eq!(outlast_core::Agent::KIND, "agent");
}

#[tokio::test]
async fn a_tick_that_was_cut_off_anywhere_is_completed_by_the_next_sweeper() {
    for backend in BACKENDS {
        let (mut partial, mut ended) = (0, false);
        for polls in (0..600).step_by(7) {
            let site = site(backend).await;
            fill(&site, "old", DAY * 40).await;
            site.store.kind::<Swarm>().checkpoint("old-swarm", "once").await.unwrap();
            ended = cut_off(sweeper(&site).tick(), polls).await;
            site.store.sync().await.unwrap();
            let left =
                ids::<Command>(&site.store).await.len() + ids::<Swarm>(&site.store).await.len();
            partial += usize::from(!ended && left < 2);
            sweeper(&site).tick().await.unwrap();
            let content = content(&site.store).await;
            let kept: Vec<_> = content.iter().filter(|line| line.contains("old-")).collect();
            assert!(kept.is_empty(), "{backend} after {polls} polls: {kept:#?}");
            site.store.close().await.unwrap();
            if ended {
                break;
            }
        }
        assert!(ended && partial > 0, "{backend}: it was cut off in the middle, {partial} times");
    }
}
