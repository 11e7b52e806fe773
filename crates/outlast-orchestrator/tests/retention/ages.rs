//! Each default age, and each of them configured.

use std::time::Duration;

use outlast_core::{
    Actor, ErrorKind, Event, HistoryQuery, NoStatus, Scope, StreamQuery, status_machine,
};
use outlast_orchestrator::retention::{Policies, Sweeper, Tally};

use crate::support::{BACKENDS, DAY, content, now};
use crate::sweeping::{counts, create, fill, site, sweeper};

/// The table of the specification.
const DAYS: &[(&str, u32)] = &[
    ("swarm", 1),
    ("agent", 1),
    ("session", 1),
    ("window", 7),
    ("artifact", 7),
    ("consumption", 7),
    ("event", 7),
    ("commit", 7),
    ("command", 30),
    ("pipeline", 30),
    ("run", 30),
    ("log", 30),
];

#[test]
fn the_defaults_are_those_of_the_specification() {
    let mut expected: Vec<_> = DAYS.iter().map(|(what, days)| (*what, Some(DAY * *days))).collect();
    expected.sort_unstable();
    let policies = Policies::default();
    assert_eq!(policies.ages().collect::<Vec<_>>(), expected);
    assert_eq!(policies.checkpoints, 10);
    assert!(policies.log_bytes.is_some() && policies.log_entries.is_some());
}

/// What goes of each kind at an age of so many days, of one entity of each.
fn expected(days: u32) -> Vec<(&'static str, u64)> {
    let mut gone = Vec::new();
    if days >= 1 {
        gone.extend([("agent", 1), ("session", 1), ("swarm", 1)]);
    }
    if days >= 7 {
        gone.extend([("artifact", 1), ("consumption", 1), ("event", 1)]);
        gone.extend([("window", 1), ("window_item", 1)]);
    }
    if days >= 30 {
        // Three entries of the command, two of the task.
        gone.extend([("command", 1), ("log", 5), ("pipeline", 1), ("run", 1)]);
        gone.extend([("stage_outcome", 1), ("task", 1)]);
    }
    gone.sort_unstable();
    gone
}

