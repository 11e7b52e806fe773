//! Lineages that were set aside: what a kind left in the database when it went back to memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use outlast_core::{
    Backend, Error, ErrorKind, Expect, HistoryQuery, Key, Kind, Op, Page, Prune, PrunePlan, Query,
    Result, Scope, Space, StreamQuery, Versioned,
};
use serde::Serialize;

use super::dual::Shared;
use super::rehearse::bury;
use super::{Phase, ledger, lineage};

/// Entities and streams read at once.
const PAGE: u32 = 256;

/// A lineage that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// The kind.
    pub kind: Kind,
    /// Its number.
    pub lineage: u16,
    /// Entities that live in it.
    pub entities: u64,
    /// Streams in it.
    pub streams: u64,
}

/// What became of a quarantined lineage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Entities and streams that were taken over, or removed.
    pub done: u64,
    /// Entities and streams that could not be taken over, because something else is there.
    pub kept: u64,
}

impl Shared {
    /// The lineages of all kinds that nothing serves any more.
    pub(crate) async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        let far = self.far.reader()?;
        let kinds = self.far.within(far.kinds()).await?;
        let all = kinds.entities.iter().map(|(_, kind)| kind).chain(&kinds.streams);
        let all: BTreeSet<Kind> = all.cloned().collect();
        let mut found = Vec::new();
        for kind in all {
            if [ledger::LEDGER, ledger::PROGRESS].contains(&kind.as_str()) {
                continue;
            }
            for lineage in self.lineages(&kind).await? {
                if !self.is_set_aside(&kind, lineage).await {
                    continue;
                }
                let mut entities = 0;
                for space in self.spaces(&kind, lineage).await? {
                    let query = Query { space, ..Query::of(kind.clone()) };
                    entities += self.far.within(far.count(&query, &[])).await?.total;
                }
                let streams = self.streams_of(&kind, lineage).await?.len() as u64;
                found.push(Quarantined { kind: kind.clone(), lineage, entities, streams });
            }
        }
        let rows: u64 = found.iter().map(|lineage| lineage.entities + lineage.streams).sum();
        #[allow(clippy::cast_precision_loss)]
        metrics::gauge!(crate::telemetry::MIGRATION_QUARANTINED).set(rows as f64);
        Ok(found)
    }

    /// Whether the ledger says that a lineage of a kind is not the one that counts. What no
    /// ledger knows was never set aside.
    async fn is_set_aside(&self, kind: &Kind, lineage: u16) -> bool {
        let writer = self.far.lock().await;
        let row = writer.session.rows.get(kind).map(|(row, _)| row);
        row.is_some_and(|row| row.phase == Phase::Memory || row.lineage != lineage)
    }

    async fn check_set_aside(&self, kind: &Kind, lineage: u16) -> Result<()> {
        if !self.is_set_aside(kind, lineage).await {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "lineage {lineage} of {kind} counts, or no ledger knows it; nothing was \
                     changed: `outlast migrate state quarantine list` names what is set aside"
                ),
            ));
        }
        Ok(())
    }

    /// Takes what was set aside over, where it is newer or nothing is there; older versions go
    /// beneath. What has other content at the same version is left, and counted.
    pub(crate) async fn adopt(self: &Arc<Self>, kind: &Kind, of: u16) -> Result<Released> {
        self.check_set_aside(kind, of).await?;
        let far = self.far.reader()?;
        let mut released = Released::default();
        for space in self.spaces(kind, of).await? {
            for key in self.names(kind, space).await? {
                let Some(near) = lineage::near(&key, of) else { continue };
                let mut versions = history(&*far, &key, &near).await?;
                let Some(record) = versions.pop() else { continue };
                let op = Op::MergeRecord { record: Box::new(record), history: versions };
                self.take_over(op, &mut released).await?;
            }
        }
        for stream in self.streams_of(kind, of).await? {
            let Some(near) = lineage::near(&stream, of) else { continue };
            let mut query = StreamQuery { page: Page::first(PAGE), ..StreamQuery::of(stream) };
            loop {
                let page = self.far.within(far.read(&query)).await?;
                let entries: Vec<_> = page.items.into_iter().flatten().collect();
                let entries: Vec<_> =
                    entries.iter().map(|entry| lineage::entry(entry, near.clone())).collect();
                if !entries.is_empty() {
                    let op = Op::MergeEntries { stream: near.clone(), entries };
                    self.take_over(op, &mut released).await?;
                }
                let Some(next) = page.next else { break };
                query.page = query.page.after(next);
            }
        }
        Ok(released)
    }

    async fn take_over(self: &Arc<Self>, op: Op, released: &mut Released) -> Result<()> {
        match self.commit(op).await {
            Ok(true) => released.done += 1,
            Ok(false) => released.kept += 1,
            Err(error) if matches!(error.kind(), ErrorKind::Diverged | ErrorKind::Invalid) => {
                released.kept += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Removes what was set aside, in slices. It can be stopped at any moment, and goes on when it
    /// is asked to again.
    pub(crate) async fn purge(&self, kind: &Kind, of: u16) -> Result<Released> {
        self.check_set_aside(kind, of).await?;
        let far = self.far.reader()?;
        let mut released = Released::default();
        for space in self.spaces(kind, of).await? {
            for key in self.names(kind, space).await? {
                let mut writer = self.far.lock().await;
                let op = Op::Delete { key: key.clone(), expect: Expect::Any };
                let batch = ledger::batch(writer.commit_id(), "purged", vec![op]);
                match writer.commit(&batch).await {
                    Ok(_) => {}
                    // A tombstone already.
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    Err(error) => return Err(error),
                }
                bury(&*far, &key).await?;
                released.done += 1;
            }
        }
        for stream in self.streams_of(kind, of).await? {
            let mut writer = self.far.lock().await;
            writer.prune(&PrunePlan { items: vec![Prune::Stream(stream)] }).await?;
            released.done += 1;
        }
        Ok(released)
    }

    /// The spaces of the database that belong to a lineage of a kind.
    pub(crate) async fn spaces(&self, kind: &Kind, of: u16) -> Result<Vec<Space>> {
        let far = self.far.reader()?;
        let kinds = self.far.within(far.kinds()).await?;
        let spaces = kinds.entities.into_iter().filter(|(_, known)| known == kind);
        Ok(spaces.map(|(space, _)| space).filter(|space| lineage::of(*space) == of).collect())
    }

    /// The entities of a space, tombstones included.
    async fn names(&self, kind: &Kind, space: Space) -> Result<Vec<Key>> {
        let far = self.far.reader()?;
        let mut query =
            Query { space, tombstones: true, page: Page::first(PAGE), ..Query::of(kind.clone()) };
        let mut names = Vec::new();
        loop {
            let page = self.far.within(far.list(&query)).await?;
            names.extend(page.items.iter().filter_map(super::diff::named).cloned());
            let Some(next) = page.next else { return Ok(names) };
            query.page = query.page.after(next);
        }
    }

    /// The streams of a lineage, under their names in the database.
    pub(crate) async fn streams_of(&self, kind: &Kind, of: u16) -> Result<Vec<Key>> {
        let far = self.far.reader()?;
        let mut page = Page::first(PAGE);
        let mut names = Vec::new();
        loop {
            let found = self.far.within(far.streams(kind, &page)).await?;
            let streams = found.items.into_iter().map(|extent| extent.stream);
            names.extend(streams.filter(|stream| lineage::of(stream.space) == of));
            let Some(next) = found.next else { return Ok(names) };
            page = page.after(next);
        }
    }
}

/// All versions of an entity of the database, under our name.
async fn history(backend: &dyn Backend, key: &Key, near: &Key) -> Result<Vec<Versioned>> {
    let scope = Scope::Entity(key.clone());
    let mut query = HistoryQuery { page: Page::first(PAGE), ..HistoryQuery::of(scope) };
    let mut versions = Vec::new();
    loop {
        let page = backend.history(&query).await?;
        let found = page.items.into_iter().flatten();
        versions.extend(found.map(|version| Versioned { key: near.clone(), ..version }));
        let Some(next) = page.next else { return Ok(versions) };
        query.page = query.page.after(next);
    }
}
