//! The tests again and again, each round with seeds of its own, and with more kills and more
//! windows than a change can wait for.
//!
//! It ends with the first failure and shows what the tests printed: the seed, and how to run just
//! that again.

use outlast_core::{Clock, SystemClock};

use crate::Result;
use crate::report::{Part, print_json};
use crate::tally;
use crate::workspace::cargo;

/// How often each store is killed in a round.
const KILLS: &str = "1000";

/// How many joins and batches are open at once.
const WINDOWS: &str = "100000";

/// States of the model of a move that are made from each start.
const STATES: &str = "4000000";

pub(super) fn run(rounds: u32, name: Option<&str>, json: bool) -> Result<bool> {
    let clock = SystemClock::default();
    for round in 1..=rounds {
        let start = clock.monotonic();
        let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
        command.args(name);
        command.env("OUTLAST_CRASH_ROUNDS", KILLS).env("OUTLAST_WINDOWS", WINDOWS);
        command.env("OUTLAST_SOAK", "1").env("OUTLAST_MODEL_STATES", STATES);
        let mut printed = Vec::new();
        let (tally, held) = tally::run(&mut command, &mut printed)?;
        let took = clock.monotonic().saturating_sub(start);
        let part = Part::new(&format!("round {round}"), held.into(), took);
        let part = Part { tests: Some(tally), ..part };
        if json {
            print_json(&part)?;
        } else {
            println!("{}", part.line());
        }
        if part.failed() {
            eprint!("{}", String::from_utf8_lossy(&printed));
            return Ok(false);
        }
    }
    Ok(true)
}
