//! The database of a store that moves, under the names its callers know: each kind in the lineage
//! that the ledger names, and kinds that went back to memory not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Attributes, Backend, BackendInfo, Change, Counts, Entry, ErrorKind,
    HistoryQuery, Key, Kind, Kinds, Listed, Page, Prune, PrunePlan, Pruned, Query, ReadSet,
    Remembered, Result, Revision, Scope, Size, Slot, StreamExtent, StreamQuery, Terms,
    Verification, Verified, Versioned, View, WriteSet, Written,
};

use super::ledger::{LEDGER, PROGRESS, Rows};
use super::rehearse::CANARY;
use super::{Phase, lineage};

/// A database seen through its ledger.
#[derive(Debug)]
struct Resolved {
    inner: Arc<dyn Backend>,
    /// The lineage of each kind that has a row.
    lineages: BTreeMap<Kind, u16>,
    /// Kinds that are in memory only, and why nothing is written of them here.
    gone: BTreeMap<Kind, String>,
    /// Whether closing closes what is behind it.
    owns: bool,
}

/// The database as its ledger says it is to be read: the same, if it has none.
///
/// A kind that went back to memory is empty here, and cannot be written. The ledger itself is not
/// listed, so that it is not taken along to another store, of which it would say what is not so.
pub fn resolve(inner: Arc<dyn Backend>, rows: &Rows) -> Arc<dyn Backend> {
    if rows.is_empty() {
        return inner;
    }
    Arc::new(Resolved::new(inner, rows, true))
}

/// The same for a database that somebody else has open and closes.
pub(crate) fn view(inner: Arc<dyn Backend>, rows: &Rows) -> Arc<dyn Backend> {
    Arc::new(Resolved::new(inner, rows, false))
}

impl Resolved {
    fn new(inner: Arc<dyn Backend>, rows: &Rows, owns: bool) -> Self {
        let mut lineages = BTreeMap::new();
        let mut gone = BTreeMap::new();
        for (kind, (row, _)) in rows {
            let mut lineage = row.lineage;
            if row.phase == Phase::Memory {
                // Nothing was ever written under the next one.
                lineage = lineage.saturating_add(1);
                let why = format!(
                    "{kind} went back to memory and is not kept here; see `outlast migrate state \
                     quarantine list` for what it left"
                );
                gone.insert(kind.clone(), why);
            }
            lineages.insert(kind.clone(), lineage);
        }
        Self { inner, lineages, gone, owns }
    }

    fn lineage(&self, kind: &Kind) -> u16 {
        self.lineages.get(kind).copied().unwrap_or(0)
    }

    fn far(&self, key: &Key) -> Key {
        lineage::far(key, self.lineage(&key.kind))
    }

    fn near(&self, key: &Key) -> Option<Key> {
        lineage::near(key, self.lineage(&key.kind))
    }

    fn version(&self, item: Verified<Versioned>) -> Option<Verified<Versioned>> {
        match item {
            Ok(version) => {
                let key = self.near(&version.key)?;
                Some(Ok(Versioned { key, ..version }))
            }
            Err(damage) => Some(Err(damage)),
        }
    }

    fn reads(&self, reads: &ReadSet) -> ReadSet {
        let far = |key: &Key| self.far(key);
        ReadSet {
            keys: reads.keys.iter().map(far).collect(),
            streams: reads.streams.iter().map(far).collect(),
            commits: reads.commits.clone(),
            versions: reads.versions.iter().map(|(key, at)| (self.far(key), *at)).collect(),
        }
    }

    fn remembered(&self, commit: Remembered) -> Remembered {
        let versions = commit.versions.into_iter();
        let versions = versions.filter_map(|(key, at)| Some((self.near(&key)?, at))).collect();
        let appended = self.appended(commit.appended);
        Remembered { versions, appended, ..commit }
    }

    fn appended<T>(&self, appended: Vec<(Key, T, T)>) -> Vec<(Key, T, T)> {
        let places = appended.into_iter();
        places.filter_map(|(key, first, last)| Some((self.near(&key)?, first, last))).collect()
    }

