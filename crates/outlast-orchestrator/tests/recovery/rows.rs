//! Each row of the table, as it is written down here a second time.

use std::collections::BTreeSet;
use std::time::Duration;

use outlast_core::{Action, Actor};
use outlast_orchestrator::recovery::{Outcome, RecoveryOptions, Table, preview, recover};

use crate::support::{BACKENDS, HOUR, acquire, events, found, place, site, versions};

/// Kind, state, how much later recovery is, the state afterwards, the outcome.
type Row = (&'static str, &'static str, u32, &'static str, Option<Outcome>);

use Outcome::{
    Expired, Flushed, MarkedFailed, MarkedInterrupted, MarkedOrphaned, Resumed, Unchanged,
};

/// The table of the specification. Times are in hours: one hour is before what waits for a
/// deadline is over time, three are after it.
const ROWS: &[Row] = &[
    ("swarm", "creating", 0, "active", Some(Resumed)),
    ("swarm", "scaling", 0, "active", Some(Resumed)),
    ("swarm", "active", 0, "active", Some(Unchanged)),
    ("swarm", "paused", 0, "paused", Some(Unchanged)),
    ("swarm", "completed", 0, "completed", None),
    ("swarm", "failed", 0, "failed", None),
    ("swarm", "destroyed", 0, "destroyed", None),
    ("agent", "running", 0, "failed", Some(MarkedFailed)),
    ("agent", "spawning", 0, "failed", Some(MarkedFailed)),
    ("agent", "retrying", 0, "retrying", Some(Unchanged)),
    ("agent", "retrying", 3, "retrying", Some(Unchanged)),
    ("agent", "paused", 0, "paused", Some(Unchanged)),
    ("agent", "pending", 0, "pending", Some(Unchanged)),
    ("agent", "blocked", 0, "blocked", Some(Unchanged)),
    ("agent", "completed", 0, "completed", None),
    ("agent", "failed", 0, "failed", None),
    ("agent", "killed", 0, "killed", None),
    ("session", "open", 0, "open", Some(Unchanged)),
    ("session", "closed", 0, "closed", None),
    ("command", "queued", 0, "queued", Some(Unchanged)),
    ("command", "pending", 0, "orphaned", Some(MarkedOrphaned)),
    ("command", "validating", 0, "orphaned", Some(MarkedOrphaned)),
    ("command", "executing", 0, "orphaned", Some(MarkedOrphaned)),
    ("command", "running_warning", 0, "orphaned", Some(MarkedOrphaned)),
    ("command", "timeout_pending", 0, "orphaned", Some(MarkedOrphaned)),
    ("command", "killing", 0, "orphaned", Some(MarkedOrphaned)),
    ("command", "awaiting_reconnect", 0, "awaiting_reconnect", Some(Unchanged)),
    ("command", "awaiting_reconnect", 3, "timeout", Some(Expired)),
    ("command", "blocked", 0, "blocked", None),
    ("command", "success", 0, "success", None),
    ("command", "error", 0, "error", None),
    ("command", "timeout", 0, "timeout", None),
    ("command", "skipped", 0, "skipped", None),
    ("command", "cancelled", 0, "cancelled", None),
    ("command", "killed", 0, "killed", None),
    ("command", "partial", 0, "partial", None),
    ("command", "stale_binary", 0, "stale_binary", None),
    ("command", "suspicious", 0, "suspicious", None),
    ("command", "orphaned", 0, "orphaned", None),
    ("pipeline", "idle", 0, "idle", Some(Unchanged)),
    ("pipeline", "running", 0, "orphaned", Some(MarkedOrphaned)),
    ("pipeline", "complete", 0, "complete", None),
    ("pipeline", "partial", 0, "partial", None),
    ("pipeline", "failed", 0, "failed", None),
    ("pipeline", "cancelled", 0, "cancelled", None),
    ("pipeline", "orphaned", 0, "orphaned", None),
    ("task", "created", 0, "created", Some(Unchanged)),
    ("task", "running", 0, "interrupted", Some(MarkedInterrupted)),
    ("task", "idle", 0, "interrupted", Some(MarkedInterrupted)),
    ("task", "interrupted", 0, "interrupted", None),
    ("task", "completed", 0, "completed", None),
    ("task", "failed", 0, "failed", None),
    ("join", "waiting", 0, "waiting", Some(Unchanged)),
    ("join", "waiting", 3, "expired", Some(Expired)),
    ("join", "dispatching", 3, "dispatching", Some(Resumed)),
    ("join", "orphaned", 3, "orphaned", Some(Unchanged)),
    ("join", "completed", 3, "completed", None),
    ("join", "flushed", 3, "flushed", None),
    ("join", "expired", 3, "expired", None),
    ("join", "dead_letter", 3, "dead_letter", None),
    ("join", "cancelled", 3, "cancelled", None),
    ("batch", "waiting", 0, "waiting", Some(Unchanged)),
    ("batch", "waiting", 3, "dispatching", Some(Flushed)),
    ("batch", "dispatching", 3, "dispatching", Some(Resumed)),
    ("batch", "orphaned", 3, "orphaned", Some(Unchanged)),
    ("batch", "completed", 3, "completed", None),
    ("batch", "flushed", 3, "flushed", None),
    ("batch", "expired", 3, "expired", None),
    ("batch", "dead_letter", 3, "dead_letter", None),
    ("batch", "cancelled", 3, "cancelled", None),
];

/// I5 in ARCHITECTURE.md.
#[test]
fn each_cell_of_the_table_is_a_row_here() {
    let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.0, row.1)).collect();
    let table = Table::default();
    let cells: BTreeSet<_> = table.cells().map(|cell| (cell.0, cell.1)).collect();
    assert_eq!(rows, cells);
}

