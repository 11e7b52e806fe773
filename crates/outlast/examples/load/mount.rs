//! A database on a disk that can be taken away: without its file, nothing of it answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use outlast::migration::Connect;
use outlast::sqlite::Sqlite;
use outlast::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, Error, HistoryQuery, Key, Kind,
    Kinds, Listed, OpenOptions, Page, PrunePlan, Pruned, Query, RandomIds, ReadSet, Result,
    Revision, Size, Slot, StreamExtent, StreamQuery, Verification, Verified, Versioned, View,
    WriteSet, Written,
};

/// Where the database is.
#[derive(Debug)]
pub(crate) struct Mount {
    path: PathBuf,
    made: AtomicBool,
}

impl Mount {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { made: AtomicBool::new(path.exists()), path }
    }
}

#[async_trait]
impl Connect for Mount {
    async fn connect(&self) -> Result<Arc<dyn Backend>> {
        let create = !self.made.load(Ordering::Relaxed);
        let open = OpenOptions { create, ..OpenOptions::default() };
        let inner = Sqlite::open(&self.path, &open, &RandomIds).await?;
        self.made.store(true, Ordering::Relaxed);
        Ok(Arc::new(Mounted { path: self.path.clone(), inner }))
    }

    fn location(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }
}

#[derive(Debug)]
struct Mounted {
    path: PathBuf,
    inner: Sqlite,
}

impl Mounted {
    fn there(&self) -> Result<&Sqlite> {
        if self.path.exists() {
            return Ok(&self.inner);
        }
        Err(Error::unavailable(format!("{} is gone; give it back", self.path.display())))
    }
}

#[async_trait]
impl Backend for Mounted {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.there()?.fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        self.there()?.write(set).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.there()?.get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.there()?.list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.there()?.count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.there()?.history(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.there()?.read(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.there()?.kinds().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.there()?.streams(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.there()?.changes(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.there()?.prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.there()?.sync().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
impl Admin for Mounted {
    async fn verify(&self) -> Result<Verification> {
        self.there()?.verify().await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.there()?.backup(to).await
    }

    async fn size(&self) -> Result<Size> {
        self.there()?.size().await
    }

    async fn compact(&self) -> Result<()> {
        self.there()?.compact().await
    }
}
