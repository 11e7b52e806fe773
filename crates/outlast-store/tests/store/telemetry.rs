//! What a store counts, and what waits in it.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Error, ErrorKind, Expect, ManualClock, Op, RandomIds, Timestamp};
use outlast_memory::Memory;
use outlast_store::{Backlog, Store, StoreOptions, telemetry};

use crate::kinds::{Note, note};
use crate::recorder::counting;
use crate::shaky::{Fate, Shaky, interfere};

#[test]
fn groups_commits_and_conflicts_are_counted() {
    counting(|counted| async move {
        let backend = Shaky::sound();
        let store = Store::open(backend.clone(), StoreOptions::default());
        let notes = store.kind::<Note>();
        let held = backend.hold();
        let text = note("text");
        let first = notes.create("a", &text);
        // What waits for the first one is one group.
        let (second, third) = (notes.create("b", &text), notes.create("c", &text));
        let open = async {
            while store.backlog().batches < 3 {
                tokio::task::yield_now().await;
            }
            drop(held);
        };
        let (first, second, third, ()) = tokio::join!(first, second, third, open);
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(counted.value(telemetry::STORE_COMMITS), 3);
        assert!((1..=2).contains(&counted.value(telemetry::STORE_GROUPS)));
        assert_eq!(counted.value(telemetry::STORE_CONFLICTS), 0);
        assert_eq!(notes.create("a", &note("again")).await.unwrap_err().kind(), ErrorKind::Exists);
        assert_eq!(counted.value(telemetry::STORE_CONFLICTS), 1);
        assert_eq!(counted.value(telemetry::STORE_QUEUE), 1, "as the last group saw it");
        assert!(counted.value(telemetry::STORE_QUEUE_BYTES) > 0);
        assert_eq!(counted.value(telemetry::STORE_FAILURES), 0);
    });
}

#[test]
fn races_retries_and_failures_are_counted() {
    counting(|counted| async move {
        let mut writes = 0;
        let backend = Shaky::new(move |memory, set| {
            writes += 1;
            let key = outlast_core::Key::new("note", "a").unwrap();
            match writes {
                2 => interfere(memory, &key, "{\"text\":\"theirs\"}"),
                4 => return Fate::Refused(Error::unavailable("away")),
                _ => {}
            }
            let _ = set;
            Fate::Written
        });
        let store = Store::open(backend, StoreOptions::default());
        let notes = store.kind::<Note>();
        notes.create("a", &note("one")).await.unwrap();
        let append = |note: &mut Note| {
            note.text.push_str(", ours");
            Ok(())
        };
        let updated = notes.update("a", append).await.unwrap();
        assert_eq!(updated.text, "theirs, ours");
        assert_eq!(counted.value(telemetry::STORE_RACES), 1);
        assert_eq!(counted.value(telemetry::STORE_CONFLICTS), 1);
        assert_eq!(counted.value(telemetry::STORE_RETRIES), 1);
        assert_eq!(counted.value(telemetry::STORE_FAILURES), 0);
        notes.create("b", &note("two")).await.unwrap_err();
        assert_eq!(counted.value(telemetry::STORE_FAILURES), 1);
    });
}

#[test]
fn what_finds_no_room_is_counted() {
    counting(|counted| async move {
        tokio::time::pause();
        let backend = Shaky::sound();
        let options = StoreOptions { queue_bytes: 1, ..StoreOptions::default() };
        let store = Store::open(backend.clone(), options);
        let _held = backend.hold();
        let (a, b) = (store.kind::<Note>(), store.kind::<Note>());
        let (first, second) = (note("one"), note("two"));
        let (first, second) = tokio::join!(a.create("a", &first), b.create("b", &second));
        assert_eq!(first.unwrap_err().kind(), ErrorKind::Indeterminate);
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(counted.value(telemetry::STORE_SHED), 1);
    });
}

#[tokio::test]
async fn the_backlog_is_what_is_not_answered_and_how_long_the_oldest_waits() {
    let clock = Arc::new(ManualClock::at(Timestamp::default()));
    let backend = Shaky::sound();
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(backend.clone(), options);
    assert_eq!(store.backlog(), Backlog::default());
    let held = backend.hold();
    let write = |id: &'static str| {
        let store = store.clone();
        tokio::spawn(async move { store.kind::<Note>().create(id, &note("text")).await.unwrap() })
    };
    let first = write("a");
    while store.backlog().batches < 1 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_millis(20));
    let second = write("b");
    while store.backlog().batches < 2 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_millis(30));
    while store.backlog().lag_ms != 50 {
        tokio::task::yield_now().await;
    }
    let Backlog { batches, bytes, .. } = store.backlog();
    assert!(batches == 2 && bytes > 2 * "text".len() as u64, "{bytes}");
    drop(held);
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(store.backlog(), Backlog::default());
}

#[tokio::test]
async fn what_was_refused_or_given_up_is_not_in_the_backlog() {
    let store = Store::open(Arc::new(Memory::new(&RandomIds)), StoreOptions::default());
    let key = outlast_core::Key::new("note", "gone").unwrap();
    let mut draft = store.draft();
    draft.op(Op::Delete { key, expect: Expect::Live });
    draft.commit().await.unwrap_err();
    draft.enqueue().await.unwrap();
    store.sync().await.unwrap_err();
    assert_eq!(store.backlog(), Backlog::default());
    store.close().await.unwrap();
    draft.commit().await.unwrap_err();
    assert_eq!(store.backlog(), Backlog::default());
}
