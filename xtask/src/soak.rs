//! `soak`: the random tests for longer than a change can wait, each round with seeds of its own.
//!
//! It ends with the first failure and shows what the test printed: its seed, and how to run just
//! that again.

use outlast_core::{Clock, SystemClock};

use crate::Result;
use crate::report::{Part, print_json};
use crate::workspace::cargo;

/// The tests that differ from run to run, by package and name.
const RANDOM: &[(&str, &str)] = &[
    ("outlast-tests", "crash"),
    ("outlast-cli", "kill"),
    ("outlast-memory", "conformance"),
    ("outlast-sqlite", "conformance"),
    ("outlast-sled", "conformance"),
];

/// How often a store is killed in each round of the crash tests.
const KILLS: &str = "1000";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many rounds
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// One line of JSON per test and round
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let clock = SystemClock::default();
    for round in 1..=args.rounds {
        for (package, test) in RANDOM {
            let start = clock.monotonic();
            let mut command = cargo(&["test", "--locked", "--package", package, "--test", test]);
            let output = command.env("OUTLAST_CRASH_ROUNDS", KILLS).output()?;
            let took = clock.monotonic().saturating_sub(start);
            let name = format!("{round} {package} {test}");
            let part = Part::new(&name, output.status.success().into(), took);
            if args.json {
                print_json(&part)?;
            } else {
                println!("{}", part.line());
            }
            if part.failed() {
                eprint!("{}", String::from_utf8_lossy(&output.stdout));
                eprint!("{}", String::from_utf8_lossy(&output.stderr));
                return Ok(false);
            }
        }
    }
    Ok(true)
}
