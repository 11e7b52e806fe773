//! A typed batch over any number of entities and kinds: all of it or nothing.

use outlast_core::{
    Actor, Attributes, Batch, Cause, CommitId, Durability, Entity, Error, Event, Expect, Id, Json,
    Key, Kind, NewEntry, Op, Put, Receipt, Result, Status, StreamName, Version,
};

use serde_json::{Map, Value};

use crate::secrets::Redactor;
use crate::stored::{Origin, Stored, put};
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
    /// Whether versions are compared that were given with what was read.
    compare: bool,
    /// Those that are not, so that they can be after all.
    given: Vec<Given>,
    redactors: Vec<Redactor>,
}

/// A version that was given and is not compared.
#[derive(Clone, Debug)]
struct Given {
    /// The place of its operation.
    place: usize,
    version: Version,
    /// What is wrong with the change if that is the version it is made of.
    illegal: Option<Error>,
}

impl Draft {
    pub(crate) fn new(store: Store) -> Self {
        let batch = Batch::new(store.ids().commit_id(), Cause::default());
        let compare = store.compares;
        let cause = store.cause().clone();
        let mut draft = Self { store, batch, compare, given: Vec::new(), redactors: Vec::new() };
        draft.cause(cause);
        draft
    }

    /// Who changes it, and why. Where nobody is named it is who the store names, else the system.
    pub fn cause(&mut self, mut cause: Cause) -> &mut Self {
        let nobody = || self.store.cause().actor.clone().unwrap_or(Actor::System);
        cause.actor = Some(cause.actor.unwrap_or_else(nobody));
        for redactor in &self.redactors {
            redactor.metadata(&mut cause);
        }
        self.batch.cause = cause;
        self
    }

    /// Compares the versions of what was read also where the store's
    /// [`locking`](crate::StoreOptions::locking) is off, as one of
    /// [`Store::comparing`] does: both of what is here already and of what
    /// is added later: for what was decided from what was read.
    ///
    /// `IllegalTransition` for what is here and may not follow what was read.
    pub fn compare(&mut self) -> Result<&mut Self> {
        self.compare = true;
        for given in self.given.drain(..) {
            if let Some(error) = given.illegal {
                return Err(error);
            }
            if let Some(Op::Put(Put { expect, .. }) | Op::Delete { expect, .. }) =
                self.batch.ops.get_mut(given.place)
            {
                *expect = Expect::At(given.version);
            }
        }
        Ok(self)
    }

    /// Notes that a version was given that is not compared.
    fn not_compared(&mut self, version: Version, illegal: Option<Error>) {
        self.given.push(Given { place: self.batch.ops.len(), version, illegal });
    }

    /// Takes the secrets of a kind out of what is said about changes to it.
    fn redact<T: Entity>(&mut self) {
        if let Some(redactor) = Redactor::of::<T>() {
            self.redact_by(redactor);
        }
    }

    pub(crate) fn redact_by(&mut self, redactor: Redactor) {
        redactor.metadata(&mut self.batch.cause);
        self.redactors.push(redactor);
    }

    /// Adds to the metadata of the cause what holds no secret. Metadata that is no object is kept
    /// under `given`.
    pub(crate) fn add_metadata(&mut self, named: [(&str, Value); 2]) -> Result<()> {
        let mut metadata = match self.batch.cause.metadata.as_ref().map(Json::decode).transpose()? {
            None => Map::new(),
            Some(Value::Object(metadata)) => metadata,
            Some(other) => Map::from_iter([("given".to_owned(), other)]),
        };
        metadata.extend(named.map(|(name, value)| (name.to_owned(), value)));
        self.batch.cause.metadata = Some(Json::encode(&metadata)?);
        Ok(())
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
        self.redact::<T>();
        Ok(self.op(op))
    }

    /// Makes `value` the next version of what was read; the commit fails with `Conflict` if it
    /// changed meanwhile, and this call with `IllegalTransition` if its status may not follow.
    ///
    /// In a store whose [`locking`](crate::StoreOptions::locking) is off it becomes the next
    /// version of whatever lives, and the commit fails with `IllegalTransition` if its status may
    /// not follow the one that is there.
    pub fn replace<T: Entity>(&mut self, stored: &Stored<T>, value: &T) -> Result<&mut Self> {
        let op = if self.compare {
            stored.next(value)?
        } else {
            let expect = value.status().map_or(Expect::Live, |to| Expect::Status(to.origins()));
            let op = stored.expecting(expect, value)?;
            self.not_compared(stored.version, stored.check_next(value).err());
            op
        };
        self.redact::<T>();
        Ok(self.op(op))
    }

    /// Makes `value` the next version of what was read, which is compared in any case. Hands back
    /// the content that is going to be stored.
    pub(crate) fn replace_origin<T: Entity>(
        &mut self,
        origin: &Origin<T>,
        value: &T,
    ) -> Result<Json> {
        let op = origin.next(value)?;
        let Op::Put(Put { state, .. }) = &op else {
            return Err(Error::internal("a version is not put"));
        };
        let content = state.clone();
        self.redact::<T>();
        self.op(op);
        Ok(content)
    }

    /// Deletes what was read; the commit fails with `Conflict` if it changed meanwhile, unless the
    /// store's [`locking`](crate::StoreOptions::locking) is off.
    pub fn delete<T: Entity>(&mut self, stored: &Stored<T>) -> &mut Self {
        let expect = if self.compare {
            Expect::At(stored.version)
        } else {
            self.not_compared(stored.version, None);
            Expect::Live
        };
        self.redact::<T>();
        self.op(Op::Delete { key: stored.key.clone(), expect })
    }

    /// Lets the commit fail with `Conflict` unless what was read is still the present version,
    /// whatever the store's options.
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
