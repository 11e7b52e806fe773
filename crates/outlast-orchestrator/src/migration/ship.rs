//! Bringing the database's copies up to date: what follows memory in mirror, what fills it
//! first, and what mends it after an outage are all this.
//!
//! Versions are merged as they are, oldest first, and merges commute: shipping twice, or what is
//! there already, changes nothing.

use std::collections::HashSet;

use outlast_core::{
    Backend, Entry, Error, HistoryQuery, Key, Op, Page, Prune, PrunePlan, ReadSet, Result, Scope,
    Seq, Slot, StreamQuery, Versioned, View,
};

use super::far::Writer;
use super::{ledger, lineage};

/// Operations in one batch.
const OPS: usize = 64;

/// Bytes of content in one batch, unless a single version has more.
const BYTES: usize = 512 << 10;

/// Versions or entries read at once.
const PAGE: u32 = 256;

/// What shipping came upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shipped {
    /// Versions and entries that the database lacked.
    pub(crate) rows: u64,
    /// Versions and entries that it lacks, and memory has no more.
    pub(crate) gaps: u64,
}

/// One shipment, from memory to the database.
pub(crate) struct Shipment<'a, 'w> {
    near: &'a dyn Backend,
    writer: &'a mut Writer<'w>,
    lineage: &'a (dyn Fn(&Key) -> u16 + Send + Sync),
    ops: Vec<Op>,
    named: HashSet<Key>,
    bytes: usize,
    shipped: Shipped,
}

impl<'a, 'w> Shipment<'a, 'w> {
    pub(crate) fn new(
        near: &'a dyn Backend,
        writer: &'a mut Writer<'w>,
        lineage: &'a (dyn Fn(&Key) -> u16 + Send + Sync),
    ) -> Self {
        let (ops, named, shipped) = (Vec::new(), HashSet::new(), Shipped::default());
        Self { near, writer, lineage, ops, named, bytes: 0, shipped }
    }

    /// Ships what the database lacks of these entities and streams. Errors as for a commit;
    /// `Diverged` if it has something else under a number that memory has too.
    pub(crate) async fn send(mut self, keys: &[Key]) -> Result<Shipped> {
        let far: HashSet<Key> = keys.iter().map(|key| self.far(key)).collect();
        let reads = ReadSet { keys: far.clone(), streams: far, ..ReadSet::default() };
        let view = self.writer.fetch(reads).await?;
        let mut touches = Vec::new();
        for key in keys {
            self.entity(key, &view).await?;
            self.stream(key, &view).await?;
        }
        self.flush().await?;
        for (key, slot) in keys.iter().zip(self.near.get(keys).await?) {
            if let Slot::Live(record) = slot
                && !record.transient.is_empty()
            {
                touches.push(Op::Touch { key: self.far(key), attrs: record.transient });
            }
        }
        for touches in touches.chunks(OPS) {
            self.commit(touches.to_vec()).await?;
        }
        Ok(self.shipped)
    }

    fn far(&self, key: &Key) -> Key {
        lineage::far(key, (self.lineage)(key))
    }

