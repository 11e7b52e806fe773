//! Trying the way to live and back with an entity that nobody needs, in the same two stores.

use std::sync::Arc;

use outlast_core::{
    Attributes, Error, ErrorKind, Expect, Id, Json, Key, Kind, Op, Prune, PrunePlan, Put, Query,
    Result, Slot,
};
use serde::Serialize;

use super::control::{Course, Event};
use super::dual::{Dual, Shared};
use super::far::Writer;
use super::ledger::{self, Row};
use super::progress::Moved;
use super::{Phase, lineage};

/// The kind that is moved for nothing.
pub(crate) const CANARY: &str = "migration_canary";

/// A lineage that no kind comes to by leaving and returning.
const SCRATCH: u16 = u16::MAX;

/// Rows removed by one call.
const PRUNED: u32 = 100;

/// How the way there and back went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    /// How long writes were held for the move to live, in microseconds.
    pub live_us: u64,
    /// How long writes were held for the move back, in microseconds.
    pub back_us: u64,
}

impl Shared {
    /// Walks from joint to live and back to shadow, writing on the way, and leaves nothing behind.
    /// `Diverged` if both stores were not the same at any point.
    pub(crate) async fn rehearse(self: &Arc<Self>, kind: &Kind) -> Result<Rehearsed> {
        let canary = Kind::new(CANARY)?;
        let Ok(_alone) = self.rehearsing.try_lock() else {
            return Err(Error::busy("another rehearsal is under way; try again when it is over"));
        };
        let key = Key::of(canary.clone(), Id::new(kind.as_str())?);
        let scratch = Dual::scratch(self);
        // Over memory with one of its own; a store that lasts is the one that would be moved, and
        // whoever writes it waits for the one turn there is.
        let walker = if self.is_lasting() { self } else { &scratch.shared };
        let result = walker.walk(&canary, &key).await;
        let swept = self.sweep(&canary).await;
        if self.is_lasting() {
            self.sweep_near(&key).await?;
        }
        let rehearsed = result?;
        swept?;
        let epoch = self.control().course(kind).map_or(0, |course| course.epoch);
        self.note(kind, |progress| progress.rehearsed = Some(epoch)).await?;
        Ok(rehearsed)
    }

    async fn walk(self: &Arc<Self>, canary: &Kind, key: &Key) -> Result<Rehearsed> {
        let course = Course {
            phase: Phase::Joint,
            epoch: 1,
            lineage: SCRATCH,
            backfilled: true,
            ..Course::memory()
        };
        {
            let mut writer = self.far.lock().await;
            let row = Row {
                phase: Phase::Joint,
                epoch: 1,
                lineage: SCRATCH,
                owner: Some(self.births.owner.clone()),
                control: self.births.control.clone(),
                since: self.far.clock.now(),
                numbered: self.near.info().epoch.0,
            };
            self.record(&mut writer, canary, row, "rehearsal").await?;
        }
        self.step(Event::Moved(canary.clone(), course));
        self.write_canary(key).await?;
        let live: Moved = self.make(canary, Phase::Joint, Phase::Live).await?;
        self.write_canary(key).await?;
        let back: Moved = self.make(canary, Phase::Live, Phase::Shadow).await?;
        self.write_canary(key).await?;
        Ok(Rehearsed { live_us: live.held_us, back_us: back.held_us })
    }

    async fn write_canary(self: &Arc<Self>, key: &Key) -> Result<()> {
        let put = Put {
            key: key.clone(),
            expect: Expect::Any,
            schema: 1,
            attrs: Attributes::new(),
            state: Json::encode("canary")?,
        };
        if !self.commit(Op::Put(put)).await? {
            return Err(Error::internal("a rehearsal was not written"));
        }
        match self.compare(key).await? {
            None => Ok(()),
            Some(mismatch) => Err(Error::new(
                ErrorKind::Diverged,
                format!(
                    "the rehearsal differs: memory has {}, the database {}",
                    mismatch.memory, mismatch.database
                ),
            )),
        }
    }

    /// A near store that lasts is the one that was rehearsed with: nothing of it stays there.
    async fn sweep_near(&self, key: &Key) -> Result<()> {
        let _turn = self.turn.lock().await;
        let slot = self.near.get(std::slice::from_ref(key)).await?.pop();
        if matches!(slot, Some(Slot::Live(_))) {
            let delete = Op::Delete { key: key.clone(), expect: Expect::Any };
            let batch = ledger::batch(self.far.ids.commit_id(), "rehearsal", vec![delete]);
            super::apply::apply(&*self.near, &*self.far.clock, &batch).await?;
        }
        bury(&*self.near, key).await
    }

    /// Removes whatever a rehearsal left, also one that was cut off.
    pub(crate) async fn sweep(&self, canary: &Kind) -> Result<()> {
        let mut writer = self.far.lock().await;
        let far = self.far.reader()?;
        let space = lineage::far_space(outlast_core::Space(0), SCRATCH);
        let query = Query { space, tombstones: true, ..Query::of(canary.clone()) };
        for slot in self.far.within(far.list(&query)).await?.items {
            let Some(key) = super::diff::named(&slot).cloned() else { continue };
            if matches!(slot, Slot::Live(_)) {
                remove(&mut writer, &key, Expect::Any).await?;
            }
            bury(&*far, &key).await?;
        }
        if let Some((_, version)) = writer.session.rows.remove(canary) {
            let key = Row::key(canary)?;
            remove(&mut writer, &key, Expect::At(version)).await?;
            bury(&*far, &key).await?;
        }
        self.control().forget(canary);
        self.mark(canary, None, None)
    }
}

async fn remove(writer: &mut Writer<'_>, key: &Key, expect: Expect) -> Result<()> {
    let delete = Op::Delete { key: key.clone(), expect };
    let batch = ledger::batch(writer.commit_id(), "rehearsal", vec![delete]);
    writer.commit(&batch).await.map(drop)
}

/// Removes a tombstone with its history.
pub(crate) async fn bury(backend: &dyn outlast_core::Backend, key: &Key) -> Result<()> {
    let slot = backend.get(std::slice::from_ref(key)).await?.pop();
    if let Some(Slot::Tombstone { version, .. }) = slot {
        let plan = PrunePlan { items: vec![Prune::Tombstone { key: key.clone(), version }] };
        while !backend.prune(&plan, PRUNED).await?.done {}
    }
    Ok(())
}
