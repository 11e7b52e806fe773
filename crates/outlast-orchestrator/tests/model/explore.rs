//! Explorations, and what they found.

use std::num::NonZeroUsize;
use std::time::Duration;

use outlast_core::{Clock, SystemClock};
use outlast_orchestrator::migration::{Phase, Policy};
use stateright::{Checker, Model};

use crate::machine::{Machine, Scene};
use crate::state::Left;

/// What an exploration came to.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) took: Duration,
    /// Nothing is left that was not looked at.
    pub(crate) whole: bool,
    /// The first violation: of what, and how one comes there.
    pub(crate) violation: Option<(&'static str, Vec<String>)>,
    pub(crate) seen: u64,
    pub(crate) unseen: Vec<&'static str>,
}

/// Explores breadth first, so that what is found is found by a shortest way.
pub(crate) fn explore(scene: Scene, most: usize, threads: usize) -> Found {
    let clock = SystemClock::default();
    let start = clock.monotonic();
    let most = NonZeroUsize::new(most).unwrap();
    let checker = Machine::new(scene)
        .checker()
        .threads(threads)
        .target_state_count(most.get())
        .finish_when(stateright::HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let took = clock.monotonic().saturating_sub(start);
    let found = checker.discoveries().into_iter().find(|(name, _)| name.starts_with('S'));
    let violation = found.map(|(name, path)| {
        let actions = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
        (name, actions)
    });
    let machine = checker.model();
    Found {
        states: checker.unique_state_count(),
        took,
        whole: violation.is_none() && checker.unique_state_count() < most.get(),
        violation,
        seen: machine.seen.load(std::sync::atomic::Ordering::Relaxed),
        unseen: machine.unseen(),
    }
}

/// Where the kinds begin, with the second strict.
pub(crate) fn scene(phases: [Phase; 2], left: Left) -> Scene {
    Scene { phases, policies: [Policy::Available, Policy::Strict], left }
}

/// So much of everything.
pub(crate) fn left(ops: u8, moves: u8, rare: u8) -> Left {
    Left { ops, moves, crashes: rare, outages: rare, doubts: rare, thefts: rare, repairs: rare }
}
