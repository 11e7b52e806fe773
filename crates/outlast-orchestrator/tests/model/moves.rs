//! Moves of a kind: looked at first, then made under the turn by one commit of the ledger.

use std::time::Duration;

use outlast_core::ErrorKind;
use outlast_orchestrator::migration::control::{Course, Event, Link};
use outlast_orchestrator::migration::{Facts, Phase, Thresholds, checks, is_move, is_retreat};

use crate::action::Fate;
use crate::names::{key, kind, mask};
use crate::rules::broken;
use crate::state::{Cache, For, LINEAGES, Move, MoveStage, Proc, Row, Slot, State, version};

impl Proc {
    pub(crate) fn is_up(&self) -> bool {
        *self.control.link() == Link::Up
    }

    /// What is known of a kind. The stores are taken for compared and the way back for rehearsed:
    /// nothing may depend on that.
    fn facts(&self, slot: Slot) -> Facts {
        let course = self.control.course(kind(slot)).cloned().unwrap_or_else(Course::memory);
        let in_doubt = self.control.doubt().is_some_and(|doubt| doubt.keys.contains(key(slot)));
        Facts {
            phase: course.phase,
            link_up: self.is_up(),
            fenced: course.fenced,
            held: false,
            backfilled: course.backfilled,
            behind: self.control.behind(Some(kind(slot))),
            in_doubt,
            clean_age: Some(Duration::ZERO),
            shadow_reads: (0, 0),
            rehearsed: true,
            since: Duration::from_hours(24),
            parents: Phase::Final,
            children: (Phase::Final, Phase::Memory),
            durable: true,
            explicit: true,
        }
    }

    fn may(&self, slot: Slot, to: Phase) -> bool {
        let facts = self.facts(slot);
        if broken("nojoint") && (facts.phase, to) == (Phase::Shadow, Phase::Live) {
            return facts.link_up;
        }
        let all = checks(&facts, to, &Thresholds::default());
        to != Phase::Final && all.iter().all(|check| check.holds)
    }

    /// The moves that may be begun.
    pub(crate) fn moves(&self) -> Vec<(Slot, Phase)> {
        let all = [0, 1].into_iter().flat_map(|slot| Phase::ALL.map(|to| (slot, to)));
        all.filter(|(slot, to)| self.may(*slot, *to)).collect()
    }
}

impl State {
    pub(crate) fn check(&mut self, slot: Slot, to: Phase) -> Option<()> {
        let proc = self.running.as_mut()?;
        let from = proc.control.phase(kind(slot));
        let copies = broken("bf_first") && from == Phase::Memory;
        proc.moving = Some(Move { slot, from, to, stage: MoveStage::Checked });
        self.left.moves -= 1;
        if copies {
            let val = proc.mem[slot];
            let lineage = usize::from(self.free_lineage(slot));
            *self.db.data[slot].get_mut(lineage)? = val;
        }
        Some(())
    }

    /// The move takes the turn.
    pub(crate) fn make(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        let moving = *proc.moving.as_ref()?;
        let Move { slot, from, to, .. } = moving;
        let legal = is_move(from, to) || broken("nojoint");
        if proc.control.phase(kind(slot)) != from || !legal {
            proc.moving = None;
            return Some(());
        }
        let behind = proc.control.behind_of(kind(slot));
        let ships = to > from && to > Phase::Mirror && !behind.is_empty();
        let ships = ships && !broken("leaves_rest");
        let commit = MoveStage::Commit(proc.is_up());
        proc.moving.as_mut()?.stage = if ships { MoveStage::Ship } else { commit };
        Some(())
    }

    pub(crate) fn ship_the_rest(&mut self) -> Option<()> {
        let proc = self.running.as_ref()?;
        let slot = proc.moving.as_ref()?.slot;
        let behind = mask(&proc.control.behind_of(kind(slot)));
        self.clean(For::Move, behind)
    }

