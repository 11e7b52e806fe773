//! Shipping what is behind: taken and read in one step, arriving in another.

use outlast_core::ErrorKind;
use outlast_orchestrator::migration::Phase;
use outlast_orchestrator::migration::control::Event;

use crate::action::Fate;
use crate::names::{key, keys, kind, mask};
use crate::rules::broken;
use crate::state::{
    BOTH, Cache, Each, Fill, FillStage, For, Late, MoveStage, Proc, Sent, Ship, Slot, State,
    WriteStage,
};
use crate::write::kinds;

impl Proc {
    pub(crate) fn lineage(&self, slot: Slot) -> u8 {
        let lineage = self.control.course(kind(slot)).map_or(0, |course| course.lineage);
        u8::try_from(lineage).unwrap_or(u8::MAX)
    }

    pub(crate) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut outlast_orchestrator::migration::control::Control) -> T,
    ) -> T {
        let mut control = (*self.control).clone();
        let changed = change(&mut control);
        self.now(control);
        changed
    }
}

impl State {
    /// The shipper takes what is behind.
    pub(crate) fn ship_some(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        let taken = proc.change(|control| control.take(2));
        if taken.is_empty() {
            return None;
        }
        self.read_near(For::Nobody, mask(&taken))
    }

    /// Ships these for somebody who waits.
    pub(crate) fn clean(&mut self, whom: For, wanted: Each<bool>) -> Option<()> {
        let proc = self.running.as_mut()?;
        let behind: Vec<_> =
            keys(wanted).into_iter().filter(|key| proc.control.is_behind(key)).collect();
        proc.change(|control| control.take_these(&behind));
        if behind.is_empty() {
            return self.cleaned(whom, true);
        }
        self.waits(whom);
        self.read_near(whom, mask(&behind))
    }

    fn waits(&mut self, whom: For) {
        let Some(proc) = &mut self.running else { return };
        match whom {
            For::Nobody => {}
            For::Write => {
                if let Some(write) = &mut proc.write {
                    write.stage = WriteStage::Shipping;
                }
            }
            For::Move => {
                if let Some(moving) = &mut proc.moving {
                    moving.stage = MoveStage::Shipping;
                }
            }
            For::Fill => {
                if let Some(fill) = &mut proc.fill {
                    fill.stage = FillStage::Shipping;
                }
            }
        }
    }

    fn read_near(&mut self, whom: For, taken: Each<bool>) -> Option<()> {
        let proc = self.running.as_mut()?;
        let vals = [0, 1].map(|slot| {
            let val = proc.mem[slot].filter(|_| taken[slot])?;
            Some((proc.lineage(slot), val))
        });
        let (rows, up) = (proc.rows, self.db.up);
        proc.ship = Some(Ship { whom, taken, vals });
        if !up {
            return self.ship_fails();
        }
        let is_ours = self.lost(rows) == [false; 2] || broken("caches_unchecked");
        self.running.as_mut()?.cache = if is_ours { Cache::Fresh } else { Cache::None };
        Some(())
    }

    /// The database is away, or says nothing.
    fn ship_fails(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        proc.step(Event::Away(ErrorKind::Unavailable, String::new()));
        self.shipped(false)
    }

    fn shipped(&mut self, arrived: bool) -> Option<()> {
        let proc = self.running.as_mut()?;
        let ship = proc.ship.take()?;
        proc.change(|control| control.shipped(&keys(ship.taken), arrived));
        self.cleaned(ship.whom, arrived)
    }

