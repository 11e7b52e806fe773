//! What is removed leaves no row behind, and its room is free.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Attributes, Clock, ManualClock, NewEntry, TaskStatus, Timestamp};
use outlast_orchestrator::retention::{Retention, prune};
use outlast_store::Store;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use crate::support::{DAY, attempt, completed, days_ago, log, now, record};
use crate::timed::open_at;

/// Every table that grows with what is stored.
const TABLES: [&str; 7] =
    ["entity", "history", "head", "attribute", "stream", "stream_entry", "remembered"];

/// A store in the past, whose time passes when it is told to.
async fn past(path: &Path, begin: Timestamp) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(begin));
    (open_at("sqlite", path, &clock).await, clock)
}

async fn capture(store: &Store, clock: &ManualClock, task_id: &str, commits: usize) {
    for _ in 0..commits {
        clock.advance(Duration::from_millis(5));
        let mut draft = store.draft();
        let line = NewEntry { at: None, attrs: Attributes::new(), data: vec![b'x'; 8000] };
        draft.append(log(task_id), vec![line]);
        draft.commit().await.unwrap();
    }
}

async fn rows(path: &Path) -> [i64; 7] {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    let mut rows = [0; 7];
    for (found, table) in rows.iter_mut().zip(TABLES) {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        *found = sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0);
    }
    connection.close().await.unwrap();
    rows
}

async fn prune_now(store: &Store, clock: &ManualClock, dry_run: bool) -> u64 {
    let retention = Retention { age: DAY * 30, now: clock.now(), dry_run };
    prune(store, &retention).await.unwrap().runs
}

#[tokio::test]
async fn a_run_with_much_output_leaves_no_row_and_its_room_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (store, clock) = past(&path, days_ago(45)).await;
    record(&store, "old", 2, &[completed("a", 40), completed("b", 40)]).await;
    capture(&store, &clock, "old-a-1", 300).await;
    let full = rows(&path).await;
    assert!(full[1] > 300 && full[5] > 300, "{full:?}");
    let used = store.backend().size().await.unwrap();

    clock.jump_to(now());
    assert_eq!(prune_now(&store, &clock, true).await, 1);
    assert_eq!(rows(&path).await, full, "a dry run changed something");
    assert_eq!(prune_now(&store, &clock, false).await, 1);
    // Of the deletions just made the ids stay for as long as they could be sent again.
    let left = rows(&path).await;
    assert_eq!(left[..6], [0; 6]);
    assert!(left[6] <= 2, "{left:?}");
    let freed = store.backend().size().await.unwrap();
    assert!(freed.free > used.free + 300 * 8000, "{used:?} {freed:?}");

    clock.advance(DAY * 31);
    assert_eq!(prune_now(&store, &clock, false).await, 0);
    assert_eq!(rows(&path).await, [0; 7]);
    assert_eq!(store.verify().await.unwrap().damages, []);
    store.close().await.unwrap();
}

#[tokio::test]
async fn commits_of_captured_output_leave_no_row_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (store, clock) = past(&path, days_ago(45)).await;
    record(&store, "going", 1, &[attempt("a", 1, TaskStatus::Running, 0)]).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        capture(&store, &clock, "going-a-1", 50).await;
        clock.advance(DAY * 31);
        assert_eq!(prune_now(&store, &clock, false).await, 0);
        let rows = rows(&path).await;
        kept.push((rows[1], rows[5], rows[6]));
    }
    // A run that is not over keeps its versions and its output, and no row for each commit.
    assert_eq!(kept, [(2, 52, 0), (2, 102, 0), (2, 152, 0)]);
    assert_eq!(store.verify().await.unwrap().damages, []);
    store.close().await.unwrap();
}
