//! A store with one flaw: everything else is the volatile store's own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use outlast_conformance::{Harness, Site, Target};
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Durability, Entry, Epoch, Error,
    ErrorKind, Filter, HistoryQuery, Json, Key, Kind, Kinds, Listed, OpenOptions, Order, Page,
    Prune, PrunePlan, Pruned, Query, RandomIds, ReadSet, Result, Revision, Seq, Size, Slot,
    StreamExtent, StreamQuery, Test, Verification, Verified, Versioned, View, WriteSet, Written,
};
use outlast_memory::Memory;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    IgnoresBase,
    DropsLastVersion,
    TearsCommits,
    WritesOneOfAGroup,
    ReordersFeed,
    SkipsInFeed,
    HidesCompaction,
    ForgetsCommits,
    ForgetsDigest,
    DropsLastOfPage,
    RepeatsPages,
    LosesTouches,
    IgnoresUpperBound,
    IgnoresFilters,
    IgnoresOrder,
    IgnoresDescending,
    ListsTombstones,
    CountsOnlyPage,
    SkipsStreamPlace,
    IncludesUntil,
    StreamBeginsAtOne,
    IgnoresActor,
    LosesMergedHistory,
    ForgetsVersions,
    TakesDeadForAlive,
    ForgetsStatus,
    PrunesUnbounded,
    DonePruningTooEarly,
    PrunesAnyTombstone,
    KeepsEveryCommit,
    ForgetsYoungCommits,
    ForgetsCommitsOfVersions,
    NeverCloses,
    ClosesOnce,
    PromisesTooMuch,
    KeepsItsEpoch,
    RewritesJson,
    FoldsCase,
    ReadsOnePastAnother,
    PretendsToBackUp,
    ForgetsKinds,
    CountsNothingVerified,
    Panics,
    HangsInSync,
}

/// Makes stores with one flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlawedHarness(pub(crate) Flaw);

#[async_trait]
impl Harness for FlawedHarness {
    fn name(&self) -> String {
        format!("memory that {:?}", self.0)
    }

    async fn site(&self) -> Result<Box<dyn Site>> {
        Ok(Box::new(*self))
    }
}

#[async_trait]
impl Site for FlawedHarness {
    async fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Backend>> {
        if options.read_only {
            return Err(Error::unsupported("a store in memory is never read only"));
        }
        Ok(Arc::new(Flawed {
            inner: Memory::new(&RandomIds),
            flaw: self.0,
            forgotten: AtomicI64::new(i64::MIN),
        }))
    }

    async fn damage(&self, _target: &Target) -> Result<bool> {
        Ok(false)
    }
}

#[derive(Debug)]
struct Flawed {
    inner: Memory,
    flaw: Flaw,
    /// Before this, in microseconds, whatever was committed is not remembered.
    forgotten: AtomicI64,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn spoil_set(&self, set: &mut WriteSet) {
        if self.has(Flaw::WritesOneOfAGroup) {
            set.commits.truncate(1);
        }
        for commit in &mut set.commits {
            if self.has(Flaw::DropsLastVersion) && commit.versions.len() > 1 {
                commit.versions.pop();
            }
            if self.has(Flaw::TearsCommits) && !commit.versions.is_empty() {
                commit.entries.clear();
            }
            if self.has(Flaw::LosesMergedHistory) {
                commit.history.clear();
            }
        }
        if self.has(Flaw::LosesTouches) {
            set.touches.clear();
        }
    }

    fn spoil_query(&self, query: &mut Query) {
        if self.has(Flaw::IgnoresUpperBound) {
            for Filter { test, .. } in &mut query.filters {
                if let Test::Within(_, high) = test {
                    *high = std::ops::Bound::Unbounded;
                }
            }
        }
        if self.has(Flaw::IgnoresFilters) {
            query.filters.clear();
        }
        if self.has(Flaw::IgnoresOrder) {
            query.order = Order::Id;
        }
        if self.has(Flaw::IgnoresDescending) {
            query.descending = false;
        }
        if self.has(Flaw::ListsTombstones) && query.filters.is_empty() && query.order == Order::Id {
            query.tombstones = true;
        }
        if self.has(Flaw::RepeatsPages) && query.page.limit > 2 {
            query.page.after = None;
            query.page.limit = 1000;
        }
    }

    fn spoil_slot(&self, slot: &mut Slot) {
        if let Slot::Live(record) = slot
            && self.has(Flaw::RewritesJson)
        {
            record.state = Json::trusted(record.state.as_str().replace([' ', '\t'], ""));
        }
    }
}

