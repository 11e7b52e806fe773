//! Batches over several entities and kinds.

use outlast_core::{Durability, ErrorKind, Key, NewEntry, Outcome, StreamQuery};
use outlast_store::{Store, StoreOptions};

use crate::kinds::{Counter, Note, note};
use crate::shaky::{Fate, Shaky};
use crate::{kind, store};

fn entry(text: &str) -> NewEntry {
    NewEntry { at: None, attrs: outlast_core::Attributes::new(), data: text.into() }
}

#[tokio::test]
async fn a_batch_over_kinds_and_streams_is_one_commit() {
    let store = store();
    let log = Key::new("log", "a").unwrap();
    let mut draft = store.draft();
    assert!(draft.is_empty());
    draft.create("a", &note("one")).unwrap().create("c", &Counter { n: 1 }).unwrap();
    draft.append(log.clone(), vec![entry("x"), entry("y")]);
    let receipt = draft.commit().await.unwrap();
    assert_eq!((receipt.versions.len(), receipt.appended.len()), (2, 1));
    let versions = store.changes(outlast_core::Revision::ZERO, 10).await.unwrap().items;
    assert_eq!(versions.len(), 1, "one commit");
    let page = store.read(&StreamQuery::of(log)).await.unwrap();
    assert_eq!(page.items.len(), 2);
}

#[tokio::test]
async fn a_batch_with_one_stale_expectation_changes_nothing() {
    let store = store();
    let (notes, counters) = (store.kind::<Note>(), store.kind::<Counter>());
    let stale = notes.create("a", &note("one")).await.unwrap();
    let counter = counters.create("c", &Counter { n: 1 }).await.unwrap();
    notes.replace(&stale, note("two")).await.unwrap();
    let mut draft = store.draft();
    draft.replace(&counter, &Counter { n: 2 }).unwrap();
    draft.replace(&stale, &note("three")).unwrap();
    draft.append(Key::new("log", "a").unwrap(), vec![entry("x")]);
    let error = draft.commit().await.unwrap_err();
    assert_eq!((error.kind(), &error.mismatch().unwrap().key), (ErrorKind::Conflict, &stale.key));
    assert_eq!(counters.get("c").await.unwrap().n, 1);
    assert!(store.kinds().await.unwrap().streams.is_empty());
}

#[tokio::test]
async fn a_fence_lets_the_commit_through_only_while_it_holds() {
    let store = store();
    let right = store.kind::<Note>().create("right", &note("mine")).await.unwrap();
    let write = |id: &'static str| {
        let mut draft = store.draft();
        draft.fence(&right).create(id, &Counter { n: 1 }).unwrap();
        async move { draft.commit().await }
    };
    write("before").await.unwrap();
    store.kind::<Note>().replace(&right, note("theirs")).await.unwrap();
    let error = write("after").await.unwrap_err();
    assert_eq!((error.kind(), &error.mismatch().unwrap().key), (ErrorKind::Conflict, &right.key));
    assert!(store.kind::<Counter>().find("after").await.unwrap().is_none());
    let mut alone = store.draft();
    alone.fence(&right);
    assert_eq!(kind(alone.commit().await), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_repeated_commit_is_told_from_another_under_its_id() {
    let store = store();
    let mut draft = store.draft();
    draft.create("a", &note("one")).unwrap();
    let first = draft.commit().await.unwrap();
    let again = store.commit(draft.batch().clone()).await.unwrap();
    assert_eq!(again, Outcome::Replayed(first));
    let mut other = store.draft();
    other.id(draft.batch().id).create("b", &note("two")).unwrap();
    assert_eq!(kind(other.commit().await), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_durability_the_store_does_not_give_is_refused_before_anything_happens() {
    let store = store();
    let mut draft = store.draft();
    draft.at_least(Durability::Durable).create("a", &note("one")).unwrap();
    assert_eq!(kind(draft.commit().await), ErrorKind::Unsupported);
    assert!(store.kind::<Note>().find("a").await.unwrap().is_none());
}

#[tokio::test]
async fn a_batch_the_backend_refuses_does_not_take_its_group_along() {
    let bad = Key::new("note", "bad").unwrap();
    let backend = Shaky::new(move |_, set| {
        let versions = set.commits.iter().flat_map(|commit| &commit.versions);
        let refused = versions.into_iter().any(|version| version.key == bad);
        if refused {
            Fate::Refused(outlast_core::Error::invalid("not this"))
        } else {
            Fate::Written
        }
    });
    let held = backend.hold();
    let store = Store::open(backend, StoreOptions::default());
    let commits: Vec<_> = (0..40)
        .map(|n| {
            let id = if n == 27 { "bad".to_owned() } else { n.to_string() };
            let notes = store.kind::<Note>();
            tokio::spawn(async move { notes.create(&id, &note("x")).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(held);
    for (n, commit) in commits.into_iter().enumerate() {
        let result = commit.await.unwrap();
        assert_eq!(result.is_ok(), n != 27, "{n}: {result:?}");
    }
}