    fn view(&self, view: View, reads: &ReadSet) -> View {
        let heads = view.heads.into_iter();
        let streams = view.streams.into_iter();
        let commits = view.commits.into_iter();
        let versions = view.versions.into_iter();
        let mut terms: std::collections::HashMap<Key, Terms> = view
            .terms
            .into_iter()
            .filter_map(|(key, terms)| Some((self.near(&key)?, terms)))
            .collect();
        for name in reads.keys.iter().chain(&reads.streams) {
            if let Some(why) = self.gone.get(&name.kind) {
                terms.insert(name.clone(), Terms::Refuses(ErrorKind::Conflict, why.clone()));
            }
        }
        View {
            heads: heads.filter_map(|(key, head)| Some((self.near(&key)?, head))).collect(),
            streams: streams.filter_map(|(key, last)| Some((self.near(&key)?, last))).collect(),
            commits: commits.map(|(id, commit)| (id, self.remembered(commit))).collect(),
            versions: versions
                .filter_map(|((key, at), sum)| Some(((self.near(&key)?, at), sum)))
                .collect(),
            terms,
            ..view
        }
    }

    fn prunes(&self, plan: &PrunePlan) -> PrunePlan {
        let items = plan.items.iter().map(|item| match item {
            Prune::Entries { stream, up_to } => {
                Prune::Entries { stream: self.far(stream), up_to: *up_to }
            }
            Prune::Stream(stream) => Prune::Stream(self.far(stream)),
            Prune::History { key, below } => Prune::History { key: self.far(key), below: *below },
            Prune::Tombstone { key, version } => {
                Prune::Tombstone { key: self.far(key), version: *version }
            }
            Prune::Commits { before } => Prune::Commits { before: *before },
        });
        PrunePlan { items: items.collect() }
    }
}

#[async_trait]
impl Backend for Resolved {
    fn info(&self) -> BackendInfo {
        self.inner.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        let view = self.inner.fetch(&self.reads(reads)).await?;
        Ok(self.view(view, reads))
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let lineage = |key: &Key| self.lineage(&key.kind);
        // A commit whose names all stay within the ledger's lineages stays whole.
        let commits =
            set.commits.iter().filter_map(|each| lineage::commit(each, |_| true, lineage));
        let touches = set.touches.iter();
        let touches: Vec<(Key, Attributes)> =
            touches.map(|(key, attrs)| (self.far(key), attrs.clone())).collect();
        self.inner.write(&WriteSet { commits: commits.collect(), touches, ..set.clone() }).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        let keys: Vec<Key> = keys.iter().map(|key| self.far(key)).collect();
        Ok(self.inner.get(&keys).await?.into_iter().map(lineage::slot).collect())
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        let space = lineage::far_space(query.space, self.lineage(&query.kind));
        let page = self.inner.list(&Query { space, ..query.clone() }).await?;
        let items = page.items.into_iter().map(lineage::slot).collect();
        Ok(Listed { items, next: page.next })
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        let space = lineage::far_space(query.space, self.lineage(&query.kind));
        self.inner.count(&Query { space, ..query.clone() }, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        let mut asked = query.clone();
        if let Scope::Entity(key) = &query.scope {
            asked.scope = Scope::Entity(self.far(key));
        }
        let page = self.inner.history(&asked).await?;
        let items = page.items.into_iter().filter_map(|item| self.version(item)).collect();
        Ok(Listed { items, next: page.next })
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        let stream = self.far(&query.stream);
        let page = self.inner.read(&StreamQuery { stream, ..query.clone() }).await?;
        let plain = |entry: Entry| lineage::entry(&entry, query.stream.clone());
        let items = page.items.into_iter().map(|item| item.map(plain)).collect();
        Ok(Listed { items, next: page.next })
    }

    async fn kinds(&self) -> Result<Kinds> {
        let mut kinds = self.inner.kinds().await?;
        let there = std::mem::take(&mut kinds.entities).into_iter();
        let is_own = |kind: &Kind| [LEDGER, PROGRESS, CANARY].contains(&kind.as_str());
        let ours = there
            .filter(|(space, kind)| !is_own(kind) && lineage::of(*space) == self.lineage(kind));
        kinds.entities = ours.map(|(space, kind)| (lineage::near_space(space), kind)).collect();
        Ok(kinds)
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        let found = self.inner.streams(kind, page).await?;
        let items = found.items.into_iter().filter_map(|extent| {
            let stream = self.near(&extent.stream)?;
            Some(StreamExtent { stream, ..extent })
        });
        Ok(Listed { items: items.collect(), next: found.next })
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        let page = self.inner.changes(after, limit).await?;
        let items = page.items.into_iter().map(|change| {
            let versions = change.versions.into_iter();
            let versions = versions.filter_map(|item| self.version(item)).collect();
            Change { versions, appended: self.appended(change.appended), ..change }
        });
        Ok(Listed { items: items.collect(), next: page.next })
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.inner.prune(&self.prunes(plan), limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.inner.sync().await
    }

    async fn close(&self) -> Result<()> {
        if self.owns { self.inner.close().await } else { Ok(()) }
    }
}

#[async_trait]
impl Admin for Resolved {
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
