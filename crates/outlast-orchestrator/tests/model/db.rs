//! The database: what it has, and under which rows it takes more.

use outlast_orchestrator::migration::{Phase, is_move};

use crate::rules::broken;
use crate::state::{BOTH, Bad, Cache, Each, Row, Sent, Slot, State, Val, version};

impl State {
    /// A commit was made that the process does not know of.
    pub(crate) fn others_wrote(&mut self) {
        if let Some(late) = &mut self.late {
            late.fresh = false;
        }
        if let Some(proc) = &mut self.running
            && proc.cache == Cache::Fresh
        {
            proc.cache = Cache::Stale;
        }
    }

    /// A commit of the process was made, and it knows so.
    pub(crate) fn we_wrote(&mut self) {
        self.others_wrote();
        if let Some(proc) = &mut self.running {
            proc.cache = Cache::Fresh;
        }
    }

    /// The kinds whose rows are not as they were when something was sent.
    pub(crate) fn lost(&self, rows: Each<Option<u8>>) -> Each<bool> {
        let mut lost = [false; 2];
        for slot in BOTH {
            let there = self.db.rows[slot].map(|row| row.stamp);
            lost[slot] = rows[slot].is_some() && rows[slot] != there && !broken("nofence");
        }
        lost
    }

    /// Writes to the database, whatever it has.
    pub(crate) fn put(&mut self, sent: &Sent) {
        for slot in BOTH {
            let Some((lineage, val)) = sent.vals[slot] else { continue };
            if self.db.rows[slot].is_none_or(|row| row.owner != sent.owner) {
                self.blame(Bad::S5);
            }
            let place = &mut self.db.data[slot][usize::from(lineage)];
            let was = *place;
            let keeps = val.live || !broken("notomb");
            *place = keeps.then_some(val);
            if is_regress(was, val) {
                self.blame(Bad::S4);
            }
        }
        for id in &sent.ids {
            if let Some(kept) = self.running.as_mut().and_then(|proc| proc.kept.as_mut())
                && kept.parts.iter().any(|part| part.id == *id)
                && !kept.landed.contains(id)
            {
                kept.landed.push(*id);
            }
        }
    }

    /// Merges into the database what is newer there.
    pub(crate) fn merge(&mut self, sent: &Sent) {
        let mut newer = sent.clone();
        for slot in BOTH {
            if let Some((lineage, val)) = newer.vals[slot] {
                let there = self.db.data[slot][usize::from(lineage)];
                if version(there) >= val.version {
                    newer.vals[slot] = None;
                }
            }
        }
        self.put(&newer);
    }

    /// Writes a row of the ledger over the one that was there.
    pub(crate) fn put_row(&mut self, slot: Slot, row: Row, is_repaid: bool) {
        let was = self.db.rows[slot];
        let stamp = was.map_or(0, |was| was.stamp) + 1;
        let (from, epoch) = was.map_or((Phase::Memory, 0), |was| (was.phase, was.epoch));
        let is_same = row.phase == from;
        let rises = row.epoch > epoch || (is_same && row.epoch == epoch);
        let is_legal = is_same || is_legal(from, row.phase) || (is_repaid && row.phase < from);
        if !rises || !is_legal {
            self.blame(Bad::S9);
        }
        self.db.rows[slot] = Some(Row { stamp, ..row });
        if row.phase == Phase::Memory && from > Phase::Memory {
            let there = was.and_then(|was| self.db.data[slot][usize::from(was.lineage)]);
            self.fossil[slot] = there.map(|val| (val.id, false));
            self.durable[slot] = None;
            self.pair = None;
        }
    }

    /// The first lineage of which the database never had anything.
    pub(crate) fn free_lineage(&self, slot: Slot) -> u8 {
        let used = self.db.data[slot].iter().rposition(Option::is_some);
        let recorded = self.db.rows[slot].map(|row| usize::from(row.lineage));
        let free = used.max(recorded).map_or(0, |last| last + 1);
        u8::try_from(free).unwrap_or(u8::MAX)
    }

    pub(crate) fn blame(&mut self, bad: Bad) {
        self.bad = self.bad.or(Some(bad));
    }
}

/// Whether a store that had one version must not be given the other.
pub(crate) fn is_regress(was: Option<Val>, val: Val) -> bool {
    was.is_some_and(|was| {
        was.version > val.version || (was.version == val.version && was.id != val.id)
    })
}

/// The moves of the ledger, written down a second time.
fn is_legal(from: Phase, to: Phase) -> bool {
    use Phase::{Final, Joint, Live, Memory, Mirror, Shadow};

    let legal = match from {
        Memory => vec![Mirror],
        Mirror => vec![Shadow, Memory],
        Shadow => vec![Joint, Mirror, Memory],
        Joint => vec![Live, Shadow],
        Live => vec![Shadow, Final],
        Final => vec![],
    };
    debug_assert!(legal.iter().all(|to| is_move(from, *to)));
    legal.contains(&to)
}
