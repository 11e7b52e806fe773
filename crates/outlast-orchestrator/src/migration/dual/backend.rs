//! The pair as a backend.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, CommitId, Counts, Durability, Entry, Error,
    ErrorKind, HistoryQuery, Key, Kind, Kinds, Limits, Listed, Page, PrunePlan, Pruned, Query,
    ReadSet, Remembered, Result, Revision, Size, Slot, StreamExtent, StreamQuery, Terms,
    Verification, Verified, Versioned, View, WriteSet, Written,
};

use super::{Course, Dual, Shared};
use crate::migration::births::{Refusals, unmet};
use crate::migration::control::Link;
use crate::migration::lineage;
use crate::migration::{Phase, Policy};

#[async_trait]
impl Backend for Dual {
    fn info(&self) -> BackendInfo {
        self.shared.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        self.shared.fetch(reads).await
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        self.shared.write(set).await
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        self.shared.get(keys).await
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.shared.list(query).await
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.shared.count(query, by).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.shared.history(query).await
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.shared.read(query).await
    }

    async fn kinds(&self) -> Result<Kinds> {
        self.shared.near.kinds().await
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.shared.streams(kind, page).await
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.shared.near.changes(after, limit).await
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        self.shared.prune(plan, limit).await
    }

    async fn sync(&self) -> Result<()> {
        self.shared.near.sync().await?;
        let needs =
            self.shared.control().courses().values().any(|course| course.phase.is_durable());
        if needs && *self.shared.control().link() == Link::Up {
            let far = self.shared.far.reader()?;
            self.shared.far.within(far.sync()).await?;
        }
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.shared.close().await
    }
}

#[async_trait]
impl Admin for Dual {
    async fn verify(&self) -> Result<Verification> {
        let mut found = self.shared.near.verify().await?;
        let mirrored = self.shared.control().courses().values().any(Course::is_mirrored);
        if mirrored {
            // What memory follows is counted there; the database has it under other names, too.
            let far = self.shared.far.reader()?.verify().await?;
            found.damaged += far.damaged;
            found.damages.extend(far.damages);
            found.damages.truncate(Verification::MOST_NAMED);
        }
        Ok(found)
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        self.shared.near.kinds().await?;
        Err(Error::unsupported(
            "a store that is moving cannot be copied as one; copy its database by itself",
        ))
    }

    async fn size(&self) -> Result<Size> {
        let (near, far) = (self.shared.near.size().await?, self.shared.far.reader()?.size().await?);
        Ok(Size { bytes: near.bytes + far.bytes, free: near.free + far.free })
    }

    async fn compact(&self) -> Result<()> {
        self.shared.near.kinds().await?;
        Err(Error::unsupported(
            "a store that is moving cannot be compacted as one; compact its database by itself",
        ))
    }
}

impl Shared {
    pub(crate) fn info(&self) -> BackendInfo {
        BackendInfo {
            durability: self.durability(),
            limits: least(self.identity.limits, self.far.limits()),
            ..self.identity.clone()
        }
    }

