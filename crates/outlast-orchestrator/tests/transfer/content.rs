//! Small pieces of content, written past the typed layer.

use outlast_core::{
    AttrName, AttrValue, Attributes, Backend, Batch, Cause, Entry, Expect, IdSource, Json, Key,
    NewEntry, Op, PlanContext, Prune, PrunePlan, Put, RandomIds, Seq, Timestamp, Versioned, plan,
    read_set,
};
use outlast_memory::Memory;
use outlast_store::Store;

pub(crate) fn key(id: &str) -> Key {
    Key::new("note", id).unwrap()
}

pub(crate) fn log(id: &str) -> Key {
    Key::new("log", id).unwrap()
}

pub(crate) fn put(key: Key, state: &str) -> Op {
    let attrs = Attributes::new();
    Op::Put(Put { key, expect: Expect::Any, schema: 1, attrs, state: Json::parse(state).unwrap() })
}

pub(crate) fn delete(key: Key) -> Op {
    Op::Delete { key, expect: Expect::Any }
}

pub(crate) fn append(stream: Key, data: &[&str]) -> Op {
    let entry = |data: &&str| NewEntry { at: None, attrs: Attributes::new(), data: (*data).into() };
    Op::Append { stream, entries: data.iter().map(entry).collect() }
}

pub(crate) fn touch(key: Key, name: &str, value: i64) -> Op {
    Op::Touch { key, attrs: attrs(name, value) }
}

pub(crate) fn attrs(name: &str, value: i64) -> Attributes {
    Attributes::from([(AttrName::new(name).unwrap(), AttrValue::Int(value))])
}

pub(crate) fn batch(op: Op) -> Batch {
    Batch::new(RandomIds.commit_id(), Cause::default()).with(op)
}

pub(crate) async fn commit(store: &Store, op: Op) {
    store.commit(batch(op)).await.unwrap();
}

pub(crate) async fn prune(store: &Store, item: Prune) {
    let plan = PrunePlan { items: vec![item] };
    while !store.prune(&plan, 1000).await.unwrap().done {}
}

/// Commits at once, without waiting for anybody, as another process would.
pub(crate) fn interfere(memory: &Memory, op: Op) {
    let batch = batch(op);
    let view = now(memory.fetch(&read_set([&batch]))).unwrap();
    let info = memory.info();
    let now_at = Timestamp::default();
    let context = PlanContext { now: now_at, epoch: info.epoch, durability: info.durability };
    let set = plan(view, [&batch], &context).set;
    now(memory.write(&set)).unwrap();
}

/// The result of a future that is ready at its first poll.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("a store in memory never waits"),
    }
}

pub(crate) async fn versions(store: &Store, key: Key) -> Vec<Versioned> {
    let scope = outlast_core::Scope::Entity(key);
    let page = store.history(&outlast_core::HistoryQuery::of(scope)).await.unwrap();
    page.items.into_iter().map(Result::unwrap).collect()
}

pub(crate) async fn entries(store: &Store, stream: Key) -> Vec<Entry> {
    let page = store.read(&outlast_core::StreamQuery::of(stream)).await.unwrap();
    page.items.into_iter().map(Result::unwrap).collect()
}

pub(crate) async fn revision(store: &Store) -> u64 {
    store.backend().fetch(&outlast_core::ReadSet::default()).await.unwrap().revision.0
}

pub(crate) fn up_to(stream: Key, seq: u64) -> Prune {
    Prune::Entries { stream, up_to: Seq(seq) }
}
