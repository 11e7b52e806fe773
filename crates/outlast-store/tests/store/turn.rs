//! Reading, deciding and committing as one, over several entities.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use outlast_core::{Error, ErrorKind, Event, EventCategory, EventLevel, Key, StreamQuery, Version};
use outlast_memory::Memory;
use outlast_store::{Retry, Store, StoreOptions};

use crate::kinds::{Counter, Note, note};
use crate::{kind, memory, store};

const QUICK: Retry = Retry {
    max_tries: 3,
    base_delay: Duration::from_micros(10),
    max_delay: Duration::from_millis(1),
};

fn open(memory: &Arc<Memory>) -> Store {
    Store::open(memory.clone(), StoreOptions { retry: QUICK, ..StoreOptions::default() })
}

async fn add(store: &Store, ids: &[&str]) -> Result<(), Error> {
    let counters = store.kind::<Counter>();
    let keys: Vec<Key> = ids.iter().map(|id| counters.key(id).unwrap()).collect();
    let attempt = || async {
        let mut draft = store.draft();
        for id in ids {
            let read = counters.get(id).await?;
            tokio::task::yield_now().await;
            draft.replace(&read, &Counter { n: read.n + 1 })?;
        }
        Ok((draft, ()))
    };
    store.commit_with(&keys, attempt).await.map(drop)
}

async fn counted(store: &Store, id: &str) -> u64 {
    store.kind::<Counter>().get(id).await.unwrap().n
}

const ORDERS: [&[&str]; 6] =
    [&["a", "b"], &["b", "a"], &["b", "c", "a"], &["c", "b"], &["a", "c"], &["c"]];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_keys_in_any_order_never_lock_each_other_out() {
    let store = store();
    for id in ["a", "b", "c"] {
        store.kind().create(id, &Counter { n: 0 }).await.unwrap();
    }
    let tasks = ORDERS.iter().cycle().take(300).map(|ids| {
        let store = store.clone();
        // Default settings: within a process turns leave nothing to try again.
        tokio::spawn(async move { add(&store, ids).await.unwrap() })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let counts =
        [counted(&store, "a").await, counted(&store, "b").await, counted(&store, "c").await];
    assert_eq!(counts, [200; 3]);
}

#[tokio::test]
async fn attempts_take_their_turns_in_the_order_they_came() {
    let store = store();
    let notes = store.kind::<Note>();
    notes.create("a", &note("")).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..20_u32 {
        let (store, notes) = (store.clone(), notes.clone());
        tasks.push(tokio::spawn(async move {
            let attempt = || async {
                let read = notes.get("a").await?;
                for _ in 0..n % 3 {
                    tokio::task::yield_now().await;
                }
                let mut draft = store.draft();
                draft.replace(&read, &note(&format!("{} {n}", read.text)))?;
                Ok((draft, ()))
            };
            store.commit_with(&[notes.key("a").unwrap()], attempt).await.unwrap();
        }));
        // On the one thread of this test it has now asked for its turn.
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let order: Vec<String> = (0..20).map(|n| format!(" {n}")).collect();
    assert_eq!(notes.get("a").await.unwrap().text, order.concat());
}

#[tokio::test]
async fn a_key_named_twice_is_one_turn() {
    let store = store();
    let counters = store.kind::<Counter>();
    counters.create("a", &Counter { n: 0 }).await.unwrap();
    let keys = [counters.key("a").unwrap(), counters.key("a").unwrap()];
    let attempt = || async {
        let read = counters.get("a").await?;
        let mut draft = store.draft();
        draft.replace(&read, &Counter { n: 5 })?;
        Ok((draft, read.n))
    };
    let (receipt, before) = store.commit_with(&keys, attempt).await.unwrap();
    assert_eq!((receipt.unwrap().versions.len(), before), (1, 0));
}

#[tokio::test]
async fn closures_and_attempts_on_one_entity_queue() {
    let store = store();
    let counters = store.kind::<Counter>();
    counters.create("a", &Counter { n: 0 }).await.unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                if n % 2 == 0 {
                    return add(&store, &["a"]).await.unwrap();
                }
                let add = |counter: &mut Counter| {
                    counter.n += 1;
                    Ok(())
                };
                store.kind::<Counter>().update("a", add).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(counted(&store, "a").await, 40);
}

/// Runs attempts that another store over the same content is faster than, and says how many.
async fn beaten(times: u32) -> (u32, Result<(), Error>, u64) {
    let memory = memory();
    let (ours, theirs) = (open(&memory), open(&memory));
    let counters = ours.kind::<Counter>();
    counters.create("a", &Counter { n: 0 }).await.unwrap();
    let ran = AtomicU32::new(0);
    let attempt = || async {
        let read = counters.get("a").await?;
        if ran.fetch_add(1, Ordering::Relaxed) < times {
            add(&theirs, &["a"]).await?;
        }
        let mut draft = ours.draft();
        draft.replace(&read, &Counter { n: read.n + 100 })?;
        Ok((draft, ()))
    };
    let result = ours.commit_with(&[counters.key("a").unwrap()], attempt).await;
    (ran.load(Ordering::Relaxed), result.map(drop), counted(&ours, "a").await)
}

#[tokio::test]
async fn an_attempt_that_was_overtaken_is_made_again() {
    let (ran, result, n) = beaten(2).await;
    result.unwrap();
    assert_eq!((ran, n), (3, 102));
}

#[tokio::test]
async fn attempts_end() {
    let (ran, result, n) = beaten(u32::MAX).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), ran, n), (ErrorKind::RetriesExhausted, 3, 3));
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.downcast_ref::<Error>().unwrap().mismatch().is_some());
}

