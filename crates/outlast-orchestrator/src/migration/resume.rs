//! Starting over a near store that outlasts the process: it is not filled, both sides are brought
//! up to date from where they were last the same.
//!
//! The change feeds of both say what happened since. Where one of them was pruned, everything is
//! looked at.

use std::collections::BTreeSet;

use outlast_core::{
    Attributes, Backend, Capability, Error, ErrorKind, Expect, HistoryQuery, Id, Incarnation, Json,
    Key, Kind, Op, Page, Put, Query, ReadSet, Result, Revision, Scope, Seq, StreamQuery, Versioned,
};
use serde::{Deserialize, Serialize};

use super::apply::apply;
use super::dual::Shared;
use super::ledger::{self, PROGRESS};
use super::lineage;

/// The record that says when both were last the same. No kind is called that.
const LEVEL: &str = "level";

/// Changes, entities and entries read at once.
const PAGE: u32 = 256;

/// Where both feeds were when nothing was behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Level {
    near: (Incarnation, Revision),
    far: (Incarnation, Revision),
}

impl Shared {
    /// Whether the near store outlasts the process.
    pub(crate) fn is_lasting(&self) -> bool {
        self.near.info().can(Capability::Persistent)
    }

    /// Writes down where both feeds are, if nothing is behind. What happens meanwhile comes after
    /// what is written down, and merging it again changes nothing.
    pub(crate) async fn level(&self) -> Result<()> {
        if !self.is_lasting() {
            return Ok(());
        }
        let near = self.near.fetch(&ReadSet::default()).await?.revision;
        let mut writer = self.far.lock().await;
        let far = writer.fetch(ReadSet::default()).await?.revision;
        let is_level = {
            let control = self.control();
            let is_filled = control.courses().values().all(|c| !c.is_mirrored() || c.backfilled);
            is_filled && control.behind(None) == 0 && control.doubt().is_none()
        };
        if !is_level {
            return Ok(());
        }
        let near = (self.near.info().incarnation, near);
        let far = (self.far.info().incarnation, far);
        let put = Put {
            key: level_key()?,
            expect: Expect::Any,
            schema: 1,
            attrs: Attributes::new(),
            state: Json::encode(&Level { near, far })?,
        };
        let batch = ledger::batch(writer.commit_id(), "both are the same", vec![Op::Put(put)]);
        writer.commit(&batch).await.map(drop)
    }

    /// Brings the near store up to what the database has of these kinds, and marks what the near
    /// store has and the database may lack. Whether the feeds told; if not, the kinds have to be
    /// gone through.
    pub(crate) async fn catch_up_with(&self, kinds: &[(Kind, u16)]) -> Result<bool> {
        let level = self.read_level().await?;
        let far = self.far.reader()?;
        let (near_info, far_info) = (self.near.info(), self.far.info());
        let known = level.filter(|level| {
            level.near.0 == near_info.incarnation && level.far.0 == far_info.incarnation
        });
        if let Some(level) = known
            && let Some(changed) = since(&*far, level.far.1).await?
            && let Some(ours) = since(&*self.near, level.near.1).await?
        {
            for name in changed {
                let of = kinds.iter().find(|(kind, _)| *kind == name.kind);
                if let Some(key) = of.and_then(|(_, of)| lineage::near(&name, *of)) {
                    self.take_from_far(&name, &key).await?;
                }
            }
            let ours = ours.into_iter().filter(|key| kinds.iter().any(|(k, _)| *k == key.kind));
            self.late.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(ours);
            return Ok(true);
        }
        for (kind, of) in kinds {
            self.go_through(kind, *of).await?;
        }
        Ok(false)
    }

    /// Goes through kinds beyond mirror of which the feeds did not tell what the database lacks.
    pub(crate) async fn fill_gaps(&self, kinds: &[Kind]) -> Result<()> {
        for kind in kinds {
            let course = self.control().course(kind).cloned();
            if course.is_some_and(|course| course.phase.is_durable() && !course.backfilled) {
                self.backfill(kind, |_| {}).await?;
            }
        }
        Ok(())
    }

    async fn read_level(&self) -> Result<Option<Level>> {
        let slot = self.far.reader()?.get(&[level_key()?]).await?.pop();
        let record = slot.map(outlast_core::Slot::live).transpose()?.flatten();
        Ok(record.and_then(|record| serde_json::from_str(record.state.as_str()).ok()))
    }

