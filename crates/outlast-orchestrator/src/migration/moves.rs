//! Moving a kind: the intent first, then the ledger, then the pointer.
//!
//! Every move is one commit of the ledger. Before it nothing has happened, after it everything
//! has: what follows only catches up, and a start does so too.

use std::sync::Arc;

use outlast_core::{Durability, Error, ErrorKind, Kind, Query, Result};

use super::checks::{Check, Facts, Thresholds, checks};
use super::control::{Course, Event, Link};
use super::dual::Shared;
use super::far::{Writer, is_away, is_unknown};
use super::ledger::Row;
use super::progress::Moved;
use super::rehearse::CANARY;
use super::{Phase, fail, family, is_move, is_retreat, lineage};

/// Entities and streams that are marked and shipped at once by a backfill.
const PAGE: u32 = 128;

impl Shared {
    /// What has to hold before a kind goes to a phase, and whether it does.
    pub(crate) async fn check(
        &self,
        kind: &Kind,
        to: Phase,
        thresholds: &Thresholds,
        explicit: bool,
    ) -> Vec<Check> {
        let facts = self.facts(kind, explicit).await;
        checks(&facts, to, thresholds)
    }

    pub(crate) async fn facts(&self, kind: &Kind, explicit: bool) -> Facts {
        let progress = self.progress(kind);
        let row = {
            let writer = self.far.lock().await;
            writer.session.rows.get(kind).map(|(row, _)| row.clone())
        };
        let now = self.far.clock.now();
        let reads = self.sampler.of(kind);
        let control = self.control();
        let course = control.course(kind).cloned().unwrap_or_else(Course::memory);
        let known = |kind: Kind| control.course(&kind).map(|course| course.phase);
        let children: Vec<Phase> = family::children(kind).filter_map(known).collect();
        let clean = progress.clean.filter(|clean| clean.epoch == course.epoch);
        Facts {
            phase: course.phase,
            link_up: *control.link() == Link::Up,
            fenced: course.fenced,
            held: progress.held.is_some(),
            backfilled: course.backfilled,
            behind: control.behind(Some(kind)),
            in_doubt: control.doubt().is_some_and(|d| d.keys.iter().any(|key| key.kind == *kind)),
            clean_age: clean.map(|clean| now.since(clean.at)),
            shadow_reads: (reads.compared, reads.mismatched),
            rehearsed: progress.rehearsed == Some(course.epoch),
            since: row.map_or_else(Default::default, |row| now.since(row.since)),
            parents: family::parents(kind).filter_map(known).min().unwrap_or(Phase::Final),
            children: (
                children.iter().copied().min().unwrap_or(Phase::Final),
                children.iter().copied().max().unwrap_or(Phase::Memory),
            ),
            durable: self.far.info().durability == Durability::Durable,
            explicit,
        }
    }

