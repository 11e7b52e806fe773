//! Each promise, and the tests behind it: one function per promise.

use std::fs;

use serde::Deserialize;

use super::row::{Row, Run, folder, joined, tests};
use crate::Result;
use crate::report::print_json;
use crate::workspace::cargo;

/// How much of everything is done.
#[derive(Clone, Copy, Debug)]
struct Form {
    times: u64,
}

/// The tests of one promise.
type Tests = fn(Form) -> Result<Vec<Row>>;

/// In the order they are run.
const PROMISES: [(&str, Tests); 14] = [
    ("P1", kill),
    ("P2", power),
    ("P3", partial),
    ("P4", failed_calls),
    ("P5", failed_syncs),
    ("P6", damage),
    ("P7", bad_input),
    ("P8", order),
    ("P9", migration),
    ("P10", recovery),
    ("P11", agreement),
    ("P12", older_files),
    ("P13", processes),
    ("P14", soundness),
];

/// What a backend promises, by what its `info()` says of it.
#[derive(Debug, Deserialize)]
struct Made {
    backend: String,
    promises: Vec<String>,
}

pub(super) fn run(only: Option<&str>, times: u64, json: bool) -> Result<bool> {
    fs::create_dir_all(folder())?;
    let rounds = folder().join("rounds.jsonl");
    fs::write(&rounds, "")?;
    let made = made()?;
    let mut held = true;
    for (promise, tests) in PROMISES {
        if only.is_some_and(|only| only != promise) {
            continue;
        }
        eprintln!("=== {promise}");
        let rows = tests(Form { times })
            .unwrap_or_else(|error| vec![Row::new(promise, "all", "fail", &error.to_string())]);
        for row in complete(promise, rows, &made) {
            held &= row.result != "fail";
            if json {
                print_json(&row)?;
            } else {
                println!("{}", row.line());
            }
        }
    }
    eprintln!("single rounds: {}", rounds.display());
    Ok(held)
}

/// What each backend promises.
fn made() -> Result<Vec<Made>> {
    let place = folder().join("made.jsonl");
    let env = [("OUTLAST_LAB_MADE", place.display().to_string())];
    fs::write(&place, "")?;
    let run = tests(&["-p", "outlast-tests", "--test", "promises"], &env)?;
    if !run.held {
        return Err(format!("what the backends promise cannot be told: {}", run.why).into());
    }
    let text = fs::read_to_string(&place)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The rows of a promise, one for each backend that makes it; one that is missing failed.
fn complete(promise: &str, rows: Vec<Row>, made: &[Made]) -> Vec<Row> {
    let mut rows: Vec<Row> =
        joined(rows).into_iter().filter(|row| row.promise == promise).collect();
    for made in made.iter().filter(|made| made.promises.iter().any(|one| one == promise)) {
        if !rows.iter().any(|row| row.backend == made.backend) {
            rows.push(Row::new(promise, &made.backend, "fail", "no test spoke of it"));
        }
    }
    rows
}

/// The rows that tests wrote themselves; all of them failed if a test did that wrote none.
fn told(promise: &str, run: Run) -> Vec<Row> {
    let mut rows = run.rows;
    if !run.held && !rows.iter().any(|row| row.promise == promise && row.result == "fail") {
        for row in &mut rows {
            if row.promise == promise {
                (row.result, row.why) = ("fail".to_owned(), run.why.clone());
            }
        }
    }
    rows
}

/// One row for tests that write none: how many passed.
fn counted(promise: &str, backend: &str, run: &Run) -> Row {
    let result = if run.held { "pass" } else { "fail" };
    Row { count: run.passed, ..Row::new(promise, backend, result, &run.why) }
}

/// Runs tests of the package `outlast-tests`.
fn own(test: &str, filter: &str, env: &[(&str, u64)]) -> Result<Run> {
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.to_string())).collect();
    tests(&["-p", "outlast-tests", "--test", test, filter, "--", "--include-ignored"], &env)
}

fn kill(form: Form) -> Result<Vec<Row>> {
    let loops = own("crash", "survive_kill", &[("OUTLAST_CRASH_ROUNDS", 150 * form.times)])?;
    let points = own("faults", "killed_at_any_call", &[("OUTLAST_FAULTS", 10_000)])?;
    Ok([told("P1", loops), told("P1", points)].concat())
}

fn power(form: Form) -> Result<Vec<Row>> {
    let images =
        [("OUTLAST_SQLITE_IMAGES", 3000 * form.times), ("OUTLAST_SLED_IMAGES", 400 * form.times)];
    let replayed = own("power", "survive_power_loss", &images)?;
    let mounted = own("lab", "snapshot::", &[("OUTLAST_SNAPSHOTS", 6 * form.times)])?;
    Ok([told("P2", replayed), told("P2", mounted)].concat())
}

fn partial(form: Form) -> Result<Vec<Row>> {
    let seen = own("crash", "no_part_of_a_commit", &[("OUTLAST_TRANSFERS", 2000 * form.times)])?;
    Ok(told("P3", seen))
}

fn failed_calls(form: Form) -> Result<Vec<Row>> {
    let dropped = own("lab", "cancel::", &[("OUTLAST_CANCELS", 2000 * form.times)])?;
    let failed =
        own("faults", "refused_and_the_next_works", &[("OUTLAST_FAULTS", 50 * form.times)])?;
    let scarce = own("lab", "scarce::", &[])?;
    Ok([told("P4", dropped), told("P4", failed), told("P4", scarce)].concat())
}

fn failed_syncs(form: Form) -> Result<Vec<Row>> {
    let refused = own("faults", "after_a_failed_sync", &[("OUTLAST_FAULTS", 40 * form.times)])?;
    let lost = own("power", "what_a_failed_sync_lost", &[("OUTLAST_FAULTS", 40 * form.times)])?;
    Ok([told("P5", refused), told("P5", lost)].concat())
}