#[tokio::test]
async fn an_empty_draft_commits_nothing() {
    let store = store();
    let (receipt, answer) =
        store.commit_with(&[], || async { Ok((store.draft(), "looked")) }).await.unwrap();
    assert_eq!((receipt, answer), (None, "looked"));
    let feed = store.changes(outlast_core::Revision::ZERO, 10).await.unwrap();
    assert!(feed.items.is_empty());
}

#[tokio::test]
async fn what_an_attempt_refuses_is_not_tried_again() {
    let store = store();
    let notes = store.kind::<Note>();
    let first = notes.create("a", &note("one")).await.unwrap();
    let second = notes.replace(&first, note("two")).await.unwrap();
    let tries = AtomicU32::new(0);
    let at = |given: Option<Version>| {
        let (store, notes, tries) = (&store, &notes, &tries);
        async move {
            let attempt = || async {
                tries.fetch_add(1, Ordering::Relaxed);
                let read = notes.get("a").await?;
                store.check_version(&read, given)?;
                let mut draft = store.draft();
                draft.replace(&read, &note("mine"))?;
                Ok((draft, ()))
            };
            store.commit_with(&[notes.key("a").unwrap()], attempt).await
        }
    };
    let error = at(Some(first.version)).await.unwrap_err();
    let mismatch = error.mismatch().unwrap();
    assert_eq!((mismatch.expected, mismatch.actual), (Some(first.version), Some(second.version)));
    assert_eq!((error.kind(), tries.load(Ordering::Relaxed)), (ErrorKind::Conflict, 1));
    at(Some(second.version)).await.unwrap();
    at(None).await.unwrap();
    assert_eq!(notes.get("a").await.unwrap().version.n, 4);
}

#[tokio::test]
async fn a_given_version_that_is_overtaken_is_refused_with_what_is_there() {
    let memory = memory();
    let (ours, theirs) = (open(&memory), open(&memory));
    let counters = ours.kind::<Counter>();
    let made = counters.create("a", &Counter { n: 0 }).await.unwrap();
    let attempt = || async {
        let read = counters.get("a").await?;
        ours.check_version(&read, Some(made.version))?;
        add(&theirs, &["a"]).await?;
        let mut draft = ours.draft();
        draft.replace(&read, &Counter { n: 9 })?;
        Ok((draft, ()))
    };
    let error = ours.commit_with(&[counters.key("a").unwrap()], attempt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.mismatch().unwrap().actual.map(|version| version.n), Some(2));
}

#[tokio::test]
async fn attempts_compare_also_with_the_locking_off() {
    let memory = memory();
    let options = StoreOptions { retry: QUICK, locking: false, ..StoreOptions::default() };
    let (ours, theirs) = (Store::open(memory.clone(), options), open(&memory));
    let counters = ours.kind::<Counter>();
    counters.create("a", &Counter { n: 0 }).await.unwrap();
    let ran = AtomicU32::new(0);
    let attempt = || async {
        let read = counters.get("a").await?;
        if ran.fetch_add(1, Ordering::Relaxed) == 0 {
            add(&theirs, &["a"]).await?;
        }
        let mut draft = ours.draft();
        draft.replace(&read, &Counter { n: read.n + 100 })?;
        Ok((draft, ()))
    };
    ours.commit_with(&[counters.key("a").unwrap()], attempt).await.unwrap();
    assert_eq!((ran.load(Ordering::Relaxed), counted(&ours, "a").await), (2, 101));
}

#[tokio::test]
async fn events_are_there_if_and_only_if_what_they_report_is() {
    let store = store();
    let event = |message: &str| Event::new(EventCategory::Ops, EventLevel::Info, message);
    let notes = store.kind::<Note>();
    let stale = notes.create("a", &note("one")).await.unwrap();
    let mut draft = store.draft();
    draft.report(&event("first")).unwrap().replace(&stale, &note("two")).unwrap();
    draft.report(&event("second")).unwrap();
    let receipt = draft.commit().await.unwrap();
    assert_eq!(receipt.appended.len(), 1, "in one stream, in order: {receipt:?}");
    let mut lost = store.draft();
    lost.replace(&stale, &note("three")).unwrap().report(&event("lost")).unwrap();
    assert_eq!(kind(lost.commit().await), ErrorKind::Conflict);
    let page = store.read(&StreamQuery::of(Event::log().unwrap())).await.unwrap();
    let told = page.items.into_iter().map(|entry| {
        let event: Event = serde_json::from_slice(&entry.unwrap().data).unwrap();
        event.message
    });
    assert_eq!(told.collect::<Vec<_>>(), ["first", "second"]);
    let huge = event(&"x".repeat(Event::MAX_BYTES));
    assert_eq!(kind(store.draft().report(&huge).map(drop)), ErrorKind::TooLarge);
}
