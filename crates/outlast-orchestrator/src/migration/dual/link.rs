//! Looking after a database that is away: trying it again, settling what it may have, telling the
//! ledger what was done without it.

use std::collections::{BTreeSet, HashSet};
use std::sync::{PoisonError, Weak};
use std::time::Duration;

use outlast_core::{Error, Kind, ReadSet, Result};
use tokio::time::{sleep, timeout};

use super::Shared;
use crate::migration::Phase;
use crate::migration::apply::roll_forward;
use crate::migration::control::{Course, Event, Link};
use crate::migration::far::Writer;
use crate::migration::ledger::{self, Row};

/// The longest sleep, so that a prober notices when its store is gone.
const NAP: Duration = Duration::from_secs(1);

/// Tries the database whenever it is away, until the store is closed or gone.
pub(super) async fn probe(shared: Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if shared.closed.is_set() {
            return;
        }
        if *shared.control().link() == Link::Up {
            let woken = shared.lost.notified();
            let _ = timeout(NAP.min(shared.pace.probe), woken).await;
            continue;
        }
        if let Err(error) = shared.come_back().await {
            tracing::debug!(%error, "the database is still away");
        }
        let pause = shared.pace.probe;
        drop(shared);
        sleep(pause).await;
    }
}

impl Shared {
    /// Takes up again with a database that was away. Errors say why it is still of no use.
    pub(crate) async fn come_back(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        let mut writer = self.far.lock().await;
        if self.closed.is_set() {
            return Err(Error::closed("the store was closed"));
        }
        writer.reconnect().await?;
        let lost = writer.check().await?;
        let lost = self.reclaim(&mut writer, lost).await?;
        if !lost.is_empty() {
            self.step(Event::Fenced(lost));
        }
        self.settle(&mut writer).await?;
        self.repay(&mut writer).await?;
        // Reading is not enough: a full disk reads well.
        writer.try_out().await?;
        self.step(Event::Up);
        self.work.notify_waiters();
        Ok(())
    }

    /// Of rows that are not as we know them: those that we wrote ourselves, without being told so,
    /// count, and the others are lost.
    pub(crate) async fn reclaim(
        &self,
        writer: &mut Writer<'_>,
        suspects: BTreeSet<Kind>,
    ) -> Result<BTreeSet<Kind>> {
        if suspects.is_empty() {
            return Ok(suspects);
        }
        let mut there = ledger::read(&*self.far.reader()?).await?;
        let mut lost = BTreeSet::new();
        for kind in suspects {
            writer.session.rows.remove(&kind);
            match there.remove(&kind) {
                Some((row, version)) if row.owner.as_ref() == Some(&self.births.owner) => {
                    let course = self.control().course(&kind).cloned();
                    let course = course.unwrap_or_else(Course::memory);
                    let phase = if course.owed { course.phase } else { row.phase };
                    let next = Course { phase, ..course.after(&row) };
                    writer.session.rows.insert(kind.clone(), (row, version));
                    self.step(Event::Moved(kind, next));
                }
                _ => drop(lost.insert(kind)),
            }
        }
        Ok(lost)
    }

    /// Finds out what became of what was in doubt. A row of the ledger is written first: a write
    /// that is still under way somewhere was planned before it, and can no longer apply.
    async fn settle(&self, writer: &mut Writer<'_>) -> Result<()> {
        let Some(doubt) = self.control().doubt().cloned() else { return Ok(()) };
        let kind = doubt
            .keys
            .iter()
            .map(|key| key.kind.clone())
            .find(|kind| writer.session.rows.contains_key(kind));
        if let Some(kind) = kind
            && let Some((row, _)) = writer.session.rows.get(&kind).cloned()
        {
            self.record(writer, &kind, row, "settles what was in doubt").await?;
        }
        let commits: HashSet<_> = doubt.commits.iter().copied().collect();
        let view = writer.fetch(ReadSet { commits, ..ReadSet::default() }).await?;
        if !view.commits.is_empty() {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(mut set) = kept else {
                return Err(Error::internal("what was in doubt was not kept"));
            };
            set.commits.retain(|commit| doubt.commits.contains(&commit.id));
            set.touches.retain(|(key, _)| doubt.keys.contains(key));
            roll_forward(&*self.near, set).await?;
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.step(Event::Settled);
        Ok(())
    }

    /// Tells the ledger of moves that were made while the database was away.
    async fn repay(&self, writer: &mut Writer<'_>) -> Result<()> {
        let owed: Vec<_> = {
            let control = self.control();
            let owed = control.courses().iter().filter(|(_, course)| course.owed && !course.fenced);
            owed.map(|(kind, course)| (kind.clone(), course.clone())).collect()
        };
        for (kind, course) in owed {
            let Some((row, _)) = writer.session.rows.get(&kind).cloned() else { continue };
            let epoch = row.epoch.max(course.epoch) + 1;
            let since = self.far.clock.now();
            let row = Row { phase: course.phase, epoch, since, ..row };
            self.record(writer, &kind, row, "moved while the database was away").await?;
            let phase = (course.phase > Phase::Memory).then_some(course.phase);
            self.mark(&kind, phase, None)?;
            self.step(Event::Moved(kind, Course { epoch, owed: false, ..course }));
        }
        Ok(())
    }
}
