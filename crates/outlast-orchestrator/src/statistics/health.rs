//! What is wrong with a store, if anything is.

use std::time::Duration;

use futures_util::FutureExt;
use outlast_core::{
    Agent, AttrName, Capability, Command, CommandStatus, Durability, Entity, Filter, Kind, Query,
    Result, Status, Timestamp, Window, WindowStatus,
};
use outlast_store::Store;
use serde::Serialize;

use super::recovery;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look at it.
    Warning,
    /// What the store is for is not done, or cannot be relied on.
    Critical,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A word for it: `unreadable`, `stopped`, `not_durable`, `lag`, `overdue`, `waiting`,
    /// `orphaned`, `dead_letter`, `recovery`.
    pub code: &'static str,
    /// What it is and what to do about it, in words.
    pub message: String,
}

/// What is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// When it was looked at.
    pub at: Timestamp,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
}

impl Health {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.problems.is_empty()
    }

    /// How bad the worst of it is; `None` if nothing is wrong.
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|problem| problem.severity).max()
    }
}

/// From when on something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthLimits {
    /// For how long the oldest write may wait.
    pub lag: Duration,
    /// For how long a deadline may have passed without anything being done about it.
    pub overdue: Duration,
}

impl Default for HealthLimits {
    /// Five seconds, and one minute.
    fn default() -> Self {
        Self { lag: Duration::from_secs(5), overdue: Duration::from_mins(1) }
    }
}

/// Looks for what is wrong, in a few counts; that nothing is damaged only `verify` finds out.
///
/// It never fails: that something cannot be read is what is wrong then. Cancel safe.
pub async fn health(store: &Store, limits: &HealthLimits) -> Health {
    let at = store.clock().now();
    let mut problems = Vec::new();
    check_writing(store, limits, &mut problems);
    if let Err(error) = check_content(store, limits, &mut problems).await {
        let message = format!("the store cannot be read: {error}");
        problems.push(Problem { severity: Severity::Critical, code: "unreadable", message });
    }
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    Health { at, problems }
}

fn check_writing(store: &Store, limits: &HealthLimits, problems: &mut Vec<Problem>) {
    // It answers at once if nothing is written any more, and else waits for the next commit.
    if let Some(Err(error)) = store.pulse().next().now_or_never() {
        let message = format!("nothing is written any more: {error}");
        problems.push(Problem { severity: Severity::Critical, code: "stopped", message });
    }
    let info = store.info();
    if info.can(Capability::Persistent) && !info.read_only && info.durability < Durability::Durable
    {
        let message =
            format!("commits are {} only; check how the store is opened", info.durability);
        problems.push(Problem { severity: Severity::Warning, code: "not_durable", message });
    }
    let backlog = store.backlog();
    if u128::from(backlog.lag_ms) > limits.lag.as_millis() {
        let (lag, batches) = (backlog.lag_ms, backlog.batches);
        let message =
            format!("the oldest of {batches} waiting writes waits for {lag} ms; look at the disk");
        problems.push(Problem { severity: Severity::Critical, code: "lag", message });
    }
}

async fn check_content(
    store: &Store,
    limits: &HealthLimits,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let due = store.clock().now().minus(limits.overdue);
    for kind in [Agent::KIND, Command::KIND, Window::KIND] {
        let count = overdue(store, kind, due).await?;
        if count > 0 {
            let message = format!(
                "the time of {count} entities of kind {kind} has come and nothing was done about \
                 it; is the engine running?"
            );
            problems.push(Problem { severity: Severity::Critical, code: "overdue", message });
        }
    }
    let undecided = in_state(store, Command::KIND, CommandStatus::TimeoutPending).await?;
    let orphaned = in_state(store, Window::KIND, WindowStatus::Orphaned).await?;
    let dead = in_state(store, Window::KIND, WindowStatus::DeadLetter).await?;
    for (count, code, what) in [
        (undecided, "waiting", "commands are over their time and wait for somebody to decide"),
        (orphaned, "orphaned", "windows have lost their subscription; attach or cancel them"),
        (dead, "dead_letter", "windows were handed over in vain too often; look at their agents"),
    ] {
        if count > 0 {
            let message = format!("{count} {what}");
            problems.push(Problem { severity: Severity::Warning, code, message });
        }
    }
    check_recovery(store, problems).await
}

async fn check_recovery(store: &Store, problems: &mut Vec<Problem>) -> Result<()> {
    let Some(last) = recovery::last(store).await? else { return Ok(()) };
    let (errors, quarantined) = (last.error_count, last.quarantined);
    if errors + quarantined > 0 {
        let message = format!(
            "the last recovery, at {}, met {errors} errors and {quarantined} entities that cannot \
             be read; look at its report",
            last.at
        );
        problems.push(Problem { severity: Severity::Warning, code: "recovery", message });
    }
    Ok(())
}

async fn overdue(store: &Store, kind: &str, due: Timestamp) -> Result<u64> {
    let query = Query::of(Kind::new(kind)?).filter(Filter::at_most(AttrName::deadline(), due));
    Ok(store.count(&query, &[]).await?.total)
}

async fn in_state(store: &Store, kind: &str, status: impl Status) -> Result<u64> {
    let query = Query::of(Kind::new(kind)?).filter(Filter::is(AttrName::status(), status.as_str()));
    Ok(store.count(&query, &[]).await?.total)
}
