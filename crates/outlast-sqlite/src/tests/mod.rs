//! What can only be tested from inside: the statements that run, and connections that fail.

mod faults;
mod known;
pub(crate) mod plans;

use std::path::Path;

use outlast_core::{
    Actor, AttrName, AttrValue, Attributes, Batch, Cause, CommitId, Durability, Epoch, Expect,
    IdSource, Json, Key, NewEntry, Op, OpenOptions, Outcome, PlanContext, Put, RandomIds, Result,
    Timestamp, Written, plan, read_set,
};

use crate::Sqlite;

async fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("state.db"), &OpenOptions::default(), &RandomIds).await.unwrap()
}

fn key(kind: &str, id: &str) -> Key {
    Key::new(kind, id).unwrap()
}

fn put(key: &Key, state: &str, rank: i64) -> Op {
    let name = |name: &str| AttrName::new(name).unwrap();
    let attrs = [
        (name("rank"), AttrValue::Int(rank)),
        (AttrName::status(), AttrValue::from(if rank % 2 == 0 { "even" } else { "odd" })),
    ];
    let (attrs, state) = (Attributes::from(attrs), Json::parse(state).unwrap());
    Op::Put(Put { key: key.clone(), expect: Expect::Any, schema: 1, attrs, state })
}

fn append(stream: &Key, data: &[u8]) -> Op {
    let entry = NewEntry { at: None, attrs: Attributes::new(), data: data.to_vec() };
    Op::Append { stream: stream.clone(), entries: vec![entry] }
}

fn batch(ops: impl IntoIterator<Item = Op>) -> Batch {
    let id: CommitId = RandomIds.commit_id();
    Batch { ops: ops.into_iter().collect(), ..Batch::new(id, Cause::by(Actor::System)) }
}

async fn send(store: &Sqlite, batch: &Batch) -> Result<Outcome> {
    let view = store.fetch_view(&read_set([batch])).await?;
    let now = Timestamp::from_micros(0);
    let context = PlanContext { now, epoch: Epoch(1), durability: Durability::Durable };
    let mut planned = plan(view, [batch], &context);
    let outcome = planned.outcomes.remove(0)?;
    assert!(matches!(store.write_set(&planned.set).await?, Written::Applied(_)));
    Ok(outcome)
}
