//! A database that is away and comes back, a process that dies and starts, and another one.

use std::sync::Arc;

use outlast_orchestrator::migration::control::{Control, Course, Event};
use outlast_orchestrator::migration::ledger;
use outlast_orchestrator::migration::{Phase, Policy};

use crate::action::Fate;
use crate::names::{commit, key, kind};
use crate::rules::broken;
use crate::state::{BOTH, Bad, Cache, Each, Proc, Row, STRANGER, Slot, State};
use crate::write::kinds;

impl State {
    /// The prober finds the database again: who owns what, what of the doubt is there, which moves
    /// are owed.
    pub(crate) fn come_back(&mut self, fate: Fate) -> Option<()> {
        let rows = self.running.as_ref()?.rows;
        let lost = self.lost(rows);
        let theirs = self.check_rows(lost)?;
        let proc = self.running.as_mut()?;
        proc.cache = Cache::Fresh;
        if theirs != [false; 2] {
            proc.step(Event::Fenced(kinds(theirs)));
        }
        self.follow()?;
        let mut fate = Some(fate).filter(|fate| *fate != Fate::Lands);
        if self.settle(&mut fate)?.is_none() || self.repay(&mut fate)?.is_none() {
            return Some(());
        }
        if fate.is_some() {
            return None;
        }
        self.running.as_mut()?.step(Event::Up);
        Some(())
    }

    /// Takes moves as made that the ledger has.
    fn follow(&mut self) -> Option<()> {
        for slot in BOTH {
            let Some(row) = self.db.rows[slot] else { continue };
            let proc = self.running.as_mut()?;
            if proc.rows[slot].is_none() {
                continue;
            }
            let course = proc.control.course(kind(slot)).cloned()?;
            if u64::from(row.epoch) <= course.epoch || course.owed || course.fenced {
                continue;
            }
            let next = course.after(&production(row));
            proc.step(Event::Moved(kind(slot).clone(), next));
        }
        Some(())
    }

    /// A row is written; whether its answer is heard is a matter of fate, once.
    fn record(&mut self, slot: Slot, row: Row, fate: &mut Option<Fate>) -> Option<Option<()>> {
        let is_repaid = self.db.rows[slot].is_some_and(|was| was.phase != row.phase);
        match fate.take() {
            None => {
                self.put_row(slot, row, is_repaid);
                self.we_wrote();
                let stamp = self.db.rows[slot].map(|row| row.stamp);
                self.running.as_mut()?.rows[slot] = stamp;
                return Some(Some(()));
            }
            Some(Fate::Later) => {}
            Some(_) => {
                self.put_row(slot, row, is_repaid);
                self.others_wrote();
            }
        }
        self.left.doubts -= 1;
        self.running.as_mut()?.cache = Cache::None;
        Some(None)
    }

    fn settle(&mut self, fate: &mut Option<Fate>) -> Option<Option<()>> {
        let proc = self.running.as_ref()?;
        let Some(doubt) = proc.control.doubt().cloned() else { return Some(Some(())) };
        let with_row = |slot: &Slot| doubt.keys.contains(key(*slot)) && proc.rows[*slot].is_some();
        if let Some(slot) = BOTH.into_iter().find(with_row)
            && let Some(row) = self.db.rows[slot]
            && !broken("settles_unfenced")
            && self.record(slot, row, fate)?.is_none()
        {
            return Some(None);
        }
        let proc = self.running.as_mut()?;
        let kept = proc.kept.take()?;
        let has = kept.parts.iter().filter(|part| doubt.commits.contains(&commit(part.id)));
        if !kept.landed.is_empty() {
            let vals = has.map(|part| part.vals).collect();
            self.publish(vals);
        }
        self.running.as_mut()?.step(Event::Settled);
        Some(Some(()))
    }

