//! Which events a query finds.

use outlast_core::{
    Actor, Cause, Event, EventCategory, EventLevel, Id, Key, ManualClock, RandomIds, Timestamp,
};
use outlast_memory::Memory;
use outlast_orchestrator::events::{EventLog, EventQuery};
use outlast_store::{Store, StoreOptions};
use std::sync::Arc;
use std::time::Duration;

use crate::opened::{BACKENDS, memory, open};

/// One event of each category and level on each of two hosts, in a known order.
async fn fill(log: &EventLog) -> Vec<Event> {
    let mut events = Vec::new();
    for host in ["h1", "h2"] {
        for category in EventCategory::ALL {
            for level in EventLevel::ALL {
                let subject = Key::new("command", format!("{host}-{category}")).unwrap();
                let message = format!("{category} {level} {host}");
                events.push(Event::new(*category, *level, message).on(host).about(subject));
            }
        }
    }
    for event in &events {
        log.append(event).await.unwrap();
    }
    events
}

async fn found(log: &EventLog, query: EventQuery) -> Vec<String> {
    let page = log.list(&query).await.unwrap();
    assert!(page.next.is_none());
    page.items.into_iter().map(|event| event.unwrap().event.message).collect()
}

#[tokio::test]
async fn each_condition_narrows_and_all_must_hold() {
    for name in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(name, &folder.path().join("store")).await;
        let log = EventLog::new(&store);
        let events = fill(&log).await;
        let expected = |test: &dyn Fn(&Event) -> bool| -> Vec<String> {
            let kept = events.iter().rev().filter(|event| test(event));
            kept.map(|event| event.message.clone()).collect()
        };
        let all = EventQuery::default;
        assert_eq!(found(&log, all()).await, expected(&|_| true), "{name}");
        for category in EventCategory::ALL {
            let query = EventQuery { category: Some(*category), ..all() };
            let of = expected(&|event| event.category == *category);
            assert_eq!((found(&log, query).await, of.len()), (of, 8), "{name} {category}");
        }
        for level in EventLevel::ALL {
            let query = EventQuery { level: Some(*level), ..all() };
            let of = expected(&|event| event.level == *level);
            assert_eq!((found(&log, query).await, of.len()), (of, 8), "{name} {level}");
        }
        let on = expected(&|event| event.host_id.as_deref() == Some("h2"));
        assert_eq!(found(&log, EventQuery::on_host("h2")).await, on, "{name}");
        let subject = Key::new("command", "h1-ops").unwrap();
        let about = expected(&|event| event.subject.as_ref() == Some(&subject));
        let query = EventQuery { subject: Some(subject.clone()), ..all() };
        assert_eq!((found(&log, query).await, about.len()), (about, 4), "{name}");
        let query = EventQuery {
            category: Some(EventCategory::Ops),
            level: Some(EventLevel::Warn),
            ..EventQuery::on_host("h1")
        };
        assert_eq!(found(&log, query).await, ["ops warn h1"], "{name}");
        assert!(found(&log, EventQuery::on_host("h3")).await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn since_is_within_and_until_is_not() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000_000_000_000)));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(Arc::new(Memory::new(&RandomIds)), options);
    let log = EventLog::new(&store);
    let start = store.clock().now();
    for n in 0..5 {
        let event = Event::new(EventCategory::System, EventLevel::Info, format!("{n}"));
        log.append(&event).await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let at = |seconds| Some(start.plus(Duration::from_secs(seconds)));
    let query = EventQuery { since: at(1), until: at(3), ..EventQuery::default() };
    assert_eq!(found(&log, query).await, ["2", "1"]);
}

/// The order is that of the log, also where the clock went back.
#[tokio::test]
async fn the_newest_is_the_last_that_was_written_whatever_the_clock_says() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000_000_000_000)));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(Arc::new(Memory::new(&RandomIds)), options);
    let log = EventLog::new(&store);
    for n in 0..4 {
        let event = Event::new(EventCategory::System, EventLevel::Info, format!("{n}"));
        log.append(&event).await.unwrap();
        clock.jump_to(Timestamp::from_micros(1_000_000_000_000_000 - n * 60_000_000));
    }
    assert_eq!(found(&log, EventQuery::default()).await, ["3", "2", "1", "0"]);
}

#[tokio::test]
async fn an_event_is_by_whoever_the_log_was_taken_for_unless_it_says_so_itself() {
    let store = memory();
    let ann = Actor::User(Id::new("ann").unwrap());
    let log = EventLog::new(&store).with_cause(Cause::by(ann.clone()));
    let event = Event::new(EventCategory::Audit, EventLevel::Info, "asked");
    log.append(&event).await.unwrap();
    log.append(&event.by(Actor::Recovery)).await.unwrap();
    let page = log.list(&EventQuery::default()).await.unwrap();
    let actors: Vec<_> = page.items.into_iter().map(|event| event.unwrap().event.actor).collect();
    assert_eq!(actors, [Some(Actor::Recovery), Some(ann)]);
}

#[test]
fn an_unknown_word_is_refused_naming_the_known_ones() {
    let error = "gossip".parse::<EventCategory>().unwrap_err();
    assert_eq!(error.kind(), outlast_core::ErrorKind::Invalid);
    for known in EventCategory::ALL {
        assert!(error.to_string().contains(known.as_str()), "{error}");
    }
    let error = "fatal".parse::<EventLevel>().unwrap_err();
    assert_eq!(error.kind(), outlast_core::ErrorKind::Invalid);
    assert!(error.to_string().contains("warn"), "{error}");
}
