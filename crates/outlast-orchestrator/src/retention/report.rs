//! What was removed.

use outlast_core::Error;
use serde::Serialize;

/// What a call to [`prune`](super::prune) removed, or would remove.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Runs.
    pub runs: u64,
    /// Attempts at their tasks.
    pub tasks: u64,
    /// Entries of captured output.
    pub log_entries: u64,
    /// Bytes of captured output.
    pub log_bytes: u64,
    /// Runs that are finished as far as can be told and were kept, because something of them
    /// cannot be read.
    pub unreadable: u64,
    /// Why, for the first [`Report::MOST_NAMED`] of them.
    #[serde(skip)]
    pub problems: Vec<Error>,
}

impl Report {
    /// How many problems are named.
    pub const MOST_NAMED: usize = 100;

    pub(super) fn keep(&mut self, problem: Error) {
        self.unreadable += 1;
        if self.problems.len() < Self::MOST_NAMED {
            self.problems.push(problem);
        }
    }
}
