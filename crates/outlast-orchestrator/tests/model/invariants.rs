//! What must hold in every state.

use outlast_orchestrator::migration::Phase;

use crate::names::{key, kind};
use crate::state::{BOTH, Proc, Slot, State, Val, version};

impl State {
    fn all(&self, holds: impl Fn(&Proc, Slot) -> bool) -> bool {
        let Some(proc) = &self.running else { return true };
        BOTH.into_iter().all(|slot| !proc.is_served(slot) || holds(proc, slot))
    }

    /// What the database has of a kind where the process keeps it.
    fn there(&self, proc: &Proc, slot: Slot) -> Option<Val> {
        self.db.data[slot][usize::from(proc.lineage(slot))]
    }

    fn is_ours(&self, proc: &Proc, slot: Slot) -> bool {
        self.db.rows[slot].is_some_and(|row| row.owner == proc.me)
    }

    /// S1: a read is never older than what was acknowledged.
    pub(crate) fn reads_what_was_acknowledged(&self) -> bool {
        self.all(|proc, slot| {
            let (acked, durable) = (proc.acked[slot], self.durable[slot]);
            !is_older(proc.mem[slot], acked)
                && (!self.is_ours(proc, slot) || !is_older(proc.mem[slot], durable))
        })
    }

    /// S2: live, what a rollback would go back to is as new as the database.
    pub(crate) fn can_go_back(&self) -> bool {
        self.all(|proc, slot| {
            let is_quiet = !proc.is_busy(slot) && self.is_ours(proc, slot);
            let is_live = proc.control.phase(kind(slot)) == Phase::Live;
            !is_live || !is_quiet || version(proc.mem[slot]) >= version(self.there(proc, slot))
        })
    }

    /// S3: in shadow or later, with nothing under way and nothing behind, both are the same.
    pub(crate) fn is_same_when_quiet(&self) -> bool {
        self.all(|proc, slot| {
            let holds = proc.control.phase(kind(slot)) >= Phase::Shadow;
            let is_quiet = !proc.is_busy(slot) && !proc.control.is_behind(key(slot));
            let is_ours = self.is_ours(proc, slot);
            !holds || !is_quiet || !is_ours || proc.mem[slot] == self.there(proc, slot)
        })
    }

    /// S6: what was deleted is not seen again at an older version.
    pub(crate) fn stays_deleted(&self) -> bool {
        self.all(|proc, slot| {
            let deleted = [self.durable[slot], proc.acked[slot]];
            let deleted = deleted.into_iter().flatten().filter(|val| !val.live);
            let seen = proc.mem[slot].filter(|val| val.live);
            let is_ours = self.is_ours(proc, slot) || proc.rows[slot].is_none();
            !is_ours
                || deleted.into_iter().all(|gone| seen.is_none_or(|s| s.version > gone.version))
        })
    }

    /// S7: nothing of a lineage is seen that was left.
    pub(crate) fn sees_no_fossil(&self) -> bool {
        self.all(|proc, slot| {
            let fossil = self.fossil[slot].filter(|(_, is_past)| *is_past);
            fossil.is_none_or(|(id, _)| proc.mem[slot].is_none_or(|val| val.id != id))
        })
    }

    /// S8: a kind is where the ledger says, unless the ledger has yet to be told or to be asked.
    pub(crate) fn is_where_the_ledger_says(&self) -> bool {
        self.all(|proc, slot| {
            let Some(row) = self.db.rows[slot] else { return true };
            let knows = proc.rows[slot] == Some(row.stamp);
            let is_owed = proc.control.course(kind(slot)).is_some_and(|course| course.owed);
            let is_moving = proc.moving.is_some_and(|moving| moving.slot == slot);
            !knows || is_owed || is_moving || proc.control.phase(kind(slot)) == row.phase
        })
    }

    /// S13: a batch over both kinds is in the database whole or not at all.
    pub(crate) fn is_whole(&self) -> bool {
        let Some(pair) = self.pair else { return true };
        let has = |slot: Slot| {
            let lineage = self.db.rows[slot].map_or(0, |row| usize::from(row.lineage));
            version(self.db.data[slot][lineage]) >= pair[slot]
        };
        has(0) == has(1)
    }

    /// S14: whatever the database has less of than memory is known to be behind.
    pub(crate) fn knows_what_is_behind(&self) -> bool {
        self.all(|proc, slot| {
            let Some(course) = proc.control.course(kind(slot)) else { return true };
            let covered = course.is_mirrored() && course.backfilled && self.is_ours(proc, slot);
            let is_older = version(self.there(proc, slot)) < version(proc.mem[slot]);
            !covered || !is_older || proc.is_busy(slot) || proc.control.is_behind(key(slot))
        })
    }

    /// S10: what was acknowledged as durable is in the database, for as long as it is ours.
    pub(crate) fn keeps_what_is_durable(&self) -> bool {
        BOTH.into_iter().all(|slot| {
            let Some(row) = self.db.rows[slot] else { return true };
            !is_older(self.db.data[slot][usize::from(row.lineage)], self.durable[slot])
        })
    }
}

impl Proc {
    fn is_served(&self, slot: Slot) -> bool {
        self.control.course(kind(slot)).is_some_and(|course| !course.fenced)
    }

    /// Whether something of a kind is being written, or is held.
    fn is_busy(&self, slot: Slot) -> bool {
        let writes = self.write.as_ref().is_some_and(|write| {
            write.stage != crate::state::WriteStage::Planned
                && write.parts.iter().any(|part| part.vals[slot].is_some())
        });
        let doubted = self.control.doubt().is_some_and(|doubt| doubt.keys.contains(key(slot)));
        writes || doubted
    }
}

/// Whether what is seen was replaced by what was acknowledged. Nothing at all is as good as a
/// tombstone.
fn is_older(seen: Option<Val>, acknowledged: Option<Val>) -> bool {
    match (seen, acknowledged) {
        (None, Some(val)) => val.live,
        (Some(seen), Some(val)) => seen.version < val.version,
        (_, None) => false,
    }
}