    /// What was shipped arrives at the database.
    pub(crate) fn arrive(&mut self, fate: Fate) -> Option<()> {
        if !self.db.up {
            self.running.as_mut()?.cache = Cache::None;
            return self.ship_fails();
        }
        let proc = self.running.as_ref()?;
        let vals = proc.ship.as_ref()?.vals;
        let sent = Sent { vals, ids: vec![], rows: proc.rows, owner: proc.me };
        let is_there = BOTH.into_iter().all(|slot| {
            vals[slot].is_none_or(|(lineage, val)| {
                let there = self.db.data[slot][usize::from(lineage)];
                crate::state::version(there) >= val.version
            })
        });
        if is_there {
            return (fate == Fate::Lands).then(|| self.shipped(true)).flatten();
        }
        let lost = self.lost(sent.rows);
        if lost != [false; 2] {
            return (fate == Fate::Lands).then(|| self.ship_fenced(lost)).flatten();
        }
        if fate == Fate::Lands {
            self.merge(&sent);
            self.we_wrote();
            return self.shipped(true);
        }
        self.left.doubts -= 1;
        if fate == Fate::Later {
            self.late = Some(Late { sent, fresh: true, paused: false });
        } else {
            self.merge(&sent);
            self.others_wrote();
        }
        self.running.as_mut()?.cache = Cache::None;
        self.ship_fails()
    }

    /// The ledger is read anew: rows of our own hand are taken as they are.
    pub(crate) fn check_rows(&mut self, lost: Each<bool>) -> Option<Each<bool>> {
        let proc = self.running.as_mut()?;
        let mut theirs = lost;
        for slot in BOTH {
            let Some(row) = self.db.rows[slot].filter(|_| lost[slot]) else { continue };
            if row.owner == proc.me && !broken("fences_itself") {
                proc.rows[slot] = Some(row.stamp);
                theirs[slot] = false;
            }
        }
        self.check_fence(theirs);
        let proc = self.running.as_mut()?;
        for slot in BOTH {
            if theirs[slot] {
                proc.rows[slot] = None;
            }
        }
        Some(theirs)
    }

    fn ship_fenced(&mut self, lost: Each<bool>) -> Option<()> {
        let theirs = self.check_rows(lost)?;
        self.running.as_mut()?.step(Event::Fenced(kinds(theirs)));
        self.shipped(false)
    }

    /// A shipment is cut off before it was sent, as when whoever waited for it is gone.
    pub(crate) fn cut_off(&mut self) -> Option<()> {
        self.left.repairs -= 1;
        self.shipped(false)
    }

    fn cleaned(&mut self, whom: For, cleaned: bool) -> Option<()> {
        let proc = self.running.as_mut()?;
        match whom {
            For::Nobody => {}
            For::Write => {
                let effects = proc.step(Event::Cleaned(cleaned));
                return self.obey(&effects);
            }
            For::Move if cleaned => {
                proc.moving.as_mut()?.stage = MoveStage::Commit(proc.is_up());
            }
            For::Move => proc.moving = None,
            For::Fill if cleaned => proc.fill.as_mut()?.stage = FillStage::Done,
            For::Fill => proc.fill = None,
        }
        Some(())
    }

    /// A backfill names what memory has, and marks it.
    pub(crate) fn fill(&mut self, slot: Slot) -> Option<()> {
        let proc = self.running.as_mut()?;
        if proc.control.phase(kind(slot)) != Phase::Mirror {
            return None;
        }
        let lineage = proc.lineage(slot);
        let stage = if proc.mem[slot].is_some() { FillStage::Clean } else { FillStage::Done };
        proc.fill = Some(Fill { slot, lineage, stage });
        if stage == FillStage::Clean {
            proc.change(|control| control.mark([key(slot).clone()]));
        }
        Some(())
    }

    pub(crate) fn filled(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        let fill = proc.fill.take()?;
        proc.change(|control| control.backfilled(kind(fill.slot), u16::from(fill.lineage)));
        Some(())
    }

    /// A repair marks something, at any moment.
    pub(crate) fn mark(&mut self, slot: Slot) -> Option<()> {
        let proc = self.running.as_mut()?;
        if proc.control.is_behind(key(slot)) {
            return None;
        }
        self.left.repairs -= 1;
        proc.change(|control| control.mark([key(slot).clone()]));
        proc.control.is_behind(key(slot)).then_some(())
    }
}
