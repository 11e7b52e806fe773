//! Filling memory from the database after a start: every entity as it is, and of each stream its
//! last place. Older versions and entries stay where they are and are read from there.

use std::collections::BTreeSet;

use outlast_core::{
    Action, Backend, Batch, Clock, CommitId, Entry, IdSource, Kind, Op, Page, Prune, PrunePlan,
    Query, Result, Revision, Slot, Space, StreamQuery, Versioned,
};

use super::apply::apply;
use super::{ledger, lineage};

/// Entities and streams read at once.
const PAGE: u32 = 1000;

/// Operations in one batch.
const OPS: usize = 256;

/// From where to where.
pub(crate) struct Hydration<'a> {
    pub(crate) near: &'a dyn Backend,
    pub(crate) far: &'a dyn Backend,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) ids: &'a dyn IdSource,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Filled {
    /// Entities, tombstones included.
    pub(crate) entities: u64,
    /// What could not be read, as its damage names it.
    pub(crate) damaged: BTreeSet<String>,
}

impl Hydration<'_> {
    /// Fills in one lineage of a kind, and says what that was.
    pub(crate) async fn fill(&self, kind: &Kind, of: u16) -> Result<Filled> {
        let kinds = self.far.kinds().await?;
        let spaces: BTreeSet<Space> = kinds
            .entities
            .iter()
            .filter(|(space, there)| there == kind && lineage::of(*space) == of)
            .map(|(space, _)| *space)
            .collect();
        let mut found = Filled::default();
        for space in spaces {
            self.entities(kind, space, &mut found).await?;
        }
        if kinds.streams.contains(kind) {
            self.streams(kind, of).await?;
        }
        Ok(found)
    }

    async fn entities(&self, kind: &Kind, space: Space, found: &mut Filled) -> Result<()> {
        let mut query =
            Query { space, tombstones: true, page: Page::first(PAGE), ..Query::of(kind.clone()) };
        loop {
            let page = self.far.list(&query).await?;
            found.entities += page.items.len() as u64;
            self.slots(page.items, &mut found.damaged).await?;
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn slots(&self, slots: Vec<Slot>, damaged: &mut BTreeSet<String>) -> Result<()> {
        let mut merges = Vec::with_capacity(slots.len());
        let mut touches = Vec::new();
        for slot in slots {
            let commit = self.ids.commit_id();
            match lineage::slot(slot) {
                Slot::Damaged(damage) => {
                    let what = damage.what.clone();
                    tracing::warn!(what, "damaged in the database, so memory goes without it");
                    damaged.insert(what);
                }
                Slot::Live(record) => {
                    if !record.transient.is_empty() {
                        let attrs = record.transient.clone();
                        touches.push(Op::Touch { key: record.key.clone(), attrs });
                    }
                    merges.push(merge(Versioned {
                        schema: record.schema,
                        attrs: record.attrs.clone(),
                        state: Some(record.state.clone()),
                        ..bare(record.key.clone(), record.version, record.updated_at, commit)
                    }));
                }
                Slot::Tombstone { key, version, at } => {
                    merges.push(merge(bare(key, version, at, commit)));
                }
                Slot::Vacant => {}
            }
        }
        for ops in merges.chunks(OPS).chain(touches.chunks(OPS)) {
            self.apply(ops.to_vec()).await?;
        }
        Ok(())
    }

    async fn streams(&self, kind: &Kind, of: u16) -> Result<()> {
        let mut page = Page::first(PAGE);
        loop {
            let found = self.far.streams(kind, &page).await?;
            for extent in found.items {
                if let Some(stream) = lineage::near(&extent.stream, of) {
                    self.tail(&extent.stream, stream, extent.last).await?;
                }
            }
            let Some(next) = found.next else { return Ok(()) };
            page = page.after(next);
        }
    }

    /// The last entry of a stream, so that the next one gets the next place.
    async fn tail(
        &self,
        far: &outlast_core::Key,
        near: outlast_core::Key,
        last: outlast_core::Seq,
    ) -> Result<()> {
        let query = StreamQuery {
            newest_first: true,
            page: Page::first(1),
            ..StreamQuery::of(far.clone())
        };
        let found = self.far.read(&query).await?.items.pop();
        let entry = match found {
            Some(Ok(entry)) => lineage::entry(&entry, near.clone()),
            // Nothing is left of it, or that is damaged: only its place is needed.
            Some(Err(_)) | None => Entry {
                stream: near.clone(),
                seq: last,
                at: self.clock.now(),
                attrs: outlast_core::Attributes::new(),
                data: Vec::new(),
            },
        };
        let is_there = entry.seq == last && !entry.data.is_empty();
        self.apply(vec![Op::MergeEntries { stream: near.clone(), entries: vec![entry] }]).await?;
        if is_there {
            return Ok(());
        }
        let plan = PrunePlan { items: vec![Prune::Entries { stream: near, up_to: last }] };
        while !self.near.prune(&plan, PAGE).await?.done {}
        Ok(())
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<()> {
        let batch: Batch = ledger::batch(self.ids.commit_id(), "read from the database", ops);
        apply(self.near, self.clock, &batch).await
    }
}

fn merge(version: Versioned) -> Op {
    Op::MergeRecord { record: Box::new(version), history: Vec::new() }
}

/// A version of which the database alone knows who made it and why.
fn bare(
    key: outlast_core::Key,
    version: outlast_core::Version,
    at: outlast_core::Timestamp,
    commit: CommitId,
) -> Versioned {
    Versioned {
        key,
        version,
        revision: Revision::ZERO,
        commit,
        at,
        action: Action::update(),
        actor: None,
        reason: None,
        metadata: None,
        schema: 0,
        attrs: outlast_core::Attributes::new(),
        state: None,
    }
}
