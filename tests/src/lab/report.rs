//! What a test tells `cargo xtask soak`: one row per promise and backend, and single rounds.

use std::io::Write as _;

use serde::Serialize;

/// A row: what became of a promise on a backend.
#[derive(Debug, Serialize)]
struct Row<'a> {
    promise: &'a str,
    backend: &'a str,
    result: &'a str,
    count: u64,
    seed: Option<u64>,
    why: &'a str,
}

/// The row of a test that is running. Dropped before it passed, it says that it failed.
#[derive(Debug)]
pub struct Report {
    promise: &'static str,
    backend: &'static str,
    seed: Option<u64>,
    count: u64,
    last: String,
    done: bool,
}

impl Report {
    /// Begins a row.
    pub fn new(promise: &'static str, backend: &'static str, seed: Option<u64>) -> Self {
        Self { promise, backend, seed, count: 0, last: "it did not begin".to_owned(), done: false }
    }

    /// Notes a round that is about to be made.
    pub fn round(&mut self, what: impl Into<String>) {
        self.count += 1;
        self.last = what.into();
        let Self { promise, backend, seed, count, last, .. } = self;
        let row = Row { promise, backend, result: "round", count: *count, seed: *seed, why: last };
        append("OUTLAST_LAB_ROUNDS", &row);
    }

    /// Counts something that a round consists of.
    pub fn count(&mut self, more: u64) {
        self.count += more;
    }

    /// Ends the row: everything held.
    pub fn pass(mut self) {
        self.end("pass", "");
    }

    /// Ends the row: it could not be tried, which is never a pass. Where `CI` is set it fails.
    pub fn not_run(mut self, why: &str) {
        self.end("not_run", why);
        println!("NOT RUN: {} on {}: {why}", self.promise, self.backend);
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "{} on {} was not run: {why}", self.promise, self.backend);
    }

    fn end(&mut self, result: &str, why: &str) {
        self.done = true;
        let Self { promise, backend, seed, count, .. } = self;
        assert!(result != "pass" || *count > 0, "a run of nothing proves nothing");
        let row = Row { promise, backend, result, count: *count, seed: *seed, why };
        append("OUTLAST_LAB_REPORT", &row);
        println!("{promise} {backend}: {result}, {count} {why}");
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.done {
            let why = std::mem::take(&mut self.last);
            self.end("fail", &why);
        }
    }
}

/// Adds a line to the file that a variable names, if it does.
fn append(variable: &str, row: &Row<'_>) {
    let Some(path) = std::env::var_os(variable) else { return };
    let line = format!("{}\n", serde_json::to_string(row).unwrap());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}
