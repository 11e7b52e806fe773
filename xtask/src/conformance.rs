//! `conformance`: runs the cases that every backend has to keep, and tells how many it kept.
//!
//! Each backend plugs itself in by a test called `conformance`, which prints the report of the
//! suite; this command runs those tests and reads what they print, so a backend that is added is
//! found without being named here.

use std::process::Output;

use serde::Serialize;

use crate::Result;
use crate::report::print_json;
use crate::workspace::{Workspace, cargo};

/// The test by which a backend plugs itself in.
const TEST: &str = "conformance";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One line of JSON per backend
    #[arg(long)]
    json: bool,
}

/// What the suite says of one backend.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    backend: String,
    cases: u32,
    passed: u32,
    failed: u32,
    skipped: u32,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let workspace = Workspace::read()?;
    let expected = workspace.packages.iter().filter(|package| package.has_test(TEST)).count();
    let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--test", TEST]);
    let output = command.args(["--", "--nocapture"]).output()?;
    let lines = lines(&text(&output));
    for line in &lines {
        if args.json {
            print_json(line)?;
        } else {
            let Line { backend, cases, passed, failed, skipped } = line;
            println!("{backend}: {passed} of {cases} passed, {failed} failed, {skipped} skipped");
        }
    }
    let held = output.status.success() && lines.iter().all(Line::is_whole);
    if !held || lines.len() < expected {
        eprintln!("{}", text(&output));
        return Err(format!("{} of {expected} backends keep every case", whole(&lines)).into());
    }
    Ok(true)
}

impl Line {
    fn is_whole(&self) -> bool {
        self.passed == self.cases && self.failed == 0 && self.skipped == 0
    }
}

fn whole(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.is_whole()).count()
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// The reports in a text, each backend once.
fn lines(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    for line in text.lines().filter_map(parse) {
        if !found.iter().any(|known| known.backend == line.backend) {
            found.push(line);
        }
    }
    found
}

/// Reads `sled: 97 cases, 96 passed, 1 failed, 0 skipped`, wherever in the line it begins.
fn parse(line: &str) -> Option<Line> {
    let (before, counts) = line.split_once(": ")?;
    let backend = before.rsplit(' ').next()?.to_owned();
    let mut parts = counts.split(", ");
    let mut count = |what: &str| -> Option<u32> {
        let (number, name) = parts.next()?.split_once(' ')?;
        number.parse().ok().filter(|_| name == what)
    };
    let line = Line {
        backend,
        cases: count("cases")?,
        passed: count("passed")?,
        failed: count("failed")?,
        skipped: count("skipped")?,
    };
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_out_of_what_tests_print() {
        let text = "running 1 test\n\
                    sled: 97 cases, 96 passed, 1 failed, 0 skipped\n  \
                    damage_is_named: 3 cases, 2 were wrong\n\
                    test sqlite_keeps_every_case ... sqlite: 97 cases, 97 passed, 0 failed, 0 skipped\n\
                    sled: 97 cases, 96 passed, 1 failed, 0 skipped\n\
                    test result: FAILED. 1 passed; 1 failed; 0 ignored\n";
        let found = lines(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].backend, "sled");
        assert!(!found[0].is_whole());
        assert_eq!((found[1].backend.as_str(), found[1].passed), ("sqlite", 97));
        assert!(found[1].is_whole());
    }

    #[test]
    fn a_skipped_case_is_not_kept() {
        let line = parse("memory: 3 cases, 2 passed, 0 failed, 1 skipped").unwrap();
        assert!(!line.is_whole());
    }
}
