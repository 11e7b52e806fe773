//! The handle everything goes through.

use std::sync::Arc;

use outlast_core::{
    AttrName, Backend, BackendInfo, Batch, Cause, Change, Clock, Counts, Entity, Entry, Error,
    ErrorKind, HistoryQuery, IdSource, Key, Kind, Kinds, Limits, Listed, Outcome, Page, PrunePlan,
    Pruned, Query, Record, Result, Revision, Slot, StreamExtent, StreamQuery, Verification,
    Verified, Versioned,
};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::time::timeout;

use crate::backlog::{Load, Room};
use crate::collection::Collection;
use crate::draft::Draft;
use crate::lock::KeyLocks;
use crate::options::StoreOptions;
use crate::secrets::KnownKinds;
use crate::sequencer::{Barrier, Driver, Published, Request, Waiting, weight};
use crate::telemetry;

/// A cheap handle to one store; clones share everything.
///
/// # Cancel safety
///
/// Dropping the future of a read is harmless. Dropping that of [`commit`](Store::commit),
/// [`enqueue`](Store::enqueue) or [`prune`](Store::prune) never splits what was asked: before it
/// was handed in nothing happens, afterwards all of it does, and repeating a commit with the same
/// id tells which. Dropping that of [`sync`](Store::sync) or [`close`](Store::close) does not
/// stop the sync or the closing.
///
/// Dropping the last handle without [`close`](Store::close) lets what was handed in finish in the
/// background, as long as the runtime lives; what was acknowledged is as durable as its receipt
/// said in any case. Handles, drafts and watches all count.
///
/// # Errors of every method
///
/// `Closed` after [`close`](Store::close), and `Poisoned` after the task that writes has stopped
/// without it, because the backend panicked or its runtime ended; reads of the backend may then
/// still be answered. Beyond these and what each method names, errors are the backend's.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    /// Whether versions given through this handle are compared.
    pub(crate) compares: bool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    backend: Arc<dyn Backend>,
    pub(crate) limits: Limits,
    pub(crate) options: StoreOptions,
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    pub(crate) load: Arc<Load>,
    published: broadcast::Sender<Published>,
    pub(crate) locks: KeyLocks,
    pub(crate) known: KnownKinds,
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
        let (requests, received) = mpsc::channel(options.queue.clamp(1, Semaphore::MAX_PERMITS));
        let (published, _) = broadcast::channel(WATCH_BACKLOG);
        let load = Arc::new(Load::default());
        let driver = Driver::new(
            backend.clone(),
            options.clock.clone(),
            received,
            published.clone(),
            load.clone(),
        );
        tokio::spawn(driver.run());
        let inner = Inner {
            limits: backend.info().limits,
            room: Arc::new(Semaphore::new(shares(options.queue_bytes) as usize)),
            load,
            locks: KeyLocks::default(),
            known: KnownKinds::default(),
            backend,
            options,
            requests,
            published,
        };
        let compares = inner.options.locking;
        Self { inner: Arc::new(inner), compares }
    }

    /// The same store, through a handle that compares every version it is given, whatever
    /// [`locking`](StoreOptions::locking) says: for engines, which decide from what they read.
    pub fn comparing(&self) -> Self {
        Self { compares: true, ..self.clone() }
    }

    /// Applies a batch, all of it or nothing, and answers once it is as durable as the receipt
    /// says. See [`Outcome`] for what may come of it.
    ///
    /// Errors: `Invalid` and `TooLarge` for a batch that breaks a rule, `Unsupported` for a
    /// durability the store does not give, `Busy` when there was no room in the queue (nothing
    /// was applied), `Indeterminate` when no answer came in time: it is applied or not, and
    /// repeating it with the same id tells.
    pub async fn commit(&self, batch: Batch) -> Result<Outcome> {
        let batch = self.audited(batch);
        batch.validate(&self.inner.limits)?;
        let id = batch.id;
        let (reply, answer) = oneshot::channel();
        let mut submitted = false;
        let answered = timeout(self.inner.options.deadline, async {
            self.submit(batch, Some(reply)).await?;
            submitted = true;
            answer.await.unwrap_or_else(|_| {
                Err(Error::indeterminate(format!(
                    "the store stopped before it answered commit {id}; re-open it and repeat it"
                )))
            })
        });
        match answered.await {
            Ok(outcome) => outcome,
            Err(_) if submitted => Err(Error::indeterminate(format!(
                "commit {id} was not answered in time; repeat it with the same id"
            ))),
            Err(_) => Err(full()),
        }
    }

    /// Hands a batch in and returns at once: it is applied in order, later. If it cannot be
    /// applied, the next [`sync`](Store::sync) says so.
    ///
    /// Errors: `Invalid` and `TooLarge` for a batch that breaks a rule, `Busy` when there was no
    /// room in the queue.
    pub async fn enqueue(&self, batch: Batch) -> Result<()> {
        let batch = self.audited(batch);
        batch.validate(&self.inner.limits)?;
        let submitted = timeout(self.inner.options.deadline, self.submit(batch, None));
        submitted.await.unwrap_or_else(|_| Err(full()))
    }

    /// The batch, saying of who and why only what is to be recorded.
    fn audited(&self, mut batch: Batch) -> Batch {
        if !self.inner.options.audit {
            let action = batch.cause.action.take();
            batch.cause = Cause { action, ..Cause::default() };
        }
        batch
    }

    async fn submit(
        &self,
        batch: Batch,
        reply: Option<oneshot::Sender<Result<Outcome>>>,
    ) -> Result<()> {
        let bytes = weight(&batch);
        let share = shares(bytes).min(shares(self.inner.options.queue_bytes));
        let room = self.inner.room.clone().acquire_many_owned(share).await;
        let room = room.map_err(|_| self.stopped())?;
        let room = Room::new(room, &self.inner.load, bytes, self.clock().monotonic());
        let request = Request::Commit(Box::new(batch), Waiting { reply, room });
        self.inner.requests.send(request).await.map_err(|_| self.stopped())
    }

    /// Returns once everything handed in before is settled and as durable as the store makes it.
    ///
    /// Fails with what is wrong with the store; else with the first failure of a batch enqueued
    /// since the last sync that was waited for, saying how many there were. `Busy` when there was
    /// no room in the queue, `Indeterminate` when it took longer than the deadline.
    pub async fn sync(&self) -> Result<()> {
        self.pass(Barrier::Sync).await
    }

    /// Settles everything handed in before, closes the backend and stops. Every later call is
    /// `Closed`; closing again is fine. Errors as for [`sync`](Store::sync); it is closed even so,
    /// unless the error is `Busy`.
    pub async fn close(&self) -> Result<()> {
        match self.pass(Barrier::Close).await {
            Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
            // Nobody writes any more, so nothing is cut off by closing from here.
            Err(error) if error.kind() == ErrorKind::Poisoned => {
                self.inner.backend.close().await.and(Err(error))
            }
            result => result,
        }
    }

    async fn pass<T>(
        &self,
        barrier: impl FnOnce(oneshot::Sender<Result<T>>) -> Barrier,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let mut submitted = false;
        let answered = timeout(self.inner.options.deadline, async {
            let sent = self.inner.requests.send(Request::Barrier(barrier(reply))).await;
            sent.map_err(|_| self.stopped())?;
            submitted = true;
            answer.await.unwrap_or_else(|_| Err(self.stopped()))
        });
        match answered.await {
            Ok(result) => result,
            Err(_) if submitted => {
                Err(Error::indeterminate("the store did not settle in time; ask again"))
            }
            Err(_) => Err(full()),
        }
    }

    /// `Closed` or `Poisoned` once nothing is written any more.
    pub(crate) fn check_running(&self) -> Result<()> {
        if self.inner.requests.is_closed() { Err(self.stopped()) } else { Ok(()) }
    }

    fn stopped(&self) -> Error {
        if self.inner.load.is_closed() {
            return Error::closed("the store was closed");
        }
        Error::poisoned("the task that writes the store has stopped unexpectedly; re-open it")
    }

    /// The handle for one kind of entity.
    pub fn kind<T: Entity>(&self) -> Collection<T> {
        self.inner.known.note::<T>();
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

    /// The record under a key, if it lives.
    pub(crate) async fn record(&self, key: &Key) -> Result<Option<Record>> {
        match self.get(std::slice::from_ref(key)).await?.pop() {
            Some(slot) => slot.live(),
            None => Err(Error::internal("the backend answered for no key")),
        }
    }

    /// One page of entities.
    pub async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        query.validate(self.inner.limits.page)?;
        self.inner.backend.list(query).await
    }

    /// How many live entities match, by group.
    pub async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.inner.backend.count(query, by).await
    }

    /// One page of versions.
    pub async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        query.page.validate(self.inner.limits.page)?;
        self.inner.backend.history(query).await
    }

    /// One page of a stream.
    pub async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        query.page.validate(self.inner.limits.page)?;
        self.inner.backend.read(query).await
    }

    /// The kinds there is anything of, deleted entities and emptied streams included.
    pub async fn kinds(&self) -> Result<Kinds> {
        self.inner.backend.kinds().await
    }

    /// One page of the streams of a kind.
    pub async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        page.validate(self.inner.limits.page)?;
        self.inner.backend.streams(kind, page).await
    }

    /// The commits after a revision, in order, none left out.
    pub async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        Page::first(limit).validate(self.inner.limits.page)?;
        self.inner.backend.changes(after, limit).await
    }

    /// Removes what the plan names, about `limit` rows at a time, between two groups of commits;
    /// call again until it is done.
    ///
    /// `Busy` when there was no room in the queue, `Indeterminate` when no answer came in time:
    /// asking again goes on where it stopped.
    pub async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        Page::first(limit).validate(self.inner.limits.page)?;
        self.pass(|reply| Barrier::Prune(plan.clone(), limit, reply)).await
    }

    /// Reads everything there is and checks it.
    pub async fn verify(&self) -> Result<Verification> {
        self.inner.backend.verify().await
    }
}

/// The queue's room is dealt out in shares of a kibibyte, since permits are counted in 32 bits.
fn shares(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, MOST_SHARES)
}

const MOST_SHARES: u32 = 1 << 28;

fn full() -> Error {
    metrics::counter!(telemetry::STORE_SHED).increment(1);
    Error::busy("the queue of the store is full; nothing was applied, try again later")
}
