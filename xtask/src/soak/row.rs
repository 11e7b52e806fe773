//! What a run says of a promise: one row for each backend that makes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::tally;
use crate::workspace::{cargo, root};

/// What became of a promise on a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) promise: String,
    pub(super) backend: String,
    /// `pass`, `fail` or `not_run`.
    pub(super) result: String,
    /// Rounds, images, faults or tests, whichever it consists of.
    pub(super) count: u64,
    pub(super) seed: Option<u64>,
    pub(super) why: String,
}

impl Row {
    pub(super) fn new(promise: &str, backend: &str, result: &str, why: &str) -> Self {
        let [promise, backend, result, why] = [promise, backend, result, why].map(str::to_owned);
        Self { promise, backend, result, count: 0, seed: None, why }
    }

    pub(super) fn line(&self) -> String {
        let Self { promise, backend, result, count, why, .. } = self;
        let result = if result == "not_run" { "NOT RUN" } else { result };
        format!("{promise:<4} {backend:<7} {result:<8} {count:>7}  {why}")
    }

    /// Two parts of one promise: the count of both, the result of the worse.
    fn join(&mut self, other: Self) {
        let rank = |result: &str| ["pass", "not_run", "fail"].iter().position(|r| *r == result);
        self.count += other.count;
        if rank(&other.result) > rank(&self.result) {
            (self.result, self.why) = (other.result, other.why);
            self.seed = other.seed;
        }
        self.seed = self.seed.or(other.seed);
    }
}

/// One row for each promise and backend.
pub(super) fn joined(rows: Vec<Row>) -> Vec<Row> {
    let mut joined: BTreeMap<(String, String), Row> = BTreeMap::new();
    for row in rows {
        let place = (row.promise.clone(), row.backend.clone());
        match joined.get_mut(&place) {
            Some(known) => known.join(row),
            None => drop(joined.insert(place, row)),
        }
    }
    joined.into_values().collect()
}

/// Where single rounds are written.
pub(super) fn folder() -> PathBuf {
    root().join("target/soak")
}

/// A call of tests, and the rows they wrote.
#[derive(Debug)]
pub(super) struct Run {
    /// What the tests said of themselves.
    pub(super) rows: Vec<Row>,
    /// How many tests passed.
    pub(super) passed: u64,
    /// How many failed.
    pub(super) failed: u64,
    pub(super) held: bool,
    /// The first complaint, if there was one.
    pub(super) why: String,
}

/// Runs `cargo test` with these arguments and this environment.
pub(super) fn tests(args: &[&str], env: &[(&str, String)]) -> Result<Run> {
    let mut command = cargo(&["test", "--locked", "--no-fail-fast"]);
    command.args(args);
    run(command, env)
}

/// Runs tests by any command.
pub(super) fn run(mut command: Command, env: &[(&str, String)]) -> Result<Run> {
    fs::create_dir_all(folder())?;
    let report = folder().join("report.jsonl");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    command.env("OUTLAST_LAB_REPORT", &report);
    command.env("OUTLAST_LAB_ROUNDS", folder().join("rounds.jsonl"));
    command.envs(env.iter().map(|(name, value)| (*name, value)));
    command.stderr(std::process::Stdio::null());
    let mut printed = Vec::new();
    let (tally, held) = tally::run(&mut command, &mut printed)?;
    let printed = String::from_utf8_lossy(&printed).into_owned();
    if !held {
        eprintln!("{printed}");
    }
    let why = if held { String::new() } else { complaint(&printed) };
    let (passed, failed) = (u64::from(tally.passed), u64::from(tally.failed));
    Ok(Run { rows: read(&report)?, passed, failed, held, why })
}

/// The line below the first panic, or what else there is.
fn complaint(printed: &str) -> String {
    let mut lines = printed.lines().skip_while(|line| !line.contains("panicked at"));
    let after = lines.nth(1).or_else(|| printed.lines().last());
    let text = after.unwrap_or("it did not compile; run it by hand");
    text.chars().take(300).collect()
}

fn read(path: &Path) -> Result<Vec<Row>> {
    let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_failed_is_never_outweighed() {
        let row = |result: &str, count| Row { count, ..Row::new("P1", "sled", result, result) };
        let rows = joined(vec![row("pass", 3), row("fail", 1), row("not_run", 0), row("pass", 2)]);
        assert_eq!(rows, [row("fail", 6)]);
        assert!(Row::new("P9", "all", "not_run", "no reason").line().contains("NOT RUN"));
    }
}
