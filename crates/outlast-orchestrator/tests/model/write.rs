//! A write, from its plan to its answer, as the dual store carries it out.

use std::collections::BTreeSet;

use outlast_core::{Durability, ErrorKind, Terms};
use outlast_orchestrator::migration::Phase;
use outlast_orchestrator::migration::control::{Effect, Event, FarAnswer, Footprint, Verdict};

use crate::action::{Fate, Who};
use crate::db::is_regress;
use crate::names::{footprint, key, kind, mask};
use crate::rules::broken;
use crate::state::{
    BOTH, Bad, Cache, Each, Kept, Late, Part, Proc, Sent, Slot, State, Val, Write, WriteStage,
    version,
};

impl Proc {
    /// Tells the machine. What was planned before a change of the terms knows that it was.
    pub(crate) fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut control = (*self.control).clone();
        let effects = control.step(event);
        self.now(control);
        effects
    }

    /// Takes a new state of the machine; its terms count from one again.
    pub(crate) fn now(&mut self, control: outlast_orchestrator::migration::control::Control) {
        if control.term() != self.control.term()
            && let Some(write) = &mut self.write
        {
            write.outdated = true;
        }
        self.control = control.at_term(1).into();
    }

    /// What the planner would promise for one commit; nothing if it would refuse it.
    fn given(&self, slots: &[Slot]) -> Option<bool> {
        let mut given = Durability::Durable;
        for slot in slots {
            match self.control.terms(key(*slot)) {
                Terms::Gives(durability) => given = given.min(durability),
                Terms::Refuses(..) => return None,
            }
        }
        Some(given == Durability::Durable)
    }

    /// The next version of an entity.
    fn next(&self, slot: Slot, id: u8, live: bool) -> Val {
        let (epoch, n) = version(self.mem[slot]);
        Val { version: (epoch.max(self.numbering), n + 1), id, live }
    }

    pub(crate) fn take_near(&mut self, slot: Slot, val: Val) -> bool {
        let keeps = val.live || !broken("notomb");
        let was = std::mem::replace(&mut self.mem[slot], keeps.then_some(val));
        if let Some(write) = &mut self.write {
            write.moved = true;
        }
        is_regress(was, val)
    }
}

impl State {
    /// Plans one write: the terms of all that it names are asked for.
    pub(crate) fn plan(&mut self, who: Who, live: bool) -> Option<()> {
        let commits: &[&[Slot]] = match who {
            Who::One(0) => &[&[0]],
            Who::One(_) => &[&[1]],
            Who::Batch => &[&[0, 1]],
            Who::Group => &[&[0], &[1]],
        };
        let mut parts = Vec::with_capacity(commits.len());
        let proc = self.running.as_mut()?;
        for slots in commits {
            let durable = proc.given(slots)?;
            let id = self.next_id;
            self.next_id += 1;
            let mut vals = [None; 2];
            for slot in *slots {
                if !live && proc.mem[*slot].is_none_or(|val| !val.live) {
                    return None;
                }
                vals[*slot] = Some(proc.next(*slot, id, live));
            }
            parts.push(Part { id, vals, durable });
        }
        let stage = WriteStage::Planned;
        proc.write = Some(Write { parts, stage, outdated: false, moved: false });
        self.left.ops -= 1;
        Some(())
    }

    /// The write takes the turn.
    pub(crate) fn begin(&mut self) -> Option<()> {
        let proc = self.running.as_mut()?;
        let write = proc.write.as_ref()?;
        if write.moved {
            proc.write = None;
            return Some(());
        }
        let commits: Vec<Footprint> = write.parts.iter().map(footprint).collect();
        let term = if write.outdated { 0 } else { proc.control.term() };
        let effects = proc.step(Event::Write(term, commits));
        self.obey(&effects)
    }

    pub(crate) fn obey(&mut self, effects: &[Effect]) -> Option<()> {
        let proc = self.running.as_mut()?;
        for effect in effects {
            let stage = match effect {
                Effect::Clean(keys) => WriteStage::Clean(mask(keys)),
                Effect::WriteFar => WriteStage::Far,
                Effect::WriteNear => WriteStage::Near,
                Effect::Keep => {
                    let parts = proc.write.as_ref()?.parts.clone();
                    let landed = Vec::new();
                    proc.kept = (!broken("nosettle")).then_some(Kept { parts, landed });
                    continue;
                }
                Effect::Answer(verdict) => return self.answer(*verdict),
            };
            proc.write.as_mut()?.stage = stage;
        }
        Some(())
    }

    /// What goes to the database of the write that is under way.
    fn sent(&self) -> Option<Sent> {
        let proc = self.running.as_ref()?;
        let mut sent = Sent { vals: [None; 2], ids: vec![], rows: proc.rows, owner: proc.me };
        for part in &proc.write.as_ref()?.parts {
            for slot in BOTH {
                let Some(val) = part.vals[slot].filter(|_| proc.control.is_sent(key(slot))) else {
                    continue;
                };
                sent.vals[slot] = Some((proc.lineage(slot), val));
                if !sent.ids.contains(&part.id) {
                    sent.ids.push(part.id);
                }
            }
        }
        Some(sent)
    }

