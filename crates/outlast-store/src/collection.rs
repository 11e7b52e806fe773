//! The typed handle for one kind of entity.

use std::fmt;
use std::marker::PhantomData;

use futures_core::Stream;
use futures_util::stream;
use outlast_core::{
    AttrName, Attributes, Cause, Counts, Entity, Error, ErrorKind, HistoryQuery, Key, Kind, Listed,
    Page, Query, Receipt, Result, Scope, Status, Version,
};

use crate::Store;
use crate::draft::{Draft, key_of};
use crate::stored::{Origin, Past, Stored};
use crate::watch::Watch;

/// All entities of one kind in a store. Cheap to clone.
///
/// # Cancel safety
///
/// Dropping the future of a read ([`get`](Collection::get), [`find`](Collection::find),
/// [`list`](Collection::list), [`count`](Collection::count), [`history`](Collection::history)) or
/// the [`stream`](Collection::stream) is harmless. Dropping that of any other method applies its
/// change whole or not at all; which of them, is learned by reading again. A dropped
/// [`update`](Collection::update), [`transition`](Collection::transition) or
/// [`rollback_to`](Collection::rollback_to) gives up its turn, so others on the same entity go on.
///
/// # Errors of every method
///
/// `Invalid` or `TooLarge` for an id that breaks the rules of [`Id`](outlast_core::Id), and those
/// of [`Store`]: for a change those of [`Store::commit`].
pub struct Collection<T> {
    pub(crate) store: Store,
    pub(crate) cause: Cause,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), cause: self.cause.clone(), kind: PhantomData }
    }
}

impl<T: Entity> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("kind", &T::KIND).finish_non_exhaustive()
    }
}

impl<T: Entity> Collection<T> {
    pub(crate) fn new(store: Store) -> Self {
        let cause = store.cause().clone();
        Self { store, cause, kind: PhantomData }
    }

    /// The same, with changes made by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// The key of an entity of this kind; `Invalid` or `TooLarge` if the id breaks the rules.
    pub fn key(&self, id: &str) -> Result<Key> {
        key_of::<T>(id)
    }

    fn draft(&self) -> Draft {
        let mut draft = self.store.draft();
        draft.cause(self.cause.clone());
        draft
    }

    /// Creates an entity. `Exists` if it is there; one that was deleted may be created again and
    /// goes on counting versions.
    pub async fn create(&self, id: &str, value: &T) -> Result<Stored<T>> {
        let mut draft = self.draft();
        draft.create(id, value)?;
        let receipt = draft.commit().await?;
        let key = self.key(id)?;
        let version = written(&receipt, &key)?;
        Stored::created(key, version, receipt.at, value.clone())
    }

    /// Reads an entity. `NotFound` if it does not live, `Corrupt` if its bytes are damaged or
    /// have another shape, `Incompatible` if a newer program wrote it.
    pub async fn get(&self, id: &str) -> Result<Stored<T>> {
        let key = self.key(id)?;
        let record = self.store.record(&key).await?.ok_or_else(|| missing(&key))?;
        Stored::decode(record)
    }

    /// Reads an entity that may not live. Errors as for [`get`](Collection::get), without
    /// `NotFound`.
    pub async fn find(&self, id: &str) -> Result<Option<Stored<T>>> {
        self.store.record(&self.key(id)?).await?.map(Stored::decode).transpose()
    }

