//! A typed batch over any number of entities and kinds: all of it or nothing.

use outlast_core::{
    Attributes, Batch, Cause, CommitId, Durability, Entity, Event, Expect, Id, Json, Key, Kind,
    NewEntry, Op, Receipt, Result, StreamName,
};

use crate::stored::{Stored, put};
use crate::{Store, commit};

/// A batch being filled. Nothing happens until it is committed or enqueued.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # use std::sync::Arc;
/// # use outlast_store::{Store, StoreOptions};
/// # use outlast_core::{Entity, NoStatus, RandomIds};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Debug, Serialize, Deserialize)]
/// # struct Account { cents: i64 }
/// # impl Entity for Account { type Status = NoStatus; const KIND: &'static str = "account"; }
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let accounts = store.kind::<Account>();
/// let ann = accounts.create("ann", &Account { cents: 100 }).await?;
/// let bob = accounts.create("bob", &Account { cents: 0 }).await?;
///
/// let mut transfer = store.draft();
/// transfer.replace(&ann, &Account { cents: 60 })?.replace(&bob, &Account { cents: 40 })?;
/// transfer.commit().await?;
///
/// assert_eq!(accounts.get("bob").await?.cents, 40);
/// # Ok::<(), outlast_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a draft does nothing until it is committed"]
pub struct Draft {
    store: Store,
    batch: Batch,
}

impl Draft {
    pub(crate) fn new(store: Store) -> Self {
        let batch = Batch::new(store.ids().commit_id(), store.cause().clone());
        Self { store, batch }
    }

    /// Who changes it, and why.
    pub fn cause(&mut self, cause: Cause) -> &mut Self {
        self.batch.cause = cause;
        self
    }

    /// A commit id of the caller's own, to be able to repeat the commit after a crash.
    pub fn id(&mut self, id: CommitId) -> &mut Self {
        self.batch.id = id;
        self
    }

    /// The least durability to accept; a store that gives less refuses with `Unsupported`.
    pub fn at_least(&mut self, durability: Durability) -> &mut Self {
        self.batch.durability = durability;
        self
    }

    /// Adds an operation of the untyped contract.
    pub fn op(&mut self, op: Op) -> &mut Self {
        self.batch.ops.push(op);
        self
    }

    /// Creates an entity; the commit fails with `Exists` if it is there.
    pub fn create<T: Entity>(&mut self, id: &str, value: &T) -> Result<&mut Self> {
        let op = put(key_of::<T>(id)?, value, Expect::Absent, Json::encode(value)?)?;
        Ok(self.op(op))
    }

    /// Makes `value` the next version of what was read; the commit fails with `Conflict` if it
    /// changed meanwhile, and this call with `IllegalTransition` if its status may not follow.
    pub fn replace<T: Entity>(&mut self, stored: &Stored<T>, value: &T) -> Result<&mut Self> {
        let op = stored.next(value)?;
        Ok(self.op(op))
    }

    /// Deletes what was read; the commit fails with `Conflict` if it changed meanwhile.
    pub fn delete<T: Entity>(&mut self, stored: &Stored<T>) -> &mut Self {
        let (key, expect) = (stored.key.clone(), Expect::At(stored.version));
        self.op(Op::Delete { key, expect })
    }

    /// Lets the commit fail with `Conflict` unless what was read is still the present version.
    pub fn fence<T: Entity>(&mut self, stored: &Stored<T>) -> &mut Self {
        let (key, expect) = (stored.key.clone(), Expect::At(stored.version));
        self.op(Op::Assert { key, expect })
    }

    /// Sets transient attributes: no version, no history, the last value wins.
    pub fn touch(&mut self, key: Key, attrs: Attributes) -> &mut Self {
        self.op(Op::Touch { key, attrs })
    }

    /// Adds entries to the end of a stream.
    pub fn append(&mut self, stream: StreamName, entries: Vec<NewEntry>) -> &mut Self {
        self.op(Op::Append { stream, entries })
    }

    /// Adds an event to the log, so that it is there if and only if the rest is. `TooLarge` for an
    /// event over [`Event::MAX_BYTES`].
    pub fn report(&mut self, event: &Event) -> Result<&mut Self> {
        let (log, entry) = (Event::log()?, event.entry()?);
        for op in &mut self.batch.ops {
            if let Op::Append { stream, entries } = op
                && *stream == log
            {
                entries.push(entry);
                return Ok(self);
            }
        }
        Ok(self.append(log, vec![entry]))
    }

    /// What it would commit.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.batch.ops.is_empty()
    }

    /// Commits it: `NotFound`, `Exists` or `Conflict` if an expectation does not hold, else as
    /// [`Store::commit`]. Cancel safety as there.
    pub async fn commit(&self) -> Result<Receipt> {
        commit::receipt(self.store.commit(self.batch.clone()).await?)
    }

    /// Hands it in without waiting, as [`Store::enqueue`].
    pub async fn enqueue(&self) -> Result<()> {
        self.store.enqueue(self.batch.clone()).await
    }
}

/// The key of an entity of a kind.
pub(crate) fn key_of<T: Entity>(id: &str) -> Result<Key> {
    Ok(Key::of(Kind::new(T::KIND)?, Id::new(id)?))
}