    /// The database is written, and answers or not.
    pub(crate) fn write_far(&mut self, fate: Fate) -> Option<()> {
        let sent = self.sent()?;
        let proc = self.running.as_mut()?;
        if !proc.control.is_current() && !broken("sends_late") {
            return self.far(FarAnswer::Late);
        }
        if broken("near_first") {
            let vals = proc.write.as_ref()?.parts.iter().map(|part| part.vals).collect();
            self.publish(vals);
        }
        if !self.db.up {
            return self.far(away());
        }
        let proc = self.running.as_mut()?;
        if proc.cache != Cache::Fresh {
            let rows = proc.rows;
            let lost = self.lost(rows);
            if lost != [false; 2] {
                return self.far_fenced(lost);
            }
        }
        if fate == Fate::Later {
            self.left.doubts -= 1;
            self.running.as_mut()?.cache = Cache::None;
            self.late = Some(Late { sent, fresh: true, paused: false });
            return self.far(FarAnswer::Unknown(String::new()));
        }
        self.note_pair();
        let ids = sent.ids.clone();
        self.put(&sent);
        self.we_wrote();
        if fate == Fate::Lands {
            return self.far(FarAnswer::Applied);
        }
        self.left.doubts -= 1;
        self.running.as_mut()?.cache = Cache::None;
        self.far(FarAnswer::Unknown(String::new()))?;
        if let Some(kept) = &mut self.running.as_mut()?.kept {
            kept.landed = ids;
        }
        Some(())
    }

    fn far_fenced(&mut self, lost: Each<bool>) -> Option<()> {
        self.check_fence(lost);
        let proc = self.running.as_mut()?;
        for slot in BOTH {
            if lost[slot] {
                proc.rows[slot] = None;
            }
        }
        proc.cache = Cache::None;
        self.far(FarAnswer::Fenced(kinds(lost)))
    }

    fn far(&mut self, answer: FarAnswer) -> Option<()> {
        let effects = self.running.as_mut()?.step(Event::Far(answer));
        self.obey(&effects)
    }

    /// A batch over two kinds that are both in shadow or later has to be seen whole.
    fn note_pair(&mut self) {
        let Some(proc) = &self.running else { return };
        let Some(write) = &proc.write else { return };
        let durable = |slot| proc.control.phase(kind(slot)) >= Phase::Shadow;
        if let [Part { vals: [Some(one), Some(other)], .. }] = write.parts[..]
            && BOTH.into_iter().all(durable)
        {
            self.pair = Some([one.version, other.version]);
        }
    }

    pub(crate) fn publish(&mut self, parts: Vec<Each<Option<Val>>>) {
        let Some(proc) = &mut self.running else { return };
        let mut is_regress = false;
        for vals in parts {
            for slot in BOTH {
                if let Some(val) = vals[slot]
                    && proc.mem[slot] != Some(val)
                    && !(broken("noreverse") && proc.control.phase(kind(slot)) == Phase::Live)
                {
                    is_regress |= proc.take_near(slot, val);
                }
            }
        }
        if is_regress {
            self.blame(Bad::S4);
        }
    }

    /// Memory takes the write.
    pub(crate) fn write_near(&mut self) -> Option<()> {
        let vals = self.running.as_ref()?.write.as_ref()?.parts.iter().map(|part| part.vals);
        let vals = vals.collect();
        self.publish(vals);
        let effects = self.running.as_mut()?.step(Event::Near(true));
        self.obey(&effects)
    }

    /// The write ends, or its answer is waited for by nobody.
    fn answer(&mut self, verdict: Verdict) -> Option<()> {
        let write = self.running.as_mut()?.write.take()?;
        if verdict == Verdict::Applied {
            for part in write.parts {
                for slot in BOTH {
                    if let Some(val) = part.vals[slot] {
                        self.acknowledge(slot, val, part.durable);
                    }
                }
            }
        }
        Some(())
    }

    /// A caller asks again for what made the present version, under the same commit.
    pub(crate) fn repeat(&mut self, slot: Slot) -> Option<()> {
        let proc = self.running.as_ref()?;
        let val = proc.mem[slot]?;
        let Terms::Gives(given) = proc.control.terms_again(key(slot)) else { return None };
        if given != Durability::Durable || self.durable[slot] == Some(val) {
            return None;
        }
        self.acknowledge(slot, val, true);
        Some(())
    }

    fn acknowledge(&mut self, slot: Slot, val: Val, durable: bool) {
        let Some(proc) = &mut self.running else { return };
        let is_volatile = proc.control.phase(kind(slot)) == Phase::Memory;
        if version(proc.acked[slot]) < val.version {
            proc.acked[slot] = Some(val);
        }
        let there = self.db.data[slot][usize::from(proc.lineage(slot))];
        if durable {
            if version(there) < val.version && !broken("notomb") {
                self.blame(Bad::S10);
            }
            if version(self.durable[slot]) < val.version {
                self.durable[slot] = Some(val);
            }
        }
        if is_volatile && let Some((id, _)) = self.fossil[slot] {
            self.fossil[slot] = Some((id, true));
        }
    }

    /// Only kinds that somebody else took over may be fenced.
    pub(crate) fn check_fence(&mut self, lost: Each<bool>) {
        let Some(proc) = &self.running else { return };
        let me = proc.me;
        let is_ours = |slot: Slot| self.db.rows[slot].is_some_and(|row| row.owner == me);
        if BOTH.into_iter().any(|slot| lost[slot] && is_ours(slot)) {
            self.blame(Bad::S11);
        }
    }

    /// The process is taken for dead while it waits for the database.
    pub(crate) fn pause(&mut self) -> Option<()> {
        let sent = self.sent()?;
        self.late = Some(Late { sent, fresh: true, paused: true });
        self.crash()
    }
}

pub(crate) fn kinds(lost: Each<bool>) -> BTreeSet<outlast_core::Kind> {
    BOTH.into_iter().filter(|slot| lost[*slot]).map(|slot| kind(slot).clone()).collect()
}

pub(crate) fn away() -> FarAnswer {
    FarAnswer::Away(ErrorKind::Unavailable, String::new())
}