    /// What a commit of any kind survives at the moment.
    fn durability(&self) -> Durability {
        let control = self.control();
        if control.base() == Durability::Durable {
            return Durability::Durable;
        }
        let is_up = *control.link() == Link::Up;
        let is_durable = |course: &Course| {
            let waits = course.phase > Phase::Shadow || course.policy == Policy::Strict;
            course.phase.is_durable() && (is_up || waits)
        };
        let known = control.courses();
        let wished = self.births.flags.want_any();
        let all = if known.is_empty() { wished } else { known.values().all(is_durable) };
        if all { Durability::Durable } else { Durability::Volatile }
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        let names = || reads.keys.iter().chain(&reads.streams);
        let (unmet, mut term) = unmet(self, names());
        let mut refusals = Refusals::new();
        // Boxed, as are the others below: the future of what is seldom done is not carried along.
        if !unmet.is_empty() {
            refusals = Box::pin(self.meet(unmet)).await;
            term = self.control().term();
        }
        let is_damaged = |name: &&Key| self.is_damaged(name);
        let rotten: BTreeSet<Key> = names().filter(is_damaged).cloned().collect();
        loop {
            let mut view = self.near.fetch(reads).await?;
            if !reads.versions.is_empty() {
                Box::pin(self.foreign_versions(reads, &mut view)).await?;
            }
            if reads.commits.iter().any(|id| self.is_foreign(*id)) {
                Box::pin(self.foreign_commits(reads, &mut view)).await?;
            }
            let control = self.control();
            if control.term() != term {
                term = control.term();
                continue;
            }
            view.term = term;
            // Without terms everything gets what a store usually gives, which is the same here.
            if rotten.is_empty() && control.is_plain(names()) {
                return Ok(view);
            }
            if let Some(doubt) = control.doubt() {
                let doubted = |id: &&CommitId| doubt.commits.contains(id);
                view.unsettled.extend(reads.commits.iter().filter(doubted));
            }
            for name in names() {
                let terms = match refusals.get(&name.kind) {
                    Some((kind, why)) => Terms::Refuses(*kind, why.clone()),
                    None if !lineage::is_callers(name.space) => outside(name),
                    None if rotten.contains(name) => damaged(name),
                    None if !view.commits.is_empty() => control.terms_again(name),
                    None => control.terms(name),
                };
                view.terms.insert(name.clone(), terms);
            }
            return Ok(view);
        }
    }

    /// Versions that merges ask for, of kinds whose history only the database has.
    async fn foreign_versions(&self, reads: &ReadSet, view: &mut View) -> Result<()> {
        for (key, version) in &reads.versions {
            if self.has_history(&key.kind) || view.versions.contains_key(&(key.clone(), *version)) {
                continue;
            }
            let query = HistoryQuery::version(key.clone(), version.n);
            for found in self.history(&query).await?.items.into_iter().flatten() {
                if found.version == *version {
                    view.versions.insert((key.clone(), *version), found.checksum());
                }
            }
        }
        Ok(())
    }

    /// Whether an earlier process may have made a commit.
    fn is_foreign(&self, id: CommitId) -> bool {
        id.millis() < self.started.as_millis()
    }

    /// Commits that an earlier process may have made: memory knows none of them.
    async fn foreign_commits(&self, reads: &ReadSet, view: &mut View) -> Result<()> {
        let is_served = self.control().courses().values().any(|course| !course.whole);
        if !is_served {
            return Ok(());
        }
        let foreign = reads.commits.iter().copied().filter(|id| self.is_foreign(*id));
        let commits: HashSet<CommitId> = foreign.collect();
        let asked = ReadSet { commits: commits.clone(), ..ReadSet::default() };
        let known = match self.far.reader() {
            Ok(far) => self.far.within(far.fetch(&asked)).await,
            Err(error) => Err(error),
        };
        let Ok(known) = known else {
            // Only the database could say.
            view.unsettled.extend(commits);
            return Ok(());
        };
        for (id, known) in known.commits {
            view.commits.entry(id).or_insert_with(|| remembered(known));
        }
        Ok(())
    }

