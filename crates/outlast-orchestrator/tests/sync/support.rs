//! Short ways to write something and to read what is told about it.

use outlast_core::{
    Attributes, Batch, Event, EventCategory, EventLevel, Expect, Json, Key, NewEntry, Op, Outcome,
    Put, Revision,
};
use outlast_orchestrator::sync::{Delta, Message, Mirror, Reaction, Snapshot, Subscription};
use outlast_store::Store;

pub(crate) use crate::opened::{BACKENDS, memory, open};

pub(crate) fn key(kind: &str, id: &str) -> Key {
    Key::new(kind, id).unwrap()
}

pub(crate) fn put(key: &Key, state: &str) -> Op {
    let (attrs, state) = (Attributes::new(), Json::parse(state).unwrap());
    Op::Put(Put { key: key.clone(), expect: Expect::Any, schema: 1, attrs, state })
}

pub(crate) fn delete(key: &Key) -> Op {
    Op::Delete { key: key.clone(), expect: Expect::Live }
}

pub(crate) fn event(message: &str) -> Op {
    let event = Event::new(EventCategory::System, EventLevel::Info, message);
    Op::Append { stream: Event::log().unwrap(), entries: vec![event.entry().unwrap()] }
}

pub(crate) fn line(stream: &str) -> Op {
    let entry = NewEntry { at: None, attrs: Attributes::new(), data: b"line".to_vec() };
    Op::Append { stream: key("log", stream), entries: vec![entry] }
}

/// Commits operations; `None` if an expectation did not hold.
pub(crate) async fn try_commit(store: &Store, ops: Vec<Op>) -> Option<Revision> {
    let batch = Batch { ops, ..Batch::new(store.ids().commit_id(), store.cause().clone()) };
    match store.commit(batch).await.unwrap() {
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => Some(receipt.revision),
        Outcome::Conflict { .. } => None,
    }
}

pub(crate) async fn commit(store: &Store, ops: impl IntoIterator<Item = Op>) -> Revision {
    try_commit(store, ops.into_iter().collect()).await.unwrap()
}

/// The next message, which has to be a delta.
pub(crate) async fn delta(subscription: &mut Subscription) -> Delta {
    match subscription.next().await.unwrap() {
        Message::Delta(delta) => (*delta).clone(),
        other => panic!("not a delta: {other:?}"),
    }
}

/// The next message, which has to be the first snapshot.
pub(crate) async fn init(subscription: &mut Subscription) -> Snapshot {
    match subscription.next().await.unwrap() {
        Message::Init(snapshot) => (*snapshot).clone(),
        other => panic!("not a snapshot: {other:?}"),
    }
}

/// The keys of a snapshot.
pub(crate) fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.items.iter().map(|item| item.key.to_string()).collect()
}

/// Applies what is told up to a revision.
pub(crate) async fn follow(mirror: &mut Mirror, subscription: &mut Subscription, to: Revision) {
    while mirror.position().is_none_or(|at| at.revision < to) {
        let message = subscription.next().await.unwrap();
        assert_ne!(mirror.apply(&message), Reaction::Ignored, "{message:?}");
    }
}

/// What a mirror holds, as pairs of keys and contents.
pub(crate) fn contents(mirror: &Mirror) -> Vec<(String, String)> {
    let state = |item: &outlast_orchestrator::sync::Item| item.state.clone().unwrap().to_string();
    mirror.items().map(|item| (item.key.to_string(), state(item))).collect()
}
