//! Deadlines and the bounded queue.

use std::time::Duration;

use outlast_core::{ErrorKind, Outcome};
use outlast_store::{Draft, Store, StoreOptions};

use crate::kind;
use crate::kinds::{Note, note};
use crate::shaky::{Fate, Shaky};

fn create(store: &Store, id: &str, text: &str) -> Draft {
    let mut draft = store.draft();
    draft.create(id, &note(text)).unwrap();
    draft
}

fn options() -> StoreOptions {
    StoreOptions { deadline: Duration::from_secs(1), ..StoreOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_leaves_the_commit_in_doubt_and_its_id_tells() {
    let backend = Shaky::sound();
    let store = Store::open(backend.clone(), options());
    let held = backend.hold();
    let draft = create(&store, "a", "one");
    let error = draft.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(error.to_string().contains(&draft.batch().id.to_string()), "{error}");
    assert_eq!(kind(store.sync().await), ErrorKind::Indeterminate);
    drop(held);
    let outcome = store.commit(draft.batch().clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Replayed(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_deadline_once() {
    let backend = Shaky::sound();
    let store = Store::open(backend.clone(), StoreOptions { queue: 1, ..options() });
    let _held = backend.hold();
    let (first, second) = (create(&store, "a", "one"), create(&store, "b", "two"));
    let start = tokio::time::Instant::now();
    let (first, second) = tokio::join!(first.commit(), second.commit());
    assert_eq!(kind(first), ErrorKind::Indeterminate);
    assert_eq!(kind(second), ErrorKind::Indeterminate);
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

/// Fills the queue, and checks that what found no room was not applied.
async fn full(options: StoreOptions, text: &str) {
    let backend = Shaky::sound();
    let store = Store::open(backend.clone(), options);
    let held = backend.hold();
    for id in ["a", "b"] {
        let waiting = create(&store, id, text);
        tokio::spawn(async move { waiting.commit().await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    let refused = create(&store, "c", text);
    let error = refused.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    let error = refused.enqueue().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    drop(held);
    store.sync().await.unwrap();
    let notes = store.kind::<Note>();
    assert!(notes.find("b").await.unwrap().is_some(), "what had room was applied");
    assert!(notes.find("c").await.unwrap().is_none());
    refused.commit().await.unwrap();
}

/// I9 in ARCHITECTURE.md.
#[tokio::test(start_paused = true)]
async fn a_queue_full_of_requests_is_busy() {
    full(StoreOptions { queue: 1, ..options() }, "x").await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_full_of_bytes_is_busy() {
    full(StoreOptions { queue_bytes: 64 << 10, ..options() }, &"x".repeat(32_000)).await;
}

#[tokio::test]
async fn a_batch_over_the_bytes_of_the_queue_still_gets_its_turn() {
    let store = Store::open(Shaky::sound(), StoreOptions { queue_bytes: 1, ..options() });
    for id in ["a", "b", "c"] {
        create(&store, id, &"x".repeat(100_000)).commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_write_that_was_applied_but_lost_is_in_doubt_and_its_id_tells() {
    let mut writes = 0;
    let backend = Shaky::new(move |_, _| {
        writes += 1;
        let lost = outlast_core::Error::indeterminate("the disk did not answer");
        if writes == 1 { Fate::AppliedButLost(lost) } else { Fate::Written }
    });
    let store = Store::open(backend, options());
    let notes = store.kind::<Note>();
    let mut watch = notes.watch("a").unwrap();
    assert!(watch.next().await.unwrap().is_none());
    let draft = create(&store, "a", "one");
    assert_eq!(kind(draft.commit().await), ErrorKind::Indeterminate);
    assert_eq!(watch.next().await.unwrap().unwrap().text, "one", "watchers look for themselves");
    let outcome = store.commit(draft.batch().clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Replayed(_)), "{outcome:?}");
}
