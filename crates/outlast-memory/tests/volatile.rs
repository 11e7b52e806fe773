//! What is the volatile store's own: bounds on what it keeps, and answers from large tables.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    AttrName, Attributes, Backend, Batch, Cause, Clock, Expect, Filter, IdSource, Json, Key, Kind,
    ManualClock, Op, Order, Outcome, Page, Prune, PrunePlan, Put, Query, REMEMBERED_FOR, RandomIds,
    ReadSet, Slot, SystemClock, Test,
};
use outlast_memory::Memory;
use outlast_store::{Store, StoreOptions};

fn key(n: i64) -> Key {
    Key::new("item", format!("k{n:05}")).unwrap()
}

fn put(key: Key, attrs: Attributes) -> Op {
    let state = Json::encode(&0).unwrap();
    Op::Put(Put { key, expect: Expect::Any, schema: 1, attrs, state })
}

fn x() -> AttrName {
    AttrName::new("x").unwrap()
}

/// Entities whose `x` runs against their ids.
async fn filled(count: i64) -> Store {
    let store = Store::open(Arc::new(Memory::new(&RandomIds)), StoreOptions::default());
    let all: Vec<i64> = (0..count).collect();
    for chunk in all.chunks(1000) {
        let ops = chunk.iter().map(|n| put(key(*n), Attributes::from([(x(), (count - n).into())])));
        let batch = Batch::new(RandomIds.commit_id(), Cause::default());
        store.commit(Batch { ops: ops.collect(), ..batch }).await.unwrap();
    }
    store
}

async fn ids(store: &Store, mut query: Query) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = store.list(&query).await.unwrap();
        found.extend(page.items.into_iter().map(|slot| match slot {
            Slot::Live(record) => record.key.id().to_owned(),
            other => panic!("{other:?}"),
        }));
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn short_and_long_ranges_are_answered_alike() {
    let count = 10_000;
    let store = filled(count).await;
    for width in [0, 1, 10, 4095, 4096, 4097, 9_000, 10_000] {
        let test = Test::Within(Bound::Unbounded, Bound::Included(width.into()));
        let query = Query {
            page: Page::first(997),
            ..Query::of(Kind::new("item").unwrap()).filter(Filter { name: x(), test })
        };
        let mut expected: Vec<String> =
            (count - width..count).map(|n| key(n).id().to_owned()).collect();
        assert_eq!(ids(&store, query.clone()).await, expected, "{width} by id");
        expected.reverse();
        let down = Query { descending: true, ..query.clone() };
        assert_eq!(ids(&store, down).await, expected, "{width} by id, descending");
        let by_value = Query { order: Order::Attr(x()), ..query };
        assert_eq!(ids(&store, by_value).await, expected, "{width} by value");
    }
}

#[tokio::test]
async fn commits_are_forgotten_with_their_history_once_old() {
    let now = SystemClock::default().now();
    let clock = Arc::new(ManualClock::at(now));
    let backend = Arc::new(Memory::new(&RandomIds));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(backend.clone(), options);
    let batch = |op| Batch::new(RandomIds.commit_id(), Cause::default()).with(op);
    let old = batch(put(key(1), Attributes::new()));
    store.commit(old.clone()).await.unwrap();
    clock.advance(REMEMBERED_FOR.saturating_sub(Duration::from_mins(1)));
    store.commit(batch(put(key(1), Attributes::new()))).await.unwrap();

    let forget = |before| {
        let history = Prune::History { key: key(1), below: 2 };
        PrunePlan { items: vec![history, Prune::Commits { before }] }
    };
    store.prune(&forget(clock.now().minus(REMEMBERED_FOR)), 10).await.unwrap();
    assert!(matches!(store.commit(old.clone()).await, Ok(Outcome::Replayed(_))));

    clock.advance(Duration::from_mins(2));
    let newer = Batch { id: old.id, ..batch(put(key(2), Attributes::new())) };
    assert!(store.commit(newer).await.is_err(), "the id still names another batch");
    let reads = ReadSet { commits: [old.id].into(), ..ReadSet::default() };
    assert_eq!(backend.fetch(&reads).await.unwrap().commits.len(), 1);
    store.prune(&forget(clock.now().minus(REMEMBERED_FOR)), 10).await.unwrap();
    assert_eq!(backend.fetch(&reads).await.unwrap().commits.len(), 0);
    assert!(store.commit(old).await.is_err(), "the id is too old to be applied again");
}

#[tokio::test]
async fn pruned_entries_give_their_memory_back() {
    let store = filled(2_000).await;
    let full = store.backend().size().await.unwrap().bytes;
    let stream = Key::new("log", "a").unwrap();
    let entry = outlast_core::NewEntry { at: None, attrs: Attributes::new(), data: vec![0; 9_000] };
    let append = Op::Append { stream: stream.clone(), entries: vec![entry; 20] };
    let batch = Batch::new(RandomIds.commit_id(), Cause::default()).with(append);
    store.commit(batch).await.unwrap();
    assert!(store.backend().size().await.unwrap().bytes > full + 180_000);
    let plan = PrunePlan { items: vec![Prune::Stream(stream)] };
    while !store.prune(&plan, 7).await.unwrap().done {}
    assert_eq!(store.backend().size().await.unwrap().bytes, full);
}
