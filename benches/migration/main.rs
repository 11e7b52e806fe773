//! What moving from memory to a database costs: one line of JSON per figure.
//!
//! Run by `cargo xtask bench migration`. Nothing here is a test: what does not hold is a row that
//! says so.

// To measure is what this is for.
#![allow(clippy::disallowed_methods)]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod call;
mod database;
mod outage;
mod phases;
mod report;
mod restart;
mod trips;
mod world;

/// How much of everything is measured.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    trips: usize,
    entities: u64,
    writes: usize,
    rounds: usize,
    /// How long each phase is measured, in milliseconds.
    phase_ms: u64,
}

const FULL: Sizes =
    Sizes { trips: 10_000, entities: 1_000_000, writes: 100_000, rounds: 200, phase_ms: 5000 };
const QUICK: Sizes =
    Sizes { trips: 200, entities: 20_000, writes: 100_000, rounds: 60, phase_ms: 1000 };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments.iter().find(|argument| argument.starts_with('M'));
    let sizes = if is_quick { QUICK } else { FULL };
    let is_wanted = |id: &str| only.is_none_or(|only| only == id);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if is_wanted("M1") {
        runtime.block_on(trips::measure(sizes.trips));
    }
    if is_wanted("M2") {
        runtime.block_on(restart::measure(sizes.entities));
    }
    if is_wanted("M3") {
        runtime.block_on(outage::measure(sizes.writes));
    }
    if is_wanted("M4") {
        runtime.block_on(call::measure(sizes.rounds));
    }
    if is_wanted("M5") {
        runtime.block_on(phases::measure(sizes.phase_ms));
    }
}
