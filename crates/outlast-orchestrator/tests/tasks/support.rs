//! What every test here needs: stores, tasks, and reading back what was recorded.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    AttrName, AttrValue, CommandLine, Key, OnIdle, Page, RecoveryPolicy, Result, Status,
    StreamQuery, Task, TaskSpec, WriteSet,
};
use outlast_orchestrator::tasks::{RunState, Runner, RunnerOptions, Shutdown, TaskFile};
use outlast_store::{Store, StoreOptions, Stored};

use crate::backend;
use crate::hooked::Hooked;

/// How long anything here may take before it counts as stuck.
pub(crate) const STUCK: Duration = Duration::from_mins(1);

pub(crate) fn open(backend: Hooked) -> Store {
    Store::open(Arc::new(backend), StoreOptions::default())
}

pub(crate) async fn store() -> Store {
    hooked(|_| Ok(())).await
}

/// A store that asks before it writes.
pub(crate) async fn hooked(
    hook: impl Fn(&WriteSet) -> Result<()> + Send + Sync + 'static,
) -> Store {
    open(Hooked::new(backend().await, hook))
}

pub(crate) fn shell(name: &str, line: &str) -> TaskSpec {
    TaskSpec {
        name: name.into(),
        command: CommandLine::Shell(line.into()),
        cwd: None,
        env: std::collections::BTreeMap::default(),
        recovery: RecoveryPolicy::default(),
        max_attempts: None,
        idle_threshold_ms: 60_000,
        on_idle: OnIdle::default(),
    }
}

pub(crate) fn file(tasks: Vec<TaskSpec>) -> TaskFile {
    TaskFile::new("jobs.toml", tasks).unwrap()
}

pub(crate) fn one(line: &str) -> TaskFile {
    file(vec![shell("one", line)])
}

/// A line that prints so many numbers, each different and of 8 bytes.
pub(crate) fn count_to(n: u32) -> String {
    format!(r#"awk 'BEGIN {{ for (i = 0; i < {n}; i++) printf "%07d\n", i }}'"#)
}

/// What it prints.
pub(crate) fn counted_to(n: u32) -> String {
    (0..n).fold(String::new(), |mut text, i| {
        writeln!(text, "{i:07}").unwrap();
        text
    })
}

/// Starts and drives a file, and releases.
pub(crate) async fn run(store: &Store, file: &TaskFile, options: RunnerOptions) -> RunState {
    let runner = Runner::acquire(store, options).await.unwrap();
    let run = runner.start(file).await.unwrap();
    let state = within(runner.drive(&run, &Shutdown::default())).await.unwrap();
    runner.release().await.unwrap();
    state
}

pub(crate) fn only(state: &RunState) -> &Stored<Task> {
    assert_eq!(state.tasks.len(), 1, "{state:?}");
    &state.tasks[0]
}

/// What a task printed to one stream, checked to be without gaps.
pub(crate) async fn output(store: &Store, task_id: &str, stream: &str) -> Vec<u8> {
    let mut query = StreamQuery::of(Key::new("log", task_id).unwrap());
    query.page = Page::first(1000);
    let mut bytes = Vec::new();
    loop {
        let page = store.read(&query).await.unwrap();
        for entry in page.items {
            let entry = entry.unwrap();
            let attr = |name: &str| entry.attrs[&AttrName::new(name).unwrap()].clone();
            if attr("stream") != AttrValue::from(stream) {
                continue;
            }
            assert_eq!(attr("byte_offset"), AttrValue::Int(bytes.len().try_into().unwrap()));
            let lines = entry.data.split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(attr("line_count"), AttrValue::Int(lines.try_into().unwrap()));
            bytes.extend(entry.data);
        }
        match page.next {
            Some(next) => query.page = query.page.after(next),
            None => return bytes,
        }
    }
}

/// Whether a task comes to this state.
pub(crate) fn has_status(set: &WriteSet, status: &str) -> bool {
    let mut versions = set.commits.iter().flat_map(|commit| &commit.versions);
    versions.any(|version| version.attrs.get(&AttrName::status()) == Some(&AttrValue::from(status)))
}

/// The states a task went through.
pub(crate) async fn states(store: &Store, task_id: &str) -> Vec<&'static str> {
    let tasks = store.kind::<Task>();
    let past = tasks.history(task_id, Page::first(1000)).await.unwrap().items;
    let mut states: Vec<_> =
        past.into_iter().map(|past| past.unwrap().value.unwrap().status.as_str()).collect();
    states.reverse();
    states
}

/// The future, which must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STUCK, future).await.expect("this hangs")
}

/// Waits for a condition that nothing announces.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(STUCK, wait).await.is_ok(), "never: {what}");
}
