//! A database that can be taken away, and that says how long its last write took.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use outlast::sled::Sled;
use outlast::sqlite::Sqlite;
use outlast::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, Error, HistoryQuery, Key, Kind,
    Kinds, Listed, OpenOptions, Page, PrunePlan, Pruned, Query, RandomIds, ReadSet, Result,
    Revision, Size, Slot, StreamExtent, StreamQuery, Verification, Verified, Versioned, View,
    WriteSet, Written,
};
use outlast_orchestrator::migration::Connect;

/// The databases a kind can move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Sled,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Sled];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Sled => "sled",
        }
    }
}

/// How to reach it, and what is known of it.
#[derive(Debug)]
pub(crate) struct Database {
    engine: Engine,
    path: PathBuf,
    watched: Arc<Watched>,
}

/// What is known of a database.
#[derive(Debug, Default)]
struct Watched {
    is_away: AtomicBool,
    last_write_us: AtomicU64,
}

impl Database {
    pub(crate) fn at(engine: Engine, path: PathBuf) -> Self {
        Self { engine, path, watched: Arc::default() }
    }

    /// Takes it away, or gives it back.
    pub(crate) fn take_away(&self, is_away: bool) {
        self.watched.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How long the last write took.
    pub(crate) fn last_write(&self) -> Duration {
        Duration::from_micros(self.watched.last_write_us.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Connect for Database {
    async fn connect(&self) -> Result<Arc<dyn Backend>> {
        let options = OpenOptions::default();
        let inner: Arc<dyn Backend> = match self.engine {
            Engine::Sqlite => Arc::new(Sqlite::open(&self.path, &options, &RandomIds).await?),
            Engine::Sled => Arc::new(Sled::open(&self.path, &options, &RandomIds).await?),
        };
        Ok(Arc::new(Far { inner, watched: self.watched.clone() }))
    }

    fn location(&self) -> String {
        format!("{}:{}", self.engine.as_str(), self.path.display())
    }
}

#[derive(Debug)]
struct Far {
    inner: Arc<dyn Backend>,
    watched: Arc<Watched>,
}

impl Far {
    fn reach(&self) -> Result<&dyn Backend> {
        if self.watched.is_away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the database was taken away"));
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl Backend for Far {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.reach()?.fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let start = Instant::now();
        let written = self.reach()?.write(set).await;
        let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.watched.last_write_us.store(took, Ordering::SeqCst);
        written
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.reach()?.get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.reach()?.list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.reach()?.count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.reach()?.history(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.reach()?.read(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.reach()?.kinds().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.reach()?.streams(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.reach()?.changes(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.reach()?.prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.reach()?.sync().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[async_trait]
impl Admin for Far {
    async fn verify(&self) -> Result<Verification> {
        self.reach()?.verify().await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.reach()?.backup(to).await
    }

    async fn size(&self) -> Result<Size> {
        self.reach()?.size().await
    }

    async fn compact(&self) -> Result<()> {
        self.reach()?.compact().await
    }
}
