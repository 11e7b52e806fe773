//! Tests that look inside.

mod basics;
mod damage;
mod directory;
mod failure;
mod kill;

use std::path::Path;
use std::time::Duration;

use outlast_core::{
    AttrName, Backend, Batch, Cause, Clock, Durability, Epoch, Expect, IdSource, Json, Key,
    NewEntry, Op, OpenOptions, Outcome, PlanContext, Put, RandomIds, Receipt, Result, SystemClock,
    Written, plan, read_set,
};

use crate::Sled;

/// A store at a path, made if it is not there.
pub(crate) async fn open(path: &Path) -> Sled {
    Sled::open(path, &options(), &RandomIds).await.unwrap()
}

/// What tests open stores with: nothing waits long for a lock.
pub(crate) fn options() -> OpenOptions {
    OpenOptions { busy_timeout: Duration::from_millis(300), ..OpenOptions::default() }
}

/// Fetches, plans and writes batches as one group; what the last of them came to.
pub(crate) async fn commit(store: &Sled, batches: &[Batch]) -> Result<Vec<Result<Outcome>>> {
    let view = store.fetch(&read_set(batches)).await?;
    let context = PlanContext {
        now: SystemClock::default().now(),
        epoch: Epoch::default(),
        durability: Durability::Durable,
    };
    let planned = plan(view, batches, &context);
    match store.write(&planned.set).await? {
        Written::Applied(durability) => assert_eq!(durability, Durability::Durable),
        Written::Raced => panic!("nobody else writes"),
    }
    Ok(planned.outcomes)
}

/// Commits one batch that must apply.
pub(crate) async fn apply(store: &Sled, batch: Batch) -> Receipt {
    match commit(store, &[batch]).await.unwrap().remove(0).unwrap() {
        Outcome::Applied(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn batch() -> Batch {
    Batch::new(RandomIds.commit_id(), Cause::default())
}

pub(crate) fn key(id: &str) -> Key {
    Key::new("task", id).unwrap()
}

pub(crate) fn name(name: &str) -> AttrName {
    AttrName::new(name).unwrap()
}

/// Writes an entity with a state, a status and a rank, whatever was there.
pub(crate) fn put(id: &str, state: &str, status: &str, rank: i64) -> Op {
    Op::Put(Put {
        key: key(id),
        expect: Expect::Any,
        schema: 1,
        attrs: [(name("status"), status.into()), (name("rank"), rank.into())].into(),
        state: Json::encode(state).unwrap(),
    })
}

pub(crate) fn append(id: &str, lines: &[&str]) -> Op {
    let entries = lines.iter().map(|line| NewEntry {
        at: None,
        attrs: [(name("level"), "info".into())].into(),
        data: line.as_bytes().to_vec(),
    });
    Op::Append { stream: Key::new("log", id).unwrap(), entries: entries.collect() }
}

pub(crate) fn delete(id: &str) -> Op {
    Op::Delete { key: key(id), expect: Expect::Live }
}

/// The seed of a random test; `OUTLAST_SEED` replays one.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("OUTLAST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("replay with OUTLAST_SEED={seed} cargo test -p outlast-sled");
    seed
}