    /// One commit of the ledger; without a database, for a retreat, none.
    pub(crate) fn commit(&mut self, fate: Fate) -> Option<()> {
        let proc = self.running.as_mut()?;
        let Move { slot, from, to, stage: MoveStage::Commit(is_up) } = *proc.moving.as_ref()?
        else {
            return None;
        };
        if !is_up {
            if fate != Fate::Lands {
                return None;
            }
            if !is_retreat(from, to) && !broken("moves_away") {
                proc.moving = None;
                return Some(());
            }
            let course = proc.control.course(kind(slot)).cloned()?;
            let epoch = course.epoch + 1;
            let owed = !broken("forgets_owed");
            let next = Course { phase: to, epoch, owed, ..course };
            proc.moving = None;
            proc.step(Event::Moved(kind(slot).clone(), next));
            return Some(());
        }
        if !self.db.up {
            return (fate == Fate::Lands).then(|| self.move_fails()).flatten();
        }
        let rows = proc.rows;
        if self.lost(rows) != [false; 2] {
            // The next write finds out.
            self.running.as_mut()?.moving = None;
            return (fate == Fate::Lands).then_some(());
        }
        let lineage = self.lineage_for(slot, from)?;
        if fate == Fate::Later {
            // Not applied, and it never will be: the next commit of the ledger is in its way.
            self.left.doubts -= 1;
            return self.move_fails();
        }
        self.write_row(slot, to, lineage)?;
        if fate == Fate::Lands {
            self.running.as_mut()?.moving.as_mut()?.stage = MoveStage::Flip(lineage);
            return Some(());
        }
        self.left.doubts -= 1;
        let stamp = rows[slot];
        self.running.as_mut()?.rows[slot] = stamp;
        self.move_fails()
    }

    fn lineage_for(&self, slot: Slot, from: Phase) -> Option<u8> {
        let proc = self.running.as_ref()?;
        if from != Phase::Memory {
            return Some(proc.lineage(slot));
        }
        let free = self.free_lineage(slot);
        let recorded = self.db.rows[slot].map_or(0, |row| row.lineage);
        let there = self.db.data[slot][usize::from(recorded)];
        let newer = version(there) > version(proc.mem[slot]);
        let lineage = match () {
            () if broken("noquar") => recorded,
            () if broken("quarnewer") && !newer => recorded,
            () => free,
        };
        (usize::from(lineage) < LINEAGES).then_some(lineage)
    }

    fn write_row(&mut self, slot: Slot, to: Phase, lineage: u8) -> Option<()> {
        let proc = self.running.as_ref()?;
        let epoch = proc.control.course(kind(slot))?.epoch + 1;
        let (owner, numbered) = (proc.me, proc.numbering);
        let epoch = u8::try_from(epoch).ok()?;
        self.put_row(slot, Row { phase: to, epoch, lineage, owner, numbered, stamp: 0 }, false);
        self.we_wrote();
        let stamp = self.db.rows[slot].map(|row| row.stamp);
        self.running.as_mut()?.rows[slot] = stamp;
        Some(())
    }

    fn move_fails(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        proc.cache = Cache::None;
        proc.moving = None;
        proc.step(Event::Away(ErrorKind::Unavailable, String::new()));
        Some(())
    }

    /// The pointer follows the ledger.
    pub(crate) fn flip(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        let Move { slot, from, to, stage: MoveStage::Flip(lineage) } = proc.moving.take()? else {
            return None;
        };
        let course = proc.control.course(kind(slot)).cloned()?;
        let leaves = from == Phase::Memory || to == Phase::Memory;
        let backfilled = if leaves { broken("bf_first") } else { course.backfilled };
        let whole = leaves || course.whole;
        let (epoch, lineage) = (course.epoch + 1, u16::from(lineage));
        // As it was when the move began.
        let (owed, fenced) = (false, false);
        let next = Course { phase: to, epoch, lineage, backfilled, whole, owed, fenced, ..course };
        proc.step(Event::Moved(kind(slot).clone(), next));
        Some(())
    }
}
