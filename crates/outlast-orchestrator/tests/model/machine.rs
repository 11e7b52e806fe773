//! The model, as the checker explores it.

use std::sync::atomic::{AtomicU64, Ordering};

use outlast_orchestrator::migration::control::{Control, Course, Event};
use outlast_orchestrator::migration::{Phase, Policy};
use stateright::{Model, Property};

use crate::action::Action;
use crate::names::kind;
use crate::state::{BOTH, Bad, Cache, Db, Each, LINEAGES, Left, Proc, Row, State, Val};

/// Where the kinds begin, and how much may happen.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) phases: Each<Phase>,
    pub(crate) policies: Each<Policy>,
    pub(crate) left: Left,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) scene: Scene,
    /// What was seen on the way, by what happened and what came of it.
    pub(crate) seen: AtomicU64,
}

/// What has to be seen on the way, or the model explores less than it seems.
pub(crate) const SIGHTS: [&str; 8] = [
    "live",
    "rolled back while the database was away",
    "a doubt that turned out to be applied",
    "a doubt that turned out not to be",
    "fenced by another process",
    "a late write of a process taken for dead",
    "back in memory after the database",
    "a move whose answer was lost",
];

impl Machine {
    pub(crate) fn new(scene: Scene) -> Self {
        Self { scene, seen: AtomicU64::new(0) }
    }

    fn init(&self) -> State {
        let Scene { phases, left, .. } = self.scene;
        let val = |id| Val { version: (1, 1), id, live: true };
        let mut rows = [None; 2];
        let mut data = [[None; LINEAGES]; 2];
        let mut mem = [None; 2];
        let mut control = Control::default();
        for slot in BOTH {
            let id = u8::try_from(slot).unwrap_or(0) + 1;
            mem[slot] = Some(val(id));
            let phase = phases[slot];
            let mut course = Course::memory();
            if phase > Phase::Memory {
                rows[slot] =
                    Some(Row { phase, epoch: 1, lineage: 0, owner: 1, numbered: 1, stamp: 1 });
                data[slot][0] = mem[slot];
                let policy = self.scene.policies[slot];
                course = Course { phase, epoch: 1, policy, backfilled: true, ..course };
            }
            control.step(Event::Moved(kind(slot).clone(), course));
        }
        let stamps = rows.map(|row: Option<Row>| row.map(|row| row.stamp));
        let durable = BOTH.map(|slot| mem[slot].filter(|_| phases[slot] >= Phase::Shadow));
        let running = Proc {
            control: control.at_term(1).into(),
            me: 1,
            numbering: 1,
            mem,
            rows: stamps,
            cache: Cache::Fresh,
            write: None,
            ship: None,
            moving: None,
            fill: None,
            kept: None,
            acked: mem,
        };
        State {
            db: Db { up: true, rows, data },
            late: None,
            running: Some(running),
            durable,
            fossil: [None; 2],
            pair: None,
            next_id: 3,
            next_owner: 2,
            left,
            bad: None,
        }
    }

    fn look(&self, before: &State, action: Action, after: &State) {
        let mut seen = 0;
        let mut see = |at: u32, holds: bool| seen |= u64::from(holds) << at;
        if let Some(proc) = &after.running {
            let course = |slot| proc.control.course(kind(slot));
            let any =
                |holds: fn(&Course) -> bool| BOTH.iter().any(|s| course(*s).is_some_and(holds));
            see(0, any(|course| course.phase == Phase::Live));
            see(1, any(|course| course.owed && course.phase == Phase::Shadow));
            see(4, any(|course| course.fenced));
            see(6, any(|course| course.phase == Phase::Memory && course.epoch > 1));
        }
        let doubt = |state: &State| state.running.as_ref().and_then(|proc| proc.kept.clone());
        if let (Action::ComeBack(_), Some(kept), None) = (action, doubt(before), doubt(after)) {
            see(2, !kept.landed.is_empty());
            see(3, kept.landed.is_empty());
        }
        see(5, action == Action::Late && before.late.as_ref().is_some_and(|late| late.paused));
        see(7, action == Action::Commit(crate::action::Fate::Unheard));
        self.seen.fetch_or(seen, Ordering::Relaxed);
    }

    pub(crate) fn unseen(&self) -> Vec<&'static str> {
        let seen = self.seen.load(Ordering::Relaxed);
        let all = SIGHTS.iter().enumerate();
        all.filter(|(at, _)| seen & (1 << at) == 0).map(|(_, sight)| *sight).collect()
    }
}

impl Model for Machine {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.init()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.bad.is_none() {
            state.actions(actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        next.act(action, self.scene.policies)?;
        // A version of memory goes back only with memory itself.
        self.look(last, action, &next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn step(state: &State, bad: Bad) -> bool {
            state.bad != Some(bad)
        }
        vec![
            Property::always("S1 acknowledged", |_, s: &State| s.reads_what_was_acknowledged()),
            Property::always("S2 way back", |_, s: &State| s.can_go_back()),
            Property::always("S3 same when quiet", |_, s: &State| s.is_same_when_quiet()),
            Property::always("S4, S15 never older", |_, s| step(s, Bad::S4)),
            Property::always("S5 fence", |_, s| step(s, Bad::S5)),
            Property::always("S6 deleted", |_, s: &State| s.stays_deleted()),
            Property::always("S7 fossils", |_, s: &State| s.sees_no_fossil()),
            Property::always("S8 ledger", |_, s: &State| {
                step(s, Bad::S8) && s.is_where_the_ledger_says()
            }),
            Property::always("S9 legal moves", |_, s| step(s, Bad::S9)),
            Property::always("S10 durable", |_, s: &State| {
                step(s, Bad::S10) && s.keeps_what_is_durable()
            }),
            Property::always("S11 fenced by others only", |_, s| step(s, Bad::S11)),
            Property::always("S13 whole batches", |_, s: &State| s.is_whole()),
            Property::always("S14 behind is known", |_, s: &State| s.knows_what_is_behind()),
            Property::sometimes("a kind is live", |_, s: &State| s.is_somewhere(Phase::Live)),
        ]
    }
}

impl State {
    fn is_somewhere(&self, phase: Phase) -> bool {
        let Some(proc) = &self.running else { return false };
        BOTH.into_iter().any(|slot| proc.control.phase(kind(slot)) == phase)
    }
}
