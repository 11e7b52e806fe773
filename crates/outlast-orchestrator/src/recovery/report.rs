//! What recovery found and did.

use std::collections::BTreeMap;

use outlast_core::{Error, Timestamp};
use serde::Serialize;

/// What was done about one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on: a swarm is active again, or its engine takes it up where it was.
    Resumed,
    /// It is as it was.
    Unchanged,
    /// It has failed.
    MarkedFailed,
    /// It is orphaned.
    MarkedOrphaned,
    /// It is interrupted.
    MarkedInterrupted,
    /// It is interrupted, and a new attempt waits for its turn.
    Restarted,
    /// It waits in the queue again.
    Requeued,
    /// Its deadline had passed.
    Expired,
    /// Its deadline had passed, and what it holds is being handed over.
    Flushed,
    /// It cannot be read, or is in a state that there is none of. It lies untouched.
    Quarantined,
}

/// One entity, as it was found and what was done about it. What a handler is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// Its kind, as the table names it.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// The state it was in.
    pub found: &'static str,
    /// What was done.
    pub outcome: Outcome,
    /// Whether anything was written.
    pub changed: bool,
}

/// One entity about which something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its kind, as the table names it.
    pub kind: String,
    /// Its id; empty if it is not about one entity.
    pub id: String,
    /// Why not.
    pub reason: String,
}

/// How many entities of each kind were met and dealt with, whatever was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Swarms.
    pub swarms_recovered: u64,
    /// Agents.
    pub agents_recovered: u64,
    /// Sessions.
    pub sessions_recovered: u64,
    /// Commands.
    pub commands_recovered: u64,
    /// Pipelines.
    pub pipelines_recovered: u64,
    /// Tasks.
    pub tasks_recovered: u64,
    /// Joins and batches.
    pub windows_recovered: u64,
}

/// What recovery found and did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecoveryReport {
    /// By kind and outcome, how many.
    pub outcomes: BTreeMap<&'static str, BTreeMap<Outcome, u64>>,
    /// By kind, how many.
    #[serde(flatten)]
    pub totals: Totals,
    /// How many were changed. Zero if recovery is repeated right away.
    pub changed: u64,
    /// What could not be done, at most [`RecoveryReport::MOST_NAMED`] of it.
    pub errors: Vec<Problem>,
    /// How much could not be done in all.
    pub error_count: u64,
    /// Agents that wait, and that nobody who exists will begin; as many as of errors.
    pub orphans: Vec<String>,
    /// What cannot be read and lies untouched, as much as of errors.
    pub quarantined: Vec<Problem>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
}

impl RecoveryReport {
    /// How many of each are named.
    pub const MOST_NAMED: usize = 1000;

    /// How many of a kind had this outcome.
    pub fn count(&self, kind: &str, outcome: Outcome) -> u64 {
        self.outcomes.get(kind).and_then(|counts| counts.get(&outcome)).copied().unwrap_or(0)
    }

    /// Whether everything could be read and dealt with.
    pub fn is_clean(&self) -> bool {
        self.error_count == 0 && self.quarantined.is_empty()
    }

    pub(super) fn add(&mut self, recovered: &Recovered) {
        self.tally(recovered.kind, recovered.outcome);
        self.changed += u64::from(recovered.changed);
        let totals = &mut self.totals;
        let total = match recovered.kind {
            "swarm" => &mut totals.swarms_recovered,
            "agent" => &mut totals.agents_recovered,
            "session" => &mut totals.sessions_recovered,
            "command" => &mut totals.commands_recovered,
            "pipeline" => &mut totals.pipelines_recovered,
            "task" => &mut totals.tasks_recovered,
            _ => &mut totals.windows_recovered,
        };
        *total += 1;
    }

    fn tally(&mut self, kind: &'static str, outcome: Outcome) {
        *self.outcomes.entry(kind).or_default().entry(outcome).or_default() += 1;
    }

    pub(super) fn fail(&mut self, kind: &str, id: &str, reason: &impl ToString) {
        self.error_count += 1;
        if self.errors.len() < Self::MOST_NAMED {
            self.errors.push(problem(kind, id, reason));
        }
    }

    pub(super) fn quarantine(&mut self, kind: &'static str, id: &str, error: &Error) {
        self.tally(kind, Outcome::Quarantined);
        if self.quarantined.len() < Self::MOST_NAMED {
            self.quarantined.push(problem(kind, id, error));
        }
    }

    pub(super) fn orphan(&mut self, id: &str) {
        if self.orphans.len() < Self::MOST_NAMED {
            self.orphans.push(id.to_owned());
        }
    }
}

fn problem(kind: &str, id: &str, reason: &impl ToString) -> Problem {
    Problem { kind: kind.to_owned(), id: id.to_owned(), reason: reason.to_string() }
}
