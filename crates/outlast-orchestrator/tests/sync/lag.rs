//! Who does not keep up begins anew; nobody else notices.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use outlast_core::{Prune, PrunePlan, RandomIds, Revision};
use outlast_memory::Memory;
use outlast_orchestrator::sync::{Feed, Message, Mirror, Position, Reason, SyncOptions};
use outlast_orchestrator::telemetry;
use outlast_store::{Store, StoreOptions};

use crate::recorder::counting;
use crate::support::{BACKENDS, commit, contents, delta, follow, init, key, memory, open, put};

fn quiet(queue: usize) -> SyncOptions {
    SyncOptions { queue, beacon: None, ..SyncOptions::default() }
}

/// I9 in ARCHITECTURE.md.
#[test]
fn a_slow_follower_is_told_to_begin_anew_and_the_others_notice_nothing() {
    counting(|counted| async move {
        let store = memory();
        let feed = Feed::of(&store);
        let (mut slow, mut fast) = (feed.subscribe(quiet(2)), feed.subscribe(quiet(256)));
        let (mut behind, mut mirror) = (Mirror::new(), Mirror::new());
        let first = commit(&store, [put(&key("item", "a"), "0")]).await;
        follow(&mut behind, &mut slow, first).await;
        follow(&mut mirror, &mut fast, first).await;
        // Both have to have taken their places before more is written.
        let second = commit(&store, [put(&key("item", "a"), "1")]).await;
        follow(&mut behind, &mut slow, second).await;
        follow(&mut mirror, &mut fast, second).await;
        assert_eq!((feed.followers(), counted.value(telemetry::SYNC_FOLLOWERS)), (2, 2));
        for n in 2..10 {
            let revision = commit(&store, [put(&key("item", "a"), &n.to_string())]).await;
            follow(&mut mirror, &mut fast, revision).await;
        }
        assert_eq!(feed.followers(), 1, "the slow one is out");
        assert_eq!(contents(&mirror), [("item/a".to_owned(), "9".to_owned())]);

        // What was queued before it was out is still told, in order.
        assert_eq!(delta(&mut slow).await.revision, second.next());
        assert_eq!(delta(&mut slow).await.revision, second.next().next());
        let position =
            Position { incarnation: store.info().incarnation, revision: second.next().next() };
        assert_eq!(slow.next().await.unwrap(), Message::Resync(position, Reason::Lagged));
        let snapshot = init(&mut slow).await;
        assert_eq!(snapshot.revision, mirror.position().unwrap().revision);
        assert_eq!(counted.value(telemetry::SYNC_RESYNCS), 1);
        assert_eq!(counted.value(telemetry::SYNC_SNAPSHOTS), 3);
        let last = commit(&store, [put(&key("item", "a"), "10")]).await;
        assert_eq!(delta(&mut slow).await.revision, last);
        assert_eq!(delta(&mut fast).await.revision, last);
        drop((slow, fast));
        assert_eq!(counted.value(telemetry::SYNC_FOLLOWERS), 0);
    });
}

#[tokio::test]
async fn deltas_are_read_once_for_all_who_follow() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let feed = Feed::of(&store);
        let mut followers: Vec<_> = (0..3).map(|_| feed.subscribe(quiet(256))).collect();
        for follower in &mut followers {
            assert_eq!(init(follower).await.revision, Revision::ZERO);
        }
        let first = commit(&store, [put(&key("item", "a"), "0")]).await;
        for follower in &mut followers {
            assert_eq!(delta(follower).await.revision, first);
        }
        let second = commit(&store, [put(&key("item", "a"), "1")]).await;
        let mut told = Vec::new();
        for follower in &mut followers {
            let Message::Delta(delta) = follower.next().await.unwrap() else { panic!() };
            assert_eq!(delta.revision, second);
            told.push(delta);
        }
        assert!(told.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])), "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn silence_is_broken_by_the_position() {
    let store = memory();
    let beacon = Some(Duration::from_millis(1));
    let mut subscription =
        Feed::of(&store).subscribe(SyncOptions { beacon, ..SyncOptions::default() });
    let position = init(&mut subscription).await.position();
    assert_eq!(subscription.next().await.unwrap(), Message::Sync(position));
    assert_eq!(subscription.next().await.unwrap(), Message::Sync(position));
}

#[tokio::test]
async fn what_was_pruned_meanwhile_is_made_up_for_by_a_snapshot() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let item = key("item", "a");
        let mut subscription = Feed::of(&store).subscribe(quiet(256));
        init(&mut subscription).await;
        // It has not taken its place yet: what follows is read from the feed when it is asked.
        for n in 0..5 {
            commit(&store, [put(&item, &n.to_string())]).await;
        }
        let items = vec![Prune::History { key: item.clone(), below: 4 }];
        assert!(store.prune(&PrunePlan { items }, 100).await.unwrap().done);
        let told = subscription.next().await.unwrap();
        assert!(matches!(told, Message::Resync(_, Reason::Compacted)), "{backend}: {told:?}");
        let snapshot = init(&mut subscription).await;
        assert_eq!(snapshot.items[0].state.as_ref().unwrap().as_str(), "4", "{backend}");
        let last = commit(&store, [put(&item, "5")]).await;
        assert_eq!(delta(&mut subscription).await.revision, last, "{backend}: it is told once");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_closed_store_ends_the_feed_with_an_error() {
    let store = memory();
    let mut subscription = Feed::of(&store).subscribe(quiet(256));
    init(&mut subscription).await;
    let waiting = tokio::spawn(async move { subscription.next().await });
    commit(&store, [put(&key("item", "a"), "1")]).await;
    assert!(matches!(waiting.await.unwrap().unwrap(), Message::Delta(_)));
    let mut subscription = Feed::of(&store).subscribe(quiet(256));
    init(&mut subscription).await;
    let waiting = tokio::spawn(async move { subscription.next().await });
    store.close().await.unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), outlast_core::ErrorKind::Closed);
}

#[tokio::test]
async fn as_a_stream_it_ends_with_its_first_error() {
    let store = memory();
    let messages = Feed::of(&store).subscribe(quiet(256)).into_stream();
    let mut messages = std::pin::pin!(messages);
    assert!(matches!(messages.next().await, Some(Ok(Message::Init(_)))));
    commit(&store, [put(&key("item", "a"), "1")]).await;
    assert!(matches!(messages.next().await, Some(Ok(Message::Delta(_)))));
    store.close().await.unwrap();
    assert!(matches!(messages.next().await, Some(Err(_))));
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn nothing_is_read_any_more_once_nobody_follows() {
    let backend = Arc::new(Memory::new(&RandomIds));
    let store = Store::open(backend.clone(), StoreOptions::default());
    let feed = Feed::of(&store);
    for _ in 0..3 {
        let mut followers: Vec<_> = (0..2).map(|_| feed.subscribe(quiet(256))).collect();
        for follower in &mut followers {
            init(follower).await;
        }
        let revision = commit(&store, [put(&key("item", "a"), "1")]).await;
        for follower in &mut followers {
            assert_eq!(delta(follower).await.revision, revision);
        }
        assert_eq!(feed.followers(), 2);
        drop(followers);
        assert_eq!(feed.followers(), 0);
    }
    // The task that read held the store, and so did the store's own task the backend.
    drop((feed, store));
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Arc::strong_count(&backend), 1);
}
