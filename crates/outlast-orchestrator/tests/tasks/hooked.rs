//! A backend that asks before it writes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, HistoryQuery, Key, Kind, Kinds,
    Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size, Slot, StreamExtent,
    StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};

type Hook = dyn Fn(&WriteSet) -> Result<()> + Send + Sync;

/// Passes everything on, but a write only if the hook says so.
#[derive(Clone)]
pub(crate) struct Hooked {
    inner: Arc<dyn Backend>,
    hook: Arc<Hook>,
}

impl Hooked {
    pub(crate) fn new(
        inner: Arc<dyn Backend>,
        hook: impl Fn(&WriteSet) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, hook: Arc::new(hook) }
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
        self.inner.get(keys).await
    }
    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.inner.list(query).await
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