fn damage(form: Form) -> Result<Vec<Row>> {
    let counts = [("OUTLAST_FLIPS", 600 * form.times), ("OUTLAST_CUTS", 60 * form.times)];
    Ok(told("P6", own("lab", "damage::", &counts)?))
}

fn bad_input(_: Form) -> Result<Vec<Row>> {
    let mut library = told("P7", own("lab", "hostile::", &[])?);
    let corpus = own("lab", "corpus::", &[("OUTLAST_CASES", 2000)])?;
    for row in library.iter_mut().filter(|_| !corpus.held) {
        (row.result, row.why) = ("fail".to_owned(), corpus.why.clone());
    }
    let program = tests(&["-p", "outlast-cli", "--test", "program", "bad_input"], &[])?;
    let result = if program.held { "pass" } else { "fail" };
    // The program is tested on the backends that outlast it.
    let rows = ["sqlite", "sled"].map(|backend| Row {
        count: program.passed,
        ..Row::new("P7", backend, result, &program.why)
    });
    Ok([library, rows.to_vec()].concat())
}

fn order(form: Form) -> Result<Vec<Row>> {
    Ok(told("P8", own("lab", "order::", &[("OUTLAST_HISTORIES", 200 * form.times)])?))
}

fn migration(form: Form) -> Result<Vec<Row>> {
    let states = 60_000 * form.times;
    let mut env = vec![("OUTLAST_MODEL_STATES", states.to_string())];
    if form.times > 1 {
        env.push(("OUTLAST_SOAK", "1".to_owned()));
    }
    let args = ["-p", "outlast-orchestrator", "--test", "migration", "--test", "model", "--"];
    // Stopped and killed after every step, the database away or silent, and every order of events.
    let wanted = ["steps::", "outage::", "durable::", "incidents::", "nothing_is_lost"];
    let args: Vec<&str> = args.into_iter().chain(wanted).collect();
    Ok(vec![counted("P9", "all", &tests(&args, &env)?)])
}

fn recovery(form: Form) -> Result<Vec<Row>> {
    let sequences = 300 * form.times;
    let env = [("OUTLAST_SEQUENCES", sequences.to_string())];
    let mut rows = Vec::new();
    for (backend, place) in [("memory", "in_memory"), ("sqlite", "on_sqlite"), ("sled", "on_sled")]
    {
        let filter =
            format!("random::a_recovery_that_is_cut_off_anywhere_ends_as_one_that_is_not_{place}");
        let args = ["-p", "outlast-orchestrator", "--all-features", "--test", "recovery", &filter];
        let row = counted("P10", backend, &tests(&args, &env)?);
        rows.push(Row { count: row.count * sequences, ..row });
    }
    Ok(rows)
}

fn agreement(form: Form) -> Result<Vec<Row>> {
    let packages = ["-p", "outlast-memory", "-p", "outlast-sqlite", "-p", "outlast-sled"];
    let sequences = 300 * form.times;
    let env = [("OUTLAST_SEQUENCES", sequences.to_string())];
    let args = [packages.as_slice(), &["--test", "conformance", "differential"]].concat();
    let run = tests(&args, &env)?;
    let row = counted("P11", "all", &run);
    Ok(vec![Row { count: row.count * sequences, ..row }])
}

fn older_files(_: Form) -> Result<Vec<Row>> {
    Ok(told("P12", own("lab", "golden::", &[])?))
}

fn processes(form: Form) -> Result<Vec<Row>> {
    Ok(told("P13", own("lab", "processes::", &[("OUTLAST_SECONDS", 20 * form.times)])?))
}

fn soundness(form: Form) -> Result<Vec<Row>> {
    let env = [("OUTLAST_SCHEDULES", (1000 * form.times).to_string())];
    let schedules = tests(&["-p", "outlast-store", "--lib", "schedules"], &env)?;
    let mut rows = vec![counted("P14", "all", &schedules)];
    if rows.iter().all(|row| row.result == "pass") {
        for row in &mut rows {
            row.count = 1000 * form.times;
        }
    }
    rows.push(interpreted()?);
    Ok(rows)
}

/// The codecs in Miri, which needs a nightly toolchain.
fn interpreted() -> Result<Row> {
    let miri = |args: &[&str]| {
        let mut command = std::process::Command::new("cargo");
        // The toolchain of this program would be asked for otherwise.
        for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC"] {
            command.env_remove(variable);
        }
        command.args(["+nightly", "miri"]).args(args).current_dir(crate::workspace::root());
        command.env("PROPTEST_CASES", "8").env("MIRIFLAGS", "-Zmiri-disable-isolation");
        command
    };
    let there = miri(&["--version"]).stderr(std::process::Stdio::null()).output();
    if !there.is_ok_and(|there| there.status.success()) {
        let why = "no miri: `rustup component add --toolchain nightly miri rust-src`";
        return Ok(Row::new("P14", "all", "not_run", why));
    }
    let core = super::row::run(miri(&["test", "--locked", "-p", "outlast-core", "--lib"]), &[])?;
    let codec = ["test", "--locked", "-p", "outlast-sled", "--lib", "codec::"];
    let sled = super::row::run(miri(&codec), &[])?;
    let rows = [counted("P14", "all", &core), counted("P14", "all", &sled)];
    Ok(joined(rows.to_vec()).remove(0))
}

/// A call of cargo for tests with bugs put in.
pub(super) fn with_bugs(args: &[&str]) -> std::process::Command {
    let mut command = cargo(&["test", "--locked"]);
    command.args(args);
    command
}
