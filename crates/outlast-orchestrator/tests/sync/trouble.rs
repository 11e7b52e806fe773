//! Other processes, damage, and reads that fail.

use std::sync::Arc;

use futures_util::FutureExt;
use outlast_core::{Backend, Error, ErrorKind, RandomIds};
use outlast_memory::Memory;
use outlast_orchestrator::sync::{Feed, Message, SyncOptions};
use outlast_orchestrator::telemetry;
use outlast_store::{Store, StoreOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::hooked::Hooked;
use crate::recorder::counting;
use crate::support::{commit, delta, init, key, names, open, put};

#[tokio::test]
async fn what_another_process_commits_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let (ours, theirs) = (open("sqlite", &path).await, open("sqlite", &path).await);
    let mut subscription = Feed::of(&ours).subscribe(SyncOptions::default());
    init(&mut subscription).await;
    for n in 0..3 {
        let revision = commit(&theirs, [put(&key("item", "a"), &n.to_string())]).await;
        assert_eq!(delta(&mut subscription).await.revision, revision);
    }
    ours.close().await.unwrap();
    theirs.close().await.unwrap();
}

#[tokio::test]
async fn what_is_damaged_is_named_and_hides_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = open("sqlite", &path).await;
    let feed = Feed::of(&store);
    let mut early = feed.subscribe(SyncOptions::default());
    let start = init(&mut early).await.position();
    commit(&store, [put(&key("item", "a"), "1"), put(&key("item", "b"), "1")]).await;
    commit(&store, [put(&key("item", "c"), "1")]).await;
    let mut file = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let sql = "UPDATE history SET state = '2' \
               WHERE entity = (SELECT no FROM entity WHERE id = 'a')";
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
    file.close().await.unwrap();

    let snapshot = init(&mut feed.subscribe(SyncOptions::default())).await;
    assert_eq!(names(&snapshot), ["item/b", "item/c"]);
    assert_eq!(snapshot.damaged.len(), 1);
    assert!(snapshot.damaged[0].contains("item/a"), "{:?}", snapshot.damaged);
    let mut again = feed.subscribe(SyncOptions::default().resuming(start));
    let first = delta(&mut again).await;
    assert_eq!(first.items.len(), 1, "the other entity of that commit is told");
    assert!(first.damaged[0].contains("item/a"), "{:?}", first.damaged);
    assert_eq!(delta(&mut again).await.items[0].key, key("item", "c"), "the feed goes on");
    store.close().await.unwrap();
}

/// A store whose feed can be made to refuse, and a subscription that follows it.
async fn followed() -> (Store, Hooked, outlast_orchestrator::sync::Subscription) {
    let memory: Arc<dyn Backend> = Arc::new(Memory::new(&RandomIds));
    let backend = Hooked::new((memory, None), |_| Ok(()));
    let store = Store::open(Arc::new(backend.clone()), StoreOptions::default());
    let mut subscription = Feed::of(&store).subscribe(SyncOptions::default());
    init(&mut subscription).await;
    commit(&store, [put(&key("item", "a"), "0")]).await;
    delta(&mut subscription).await;
    (store, backend, subscription)
}

#[test]
fn a_read_that_may_succeed_later_is_tried_again() {
    counting(|counted| async move {
        let (store, backend, mut subscription) = followed().await;
        // It takes its place as soon as it is asked for what comes next.
        let mut waiting = Box::pin(subscription.next());
        assert!((&mut waiting).now_or_never().is_none());
        tokio::task::yield_now().await;
        for _ in 0..2 {
            backend.refuse_changes(Error::unavailable("away"));
        }
        let revision = commit(&store, [put(&key("item", "a"), "1")]).await;
        let Message::Delta(told) = waiting.await.unwrap() else { panic!() };
        assert_eq!(told.revision, revision);
        assert_eq!(counted.value(telemetry::SYNC_FAILURES), 2);
    });
}

#[tokio::test]
async fn a_read_that_fails_is_told_and_asking_again_goes_on() {
    let (store, backend, mut subscription) = followed().await;
    let mut waiting = Box::pin(subscription.next());
    assert!((&mut waiting).now_or_never().is_none());
    tokio::task::yield_now().await;
    backend.refuse_changes(Error::corrupt("a commit is missing"));
    let first = commit(&store, [put(&key("item", "a"), "1")]).await;
    let failed = waiting.await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Corrupt);
    let second = commit(&store, [put(&key("item", "a"), "2")]).await;
    assert_eq!(delta(&mut subscription).await.revision, first, "nothing was left out");
    assert_eq!(delta(&mut subscription).await.revision, second);
}