#[tokio::test]
async fn everything_goes_at_its_age_and_not_before() {
    for backend in BACKENDS {
        for days in [0, 1, 6, 7, 29, 30] {
            let site = site(backend).await;
            fill(&site, "it", DAY * days).await;
            let before = content(&site.store).await;
            let dry = sweeper(&site).preview().await.unwrap();
            assert_eq!(content(&site.store).await, before, "{backend}: a preview wrote");
            let sweep = sweeper(&site).tick().await.unwrap();
            assert_eq!(counts(&sweep), expected(days), "{backend} after {days} days");
            assert_eq!(dry.removed, sweep.removed, "{backend} after {days} days");
            assert!(dry.dry_run && !sweep.dry_run && !sweep.has_more);
            let again = sweeper(&site).tick().await.unwrap();
            assert_eq!(counts(&again), [], "{backend} after {days} days");
            assert_eq!(site.store.verify().await.unwrap().damaged, 0);
            site.store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_goes_leaves_nothing_but_a_word_of_it() {
    for backend in BACKENDS {
        let site = site(backend).await;
        fill(&site, "young", Duration::ZERO).await;
        let before = content(&site.store).await;
        fill(&site, "old", DAY * 30).await;
        let sweep = sweeper(&site).tick().await.unwrap();
        assert_eq!(counts(&sweep).len(), expected(30).len() - 1, "the event is not the oldest");
        let after = content(&site.store).await;
        let left: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
        let foreign = left.iter().filter(|line| line.contains("old-")).count();
        assert_eq!(foreign, 0, "{backend}: {left:#?}");
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn each_age_can_be_configured_and_switched_off() {
    for (what, _) in DAYS.iter().filter(|(what, _)| !["commit", "log"].contains(what)) {
        let site = site("memory").await;
        fill(&site, "it", DAY * 40).await;
        let policies = Policies::default().with_age(what, None).unwrap();
        let sweep = Sweeper::new(&site.store, policies).preview().await.unwrap();
        assert_eq!(sweep.of(what), Tally::default(), "{what}");
        let policies = Policies::default().with_age(what, Some(DAY * 41)).unwrap();
        let sweep = Sweeper::new(&site.store, policies).preview().await.unwrap();
        assert_eq!(sweep.of(what), Tally::default(), "{what}");
        let policies = Policies::default().with_age(what, Some(DAY * 40)).unwrap();
        let sweep = Sweeper::new(&site.store, policies).preview().await.unwrap();
        assert_eq!(sweep.of(what).count, 1, "{what}");
    }
    let refused = Policies::default().with_age("host", None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("agent, artifact, command"), "{refused}");
}

#[tokio::test]
async fn what_was_removed_is_told_by_cleanup() {
    let site = site("memory").await;
    fill(&site, "it", DAY * 40).await;
    let sweep = sweeper(&site).tick().await.unwrap();
    let page = site.store.read(&StreamQuery::of(Event::log().unwrap())).await.unwrap();
    let last = page.items.into_iter().next_back().unwrap().unwrap();
    let event: Event = serde_json::from_slice(&last.data).unwrap();
    assert_eq!(event.actor, Some(Actor::Cleanup));
    let removed = &event.details.unwrap()["removed"];
    assert_eq!(removed["command"]["count"], 1);
    assert!(sweep.of("command").bytes > 50 && sweep.total().bytes > 500, "{sweep:?}");
    assert_eq!(sweep.of("log").bytes, 3 * 10 + 10);
}

status_machine! {
    /// Where an order is.
    enum OrderStatus {
        Placed = "placed" => [Sent],
        Sent = "sent" => [] settled,
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Order {
    status: OrderStatus,
}

impl outlast_core::Entity for Order {
    type Status = OrderStatus;
    const KIND: &'static str = "order";

    fn status(&self) -> Option<OrderStatus> {
        Some(self.status)
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Note {}

impl outlast_core::Entity for Note {
    type Status = NoStatus;
    const KIND: &'static str = "note";
}

#[tokio::test]
async fn kinds_of_ones_own_go_only_if_they_are_declared() {
    for backend in BACKENDS {
        let site = site(backend).await;
        site.back_then(DAY * 100, async {
            create(&site.store, "open", &Order { status: OrderStatus::Placed }).await;
            create(&site.store, "over", &Order { status: OrderStatus::Sent }).await;
            create(&site.store, "n", &Note {}).await;
        })
        .await;
        assert_eq!(counts(&sweeper(&site).tick().await.unwrap()), []);
        let policies = Policies::default().with_own::<Order>(DAY * 100).unwrap();
        let sweep = Sweeper::new(&site.store, policies.clone()).tick().await.unwrap();
        assert_eq!(counts(&sweep), [("order", 1)], "{backend}");
        let policies = policies.with_own::<Note>(DAY * 100).unwrap();
        let sweep = Sweeper::new(&site.store, policies).tick().await.unwrap();
        assert_eq!(counts(&sweep), [("note", 1)], "{backend}");
        assert!(site.store.kind::<Order>().find("open").await.unwrap().is_some());
        site.store.close().await.unwrap();
    }
    let refused = Policies::default().with_own::<outlast_core::Command>(DAY).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_history_of_what_lives_is_kept() {
    let site = site("memory").await;
    site.back_then(DAY * 400, async {
        create(&site.store, "open", &Order { status: OrderStatus::Placed }).await;
        for _ in 0..5 {
            site.store.kind::<Order>().update("open", |_| Ok(())).await.unwrap();
        }
    })
    .await;
    let policies = Policies::default().with_own::<Order>(DAY).unwrap();
    Sweeper::new(&site.store, policies).tick().await.unwrap();
    let key = site.store.kind::<Order>().key("open").unwrap();
    let history = site.store.history(&HistoryQuery::of(Scope::Entity(key))).await.unwrap();
    assert_eq!(history.items.len(), 6);
    assert!(now() > outlast_core::Timestamp::default());
}
