//! Writing without waiting, and the barrier that tells what became of it.

use outlast_core::{ErrorKind, Result};
use outlast_store::{Store, StoreOptions};
use tokio::task::yield_now;

use crate::kinds::{Note, note};
use crate::shaky::Shaky;
use crate::store;

#[tokio::test]
async fn later_writes_are_applied_in_order_and_settled_by_a_sync() {
    let store = store();
    let notes = store.kind::<Note>();
    let mut stored = notes.create("a", &note("0")).await.unwrap();
    for n in 1..=100 {
        stored = notes.replace_later(&stored, note(&n.to_string())).await.unwrap();
        assert_eq!(stored.version.n, n + 1);
    }
    store.sync().await.unwrap();
    let read = notes.get("a").await.unwrap();
    assert_eq!((read.version, read.text.as_str()), (stored.version, "100"));
    let next = notes.replace(&stored, note("on")).await.unwrap();
    assert_eq!(next.version.n, 102, "the promised version was the real one");
}

async fn with_failures(store: &Store, count: usize) -> Result<()> {
    let notes = store.kind::<Note>();
    let stale = notes.create("a", &note("one")).await?;
    notes.replace(&stale, note("two")).await?;
    for _ in 0..count {
        notes.replace_later(&stale, note("three")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn failures_are_told_once_with_their_number() {
    let store = store();
    with_failures(&store, 3).await.unwrap();
    let error = store.sync().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().starts_with("3 enqueued commits"), "{error}");
    assert!(error.to_string().contains("note/a"), "{error}");
    assert!(error.mismatch().is_some());
    store.sync().await.unwrap();
    assert_eq!(store.kind::<Note>().get("a").await.unwrap().text, "two");
}

#[tokio::test]
async fn closing_tells_of_failures_too() {
    let store = store();
    with_failures(&store, 1).await.unwrap();
    let error = store.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(store.kind::<Note>().get("a").await.unwrap_err().kind(), ErrorKind::Closed);
    store.close().await.unwrap();
}

#[tokio::test]
async fn failures_wait_for_a_sync_that_somebody_waits_for() {
    let backend = Shaky::sound();
    let store = Store::open(backend.clone(), StoreOptions::default());
    with_failures(&store, 2).await.unwrap();
    let abandoned = tokio::spawn({
        let store = store.clone();
        async move { store.sync().await }
    });
    // Handed in, and given up before the backend has synced.
    yield_now().await;
    abandoned.abort();
    for _ in 0..20 {
        yield_now().await;
    }
    let error = store.sync().await.unwrap_err();
    assert!(error.to_string().starts_with("2 enqueued commits"), "{error}");
}
