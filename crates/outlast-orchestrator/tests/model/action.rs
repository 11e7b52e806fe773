//! What can happen.

use outlast_orchestrator::migration::control::Link;
use outlast_orchestrator::migration::{Phase, Policy};

use crate::names::kind;
use crate::state::{
    BOTH, Each, FillStage, For, MoveStage, Proc, STRANGER, Slot, State, WriteStage,
};

/// What becomes of something that is sent to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is applied, and the answer is heard; or whatever else the database says.
    Lands,
    /// It is applied, and the answer is not heard.
    Unheard,
    /// Nothing is heard; it may arrive later, or never.
    Later,
}

/// What a write names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    One(Slot),
    /// One commit over both kinds.
    Batch,
    /// Two commits, one per kind, written at once.
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Plan(Who, bool),
    Begin,
    Clean,
    WriteFar(Fate),
    WriteNear,
    Repeat(Slot),
    Ship,
    Arrive(Fate),
    CutOff,
    Check(Slot, Phase),
    Make,
    ShipTheRest,
    Commit(Fate),
    Flip,
    Fill(Slot),
    FillShips,
    Filled,
    Mark(Slot),
    Down,
    Up,
    ComeBack(Fate),
    Late,
    Crash,
    Pause,
    Boot,
    Theft(Each<bool>),
}

impl State {
    pub(crate) fn actions(&self, actions: &mut Vec<Action>) {
        if self.db.up && self.left.outages > 0 {
            actions.push(Action::Down);
        }
        if !self.db.up {
            actions.push(Action::Up);
        }
        if self.db.up && self.late.is_some() {
            actions.push(Action::Late);
        }
        let Some(proc) = &self.running else {
            actions.extend(self.db.up.then_some(Action::Boot));
            return;
        };
        if self.left.thefts > 0 && self.db.up {
            let ours = |slot: Slot| self.db.rows[slot].is_some_and(|row| row.owner != STRANGER);
            let some = [[true, false], [false, true], [true, true]];
            let all = some.into_iter().filter(|some| BOTH.into_iter().all(|s| !some[s] || ours(s)));
            actions.extend(all.map(Action::Theft));
        }
        if self.left.crashes > 0 {
            actions.push(Action::Crash);
        }
        self.of_writes(proc, actions);
        self.of_shipments(proc, actions);
        self.of_moves(proc, actions);
    }

    fn fates(&self, of: impl Fn(Fate) -> Action, actions: &mut Vec<Action>) {
        actions.push(of(Fate::Lands));
        if self.left.doubts > 0 && self.db.up {
            actions.push(of(Fate::Unheard));
            actions.extend(self.late.is_none().then(|| of(Fate::Later)));
        }
    }

    fn of_writes(&self, proc: &Proc, actions: &mut Vec<Action>) {
        actions.extend(BOTH.map(Action::Repeat));
        let is_free = proc.ship.is_none();
        match proc.write.as_ref().map(|write| write.stage) {
            None if self.left.ops > 0 => {
                let all = [Who::One(0), Who::One(1), Who::Batch, Who::Group];
                actions.extend(all.map(|who| Action::Plan(who, true)));
                actions.extend(BOTH.map(|slot| Action::Plan(Who::One(slot), false)));
            }
            Some(WriteStage::Planned) if !proc.is_turn_of_move() => actions.push(Action::Begin),
            Some(WriteStage::Clean(_)) if is_free => actions.push(Action::Clean),
            Some(WriteStage::Far) if is_free => {
                self.fates(Action::WriteFar, actions);
                if self.left.crashes > 0 && self.late.is_none() && self.db.up {
                    actions.push(Action::Pause);
                }
            }
            Some(WriteStage::Near) => actions.push(Action::WriteNear),
            _ => {}
        }
    }

