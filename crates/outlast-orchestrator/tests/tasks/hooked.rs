//! A backend that asks before it writes, and shows records as damaged that it is told to.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Damage, Entry, Error, HistoryQuery, Key,
    Kind, Kinds, Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size, Slot,
    StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};
use tempfile::TempDir;

type Hook = dyn Fn(&WriteSet) -> Result<()> + Send + Sync;

/// Passes everything on, but a write only if the hook says so.
#[derive(Clone)]
pub(crate) struct Hooked {
    inner: Arc<dyn Backend>,
    hook: Arc<Hook>,
    damaged: Arc<Mutex<HashSet<Key>>>,
    /// What the next reads of the feed are refused with.
    refusals: Arc<Mutex<VecDeque<Error>>>,
    /// Where the inner one keeps its files, if it does.
    _folder: Option<Arc<TempDir>>,
}

impl Hooked {
    pub(crate) fn new(
        (inner, folder): (Arc<dyn Backend>, Option<TempDir>),
        hook: impl Fn(&WriteSet) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let (hook, folder) = (Arc::new(hook), folder.map(Arc::new));
        let (damaged, refusals) = (Arc::default(), Arc::default());
        Self { inner, hook, damaged, refusals, _folder: folder }
    }

    /// From now on this one cannot be read.
    pub(crate) fn damage(&self, key: Key) {
        self.damaged.lock().unwrap().insert(key);
    }

    /// Refuses the next read of the feed that is not refused yet.
    #[allow(dead_code)] // not every test that is hooked reads the feed
    pub(crate) fn refuse_changes(&self, error: Error) {
        self.refusals.lock().unwrap().push_back(error);
    }

    fn shown(&self, slot: Slot) -> Slot {
        match slot {
            Slot::Live(record) if self.damaged.lock().unwrap().contains(&record.key) => {
                Slot::Damaged(Box::new(Damage::new(&record.key, "a test", "it is told to be", b"")))
            }
            slot => slot,
        }
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooked").finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for Hooked {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }
    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.inner.fetch(reads).await
    }
    async fn write(&self, set: &WriteSet) -> Result<Written> {
        (self.hook)(set)?;
        self.inner.write(set).await
    }
    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        let slots = self.inner.get(keys).await?;
        Ok(slots.into_iter().map(|slot| self.shown(slot)).collect())
    }
    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        let Listed { items, next } = self.inner.list(query).await?;
        Ok(Listed { items: items.into_iter().map(|slot| self.shown(slot)).collect(), next })
    }
    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.inner.count(query, by).await
    }
    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.inner.history(query).await
    }
    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.inner.read(query).await
    }
    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.inner.streams(kind, page).await
    }
    async fn kinds(&self) -> Result<Kinds> {
        self.inner.kinds().await
    }
    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        if let Some(error) = self.refusals.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.inner.changes(after, limit).await
    }
    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.inner.prune(plan, limit).await
    }
    async fn sync(&self) -> Result<()> {
        self.inner.sync().await
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
impl Admin for Hooked {
    async fn verify(&self) -> Result<Verification> {
        self.inner.verify().await
    }
    async fn backup(&self, to: &Path) -> Result<()> {
        self.inner.backup(to).await
    }
    async fn size(&self) -> Result<Size> {
        self.inner.size().await
    }
    async fn compact(&self) -> Result<()> {
        self.inner.compact().await
    }
}
