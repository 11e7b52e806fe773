//! Following one entity.

use futures_util::{FutureExt, StreamExt};
use outlast_core::ErrorKind;

use crate::kinds::{Note, note};
use crate::{kind, store};

#[tokio::test]
async fn a_watch_sees_what_is_and_what_comes_and_the_end() {
    let store = store();
    let notes = store.kind::<Note>();
    let mut watch = notes.watch("a").unwrap();
    assert!(watch.next().await.unwrap().is_none(), "nothing yet");
    let made = notes.create("a", &note("one")).await.unwrap();
    let seen = watch.next().now_or_never().expect("published before it is acknowledged");
    assert_eq!(seen.unwrap().unwrap().version, made.version);
    notes.create("b", &note("other")).await.unwrap();
    assert!(watch.next().now_or_never().is_none(), "another entity is no news");
    notes.replace(&made, note("two")).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().text, "two");
    notes.delete(&notes.get("a").await.unwrap()).await.unwrap();
    assert!(watch.next().await.unwrap().is_none());
    store.close().await.unwrap();
    assert_eq!(kind(watch.next().await), ErrorKind::Closed);
    assert_eq!(kind(watch.next().await), ErrorKind::Closed);
}

#[tokio::test]
async fn a_waiting_watch_learns_that_the_store_was_closed() {
    let store = store();
    let watch = store.kind::<Note>().watch("a").unwrap();
    let waiting = tokio::spawn(watch.into_stream().collect::<Vec<_>>());
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let seen = waiting.await.unwrap();
    assert_eq!(seen.len(), 2, "nothing, then the error, then the end");
    assert_eq!(seen[1].as_ref().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_watch_that_fell_far_behind_still_sees_the_last_state() {
    let store = store();
    let notes = store.kind::<Note>();
    let mut stored = notes.create("a", &note("0")).await.unwrap();
    let mut watch = notes.watch("a").unwrap();
    watch.next().await.unwrap();
    for n in 1..=3000 {
        stored = notes.replace_later(&stored, note(&n.to_string())).await.unwrap();
    }
    store.sync().await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().text, "3000");
    assert!(watch.next().now_or_never().is_none());
}

#[tokio::test]
async fn nothing_is_lost_by_dropping_the_future_of_a_watch() {
    let notes = store().kind::<Note>();
    let mut watch = notes.watch("a").unwrap();
    watch.next().await.unwrap();
    assert!(watch.next().now_or_never().is_none());
    notes.create("a", &note("one")).await.unwrap();
    notes.create("b", &note("other")).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().text, "one");
}
