//! A database that goes away, answers late or lies.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, Error, ErrorKind, HistoryQuery,
    Key, Kind, Kinds, Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size,
    Slot, StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};
use outlast_orchestrator::migration::Connect;

use crate::world::Place;

/// How the database behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    Well,
    /// Nothing works.
    Away,
    /// Writes find no room.
    Full,
    /// The next write is applied, and nobody told; then it is away.
    AppliesInSilence,
    /// The next write is not applied, and nobody told; then it is away.
    DropsInSilence,
    /// The next write is applied only after it is well again; until then it is away.
    Late,
    /// Writes are acknowledged and not applied.
    Lies,
}

const MOODS: [Mood; 7] = [
    Mood::Well,
    Mood::Away,
    Mood::Full,
    Mood::AppliesInSilence,
    Mood::DropsInSilence,
    Mood::Late,
    Mood::Lies,
];

#[derive(Clone, Debug)]
pub(crate) struct Moody(Arc<State>);

#[derive(Debug)]
struct State {
    place: Place,
    mood: AtomicU8,
    writes: AtomicU64,
    late: tokio::sync::Mutex<Option<(Arc<dyn Backend>, WriteSet)>>,
}

impl Moody {
    pub(crate) fn over(place: Place) -> Self {
        let late = tokio::sync::Mutex::default();
        let (mood, writes) = (AtomicU8::new(0), AtomicU64::new(0));
        Self(Arc::new(State { place, mood, writes, late }))
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.0.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// Writes that reached the database.
    pub(crate) fn writes(&self) -> u64 {
        self.0.writes.load(Ordering::SeqCst)
    }

    /// Lets a write that was late arrive now, and says whether it was applied.
    pub(crate) async fn arrive(&self) -> Option<bool> {
        let (backend, set) = self.0.late.lock().await.take()?;
        Some(matches!(backend.write(&set).await, Ok(Written::Applied(_))))
    }

    fn mood(&self) -> Mood {
        MOODS[usize::from(self.0.mood.load(Ordering::SeqCst))]
    }

    fn check(&self) -> Result<()> {
        match self.mood() {
            Mood::Away => Err(Error::unavailable("the database is away, says the test")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Connect for Moody {
    async fn connect(&self) -> Result<Arc<dyn Backend>> {
        self.check()?;
        let inner = self.0.place.connect().await?;
        Ok(Arc::new(Chaos { inner, moody: self.clone() }))
    }

    fn location(&self) -> String {
        self.0.place.location()
    }
}

#[derive(Debug)]
struct Chaos {
    inner: Arc<dyn Backend>,
    moody: Moody,
}

fn silent() -> Error {
    Error::indeterminate("the database did not answer, says the test")
}

#[async_trait]
impl Backend for Chaos {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.moody.check()?;
        self.inner.fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        self.moody.check()?;
        match self.moody.mood() {
            Mood::Full => return Err(Error::new(ErrorKind::StorageFull, "full, says the test")),
            Mood::Lies => return Ok(Written::Applied(self.info().durability)),
            Mood::DropsInSilence => {
                self.moody.set(Mood::Away);
                return Err(silent());
            }
            Mood::AppliesInSilence => {
                self.inner.write(set).await?;
                self.moody.set(Mood::Away);
                return Err(silent());
            }
            Mood::Late => {
                *self.moody.0.late.lock().await = Some((self.inner.clone(), set.clone()));
                self.moody.set(Mood::Away);
                return Err(silent());
            }
            Mood::Well | Mood::Away => {}
        }
        self.moody.0.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.write(set).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.moody.check()?;
        self.inner.get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.moody.check()?;
        self.inner.list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.moody.check()?;
        self.inner.count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.moody.check()?;
        self.inner.history(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.moody.check()?;
        self.inner.read(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.moody.check()?;
        self.inner.kinds().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.moody.check()?;
        self.inner.streams(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.moody.check()?;
        self.inner.changes(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.moody.check()?;
        self.inner.prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.moody.check()?;
        self.inner.sync().await
    }

    async fn close(&self) -> Result<()> {
        // A write that is late goes on although nobody waits for it.
        if self.moody.0.late.lock().await.is_some() { Ok(()) } else { self.inner.close().await }
    }
}

#[async_trait]
impl Admin for Chaos {
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
