//! The machine of a migration, explored: every order of writes, shipments, moves, outages, deaths
//! and takeovers within bounds, on the very functions that production runs.

// Every step of the model is an option: it is possible or not.
#![allow(clippy::option_option, clippy::unnecessary_wraps, clippy::trivially_copy_pass_by_ref)]
#![allow(clippy::items_after_statements)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![cfg(feature = "migration")]

mod action;
mod db;
mod explore;
mod invariants;
mod machine;
mod moves;
#[cfg(feature = "mutants")]
mod mutants;
mod names;
mod outage;
mod rules;
mod ship;
mod state;
mod write;

use explore::{explore, left, scene};
use outlast_orchestrator::migration::Phase;

#[test]
fn nothing_is_lost_in_any_order_of_events() {
    #[cfg(feature = "mutants")]
    let _turn = rules::TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    use Phase::{Joint, Live, Memory, Mirror, Shadow};
    let most = std::env::var("OUTLAST_MODEL_STATES").map_or(60_000, |most| most.parse().unwrap());
    let starts = [
        [Memory, Memory],
        [Mirror, Memory],
        [Shadow, Memory],
        [Shadow, Mirror],
        [Shadow, Shadow],
        [Joint, Shadow],
        [Live, Shadow],
        [Live, Live],
    ];
    let mut violations = vec![];
    for phases in starts {
        let found = explore(scene(phases, left(2, 2, 1)), most, 2);
        println!(
            "{phases:?}: {} states in {:?}, whole: {}, unseen: {:?}",
            found.states, found.took, found.whole, found.unseen
        );
        if let Some((what, trace)) = found.violation {
            println!("  VIOLATION of {what}:\n    {}", trace.join("\n    "));
            violations.push(what);
        }
    }
    assert!(violations.is_empty(), "{violations:?}");
}
