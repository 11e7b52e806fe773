//! Removing what a plan names, a bounded number of rows at a time.

use outlast_core::{
    Key, Prune, PrunePlan, Pruned, REMEMBERED_FOR, Result, Seq, StreamName, Version,
};

use crate::codec::{CommitRow, Extent, HeadRow, State, VersionRow, key};
use crate::draft::{Draft, Transaction};
use crate::tables::{Table, Tables};

/// The transaction that removes the next rows of the plan, if any are left.
pub(crate) fn draft(
    tables: &Tables,
    state: State,
    plan: &PrunePlan,
    limit: u32,
) -> Result<(Option<Transaction>, Pruned)> {
    let mut pruning = Pruning { draft: Draft::new(tables, state), rows: 0, limit: limit.max(1) };
    let mut done = true;
    for item in &plan.items {
        done = pruning.remove(item)?;
        if !done {
            break;
        }
    }
    pruning.forget()?;
    let Pruning { draft, rows, .. } = pruning;
    let transaction = if draft.is_empty() { None } else { Some(draft.finish()) };
    Ok((transaction, Pruned { rows, done }))
}

struct Pruning<'a> {
    draft: Draft<'a>,
    rows: u64,
    limit: u32,
}

impl Pruning<'_> {
    /// Removes one item; whether all of it is gone.
    fn remove(&mut self, item: &Prune) -> Result<bool> {
        match item {
            Prune::Entries { stream, up_to } => self.entries(stream, *up_to),
            Prune::Stream(stream) => {
                let whole = self.entries(stream, Seq(u64::MAX))?;
                if whole {
                    self.draft.remove(Table::Streams, key::entity(stream));
                }
                Ok(whole)
            }
            Prune::History { key, below } => {
                let head = self.head(key)?.map(|head| head.version);
                self.versions(key, |version| version.n < *below && Some(version) != head)
            }
            Prune::Tombstone { key, version } => self.tombstone(key, *version),
        }
    }

    fn is_spent(&self) -> bool {
        self.rows >= u64::from(self.limit)
    }

    fn head(&self, entity: &Key) -> Result<Option<HeadRow>> {
        self.draft.content(Table::Heads, &key::entity(entity))
    }

    fn entries(&mut self, stream: &StreamName, up_to: Seq) -> Result<bool> {
        let place = key::entity(stream);
        let extent: Option<Extent> = self.draft.content(Table::Streams, &place)?;
        let Some(mut extent) = extent else { return Ok(true) };
        let end = up_to.min(extent.last);
        let before = extent.first;
        while extent.first <= end && !self.is_spent() {
            self.draft.remove(Table::Entries, key::entry(stream, extent.first.0));
            extent.first = Seq(extent.first.0 + 1);
            self.rows += 1;
        }
        if extent.first != before {
            self.draft.put(Table::Streams, place, &extent);
        }
        Ok(extent.first > end)
    }

    /// Removes the versions of an entity that `goes` names, the oldest first.
    fn versions(&mut self, entity: &Key, goes: impl Fn(Version) -> bool) -> Result<bool> {
        let tables = self.draft.tables();
        for pair in tables.under(Table::History, &key::beneath(entity))? {
            let (place, bytes) = pair?;
            let damaged = |flaw| tables.error(Table::History, &place, flaw);
            let (_, version) = key::to_version(&place).map_err(damaged)?;
            if !goes(version) {
                continue;
            }
            if self.is_spent() {
                return Ok(false);
            }
            let row: VersionRow = Tables::met(Table::History, &place, bytes).map_err(damaged)?;
            let state = &mut self.draft.state;
            state.floor = state.floor.max(row.version.revision);
            self.draft.remove(Table::Audit, row.position.to_be_bytes().to_vec());
            self.draft.remove(Table::History, place.to_vec());
            self.rows += 1;
        }
        Ok(true)
    }

    fn tombstone(&mut self, entity: &Key, version: Version) -> Result<bool> {
        let head = self.head(entity)?;
        if !head.is_some_and(|head| !head.live && head.version == version) {
            return Ok(true);
        }
        // Its own version goes last and with the head, so that a head always has its version.
        if !self.versions(entity, |older| older != version)? || self.is_spent() {
            return Ok(false);
        }
        self.versions(entity, |last| last == version)?;
        self.draft.remove(Table::Heads, key::entity(entity));
        Ok(true)
    }

    /// Forgets commits that the feed no longer reaches and that are no longer to be remembered.
    ///
    /// The time is that of the newest commit, since a backend reads no clock.
    fn forget(&mut self) -> Result<()> {
        let state = self.draft.state;
        let oldest = state.latest.minus(REMEMBERED_FOR);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let tables = self.draft.tables();
        let end = state.floor.next().0.to_be_bytes();
        for pair in tables.walk(Table::Feed, &[], Some(&end), false)?.take(limit) {
            let (place, bytes) = pair?;
            let damaged = |flaw| tables.error(Table::Feed, &place, flaw);
            let row: CommitRow = Tables::met(Table::Feed, &place, bytes).map_err(damaged)?;
            if row.known.at >= oldest {
                break;
            }
            self.draft.remove(Table::Commits, row.id.as_bytes().to_vec());
            self.draft.remove(Table::Feed, place.to_vec());
        }
        Ok(())
    }
}
