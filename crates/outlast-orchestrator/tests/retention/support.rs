//! Stores with runs of any age.

use std::time::Duration;

use outlast_core::{
    Attributes, CommandLine, Entity, HistoryQuery, Key, NewEntry, OnIdle, Page, Query,
    RecoveryPolicy, Run, Scope, Slot, StreamQuery, Task, TaskSpec, TaskStatus, Timestamp,
};
use outlast_orchestrator::retention::{Report, Retention, prune};
use outlast_store::Store;

pub(crate) use crate::opened::{BACKENDS, memory, open};

pub(crate) const DAY: Duration = Duration::from_hours(24);

/// The present of these tests.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

pub(crate) fn days_ago(days: u32) -> Timestamp {
    now().minus(DAY * days)
}

/// A task, settled or not, at some attempt.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) status: TaskStatus,
    pub(crate) finished_at: Option<Timestamp>,
}

pub(crate) fn attempt(name: &str, number: u32, status: TaskStatus, days: u32) -> Attempt {
    Attempt { name: name.to_owned(), number, status, finished_at: Some(days_ago(days)) }
}

pub(crate) fn completed(name: &str, days: u32) -> Attempt {
    attempt(name, 1, TaskStatus::Completed, days)
}

/// Records a run of a month and a half ago with these attempts, each with two entries of output.
pub(crate) async fn record(store: &Store, id: &str, task_count: u64, attempts: &[Attempt]) {
    let run = Run { file: "jobs.toml".to_owned(), created_at: days_ago(45), task_count };
    let mut draft = store.draft();
    draft.create(id, &run).unwrap();
    for attempt in attempts {
        let spec = TaskSpec {
            name: attempt.name.clone(),
            command: CommandLine::Shell("true".to_owned()),
            cwd: None,
            env: std::collections::BTreeMap::new(),
            recovery: RecoveryPolicy::Restart,
            max_attempts: None,
            idle_threshold_ms: 1000,
            on_idle: OnIdle::Mark,
        };
        let task = Task {
            status: attempt.status,
            attempt: attempt.number,
            finished_at: attempt.finished_at,
            ..Task::new(id, spec, days_ago(45))
        };
        let task_id = task_id(id, attempt);
        draft.create(&task_id, &task).unwrap();
        let line =
            |data: &[u8]| NewEntry { at: None, attrs: Attributes::new(), data: data.to_vec() };
        draft.append(log(&task_id), vec![line(b"one\n"), line(b"three\n")]);
    }
    draft.commit().await.unwrap();
}

pub(crate) fn task_id(run_id: &str, attempt: &Attempt) -> String {
    format!("{run_id}-{}-{}", attempt.name, attempt.number)
}

pub(crate) fn log(task_id: &str) -> Key {
    Key::new(Task::LOG, task_id).unwrap()
}

pub(crate) async fn prune_after(store: &Store, days: u32) -> Report {
    let retention = Retention { age: DAY * days, now: now(), dry_run: false };
    prune(store, &retention).await.unwrap()
}

pub(crate) async fn dry_run(store: &Store, days: u32) -> Report {
    let retention = Retention { age: DAY * days, now: now(), dry_run: true };
    prune(store, &retention).await.unwrap()
}

/// The counts of a report: runs, tasks, entries, bytes.
pub(crate) fn counts(report: &Report) -> [u64; 4] {
    assert_eq!(report.unreadable, 0, "{:?}", report.problems);
    [report.runs, report.tasks, report.log_entries, report.log_bytes]
}

/// Everything there is, each line a version or an entry.
pub(crate) async fn content(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    let mut query = HistoryQuery { page: Page::first(1000), ..HistoryQuery::of(Scope::All(None)) };
    loop {
        let page = store.history(&query).await.unwrap();
        lines.extend(page.items.into_iter().map(|version| format!("{:?}", version.unwrap())));
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
    }
    for kind in store.kinds().await.unwrap().streams {
        for extent in store.streams(&kind, &Page::first(1000)).await.unwrap().items {
            let page = store.read(&StreamQuery::of(extent.stream.clone())).await.unwrap();
            lines.push(format!("{extent:?} {:?}", page.items));
        }
    }
    lines
}

/// The ids of what lives, or was deleted and is not yet removed, of a kind.
pub(crate) async fn ids<T: Entity>(store: &Store) -> Vec<String> {
    let mut query = Query { tombstones: true, ..store.kind::<T>().query().unwrap() };
    query.page = Page::first(1000);
    let page = store.list(&query).await.unwrap();
    let id = |slot: Slot| match slot {
        Slot::Live(record) => record.key.id().to_owned(),
        Slot::Tombstone { key, .. } => format!("{} deleted", key.id()),
        other => format!("{other:?}"),
    };
    page.items.into_iter().map(id).collect()
}