    /// The versions of an entity after the one that the database has.
    async fn entity(&mut self, key: &Key, view: &View) -> Result<()> {
        let far = self.far(key);
        let head = view.heads.get(&far).map_or(0, |head| head.version.n);
        let mut query = HistoryQuery {
            from: Some(head + 1),
            page: Page::first(PAGE),
            ..HistoryQuery::of(Scope::Entity(key.clone()))
        };
        let mut last = head;
        loop {
            let page = self.near.history(&query).await?;
            let mut versions = Vec::with_capacity(page.items.len());
            for version in page.items {
                versions.push(lineage::renamed(&version.map_err(Error::from)?, far.clone()));
            }
            if let (Some(first), Some(end)) = (versions.first(), versions.last()) {
                self.shipped.gaps += first.version.n.saturating_sub(last + 1);
                last = end.version.n;
            }
            self.versions(versions).await?;
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    /// Consecutive versions of one entity, cut into operations that fit.
    async fn versions(&mut self, versions: Vec<Versioned>) -> Result<()> {
        let mut run: Vec<Versioned> = Vec::new();
        let mut bytes = 0;
        for version in versions {
            let weight = weight(&version);
            if !run.is_empty() && bytes + weight > BYTES {
                self.merge(std::mem::take(&mut run), bytes).await?;
                bytes = 0;
            }
            bytes += weight;
            run.push(version);
        }
        self.merge(run, bytes).await
    }

    async fn merge(&mut self, mut run: Vec<Versioned>, bytes: usize) -> Result<()> {
        let Some(record) = run.pop() else { return Ok(()) };
        self.shipped.rows += run.len() as u64 + 1;
        let key = record.key.clone();
        let op = Op::MergeRecord { record: Box::new(record), history: run };
        self.push(key, op, bytes).await
    }

    /// The entries of a stream after the last one that the database has.
    async fn stream(&mut self, stream: &Key, view: &View) -> Result<()> {
        let far = self.far(stream);
        let mut last = view.streams.get(&far).map_or(0, |seq| seq.0);
        let mut query = StreamQuery {
            from: Some(Seq(last + 1)),
            page: Page::first(PAGE),
            ..StreamQuery::of(stream.clone())
        };
        loop {
            let page = self.near.read(&query).await?;
            let mut entries = Vec::with_capacity(page.items.len());
            for entry in page.items {
                entries.push(lineage::entry(&entry.map_err(Error::from)?, far.clone()));
            }
            if let Some(first) = entries.first() {
                let missing = first.seq.0 - last - 1;
                if last > 0 && missing > 0 {
                    self.restart(&far).await?;
                }
                self.shipped.gaps += missing;
            }
            last = entries.last().map_or(last, |entry| entry.seq.0);
            self.entries(&far, entries).await?;
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn entries(&mut self, stream: &Key, entries: Vec<Entry>) -> Result<()> {
        let mut run: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        self.shipped.rows += entries.len() as u64;
        for entry in entries {
            let weight = entry.data.len() + 128;
            if !run.is_empty() && bytes + weight > BYTES {
                let entries = std::mem::take(&mut run);
                let op = Op::MergeEntries { stream: stream.clone(), entries };
                self.push(stream.clone(), op, bytes).await?;
                bytes = 0;
            }
            bytes += weight;
            run.push(entry);
        }
        if run.is_empty() {
            return Ok(());
        }
        let op = Op::MergeEntries { stream: stream.clone(), entries: run };
        self.push(stream.clone(), op, bytes).await
    }

    /// Entries between what the database has and what memory still has are gone: the database
    /// keeps what memory keeps, since a stream has no holes.
    async fn restart(&mut self, stream: &Key) -> Result<()> {
        self.flush().await?;
        let plan = PrunePlan { items: vec![Prune::Stream(stream.clone())] };
        self.writer.prune(&plan).await
    }

    /// Adds an operation; one that names what another in the batch names begins a new one.
    async fn push(&mut self, key: Key, op: Op, bytes: usize) -> Result<()> {
        let is_full = self.ops.len() >= OPS || self.bytes + bytes > BYTES;
        if is_full || self.named.contains(&key) {
            self.flush().await?;
        }
        self.named.insert(key);
        self.bytes += bytes;
        self.ops.push(op);
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.named.clear();
        self.bytes = 0;
        let ops = std::mem::take(&mut self.ops);
        if ops.is_empty() { Ok(()) } else { self.commit(ops).await }
    }

    async fn commit(&mut self, ops: Vec<Op>) -> Result<()> {
        let batch = ledger::batch(self.writer.commit_id(), "shipped from memory", ops);
        self.writer.commit(&batch).await.map(drop)
    }
}

/// The bytes of a version, roughly.
fn weight(version: &Versioned) -> usize {
    let state = version.state.as_ref().map_or(0, |state| state.as_str().len());
    let metadata = version.metadata.as_ref().map_or(0, |json| json.as_str().len());
    256 + state + metadata
}