    /// Reads an entity, changes it, and writes it back.
    ///
    /// Closures on one entity queue within this process. When another process was faster, the
    /// entity is read anew and the closure applied again, as often as the store's
    /// [`Retry`](crate::Retry) says; then `RetriesExhausted`. An error of the closure passes
    /// through and nothing is written; so does `IllegalTransition` when it changed the status to
    /// one that may not follow. Otherwise errors as for [`get`](Collection::get).
    ///
    /// The closure may run several times: it should do nothing but change the value.
    pub async fn update(
        &self,
        id: &str,
        mut change: impl FnMut(&mut T) -> Result<()> + Send,
    ) -> Result<Stored<T>> {
        let _turn = self.store.inner.locks.lock(&self.key(id)?).await;
        let mut tries = 0;
        loop {
            let (origin, mut value) = self.get(id).await?.open()?;
            change(&mut value)?;
            match self.write_over(origin, value).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.store.inner.options.retry.pause(&mut tries, error).await?;
                }
                other => return other,
            }
        }
    }

    /// Makes `value` the next version of what was read. `Conflict` if it changed meanwhile: an
    /// expectation the caller gave is never tried again. `IllegalTransition` if its status may not
    /// follow.
    ///
    /// In a store whose [`locking`](crate::StoreOptions::locking) is off it becomes the next
    /// version of whatever lives.
    pub async fn replace(&self, stored: &Stored<T>, value: T) -> Result<Stored<T>> {
        let mut draft = self.draft();
        draft.replace(stored, &value)?;
        let receipt = draft.commit().await?;
        stored.advanced(value, written(&receipt, &stored.key)?, receipt.at)
    }

    async fn write_over(&self, origin: Origin<T>, value: T) -> Result<Stored<T>> {
        let mut draft = self.draft();
        let content = draft.replace_origin(&origin, &value)?;
        let receipt = draft.commit().await?;
        let version = written(&receipt, &origin.key)?;
        Ok(origin.advanced(value, content, version, receipt.at))
    }

    /// Moves an entity to another state: `IllegalTransition`, naming both, if its present one
    /// does not allow it or reserves the move for an operation meant for it. Tried again like
    /// [`update`](Collection::update).
    pub async fn transition(&self, id: &str, to: T::Status) -> Result<Stored<T>> {
        let what = format!("{}/{id}", T::KIND);
        self.update(id, |value| {
            if let Some(from) = value.status() {
                from.check_plain_move(to, &what)?;
            }
            value.set_status(to);
            Ok(())
        })
        .await
    }

    /// Writes the next version without waiting for it, and says what it will be.
    ///
    /// The write is applied in the order of such calls. If it cannot be, the next
    /// [`Store::sync`] says so; until then the answer is a promise, not a fact. Errors as for
    /// [`Store::enqueue`], and `IllegalTransition` at once. Since it promises a version, versions
    /// are compared whatever the store's options.
    pub async fn replace_later(&self, stored: &Stored<T>, value: T) -> Result<Stored<T>> {
        let mut draft = self.draft();
        draft.compare()?.replace(stored, &value)?;
        draft.enqueue().await?;
        let epoch = stored.version.epoch.max(self.store.info().epoch);
        let version = Version { epoch, n: stored.version.n + 1 };
        stored.advanced(value, version, self.store.clock().now())
    }

    /// Deletes what was read, leaving a tombstone. `Conflict` if it changed meanwhile, unless the
    /// store's [`locking`](crate::StoreOptions::locking) is off.
    pub async fn delete(&self, stored: &Stored<T>) -> Result<()> {
        let mut draft = self.draft();
        draft.delete(stored);
        draft.commit().await.map(drop)
    }

    /// Sets transient attributes: heartbeats and progress, without version or history. `NotFound`
    /// if the entity does not live.
    pub async fn touch(&self, id: &str, attrs: Attributes) -> Result<()> {
        let mut draft = self.draft();
        draft.touch(self.key(id)?, attrs);
        draft.commit().await.map(drop)
    }

    /// All live entities of the kind, to be narrowed down.
    pub fn query(&self) -> Result<Query> {
        Ok(Query::of(Kind::new(T::KIND)?))
    }

    /// One page of entities. One that cannot be decoded is an error in its place and does not
    /// hide the others. `Invalid` or `TooLarge` for a query that breaks a rule.
    pub async fn list(&self, query: &Query) -> Result<Listed<Result<Stored<T>>>> {
        let Listed { items, next } = self.store.list(query).await?;
        let decoded = items.into_iter().filter_map(|slot| match slot.live() {
            Ok(record) => record.map(Stored::decode),
            Err(error) => Some(Err(error)),
        });
        Ok(Listed { items: decoded.collect(), next })
    }

    /// All entities that match, page by page, as a stream. It ends after the first error of a
    /// page; an entity that cannot be decoded is an error in its place.
    pub fn stream(&self, query: Query) -> impl Stream<Item = Result<Stored<T>>> + Send + 'static {
        let pages = stream::unfold((self.clone(), Some(query)), |(kind, query)| async move {
            let query = query?;
            match kind.list(&query).await {
                Ok(page) => {
                    let next =
                        page.next.map(|next| Query { page: query.page.after(next), ..query });
                    Some((page.items, (kind, next)))
                }
                Err(error) => Some((vec![Err(error)], (kind, None))),
            }
        });
        futures_util::StreamExt::flat_map(pages, stream::iter)
    }

    /// How many live entities match, by group.
    pub async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.store.count(query, by).await
    }

    /// One page of an entity's versions, the newest first. One that cannot be decoded is an error
    /// in its place. `Invalid` or `TooLarge` for a page that breaks a rule.
    pub async fn history(&self, id: &str, page: Page) -> Result<Listed<Result<Past<T>>>> {
        let scope = Scope::Entity(self.key(id)?);
        let query = HistoryQuery { newest_first: true, page, ..HistoryQuery::of(scope) };
        let Listed { items, next } = self.store.history(&query).await?;
        let decode = |version: outlast_core::Verified<_>| Past::decode(version?);
        Ok(Listed { items: items.into_iter().map(decode).collect(), next })
    }

    /// Follows one entity: first as it is, then each later state of it.
    ///
    /// States that were superseded before they could be looked at may be left out; the last one
    /// never is. Changes of this process are seen at once, those of others within a second.
    /// Transient attributes come with each state, but do not make one.
    pub fn watch(&self, id: &str) -> Result<Watch<T>> {
        Ok(Watch::new(self.store.clone(), self.key(id)?))
    }
}

/// That an entity does not live, as an error.
pub(crate) fn missing(key: &Key) -> Error {
    Error::new(ErrorKind::NotFound, format!("{key} does not exist"))
}

/// The version a commit gave an entity it wrote.
pub(crate) fn written(receipt: &Receipt, key: &Key) -> Result<Version> {
    receipt
        .version(key)
        .ok_or_else(|| Error::internal(format!("the receipt of {} lacks {key}", receipt.id)))
}
