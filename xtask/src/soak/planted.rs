//! Bugs put in on purpose: a laboratory that cannot find them finds nothing else either.

use serde::Serialize;

use super::promises::with_bugs;
use super::row::run as run_tests;
use crate::Result;
use crate::report::print_json;

/// A bug, and the test that is to find it.
struct Bug {
    name: &'static str,
    /// A test program of the laboratory; [`UNIT`] for the unit tests of the SQLite backend.
    test: &'static str,
    filter: &'static str,
}

/// Stands for unit tests, which write no rows: a test that failed is one round.
const UNIT: &str = "outlast-sqlite";

const BUGS: [Bug; 11] = [
    bug("synchronous-off", "power", "survive_power_loss_on_sqlite"),
    bug("synchronous-normal", "power", "survive_power_loss_on_sqlite"),
    bug("delete-full", "power", "survive_power_loss_on_sqlite"),
    bug("sled-without-fsync", "power", "survive_power_loss_on_sled"),
    bug("acknowledged-early", "power", "survive_power_loss"),
    bug("counter-outside", "power", "survive_power_loss_on_sqlite"),
    bug("fsync-ignored", "power", "what_a_failed_sync_lost"),
    bug("fsync-retried", "power", "what_a_failed_sync_lost"),
    bug("connection-reused", UNIT, "a_failed_statement_leaves_no_transaction_behind"),
    bug("checksum-skipped", "lab", "damage::"),
    bug("full-swallowed", "faults", "refused_and_the_next_works_on_sqlite"),
];

const fn bug(name: &'static str, test: &'static str, filter: &'static str) -> Bug {
    Bug { name, test, filter }
}

/// What became of one.
#[derive(Debug, Serialize)]
struct Found {
    bug: &'static str,
    caught: bool,
    /// The test, the backend, and after how many rounds.
    by: String,
    rounds: u64,
    seed: Option<u64>,
    why: String,
}

pub(super) fn run(only: Option<&str>, json: bool) -> Result<bool> {
    let bugs: Vec<&Bug> = BUGS.iter().filter(|bug| only.is_none_or(|o| o == bug.name)).collect();
    if bugs.is_empty() {
        let names: Vec<_> = BUGS.iter().map(|bug| bug.name).collect();
        return Err(format!("no bug is called that; there are {}", names.join(", ")).into());
    }
    sound(&bugs)?;
    let mut caught = 0;
    for bug in &bugs {
        let found = plant(bug)?;
        caught += usize::from(found.caught);
        if json {
            print_json(&found)?;
        } else {
            println!("{}", found.line());
        }
    }
    println!("{} planted, {caught} caught", bugs.len());
    Ok(caught == bugs.len())
}

/// The same tests pass while no bug is there: else they would catch anything.
fn sound(bugs: &[&Bug]) -> Result<()> {
    let mut tests: Vec<_> = bugs.iter().map(|bug| (bug.test, bug.filter)).collect();
    tests.sort_unstable();
    tests.dedup();
    for (test, filter) in tests {
        let run = run_tests(call(test, filter), &[("OUTLAST_FAULTS", "10".to_owned())])?;
        if !run.held {
            return Err(format!("{test} fails without a bug: {}; mend that first", run.why).into());
        }
    }
    Ok(())
}

fn call(test: &str, filter: &str) -> std::process::Command {
    if test == UNIT {
        return with_bugs(&["-p", UNIT, "--features", "outlast-core/planted", "--lib", filter]);
    }
    with_bugs(&["-p", "outlast-tests", "--features", "planted", "--test", test, filter])
}

fn plant(bug: &Bug) -> Result<Found> {
    let env = [
        ("OUTLAST_PLANTED", bug.name.to_owned()),
        ("OUTLAST_FAULTS", "40".to_owned()),
        ("OUTLAST_SQLITE_IMAGES", "3000".to_owned()),
        ("OUTLAST_SLED_IMAGES", "400".to_owned()),
    ];
    let run = run_tests(call(bug.test, bug.filter), &env)?;
    let row = run.rows.iter().find(|row| row.result == "fail");
    let by = match row {
        Some(row) => format!("{} {} on {}", bug.test, bug.filter, row.backend),
        None => format!("{} {}", bug.test, bug.filter),
    };
    Ok(Found {
        bug: bug.name,
        // A test that failed without a round made none: that is a test that is broken.
        caught: !run.held && row.map_or(bug.test == UNIT && run.failed > 0, |row| row.count > 0),
        by,
        rounds: row.map_or(run.failed, |row| row.count),
        seed: row.and_then(|row| row.seed),
        why: run.why,
    })
}

impl Found {
    fn line(&self) -> String {
        let Self { bug, caught, by, rounds, why, .. } = self;
        if *caught {
            format!("{bug:<20} caught by {by} after {rounds} rounds: {why}")
        } else {
            format!("{bug:<20} NOT CAUGHT by {by}: {why}")
        }
    }
}
