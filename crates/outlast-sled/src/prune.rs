//! Removing what a plan names, a bounded number of rows at a time.

use outlast_core::{
    ErrorKind, Key, Prune, PrunePlan, Pruned, Result, Revision, Seq, StreamName, Timestamp, Version,
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
            Prune::Commits { before } => self.commits(*before),
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
            self.spend(row.version.revision)?;
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

    /// Notes that a commit lost a version. Whether it was the last is asked when commits go.
    fn spend(&mut self, revision: Revision) -> Result<()> {
        // Versions put beneath a head belong to no commit of this store.
        if let Some(row) = self.commit(revision)? {
            self.draft.put(Table::Spent, key::spent(row.known.at, revision), &());
        }
        Ok(())
    }

    fn commit(&self, revision: Revision) -> Result<Option<CommitRow>> {
        self.draft.content(Table::Feed, &revision.0.to_be_bytes())
    }

    /// Forgets commits of which no version is left.
    fn commits(&mut self, before: Timestamp) -> Result<bool> {
        let tables = self.draft.tables();
        let end = key::spent(before, Revision::ZERO);
        let fresh = self.draft.keys_below(Table::Spent, &end);
        let stored = tables.walk(Table::Spent, &[], Some(&end), false)?;
        let stored = stored.map(|pair| pair.map(|(place, _)| place.to_vec()));
        for place in stored.chain(fresh.into_iter().map(Ok)) {
            let place = place?;
            let damaged = |flaw| tables.error(Table::Spent, &place, flaw);
            let revision = key::to_spent(&place).map_err(damaged)?;
            // What this transaction has seen to already is met again among what it wrote.
            let is_noted = self.draft.content::<()>(Table::Spent, &place)?.is_some();
            let Some(row) = self.commit(revision)?.filter(|_| is_noted) else { continue };
            if !row.id.is_older(row.known.at, before) {
                continue;
            }
            if self.is_spent() {
                return Ok(false);
            }
            self.draft.remove(Table::Spent, place);
            self.rows += 1;
            if !self.holds_any(&row)? {
                self.forget(&row);
            }
        }
        Ok(true)
    }

    /// Whether a version that a commit wrote is left. A damaged one is.
    fn holds_any(&self, row: &CommitRow) -> Result<bool> {
        for (entity, version) in &row.known.versions {
            let place = key::version(entity, *version);
            // A number is given again after a tombstone was pruned: to another commit's version.
            match self.draft.content::<VersionRow>(Table::History, &place) {
                Ok(Some(kept)) if kept.version.revision == row.known.revision => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn forget(&mut self, row: &CommitRow) {
        let revision = row.known.revision;
        let state = &mut self.draft.state;
        state.floor = state.floor.max(revision);
        self.draft.remove(Table::Commits, row.id.as_bytes().to_vec());
        self.draft.remove(Table::Feed, revision.0.to_be_bytes().to_vec());
    }
}
