//! Merges what is read into a store, in batches that fit it.

use std::collections::HashSet;
use std::mem;

use outlast_core::{
    Actor, Attributes, Batch, Cause, Entry, Error, ErrorKind, Key, Limits, Op, Outcome, Receipt,
    Result, Slot, StreamExtent, Version, Versioned,
};
use outlast_store::Store;

use super::import::{Divergence, Imported};
use super::stream::Tail;

/// A batch weighs at most so much, or what a single operation in it weighs.
const WEIGHT: usize = 1 << 20;
/// An entity with more versions is merged in several steps, the oldest first.
const VERSIONS: usize = 256;

/// What was merged so far.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) entities: u64,
    pub(super) entries: u64,
    pub(super) divergences: Vec<Divergence>,
    pub(super) diverged: u64,
}

pub(super) struct Merger<'a> {
    pub(super) store: &'a Store,
    limits: Limits,
    batch: Vec<Op>,
    weight: usize,
    /// The versions of the present entity, or of its last step.
    versions: Vec<Versioned>,
    versions_weight: usize,
    transient: Attributes,
    /// Transient attributes to set once the batch is committed.
    touches: Vec<(Key, Version, Attributes)>,
    tail: Option<Tail>,
    merged: Merged,
    /// The entity or stream that diverged last: the rest of it is passed over.
    diverged: Option<Key>,
    /// The entity that was counted last.
    counted: Option<Key>,
}

impl<'a> Merger<'a> {
    pub(super) fn new(store: &'a Store, limits: Limits) -> Self {
        Self {
            store,
            limits,
            batch: Vec::new(),
            weight: 0,
            versions: Vec::new(),
            versions_weight: 0,
            transient: Attributes::new(),
            touches: Vec::new(),
            tail: None,
            merged: Merged::default(),
            diverged: None,
            counted: None,
        }
    }

    pub(super) async fn version(&mut self, version: Versioned) -> Result<()> {
        let weight = weigh(&version);
        if let Some(last) = self.versions.last() {
            let same = last.key == version.key;
            let full = self.versions.len() >= VERSIONS || self.versions_weight + weight > WEIGHT;
            if !same {
                self.entity().await?;
            } else if full {
                self.entity().await?;
                // No two operations of a batch may name one entity.
                self.commit().await?;
            }
        }
        self.versions_weight += weight;
        self.versions.push(version);
        Ok(())
    }

    pub(super) fn transient(&mut self, attrs: Attributes) {
        self.transient = attrs;
    }

    /// Adds what was gathered of an entity to the batch.
    async fn entity(&mut self) -> Result<()> {
        let mut history = mem::take(&mut self.versions);
        let weight = mem::take(&mut self.versions_weight);
        let transient = mem::take(&mut self.transient);
        let Some(record) = history.pop() else { return Ok(()) };
        let (key, version) = (record.key.clone(), record.version);
        self.add(Op::MergeRecord { record: Box::new(record), history }, weight).await?;
        if !transient.is_empty() && self.diverged.as_ref() != Some(&key) {
            self.touches.push((key, version, transient));
        }
        Ok(())
    }

    /// Begins a stream.
    pub(super) async fn stream(&mut self, extent: StreamExtent) -> Result<()> {
        self.entity().await?;
        self.end_stream().await?;
        let tail = Tail::open(self.store, extent).await?;
        if let Some(why) = tail.gap() {
            self.diverge(tail.stream().clone(), why);
        }
        self.tail = Some(tail);
        Ok(())
    }

    pub(super) async fn entry(&mut self, entry: Entry) -> Result<()> {
        let Some(tail) = &mut self.tail else {
            return Err(Error::internal("an entry was read before its stream"));
        };
        if self.diverged.as_ref() == Some(&entry.stream) {
            return Ok(());
        }
        if tail.push(entry) >= WEIGHT {
            self.entries().await?;
            self.commit().await?;
        }
        Ok(())
    }