#[tokio::test]
async fn each_row_does_what_it_says() {
    for backend in BACKENDS {
        for row in ROWS {
            check(backend, row).await;
        }
    }
}

async fn check(backend: &str, row: &Row) {
    let (kind, state, hours, after, outcome) = *row;
    let site = site(backend).await;
    let instance = acquire(&site.store).await;
    place(&site, kind, state).await;
    site.clock.advance(HOUR * hours);
    let before = versions(&site.store).await.len();
    let options = RecoveryOptions::default();

    let seen = preview(&site.store, &options).await.unwrap();
    assert_eq!(versions(&site.store).await.len(), before, "{row:?}: a preview wrote");
    let report = recover(&instance, &options).await.unwrap();
    assert_eq!((&seen.outcomes, seen.changed), (&report.outcomes, report.changed), "{row:?}");

    let (now, version) = found(&site.store, kind).await;
    assert_eq!(now, after, "{backend} {row:?}: {report:?}");
    assert_eq!(version, if after == state { 1 } else { 2 }, "{row:?}");
    assert_eq!(report.errors, [], "{row:?}");
    let counted: u64 = match outcome {
        Some(outcome) => report.count(kind, outcome),
        None => u64::from(!report.outcomes.contains_key(kind)),
    };
    assert_eq!(counted, 1, "{row:?}: {report:?}");
    assert_eq!(report.changed, u64::from(after != state), "{row:?}");
    check_cause(&site.store, kind, version).await;
    assert_eq!(events(&site.store).await.len(), told(row), "{row:?}");
    site.store.close().await.unwrap();
    drop((site.folder, Duration::ZERO));
}

/// A task tells of its end in its output.
fn told((kind, state, _, after, _): &Row) -> usize {
    usize::from(state != after && *kind != "task")
}

async fn check_cause(store: &outlast_store::Store, kind: &str, version: u64) {
    if version == 1 {
        return;
    }
    let written = versions(store).await;
    let last = written.iter().rfind(|version| version.key.id() == crate::support::IT).unwrap();
    assert_eq!(last.actor, Some(Actor::Recovery), "{kind}");
    assert_eq!(last.action, Action::recovery(), "{kind}");
    assert!(last.reason.is_some(), "{kind}");
}
