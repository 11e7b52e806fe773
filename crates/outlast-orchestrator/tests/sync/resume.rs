//! Coming back: what was missed is told, or everything, but never something twice or not at all.

use outlast_core::{Incarnation, Prune, PrunePlan, Revision};
use outlast_orchestrator::sync::{Feed, Message, Mirror, Position, Reaction, Request, SyncOptions};

use crate::support::{
    BACKENDS, commit, contents, delete, delta, event, follow, init, key, line, memory, names, open,
    put,
};

#[tokio::test]
async fn what_was_missed_is_told_and_nothing_else() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let feed = Feed::of(&store);
        let mut mirror = Mirror::new();
        let first =
            commit(&store, [put(&key("item", "a"), "1"), put(&key("item", "b"), "1")]).await;
        let mut subscription = feed.subscribe(SyncOptions::default());
        follow(&mut mirror, &mut subscription, first).await;
        drop(subscription);
        // More than one page of the feed.
        for n in 0..150 {
            commit(&store, [put(&key("item", "a"), &n.to_string()), line("l")]).await;
        }
        let last = commit(&store, [delete(&key("item", "b")), event("gone")]).await;
        let known = mirror.position().unwrap();
        let mut again = feed.subscribe(SyncOptions::default().resuming(known));
        let missed = delta(&mut again).await;
        assert_eq!(missed.revision, first.next(), "{backend}");
        assert_eq!(mirror.apply(&Message::Delta(missed.into())), Reaction::Applied);
        follow(&mut mirror, &mut again, last).await;
        assert_eq!(contents(&mirror), [("item/a".to_owned(), "149".to_owned())], "{backend}");
        assert_eq!(mirror.events().count(), 1, "{backend}");
        let next = commit(&store, [put(&key("item", "c"), "1")]).await;
        assert_eq!(delta(&mut again).await.revision, next, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn it_goes_on_after_the_store_was_closed_and_opened_again() {
    for backend in ["sqlite", "sled"] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let first = commit(&store, [put(&key("item", "a"), "1")]).await;
        let mut mirror = Mirror::new();
        let mut subscription = Feed::of(&store).subscribe(SyncOptions::default());
        follow(&mut mirror, &mut subscription, first).await;
        drop(subscription);
        commit(&store, [put(&key("item", "a"), "2")]).await;
        store.close().await.unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let options = SyncOptions::default().resuming(mirror.position().unwrap());
        let mut again = Feed::of(&store).subscribe(options);
        assert_eq!(delta(&mut again).await.revision, first.next(), "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn another_life_of_the_store_begins_with_a_snapshot() {
    let former = memory();
    commit(&former, [put(&key("item", "a"), "1")]).await;
    let mut mirror = Mirror::new();
    let feed = Feed::of(&former);
    follow(&mut mirror, &mut feed.subscribe(SyncOptions::default()), Revision(1)).await;
    let store = memory();
    for n in 0..3 {
        commit(&store, [put(&key("item", "b"), &n.to_string())]).await;
    }
    let options = SyncOptions::default().resuming(mirror.position().unwrap());
    let mut again = Feed::of(&store).subscribe(options);
    let snapshot = init(&mut again).await;
    assert_eq!(names(&snapshot), ["item/b"]);
    assert_eq!(mirror.apply(&Message::Init(snapshot.into())), Reaction::Applied);
    assert_eq!(contents(&mirror), [("item/b".to_owned(), "2".to_owned())], "nothing of the former");
}

#[tokio::test]
async fn what_the_store_cannot_go_on_from_begins_with_a_snapshot() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("state")).await;
        let item = key("item", "a");
        for n in 0..4 {
            commit(&store, [put(&item, &n.to_string())]).await;
        }
        let incarnation = store.info().incarnation;
        let items = vec![Prune::History { key: item, below: 3 }];
        assert!(store.prune(&PrunePlan { items }, 100).await.unwrap().done);
        let feed = Feed::of(&store);
        let other = Incarnation(uuid::Uuid::nil());
        for (position, why) in [
            (Position { incarnation, revision: Revision(1) }, "it was pruned"),
            (Position { incarnation, revision: Revision(9) }, "it has not been yet"),
            (Position { incarnation: other, revision: Revision(4) }, "it is another life"),
        ] {
            let mut again = feed.subscribe(SyncOptions::default().resuming(position));
            assert_eq!(init(&mut again).await.revision, Revision(4), "{backend}: {why}");
        }
        let kept = Position { incarnation, revision: Revision(3) };
        let mut again = feed.subscribe(SyncOptions::default().resuming(kept));
        assert_eq!(delta(&mut again).await.revision, Revision(4), "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_asked_for_is_the_next_thing_told() {
    let store = memory();
    let mut subscription = Feed::of(&store).subscribe(SyncOptions::default());
    let first = init(&mut subscription).await.position();
    commit(&store, [put(&key("item", "a"), "1")]).await;
    commit(&store, [put(&key("item", "a"), "2")]).await;
    delta(&mut subscription).await;
    subscription.request(Request::GetState);
    subscription.request(Request::GetState);
    let Message::FullState(snapshot) = subscription.next().await.unwrap() else { panic!() };
    assert_eq!(snapshot.revision, Revision(2));
    let last = commit(&store, [put(&key("item", "a"), "3")]).await;
    assert_eq!(delta(&mut subscription).await.revision, last, "it was answered once");
    subscription.request(Request::Resume(first));
    for revision in 1..=3 {
        assert_eq!(delta(&mut subscription).await.revision, Revision(revision));
    }
}
