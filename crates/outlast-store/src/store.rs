//! The handle everything goes through.

use std::sync::Arc;

use outlast_core::{
    AttrName, Backend, BackendInfo, Batch, Cause, Change, Clock, Counts, Entity, Entry, Error,
    HistoryQuery, IdSource, Key, Kind, Kinds, Listed, Outcome, Page, PrunePlan, Pruned, Query,
    Result, Revision, Slot, StreamExtent, StreamQuery, Verification, Verified, Versioned,
};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use crate::collection::Collection;
use crate::draft::Draft;
use crate::lock::KeyLocks;
use crate::options::StoreOptions;
use crate::sequencer::{Barrier, Driver, Published, Request};

/// A cheap handle to one store; clones share everything.
///
/// # Cancel safety
///
/// Dropping the future of a read is harmless. Dropping that of [`commit`](Store::commit) or
/// [`enqueue`](Store::enqueue) never splits a batch: it is applied whole or not at all, and
/// repeating it with the same commit id tells which. Dropping the last handle without
/// [`close`](Store::close) lets what was handed in finish in the background, as long as the
/// runtime lives; what was acknowledged is as durable as its receipt said in any case.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    backend: Arc<dyn Backend>,
    pub(crate) options: StoreOptions,
    requests: mpsc::Sender<Request>,
    published: broadcast::Sender<Published>,
    pub(crate) locks: KeyLocks,
}

/// How many commits a watcher may fall behind before it has to read anew.
const WATCH_BACKLOG: usize = 1024;

impl Store {
    /// Puts a store over a backend. Must be called within a tokio runtime.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use outlast_core::RandomIds;
    /// use outlast_store::{Store, StoreOptions};
    /// use std::sync::Arc;
    ///
    /// let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
    /// let store = Store::open(backend, StoreOptions::default());
    /// store.close().await
    /// # }).unwrap();
    /// ```
    pub fn open(backend: Arc<dyn Backend>, options: StoreOptions) -> Self {
        let (requests, received) = mpsc::channel(options.queue.max(1));
        let (published, _) = broadcast::channel(WATCH_BACKLOG);
        let clock = options.clock.clone();
        let driver = Driver::new(backend.clone(), clock, received, published.clone());
        tokio::spawn(driver.run());
        let locks = KeyLocks::default();
        Self { inner: Arc::new(Inner { backend, options, requests, published, locks }) }
    }

    /// Applies a batch, all of it or nothing, and answers once it is as durable as the receipt
    /// says. See [`Outcome`] for what may come of it.
    ///
    /// Errors: `Invalid` and `TooLarge` for a batch that breaks a rule, `Unsupported` for a
    /// durability the store does not give, `Busy` when there was no room in the queue (nothing
    /// was applied), `Indeterminate` when no answer came in time, and those of the backend.
    pub async fn commit(&self, batch: Batch) -> Result<Outcome> {
        batch.validate(&self.info().limits)?;
        let id = batch.id;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Commit(Box::new(batch), reply)).await?;
        match timeout(self.inner.options.deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Error::indeterminate(format!(
                "the store stopped before it answered commit {id}; re-open it and repeat the commit"
            ))),
            Err(_) => Err(Error::indeterminate(format!(
                "commit {id} was not answered in time; repeat it with the same id"
            ))),
        }
    }

    /// Hands a batch in and returns at once: it is applied in order, later. If it cannot be
    /// applied, the next [`sync`](Store::sync) says so.
    pub async fn enqueue(&self, batch: Batch) -> Result<()> {
        batch.validate(&self.info().limits)?;
        self.send(Request::Enqueue(Box::new(batch))).await
    }

    /// Returns once everything handed in before is settled and as durable as the store makes it.
    ///
    /// Fails with the first failure of a batch enqueued since the last sync, saying how many
    /// there were.
    pub async fn sync(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Barrier(Barrier::Sync(reply))).await?;
        self.settled(answer).await
    }

    /// Settles everything handed in before, closes the backend and stops. Every later call is
    /// `Closed`; closing again is fine.
    pub async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        match self.send(Request::Barrier(Barrier::Close(reply))).await {
            Ok(()) => self.settled(answer).await,
            Err(error) if error.kind() == outlast_core::ErrorKind::Closed => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn settled<T>(&self, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        match timeout(self.inner.options.deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::closed("the store was closed")),
            Err(_) => Err(Error::indeterminate("the store did not settle in time")),
        }
    }

    async fn send(&self, request: Request) -> Result<()> {
        let sent = self.inner.requests.send(request);
        match timeout(self.inner.options.deadline, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::closed("the store was closed")),
            Err(_) => Err(Error::busy("the queue of the store is full; nothing was applied")),
        }
    }

    /// The handle for one kind of entity.
    pub fn kind<T: Entity>(&self) -> Collection<T> {
        Collection::new(self.clone())
    }

    /// An empty batch over any number of kinds, to be filled and committed as one.
    pub fn draft(&self) -> Draft {
        Draft::new(self.clone())
    }

    /// What the store is and what it promises.
    pub fn info(&self) -> BackendInfo {
        self.inner.backend.info()
    }

    /// Where time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.options.clock
    }

    /// Where ids come from.
    pub fn ids(&self) -> &Arc<dyn IdSource> {
        &self.inner.options.ids
    }

    /// Who causes a change that names nobody.
    pub fn cause(&self) -> &Cause {
        &self.inner.options.cause
    }

    /// What keeps the data.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Published> {
        self.inner.published.subscribe()
    }
}

/// Reads, as [`Backend`] defines them, with the page checked first.
impl Store {
    /// What lies under each key, in one snapshot.
    pub async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.inner.backend.get(keys).await
    }

    /// One page of entities.
    pub async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        query.validate(self.info().limits.page)?;
        self.inner.backend.list(query).await
    }

    /// How many live entities match, by group.
    pub async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.inner.backend.count(query, by).await
    }

    /// One page of versions.
    pub async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        query.page.validate(self.info().limits.page)?;
        self.inner.backend.history(query).await
    }

    /// One page of a stream.
    pub async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        query.page.validate(self.info().limits.page)?;
        self.inner.backend.read(query).await
    }

    /// The kinds there is anything of, deleted entities and emptied streams included.
    pub async fn kinds(&self) -> Result<Kinds> {
        self.inner.backend.kinds().await
    }

    /// One page of the streams of a kind.
    pub async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        page.validate(self.info().limits.page)?;
        self.inner.backend.streams(kind, page).await
    }

    /// The commits after a revision, in order, none left out.
    pub async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        Page::first(limit).validate(self.info().limits.page)?;
        self.inner.backend.changes(after, limit).await
    }

    /// Removes what the plan names, about `limit` rows at a time, between two groups of commits;
    /// call again until it is done.
    pub async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        Page::first(limit).validate(self.info().limits.page)?;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Barrier(Barrier::Prune(plan.clone(), limit, reply))).await?;
        self.settled(answer).await
    }

    /// Reads everything there is and checks it.
    pub async fn verify(&self) -> Result<Verification> {
        self.inner.backend.verify().await
    }
}
