//! A folder with a store in it, and the shortest way from a batch to its outcome.

use std::path::PathBuf;

use outlast_core::{
    Actor, AttrName, AttrValue, Attributes, Backend, Batch, Cause, Clock, CommitId, Durability,
    Expect, IdSource, Json, Key, NewEntry, Op, OpenOptions, Outcome, PlanContext, Put, RandomIds,
    Receipt, Slot, StreamName, SystemClock, Version, Written, plan, read_set,
};
use outlast_sqlite::Sqlite;
use outlast_sqlite::schema::Migration;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

/// A folder of its own.
pub(crate) struct House(TempDir);

impl House {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path("state.db")
    }

    pub(crate) async fn open(&self) -> Sqlite {
        Sqlite::open(&self.file(), &OpenOptions::default(), &RandomIds).await.unwrap()
    }

    /// The names in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs SQL as a foreign program would.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<SqliteRow> {
        let mut file = self.foreign().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut file).await;
        file.close().await.unwrap();
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) async fn foreign(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.file());
        options.pragma("trusted_schema", "0").connect().await.unwrap()
    }
}

pub(crate) const FIRST: Migration = Migration {
    version: 1,
    name: "init",
    up: include_str!("../../migrations/0001_init.up.sql"),
    down: include_str!("../../migrations/0001_init.down.sql"),
};

pub(crate) const SECOND: Migration = Migration {
    version: 2,
    name: "domain_views",
    up: include_str!("../../migrations/0002_domain_views.up.sql"),
    down: include_str!("../../migrations/0002_domain_views.down.sql"),
};

pub(crate) fn key(kind: &str, id: &str) -> Key {
    Key::new(kind, id).unwrap()
}

pub(crate) fn attrs(pairs: &[(&str, AttrValue)]) -> Attributes {
    pairs.iter().map(|(name, value)| (AttrName::new(name).unwrap(), value.clone())).collect()
}

pub(crate) fn put(key: &Key, state: &str) -> Op {
    put_with(key, state, Attributes::new())
}

pub(crate) fn put_with(key: &Key, state: &str, attrs: Attributes) -> Op {
    let state = Json::parse(state).unwrap();
    Op::Put(Put { key: key.clone(), expect: Expect::Any, schema: 1, attrs, state })
}

pub(crate) fn append(stream: &StreamName, data: &[&[u8]]) -> Op {
    let entry = |data: &&[u8]| NewEntry { at: None, attrs: Attributes::new(), data: data.to_vec() };
    Op::Append { stream: stream.clone(), entries: data.iter().map(entry).collect() }
}

pub(crate) fn batch(ops: impl IntoIterator<Item = Op>) -> Batch {
    let cause = Cause::by(Actor::System);
    Batch { ops: ops.into_iter().collect(), ..Batch::new(commit_id(), cause) }
}

pub(crate) fn commit_id() -> CommitId {
    RandomIds.commit_id()
}

fn context(store: &Sqlite) -> PlanContext {
    let now = SystemClock::default().now();
    PlanContext { now, epoch: store.info().epoch, durability: Durability::Durable }
}

/// Fetches, plans and writes once: `None` if another writer was first.
pub(crate) async fn attempt(
    store: &Sqlite,
    batch: &Batch,
) -> outlast_core::Result<Option<Outcome>> {
    let view = store.fetch(&read_set([batch])).await?;
    let mut planned = plan(view, [batch], &context(store));
    let outcome = planned.outcomes.remove(0)?;
    match store.write(&planned.set).await? {
        Written::Applied(_) => Ok(Some(outcome)),
        Written::Raced => Ok(None),
    }
}

pub(crate) async fn send(store: &Sqlite, batch: &Batch) -> outlast_core::Result<Outcome> {
    loop {
        if let Some(outcome) = attempt(store, batch).await? {
            return Ok(outcome);
        }
    }
}

/// Applies operations that have to succeed.
pub(crate) async fn apply(store: &Sqlite, ops: impl IntoIterator<Item = Op>) -> Receipt {
    match send(store, &batch(ops)).await.unwrap() {
        Outcome::Applied(receipt) => receipt,
        other => panic!("not applied: {other:?}"),
    }
}

pub(crate) async fn slot(store: &Sqlite, key: &Key) -> Slot {
    store.get(std::slice::from_ref(key)).await.unwrap().remove(0)
}

/// The state of a live entity with its version, or `None`.
pub(crate) async fn live(store: &Sqlite, key: &Key) -> Option<(Version, String)> {
    let record = slot(store, key).await.live().unwrap()?;
    Some((record.version, record.state.to_string()))
}

/// Fails with everything that was found, if anything was.
pub(crate) async fn assert_whole(store: &Sqlite) {
    use outlast_core::Admin;
    let found = store.verify().await.unwrap();
    assert_eq!(found.damaged, 0, "{found:?}");
}