    fn repay(&mut self, fate: &mut Option<Fate>) -> Option<Option<()>> {
        for slot in BOTH {
            let proc = self.running.as_ref()?;
            let course = proc.control.course(kind(slot)).cloned()?;
            if !course.owed || course.fenced || proc.rows[slot].is_none() {
                continue;
            }
            let row = self.db.rows[slot]?;
            let epoch = u64::from(row.epoch).max(course.epoch) + 1;
            let row = Row { phase: course.phase, epoch: u8::try_from(epoch).ok()?, ..row };
            if self.record(slot, row, fate)?.is_none() {
                return Some(None);
            }
            let next = Course { epoch, owed: false, ..course };
            self.running.as_mut()?.step(Event::Moved(kind(slot).clone(), next));
        }
        Some(Some(()))
    }

    /// The process is gone, and memory with it.
    pub(crate) fn crash(&mut self) -> Option<()> {
        self.running = None;
        self.left.crashes -= 1;
        Some(())
    }

    /// A process starts: the ledger says where each kind stands.
    pub(crate) fn boot(&mut self, policies: Each<Policy>) -> Option<()> {
        let me = self.next_owner;
        self.next_owner += 1;
        let numbered = self.db.rows.iter().flatten().map(|row| row.numbered).max();
        let numbering = numbered.unwrap_or(0) + 1;
        let mut control = Control::default();
        let mut mem = [None; 2];
        let mut rows = [None; 2];
        for slot in BOTH {
            let mut course = Course::memory();
            if let Some(row) = self.db.rows[slot] {
                let epoch = row.epoch + u8::from(!broken("nofence"));
                let row = Row { epoch, owner: me, numbered: numbering, ..row };
                self.put_row(slot, row, false);
                rows[slot] = self.db.rows[slot].map(|row| row.stamp);
                if row.phase >= Phase::Mirror {
                    mem[slot] = self.db.data[slot][usize::from(row.lineage)];
                }
                course = begun(&row, policies[slot]);
                if course.phase != row.phase {
                    self.blame(Bad::S8);
                }
            }
            if course.phase == Phase::Memory
                && let Some((id, _)) = self.fossil[slot]
            {
                self.fossil[slot] = Some((id, true));
            }
            control.step(Event::Moved(kind(slot).clone(), course));
        }
        self.others_wrote();
        let control = Arc::new(control.at_term(1));
        let (cache, acked) = (Cache::Fresh, [None; 2]);
        let (write, ship, moving, fill, kept) = (None, None, None, None, None);
        self.running = Some(Proc {
            control,
            me,
            numbering,
            mem,
            rows,
            cache,
            write,
            ship,
            moving,
            fill,
            kept,
            acked,
        });
        Some(())
    }

    /// Another process takes kinds over, and does nothing with them.
    pub(crate) fn theft(&mut self, taken: Each<bool>) -> Option<()> {
        for slot in BOTH {
            if let Some(row) = self.db.rows[slot].filter(|_| taken[slot]) {
                self.put_row(slot, Row { epoch: row.epoch + 1, owner: STRANGER, ..row }, false);
            }
        }
        self.others_wrote();
        self.left.thefts -= 1;
        Some(())
    }

    /// What was sent long ago arrives.
    pub(crate) fn late(&mut self) -> Option<()> {
        let late = self.late.take()?;
        let is_ours = self.lost(late.sent.rows) == [false; 2];
        let applies = late.fresh || (late.paused && is_ours) || (broken("noguard") && is_ours);
        if !applies && !broken("nofence") {
            return Some(());
        }
        self.put(&late.sent);
        self.others_wrote();
        Some(())
    }
}

/// Where a kind stands after a start, as its row says.
fn begun(row: &Row, policy: Policy) -> Course {
    let phase = if broken("stalecfg") { Phase::Memory } else { row.phase };
    let is_mirrored = phase >= Phase::Mirror;
    Course {
        phase,
        epoch: u64::from(row.epoch),
        lineage: u16::from(row.lineage),
        policy,
        fenced: false,
        owed: false,
        backfilled: is_mirrored,
        whole: !is_mirrored,
    }
}

fn production(row: Row) -> ledger::Row {
    ledger::Row {
        phase: row.phase,
        epoch: u64::from(row.epoch),
        lineage: u16::from(row.lineage),
        owner: None,
        since: outlast_core::Timestamp::default(),
        numbered: u64::from(row.numbered),
    }
}
