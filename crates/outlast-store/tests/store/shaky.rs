//! A backend that can be held up, interfered with, and made to fail.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::FutureExt;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Batch, Cause, Change, Counts, Entry, Error, Expect,
    HistoryQuery, IdSource, Json, Key, Kind, Kinds, Listed, Op, Page, PlanContext, PrunePlan,
    Pruned, Put, Query, RandomIds, ReadSet, Result, Revision, Size, Slot, StreamExtent,
    StreamQuery, Timestamp, Verification, Verified, Versioned, View, WriteSet, Written, plan,
    read_set,
};
use outlast_memory::Memory;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

/// What becomes of a write.
pub(crate) enum Fate {
    Written,
    Refused(Error),
    /// It is applied, and the answer is an error all the same.
    AppliedButLost(Error),
}

type Fates = Box<dyn FnMut(&Memory, &WriteSet) -> Fate + Send>;

pub(crate) struct Shaky {
    memory: Arc<Memory>,
    gate: Arc<Semaphore>,
    fates: Mutex<Fates>,
    pub(crate) fetches: AtomicUsize,
}

impl Shaky {
    pub(crate) fn new(fates: impl FnMut(&Memory, &WriteSet) -> Fate + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            memory: crate::memory(),
            gate: Arc::new(Semaphore::new(1)),
            fates: Mutex::new(Box::new(fates)),
            fetches: AtomicUsize::new(0),
        })
    }

    pub(crate) fn sound() -> Arc<Self> {
        Self::new(|_, _| Fate::Written)
    }

    /// Holds up every write and prune until the permit is dropped.
    pub(crate) fn hold(&self) -> OwnedSemaphorePermit {
        self.gate.clone().try_acquire_owned().unwrap()
    }
}

impl fmt::Debug for Shaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shaky")
    }
}

/// Writes the next version of an entity as another process would.
pub(crate) fn interfere(memory: &Memory, key: &Key, state: &str) {
    let put = Put {
        key: key.clone(),
        expect: Expect::Any,
        schema: 1,
        attrs: outlast_core::Attributes::new(),
        state: Json::parse(state).unwrap(),
    };
    let batch = Batch::new(RandomIds.commit_id(), Cause::default()).with(Op::Put(put));
    let view = memory.fetch(&read_set([&batch])).now_or_never().unwrap().unwrap();
    let info = memory.info();
    let now = Timestamp::default();
    let context = PlanContext { now, epoch: info.epoch, durability: info.durability };
    let set = plan(view, [&batch], &context).set;
    let written = memory.write(&set).now_or_never().unwrap().unwrap();
    assert!(matches!(written, Written::Applied(_)));
}

#[async_trait]
impl Backend for Shaky {
    fn info(&self) -> BackendInfo {
        self.memory.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        yield_now().await;
        self.memory.fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let _open = self.gate.acquire().await.unwrap();
        yield_now().await;
        let fate = (self.fates.lock().unwrap())(&self.memory, set);
        let written = match fate {
            Fate::Written => self.memory.write(set).await,
            Fate::Refused(error) => Err(error),
            Fate::AppliedButLost(error) => self.memory.write(set).await.and(Err(error)),
        };
        yield_now().await;
        written
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        yield_now().await;
        self.memory.get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.memory.list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.memory.count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        yield_now().await;
        self.memory.history(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.memory.read(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.memory.kinds().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.memory.streams(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.memory.changes(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        let _open = self.gate.acquire().await.unwrap();
        yield_now().await;
        self.memory.prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        yield_now().await;
        self.memory.sync().await
    }

    async fn close(&self) -> Result<()> {
        yield_now().await;
        self.memory.close().await
    }
}

#[async_trait]
impl Admin for Shaky {
    async fn verify(&self) -> Result<Verification> {
        self.memory.verify().await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.memory.backup(to).await
    }

    async fn size(&self) -> Result<Size> {
        self.memory.size().await
    }

    async fn compact(&self) -> Result<()> {
        self.memory.compact().await
    }
}