#[async_trait]
impl Backend for Flawed {
    fn info(&self) -> BackendInfo {
        let mut info = self.inner.info();
        if self.has(Flaw::PromisesTooMuch) {
            info.durability = Durability::Durable;
        }
        if self.has(Flaw::KeepsItsEpoch) {
            info.epoch = Epoch(1);
        }
        info
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        let mut view = self.inner.fetch(reads).await?;
        match self.flaw {
            Flaw::ForgetsCommits => view.commits.clear(),
            Flaw::ForgetsVersions => view.versions.clear(),
            Flaw::ForgetsDigest => view.commits.values_mut().for_each(|known| known.digest = 0),
            Flaw::SkipsStreamPlace => view.streams.values_mut().for_each(|last| last.0 += 1),
            Flaw::TakesDeadForAlive => view.heads.values_mut().for_each(|head| head.live = true),
            Flaw::ForgetsStatus => view.heads.values_mut().for_each(|head| head.status = None),
            Flaw::ForgetsCommitsOfVersions => {
                let forgotten = self.forgotten.load(Ordering::Relaxed);
                view.commits.retain(|_, known| known.at.as_micros() >= forgotten);
            }
            _ => {}
        }
        Ok(view)
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let mut set = set.clone();
        self.spoil_set(&mut set);
        if self.has(Flaw::IgnoresBase) {
            set.base = self.inner.fetch(&ReadSet::default()).await?.revision;
        }
        self.inner.write(&set).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        assert!(!self.has(Flaw::Panics), "this store panics");
        let mut keys = keys.to_vec();
        if self.has(Flaw::FoldsCase) {
            for key in &mut keys {
                let folded = Key::new(key.kind.as_str(), key.id().to_lowercase())?;
                *key = folded.in_space(key.space);
            }
        }
        if self.has(Flaw::ReadsOnePastAnother) {
            let mut slots = Vec::new();
            for key in &keys {
                slots.extend(self.inner.get(std::slice::from_ref(key)).await?);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            return Ok(slots);
        }
        let mut slots = self.inner.get(&keys).await?;
        for slot in &mut slots {
            self.spoil_slot(slot);
        }
        Ok(slots)
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        let mut query = query.clone();
        self.spoil_query(&mut query);
        let mut page = self.inner.list(&query).await?;
        for slot in &mut page.items {
            self.spoil_slot(slot);
        }
        if self.has(Flaw::DropsLastOfPage) && page.next.is_some() {
            page.items.pop();
        }
        Ok(page)
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        let mut query = query.clone();
        self.spoil_query(&mut query);
        let mut counts = self.inner.count(&query, by).await?;
        if self.has(Flaw::CountsOnlyPage) {
            counts.total = counts.total.min(query.page.limit.into());
        }
        Ok(counts)
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        let mut query = query.clone();
        if self.has(Flaw::IgnoresActor) {
            query.actor = None;
        }
        self.inner.history(&query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        let mut query = query.clone();
        if self.has(Flaw::IncludesUntil) {
            query.until = query.until.map(|until| until.plus(Duration::from_micros(1)));
        }
        self.inner.read(&query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        let kinds = self.inner.kinds().await?;
        Ok(if self.has(Flaw::ForgetsKinds) { Kinds::default() } else { kinds })
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        let mut page = self.inner.streams(kind, page).await?;
        if self.has(Flaw::StreamBeginsAtOne) {
            page.items.iter_mut().for_each(|extent| extent.first = Seq(1));
        }
        Ok(page)
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        let page = self.inner.changes(after, limit).await;
        if self.has(Flaw::HidesCompaction)
            && page.as_ref().is_err_and(|error| error.kind() == ErrorKind::Compacted)
        {
            return Ok(Listed::empty());
        }
        let mut page = page?;
        if self.has(Flaw::ReordersFeed) {
            page.items.reverse();
        }
        if self.has(Flaw::SkipsInFeed) && page.items.len() > 1 {
            page.items.remove(0);
        }
        Ok(page)
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        let mut plan = plan.clone();
        for item in &mut plan.items {
            if let Prune::Tombstone { key, version } = item
                && self.has(Flaw::PrunesAnyTombstone)
                && let Slot::Tombstone { version: last, .. } =
                    self.inner.get(std::slice::from_ref(key)).await?.remove(0)
            {
                *version = last;
            }
            if let Prune::Commits { before } = item {
                self.forgotten.fetch_max(before.as_micros(), Ordering::Relaxed);
                if self.has(Flaw::ForgetsYoungCommits) {
                    *before = before.plus(Duration::from_hours(1));
                }
            }
        }
        if self.has(Flaw::KeepsEveryCommit) {
            plan.items.retain(|item| !matches!(item, Prune::Commits { .. }));
        }
        let limit = if self.has(Flaw::PrunesUnbounded) { u32::MAX } else { limit };
        let mut pruned = self.inner.prune(&plan, limit).await?;
        pruned.done |= self.has(Flaw::DonePruningTooEarly);
        Ok(pruned)
    }

    async fn sync(&self) -> Result<()> {
        if self.has(Flaw::HangsInSync) {
            std::future::pending::<()>().await;
        }
        self.inner.sync().await
    }

    async fn close(&self) -> Result<()> {
        if self.has(Flaw::NeverCloses) {
            return Ok(());
        }
        if self.has(Flaw::ClosesOnce) {
            self.inner.sync().await?;
        }
        self.inner.close().await
    }
}

#[async_trait]
impl Admin for Flawed {
    async fn verify(&self) -> Result<Verification> {
        let found = self.inner.verify().await?;
        Ok(if self.has(Flaw::CountsNothingVerified) { Verification::default() } else { found })
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        if self.has(Flaw::PretendsToBackUp) {
            return Ok(());
        }
        self.inner.backup(to).await
    }

    async fn size(&self) -> Result<Size> {
        self.inner.size().await
    }

    async fn compact(&self) -> Result<()> {
        self.inner.compact().await
    }
}