    /// `Fenced` if another process took one of the kinds over.
    pub(crate) fn check_served<'a>(&self, kinds: impl IntoIterator<Item = &'a Kind>) -> Result<()> {
        let control = self.control();
        for kind in kinds {
            if control.course(kind).is_some_and(|course| course.fenced) {
                return Err(Error::new(
                    ErrorKind::Fenced,
                    format!(
                        "another process took {kind} over, and what this one has may be old: stop \
                         it, or read from the database"
                    ),
                ));
            }
        }
        Ok(())
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        let _turn = self.turn.lock().await;
        let mirrored: BTreeSet<Key> = plan.items.iter().filter_map(named).cloned().collect();
        let mirrored: Vec<Key> = {
            let control = self.control();
            let far = |key: &Key| control.course(&key.kind).is_some_and(Course::is_mirrored);
            mirrored.into_iter().filter(far).collect()
        };
        let is_far = !mirrored.is_empty() || self.forgets_far(plan);
        if is_far {
            if !self.clean(&mirrored).await {
                return Err(Error::unavailable(
                    "nothing is pruned while the database is away: it would keep what memory \
                     forgets; try again once it is back",
                ));
            }
            let far = self.far_plan(plan);
            // Only what memory forgets is counted; the database is done before it.
            self.far.lock().await.prune(&far).await?;
        }
        self.near.prune(plan, limit).await
    }

    /// Whether commits are to be forgotten that the database remembers, too.
    fn forgets_far(&self, plan: &PrunePlan) -> bool {
        let control = self.control();
        *control.link() == Link::Up
            && control.courses().values().any(Course::is_mirrored)
            && plan.items.iter().any(|item| named(item).is_none())
    }

    fn far_plan(&self, plan: &PrunePlan) -> PrunePlan {
        use outlast_core::Prune::{Commits, Entries, History, Stream, Tombstone};

        let far = |key: &Key| lineage::far(key, self.lineage(&key.kind));
        let items = plan.items.iter().filter(|item| {
            named(item).is_none_or(|key| self.control().phase(&key.kind) >= Phase::Mirror)
        });
        let items = items.map(|item| match item {
            Entries { stream, up_to } => Entries { stream: far(stream), up_to: *up_to },
            Stream(stream) => Stream(far(stream)),
            History { key, below } => History { key: far(key), below: *below },
            Tombstone { key, version } => Tombstone { key: far(key), version: *version },
            Commits { before } => Commits { before: *before },
        });
        PrunePlan { items: items.collect() }
    }

    async fn close(&self) -> Result<()> {
        if !self.closed.is_set() {
            // What is behind is only in memory, which is about to go.
            while *self.control().link() == Link::Up && self.control().behind(None) > 0 {
                if self.ship_some().await == Some(false) {
                    break;
                }
            }
            self.note_volatile();
            if let Err(error) = self.level().await {
                tracing::debug!(%error, "the next start has to look at more");
            }
            self.give_up().await;
        }
        let behind = self.control().behind(None);
        if behind > 0 && !self.closed.is_set() {
            tracing::warn!(behind, "closed with changes that never reached the database");
        }
        self.closed.set();
        self.work.notify_waiters();
        self.lost.notify_waiters();
        // Whoever is taking the database up again ends first.
        let _turn = self.turn.lock().await;
        let _writer = self.far.lock().await;
        let far = self.far.leave().await;
        self.near.close().await.and(far)
    }
}

/// What the database remembers of a commit, under our names.
fn remembered(known: Remembered) -> Remembered {
    let plain = |key: Key| {
        let space = lineage::near_space(key.space);
        key.in_space(space)
    };
    let versions = known.versions.into_iter().map(|(key, version)| (plain(key), version));
    let appended = known.appended.into_iter();
    Remembered {
        versions: versions.collect(),
        appended: appended.map(|(stream, first, last)| (plain(stream), first, last)).collect(),
        ..known
    }
}

/// The entity or stream that is pruned.
fn named(item: &outlast_core::Prune) -> Option<&Key> {
    use outlast_core::Prune::{Commits, Entries, History, Stream, Tombstone};

    match item {
        Entries { stream, .. } | Stream(stream) => Some(stream),
        History { key, .. } | Tombstone { key, .. } => Some(key),
        Commits { .. } => None,
    }
}

fn damaged(name: &Key) -> Terms {
    let why = format!("{name} is damaged in the database; restore it from a backup");
    Terms::Refuses(ErrorKind::Corrupt, why)
}

fn outside(name: &Key) -> Terms {
    let space = name.space.0;
    let why = format!("space {space} of {name} is over 65535, the last one that can move");
    Terms::Refuses(ErrorKind::Invalid, why)
}

fn least(one: Limits, other: Limits) -> Limits {
    Limits {
        ops: one.ops.min(other.ops),
        batch_bytes: one.batch_bytes.min(other.batch_bytes),
        state_bytes: one.state_bytes.min(other.state_bytes),
        entry_bytes: one.entry_bytes.min(other.entry_bytes),
        attributes: one.attributes.min(other.attributes),
        page: one.page.min(other.page),
    }
}