    /// Takes from the database whatever is newer there.
    async fn go_through(&self, kind: &Kind, of: u16) -> Result<()> {
        let far = self.far.reader()?;
        for space in self.spaces(kind, of).await? {
            let mut query = Query {
                space,
                tombstones: true,
                page: Page::first(PAGE),
                ..Query::of(kind.clone())
            };
            loop {
                let page = far.list(&query).await?;
                for name in page.items.iter().filter_map(super::diff::named) {
                    if let Some(key) = lineage::near(name, of) {
                        self.take_from_far(name, &key).await?;
                    }
                }
                let Some(next) = page.next else { break };
                query.page = query.page.after(next);
            }
        }
        for name in self.streams_of(kind, of).await? {
            if let Some(key) = lineage::near(&name, of) {
                self.take_from_far(&name, &key).await?;
            }
        }
        Ok(())
    }

    /// Takes the versions and entries of one name that the near store lacks.
    async fn take_from_far(&self, far: &Key, near: &Key) -> Result<()> {
        let names = std::collections::HashSet::from([near.clone()]);
        let reads = ReadSet { keys: names.clone(), streams: names, ..ReadSet::default() };
        let view = self.near.fetch(&reads).await?;
        let head = view.heads.get(near).map_or(0, |head| head.version.n);
        let mut versions = self.versions_after(far, near, head).await?;
        if let Some(record) = versions.pop() {
            let op = Op::MergeRecord { record: Box::new(record), history: versions };
            self.apply_near(op).await?;
        }
        let last = view.streams.get(near).map_or(0, |seq| seq.0);
        let mut query = StreamQuery {
            from: Some(Seq(last + 1)),
            page: Page::first(PAGE),
            ..StreamQuery::of(far.clone())
        };
        let backend = self.far.reader()?;
        loop {
            let page = backend.read(&query).await?;
            let entries: Vec<_> = page.items.into_iter().flatten().collect();
            let entries: Vec<_> =
                entries.iter().map(|entry| lineage::entry(entry, near.clone())).collect();
            if !entries.is_empty() {
                self.apply_near(Op::MergeEntries { stream: near.clone(), entries }).await?;
            }
            let Some(next) = page.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn versions_after(&self, far: &Key, near: &Key, n: u64) -> Result<Vec<Versioned>> {
        let backend = self.far.reader()?;
        let mut query = HistoryQuery {
            from: Some(n + 1),
            page: Page::first(PAGE),
            ..HistoryQuery::of(Scope::Entity(far.clone()))
        };
        let mut versions = Vec::new();
        loop {
            let page = backend.history(&query).await?;
            let found = page.items.into_iter().flatten();
            versions.extend(found.map(|version| lineage::renamed(&version, near.clone())));
            let Some(next) = page.next else { return Ok(versions) };
            query.page = query.page.after(next);
        }
    }

    async fn apply_near(&self, op: Op) -> Result<()> {
        let id = self.far.ids.commit_id();
        let batch = ledger::batch(id, "taken from the database at start", vec![op]);
        apply(&*self.near, &*self.far.clock, &batch).await
    }

    /// The kinds of a near store that was used before; it must not have moved itself.
    pub(crate) async fn near_kinds(&self) -> Result<BTreeSet<Kind>> {
        if !self.is_lasting() {
            return Ok(BTreeSet::new());
        }
        for (kind, (row, _)) in ledger::read(&*self.near).await? {
            if row.lineage != 0 {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "{kind} lies under lineage {} of the store to move from; copy it to a new \
                         store with `outlast copy` first",
                        row.lineage
                    ),
                ));
            }
        }
        let there = self.near.kinds().await?;
        let all = there.entities.into_iter().map(|(_, kind)| kind).chain(there.streams);
        Ok(all.filter(|kind| ![ledger::LEDGER, PROGRESS].contains(&kind.as_str())).collect())
    }
}

fn level_key() -> Result<Key> {
    Ok(Key::of(Kind::new(PROGRESS)?, Id::new(format!("*{LEVEL}"))?))
}

/// What was changed after a revision; `None` if the feed no longer tells.
async fn since(backend: &dyn Backend, mut after: Revision) -> Result<Option<BTreeSet<Key>>> {
    let mut changed = BTreeSet::new();
    loop {
        let page = match backend.changes(after, PAGE).await {
            Ok(page) => page,
            Err(error) if error.kind() == ErrorKind::Compacted => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(last) = page.items.last().map(|change| change.revision) else {
            return Ok(Some(changed));
        };
        for change in page.items {
            for version in change.versions {
                // What cannot be read here is gone through.
                let Ok(version) = version else { return Ok(None) };
                changed.insert(version.key);
            }
            changed.extend(change.appended.into_iter().map(|(stream, ..)| stream));
        }
        after = last;
    }
}
