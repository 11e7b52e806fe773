//! How a store ends: closed, dropped, or by a backend that panics.

use outlast_core::{Backend, ErrorKind, Key, PrunePlan, Query, Revision, Slot};
use outlast_store::{Store, StoreOptions};
use tokio::task::yield_now;

use crate::kinds::{Note, note};
use crate::shaky::Shaky;
use crate::{kind, memory, store};

#[tokio::test]
async fn a_closed_store_answers_every_call_with_closed_and_closes_again() {
    let store = store();
    let notes = store.kind::<Note>();
    let made = notes.create("a", &note("one")).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(kind(notes.get("a").await), ErrorKind::Closed);
    assert_eq!(kind(notes.create("b", &note("two")).await), ErrorKind::Closed);
    assert_eq!(kind(notes.update("a", |_| Ok(())).await), ErrorKind::Closed);
    assert_eq!(kind(notes.replace_later(&made, note("two")).await), ErrorKind::Closed);
    assert_eq!(kind(store.sync().await), ErrorKind::Closed);
    assert_eq!(kind(store.prune(&PrunePlan::default(), 1).await), ErrorKind::Closed);
    assert_eq!(kind(store.list(&Query::of(made.key.kind.clone())).await), ErrorKind::Closed);
    assert_eq!(kind(store.changes(Revision::ZERO, 1).await), ErrorKind::Closed);
    assert_eq!(kind(store.kinds().await), ErrorKind::Closed);
    assert_eq!(kind(store.verify().await), ErrorKind::Closed);
    assert_eq!(store.info().name, "memory", "what it is stays known");
}

#[tokio::test]
async fn everything_before_a_close_is_settled_and_everything_after_is_refused() {
    let backend = Shaky::sound();
    let store = Store::open(backend.clone(), StoreOptions::default());
    let held = backend.hold();
    let mut tasks = Vec::new();
    for n in 0..20 {
        let (store, notes) = (store.clone(), store.kind::<Note>());
        tasks.push(tokio::spawn(async move {
            match n {
                10 => store.close().await,
                15 => store.sync().await,
                _ => notes.create(&n.to_string(), &note("x")).await.map(drop),
            }
        }));
        yield_now().await;
    }
    drop(held);
    for (n, task) in tasks.into_iter().enumerate() {
        let result = task.await.unwrap();
        match result {
            Ok(()) => assert!(n <= 10, "{n}"),
            Err(error) => assert!(n > 10 && error.kind() == ErrorKind::Closed, "{n}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn what_was_handed_in_is_applied_after_the_last_handle_is_gone() {
    let memory = memory();
    let store = Store::open(memory.clone(), StoreOptions::default());
    for n in 0..500 {
        let mut draft = store.draft();
        draft.create(&n.to_string(), &note("x")).unwrap();
        draft.enqueue().await.unwrap();
    }
    drop(store);
    let last = Key::new("note", "499").unwrap();
    for _ in 0..100 {
        yield_now().await;
    }
    let slots = memory.get(&[last]).await.unwrap();
    assert!(matches!(slots.as_slice(), [Slot::Live(_)]), "{slots:?}");
}

fn panicking() -> (std::sync::Arc<Shaky>, Store) {
    let backend = Shaky::new(|_, _| panic!("a defect in the backend"));
    (backend.clone(), Store::open(backend, StoreOptions::default()))
}

#[tokio::test]
async fn a_backend_that_panics_leaves_nobody_hanging() {
    let (backend, store) = panicking();
    let held = backend.hold();
    let mut watch = store.kind::<Note>().watch("a").unwrap();
    watch.next().await.unwrap();
    let watching = tokio::spawn(async move { watch.next().await.map(drop) });
    let calls: Vec<_> = (0..5)
        .map(|n| {
            let notes = store.kind::<Note>();
            tokio::spawn(async move { notes.create(&n.to_string(), &note("x")).await.map(drop) })
        })
        .collect();
    let barrier = tokio::spawn({
        let store = store.clone();
        async move { store.sync().await }
    });
    yield_now().await;
    drop(held);
    for call in calls {
        assert_eq!(kind(call.await.unwrap()), ErrorKind::Indeterminate);
    }
    assert_eq!(kind(barrier.await.unwrap()), ErrorKind::Poisoned);
    assert_eq!(kind(watching.await.unwrap()), ErrorKind::Poisoned);
    let notes = store.kind::<Note>();
    assert_eq!(kind(notes.create("a", &note("x")).await), ErrorKind::Poisoned);
    assert_eq!(kind(store.sync().await), ErrorKind::Poisoned);
    assert!(notes.find("a").await.unwrap().is_none(), "reads go on");
}

#[tokio::test]
async fn closing_after_a_panic_closes_the_backend_and_says_what_happened() {
    let (_, store) = panicking();
    let notes = store.kind::<Note>();
    assert_eq!(kind(notes.create("a", &note("x")).await), ErrorKind::Indeterminate);
    assert_eq!(kind(store.close().await), ErrorKind::Poisoned);
    assert_eq!(kind(notes.get("a").await), ErrorKind::Closed);
}

#[test]
fn a_store_outlives_its_runtime_with_an_error() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let store = first.block_on(async { store() });
    first.block_on(async { store.kind::<Note>().create("a", &note("x")).await }).unwrap();
    drop(first);
    let result = runtime().block_on(async { store.kind::<Note>().create("b", &note("x")).await });
    assert_eq!(kind(result), ErrorKind::Poisoned);
}
