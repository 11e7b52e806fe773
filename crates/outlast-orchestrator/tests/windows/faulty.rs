//! A store that fails when it is told to.

use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, Error, HistoryQuery, Key, Kind,
    Kinds, Listed, Page, PrunePlan, Pruned, Query, RandomIds, ReadSet, Result, Revision, Size,
    Slot, StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};
use outlast_memory::Memory;

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    Refused,
    /// It is applied, and the answer is an error all the same.
    AppliedAndDenied,
}

/// Decides the fate of each write that there is something in.
type Fates = Box<dyn FnMut() -> Fate + Send>;

pub(crate) struct Faulty {
    memory: Memory,
    pub(crate) fates: Mutex<Fates>,
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self { memory: Memory::new(&RandomIds), fates: Mutex::new(Box::new(|| Fate::Written)) }
    }

    pub(crate) fn decide_by(&self, fates: impl FnMut() -> Fate + Send + 'static) {
        *self.fates.lock().unwrap() = Box::new(fates);
    }

    /// Fails the next write, and none after it.
    pub(crate) fn fail_once(&self, fate: Fate) {
        let mut next = Some(fate);
        self.decide_by(move || next.take().unwrap_or(Fate::Written));
    }
}

#[async_trait]
impl Backend for Faulty {
    fn info(&self) -> BackendInfo {
        self.memory.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.memory.fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let fate = if set.is_empty() { Fate::Written } else { (self.fates.lock().unwrap())() };
        if fate != Fate::Refused {
            let written = self.memory.write(set).await?;
            if fate == Fate::Written {
                return Ok(written);
            }
        }
        Err(Error::unavailable("the store is away"))
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.memory.get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.memory.list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.memory.count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
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
        self.memory.prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.memory.sync().await
    }

    async fn close(&self) -> Result<()> {
        self.memory.close().await
    }
}

#[async_trait]
impl Admin for Faulty {
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