    /// Moves a kind one step. `Conflict` if something that has to hold does not, naming it.
    ///
    /// Dropping the future leaves the move made or not, as the ledger says.
    pub(crate) async fn go(
        self: &Arc<Self>,
        kind: &Kind,
        to: Phase,
        thresholds: &Thresholds,
        explicit: bool,
    ) -> Result<Moved> {
        let from = self.control().phase(kind);
        let unmet: Vec<String> = self
            .check(kind, to, thresholds, explicit)
            .await
            .into_iter()
            .filter(|check| !check.holds)
            .map(|check| {
                format!("{} is {}, has to be {}", check.name, check.value, check.threshold)
            })
            .collect();
        if !unmet.is_empty() {
            let unmet = unmet.join("; ");
            let message = format!("{kind} cannot go from {from} to {to}: {unmet}");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if let Err(error) = self.note(kind, |progress| progress.intent = Some(to)).await {
            // Going back needs no database; that it is away is known now.
            self.away(&error);
            if to > from {
                return Err(error);
            }
        }
        let at = |step: &str| fail::point(&format!("{from}-{to}.{step}"));
        at("intent")?;
        // Whoever asks may be gone before it is done: half of a move is none.
        let made = {
            let (shared, kind) = (self.clone(), kind.clone());
            tokio::spawn(async move { shared.make(&kind, from, to).await }).await
        };
        let made = made.unwrap_or_else(|_| Err(Error::internal("a move stopped half way")));
        let moved = match made {
            Ok(moved) => moved,
            Err(error) => {
                let _ = self.note(kind, |progress| progress.intent = None).await;
                return Err(error);
            }
        };
        self.sampler.forget(kind);
        let made = moved.clone();
        self.note(kind, |progress| {
            progress.intent = None;
            progress.moves.push(made);
        })
        .await?;
        at("noted")?;
        Ok(moved)
    }

    pub(crate) async fn make(&self, kind: &Kind, from: Phase, to: Phase) -> Result<Moved> {
        let at = |step: &str| match kind.as_str() {
            CANARY => Ok(()),
            _ => fail::point(&format!("{from}-{to}.{step}")),
        };
        let clock = &self.far.clock;
        let turn = self.turn.clone().lock_owned().await;
        let held = clock.monotonic();
        let course = self.control().course(kind).cloned().unwrap_or_else(Course::memory);
        if course.phase != from || !is_move(from, to) {
            let message = format!("{kind} is in {} by now; look again", course.phase);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if to > from && to > Phase::Mirror {
            self.ship_the_rest(kind).await?;
        }
        let is_up = *self.control().link() == Link::Up;
        if !is_up && !is_retreat(from, to) {
            let message = format!("{kind} cannot go from {from} to {to}: the database is away");
            return Err(Error::unavailable(message));
        }
        let next = Course { phase: to, epoch: course.epoch + 1, ..course };
        let next = if is_up {
            let mut writer = self.far.lock().await;
            let next = self.prepared(&mut writer, kind, from, next).await?;
            if from == Phase::Memory {
                self.mark(kind, Some(to), None)?;
            }
            at("marked")?;
            match self.write_row(&mut writer, kind, &next).await {
                Ok(()) => next,
                Err(error) if from > to && to > Phase::Memory && self.away(&error) => {
                    self.mark(kind, Some(to), Some(clock.now()))?;
                    Course { owed: true, ..next }
                }
                Err(error) => return Err(error),
            }
        } else {
            // The ledger is told once the database is back; the next start has to know even so.
            self.mark(kind, Some(to), Some(clock.now()))?;
            Course { owed: true, ..next }
        };
        at("ledger")?;
        let written = clock.monotonic();
        self.step(Event::Moved(kind.clone(), next.clone()));
        let flip = clock.monotonic().saturating_sub(written);
        metrics::histogram!(crate::telemetry::MIGRATION_FLIP).record(flip);
        drop(turn);
        self.work.notify_waiters();
        at("flipped")?;
        if !next.owed {
            self.mark(kind, (to > Phase::Memory).then_some(to), None)?;
        }
        at("remarked")?;
        let micros =
            |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(%kind, %from, %to, "moved");
        Ok(Moved {
            kind: kind.clone(),
            from,
            to,
            epoch: next.epoch,
            at: clock.now(),
            held_us: micros(clock.monotonic().saturating_sub(held)),
            flip_us: micros(flip),
        })
    }

    /// What a kind needs that leaves memory: a lineage of its own.
    async fn prepared(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        from: Phase,
        next: Course,
    ) -> Result<Course> {
        if from == Phase::Memory {
            self.recover_row(writer, kind).await?;
            let lineage = self.free_lineage(writer, kind).await?;
            let epoch = writer.session.rows.get(kind).map_or(0, |(row, _)| row.epoch);
            let epoch = next.epoch.max(epoch + 1);
            let policy = self.births.policies.of(kind);
            return Ok(Course { epoch, lineage, policy, backfilled: false, whole: true, ..next });
        }
        if next.phase == Phase::Memory {
            return Ok(Course { whole: true, backfilled: false, ..next });
        }
        Ok(next)
    }

    /// The first lineage of which the database has nothing, and never had.
    async fn free_lineage(&self, writer: &Writer<'_>, kind: &Kind) -> Result<u16> {
        let used = self.lineages(kind).await?.into_iter().max();
        let recorded = writer.session.rows.get(kind).map(|(row, _)| row.lineage);
        let last = used.max(recorded);
        last.map_or(Some(0), |last| last.checked_add(1)).ok_or_else(|| {
            Error::unsupported(format!("{kind} has left the database 65535 times; purge it first"))
        })
    }

    /// The lineages of which the database has something.
    pub(crate) async fn lineages(&self, kind: &Kind) -> Result<Vec<u16>> {
        let far = self.far.reader()?;
        let kinds = self.far.within(far.kinds()).await?;
        let entities = kinds.entities.iter().filter(|(_, known)| known == kind);
        let mut lineages: Vec<u16> = entities.map(|(space, _)| lineage::of(*space)).collect();
        if kinds.streams.contains(kind) {
            let mut page = outlast_core::Page::first(1000);
            loop {
                let found = self.far.within(far.streams(kind, &page)).await?;
                lineages.extend(found.items.iter().map(|extent| lineage::of(extent.stream.space)));
                let Some(next) = found.next else { break };
                page = page.after(next);
            }
        }
        lineages.sort_unstable();
        lineages.dedup();
        Ok(lineages)
    }

    async fn write_row(&self, writer: &mut Writer<'_>, kind: &Kind, next: &Course) -> Result<()> {
        let row = Row {
            phase: next.phase,
            epoch: next.epoch,
            lineage: next.lineage,
            owner: Some(self.births.owner.clone()),
            control: self.births.control.clone(),
            since: self.far.clock.now(),
            numbered: self.near.info().epoch.0,
        };
        let why = format!("moved to {}", next.phase);
        let written = self.record(writer, kind, row, &why).await;
        written.inspect_err(|error| {
            self.away(error);
        })
    }

    /// Notes that the database is away, if that is what an error says.
    fn away(&self, error: &Error) -> bool {
        let is_away = is_away(error) || is_unknown(error);
        if is_away {
            self.step(Event::Away(ErrorKind::Unavailable, error.to_string()));
        }
        is_away
    }

    /// Ships what is behind of a kind while nothing is written: the turn is ours.
    async fn ship_the_rest(&self, kind: &Kind) -> Result<()> {
        let behind = self.control().behind_of(kind);
        if behind.is_empty() || self.clean(&behind).await {
            return Ok(());
        }
        let message = format!("the last changes of {kind} do not reach the database; see status");
        Err(Error::unavailable(message))
    }

    /// Ships everything that memory has of a kind in mirror. Going on where it was stopped costs
    /// a look at what is there already.
    pub(crate) async fn backfill(&self, kind: &Kind, mut done: impl FnMut(u64)) -> Result<u64> {
        let mut shipped = 0;
        let lineage = self.lineage(kind);
        let near = self.near.kinds().await?;
        for (space, known) in near.entities {
            if known != *kind {
                continue;
            }
            let mut query = Query {
                space,
                tombstones: true,
                page: outlast_core::Page::first(PAGE),
                ..Query::of(kind.clone())
            };
            loop {
                let page = self.near.list(&query).await?;
                let keys = page.items.iter().filter_map(super::diff::named).cloned().collect();
                shipped += self.backfill_page(kind, keys).await?;
                done(shipped);
                let Some(next) = page.next else { break };
                query.page = query.page.after(next);
            }
        }
        if near.streams.contains(kind) {
            let mut page = outlast_core::Page::first(PAGE);
            loop {
                let found = self.near.streams(kind, &page).await?;
                let keys = found.items.into_iter().map(|extent| extent.stream).collect();
                shipped += self.backfill_page(kind, keys).await?;
                done(shipped);
                let Some(next) = found.next else { break };
                page = page.after(next);
            }
        }
        self.control().backfilled(kind, lineage);
        fail::point("backfill.done")?;
        Ok(shipped)
    }

    async fn backfill_page(&self, kind: &Kind, keys: Vec<outlast_core::Key>) -> Result<u64> {
        if self.control().phase(kind) < Phase::Mirror {
            let message = format!("{kind} has left the database; the backfill ends");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        self.control().mark(keys.iter().cloned());
        // What does not arrive now stays marked, and is shipped like any change.
        if !self.clean(&keys).await {
            return Err(Error::unavailable(format!(
                "the backfill of {kind} stopped, since the database is away; it goes on when it \
                 is asked to again"
            )));
        }
        fail::point("backfill.page")?;
        if self.pace.pause > std::time::Duration::ZERO {
            tokio::time::sleep(self.pace.pause).await;
        }
        Ok(keys.len() as u64)
    }
}

impl Shared {
    /// How many entities and streams memory has of a kind, tombstones left out.
    pub(crate) async fn near_total(&self, kind: &Kind) -> Result<u64> {
        let kinds = self.near.kinds().await?;
        let mut total = 0;
        for (space, known) in kinds.entities {
            if known == *kind {
                let query = Query { space, ..Query::of(kind.clone()) };
                total += self.near.count(&query, &[]).await?.total;
            }
        }
        Ok(total)
    }

    /// Why what is behind of a kind does not arrive.
    pub(crate) fn why_stuck(&self, kind: &Kind) -> Error {
        let stuck = self.stuck.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut of = stuck.iter().filter(|(key, _)| key.kind == *kind);
        match of.next() {
            Some((key, why)) => Error::new(
                ErrorKind::Diverged,
                format!("{key} cannot be shipped: {why}; see `outlast migrate state diff {kind}`"),
            ),
            None => Error::unavailable(format!(
                "the changes of {kind} do not reach the database; try again once it is back"
            )),
        }
    }
}