    /// Adds the gathered entries that the store lacks to the batch.
    async fn entries(&mut self) -> Result<()> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        let stream = tail.stream().clone();
        match tail.missing(self.store).await? {
            Ok(entries) if entries.is_empty() => Ok(()),
            Ok(entries) => {
                let weight = entries.iter().map(|entry| entry.data.len() + 64).sum();
                self.add(Op::MergeEntries { stream, entries }, weight).await
            }
            Err(why) => {
                self.diverge(stream, why);
                Ok(())
            }
        }
    }

    async fn end_stream(&mut self) -> Result<()> {
        self.entries().await?;
        if let Some(tail) = self.tail.take() {
            tail.empty_out(self.store).await?;
        }
        Ok(())
    }

    pub(super) async fn end(mut self) -> Result<Merged> {
        self.entity().await?;
        self.end_stream().await?;
        self.commit().await?;
        Ok(self.merged)
    }

    async fn add(&mut self, op: Op, weight: usize) -> Result<()> {
        if op.key().or(op.stream()) == self.diverged.as_ref() {
            return Ok(());
        }
        let ops = self.batch.len() >= self.limits.ops.min(VERSIONS);
        if ops || self.weight + weight > WEIGHT.min(self.limits.batch_bytes) {
            self.commit().await?;
        }
        self.weight += weight;
        self.batch.push(op);
        Ok(())
    }

    async fn commit(&mut self) -> Result<()> {
        let ops = mem::take(&mut self.batch);
        self.weight = 0;
        let mut touches = mem::take(&mut self.touches);
        let mut written = HashSet::new();
        if !ops.is_empty() {
            match self.apply(ops.clone()).await {
                Ok(receipt) => self.count(&receipt, &mut written),
                Err(error) if error.kind() == ErrorKind::Diverged => {
                    for op in ops {
                        if let Some(refused) = self.apply_alone(op, &mut written).await? {
                            touches.retain(|(key, ..)| *key != refused);
                        }
                    }
                }
                Err(error) => return Err(error.context("the import was cut off; repeat it")),
            }
        }
        self.touch(touches, &written).await
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<Receipt> {
        let mut batch = Batch::new(self.store.ids().commit_id(), Cause::by(Actor::Migration));
        batch.ops = ops;
        match self.store.commit(batch).await? {
            Outcome::Applied(receipt) | Outcome::Replayed(receipt) => Ok(receipt),
            Outcome::Conflict { key, .. } => {
                Err(Error::internal(format!("merging {key} met an expectation it does not have")))
            }
        }
    }

    /// Applies one operation, and says whose content diverged if it did.
    async fn apply_alone(&mut self, op: Op, written: &mut HashSet<Key>) -> Result<Option<Key>> {
        let name = op.key().or(op.stream()).cloned();
        match (self.apply(vec![op]).await, name) {
            (Ok(receipt), _) => {
                self.count(&receipt, written);
                Ok(None)
            }
            (Err(error), Some(key)) if error.kind() == ErrorKind::Diverged => {
                self.diverge(key.clone(), error.to_string());
                Ok(Some(key))
            }
            (Err(error), _) => Err(error.context("the import was cut off; repeat it")),
        }
    }

    fn count(&mut self, receipt: &Receipt, written: &mut HashSet<Key>) {
        for (key, _) in &receipt.versions {
            // An entity merged in steps is one entity.
            self.merged.entities += u64::from(self.counted.as_ref() != Some(key));
            self.counted = Some(key.clone());
            written.insert(key.clone());
        }
        let places = receipt.appended.iter().map(|(_, first, last)| last.0 - first.0 + 1);
        self.merged.entries += places.sum::<u64>();
    }

    fn diverge(&mut self, key: Key, why: String) {
        self.merged.diverged += 1;
        if self.merged.divergences.len() < Imported::MOST_NAMED {
            self.merged.divergences.push(Divergence { key: key.clone(), why });
        }
        self.diverged = Some(key);
    }

    /// Sets the transient attributes of entities that are at the imported version: all of them if
    /// it came just now, else those that are missing, which an import that was cut off may have
    /// left.
    async fn touch(
        &self,
        touches: Vec<(Key, Version, Attributes)>,
        written: &HashSet<Key>,
    ) -> Result<()> {
        if touches.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = touches.iter().map(|(key, ..)| key.clone()).collect();
        let slots = self.store.get(&keys).await?;
        let mut ops = Vec::new();
        for ((key, version, mut attrs), slot) in touches.into_iter().zip(slots) {
            if let Slot::Live(record) = slot
                && record.version == version
            {
                if !written.contains(&key) {
                    attrs.retain(|name, _| !record.transient.contains_key(name));
                }
                if !attrs.is_empty() {
                    ops.push(Op::Touch { key, attrs });
                }
            }
        }
        if ops.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new(self.store.ids().commit_id(), Cause::by(Actor::Migration));
        batch.ops = ops;
        // One that was deleted this instant needs them no more; the next import sets the others.
        self.store.commit(batch).await.map(drop)
    }
}

fn weigh(version: &Versioned) -> usize {
    let state = version.state.as_ref().map_or(0, |state| state.as_str().len());
    let metadata = version.metadata.as_ref().map_or(0, |json| json.as_str().len());
    512 + state + metadata
}