    fn of_shipments(&self, proc: &Proc, actions: &mut Vec<Action>) {
        match &proc.ship {
            None if proc.is_up() && proc.control.behind(None) > 0 => actions.push(Action::Ship),
            None => {}
            Some(ship) => {
                self.fates(Action::Arrive, actions);
                if ship.whom == For::Fill && self.left.repairs > 0 {
                    actions.push(Action::CutOff);
                }
            }
        }
        match proc.fill.map(|fill| fill.stage) {
            None => {
                let open = |slot: &Slot| {
                    let course = proc.control.course(kind(*slot));
                    course.is_some_and(|c| c.phase == Phase::Mirror && !c.backfilled)
                };
                actions.extend(BOTH.into_iter().filter(open).map(Action::Fill));
            }
            Some(FillStage::Clean) if proc.ship.is_none() => actions.push(Action::FillShips),
            Some(FillStage::Done) => actions.push(Action::Filled),
            Some(_) => {}
        }
        if self.left.repairs > 0 {
            actions.extend(BOTH.map(Action::Mark));
        }
    }

    fn of_moves(&self, proc: &Proc, actions: &mut Vec<Action>) {
        let is_free = proc.ship.is_none();
        let turn_is_free = !proc.is_turn_of_write();
        match proc.moving.map(|moving| moving.stage) {
            None if self.left.moves > 0 => {
                actions.extend(proc.moves().into_iter().map(|(slot, to)| Action::Check(slot, to)));
            }
            Some(MoveStage::Checked) if turn_is_free => actions.push(Action::Make),
            Some(MoveStage::Ship) if is_free => actions.push(Action::ShipTheRest),
            Some(MoveStage::Commit(_)) if is_free => self.fates(Action::Commit, actions),
            Some(MoveStage::Flip(_)) => actions.push(Action::Flip),
            _ => {}
        }
        let is_down = *proc.control.link() != Link::Up;
        if is_down && self.db.up && is_free && turn_is_free && !proc.is_turn_of_move() {
            self.fates(Action::ComeBack, actions);
        }
    }

    pub(crate) fn act(&mut self, action: Action, policies: Each<Policy>) -> Option<()> {
        match action {
            Action::Plan(who, live) => self.plan(who, live),
            Action::Begin => self.begin(),
            Action::Clean => {
                let WriteStage::Clean(keys) = self.running.as_ref()?.write.as_ref()?.stage else {
                    return None;
                };
                self.clean(For::Write, keys)
            }
            Action::WriteFar(fate) => self.write_far(fate),
            Action::WriteNear => self.write_near(),
            Action::Repeat(slot) => self.repeat(slot),
            Action::Ship => self.ship_some(),
            Action::Arrive(fate) => self.arrive(fate),
            Action::CutOff => self.cut_off(),
            Action::Check(slot, to) => self.check(slot, to),
            Action::Make => self.make(),
            Action::ShipTheRest => self.ship_the_rest(),
            Action::Commit(fate) => self.commit(fate),
            Action::Flip => self.flip(),
            Action::Fill(slot) => self.fill(slot),
            Action::FillShips => {
                let slot = self.running.as_ref()?.fill?.slot;
                self.clean(For::Fill, BOTH.map(|other| other == slot))
            }
            Action::Filled => self.filled(),
            Action::Mark(slot) => self.mark(slot),
            Action::ComeBack(fate) => self.come_back(fate),
            Action::Late => self.late(),
            Action::Crash => self.crash(),
            Action::Pause => self.pause(),
            Action::Boot => self.boot(policies),
            Action::Theft(taken) => self.theft(taken),
            Action::Down => {
                self.db.up = false;
                self.left.outages -= 1;
                Some(())
            }
            Action::Up => {
                self.db.up = true;
                Some(())
            }
        }
    }
}

impl Proc {
    fn is_turn_of_write(&self) -> bool {
        self.write.as_ref().is_some_and(|write| write.stage != WriteStage::Planned)
    }

    fn is_turn_of_move(&self) -> bool {
        self.moving.is_some_and(|moving| moving.stage != MoveStage::Checked)
    }
}
