//! What the program shows of stored things, as JSON and as cells of a table. The JSON is stable:
//! fields are added, never renamed or removed.

use outlast::{Clock, Status as _, Stored, SystemClock, Task, Timestamp, Version};
use serde::Serialize;

use crate::duration;
use crate::output::moment;

/// A task with where it is stored.
#[derive(Debug, Serialize)]
pub(crate) struct TaskView<'a> {
    id: &'a str,
    version: u64,
    updated_at: Timestamp,
    #[serde(flatten)]
    task: &'a Task,
}

impl<'a> TaskView<'a> {
    pub(crate) fn of(task: &'a Stored<Task>) -> Self {
        let Version { n, .. } = task.version;
        Self { id: task.id(), version: n, updated_at: task.updated_at, task }
    }
}

/// The headings of a list of tasks.
pub(crate) const TASK_HEADINGS: [&str; 7] =
    ["ID", "NAME", "STATUS", "ATTEMPT", "EXIT", "STARTED", "TOOK"];

/// A task as a row under [`TASK_HEADINGS`].
pub(crate) fn task_row(task: &Stored<Task>) -> [String; 7] {
    let absent = || "-".to_owned();
    [
        task.id().to_owned(),
        task.spec.name.clone(),
        task.status.as_str().to_owned(),
        task.attempt.to_string(),
        ending(task).unwrap_or_else(absent),
        task.started_at.map_or_else(absent, moment),
        took(task).unwrap_or_else(absent),
    ]
}

/// What its process ended with.
pub(crate) fn ending(task: &Task) -> Option<String> {
    let signal = || task.signal.map(|signal| format!("signal {signal}"));
    task.exit_code.map(|code| code.to_string()).or_else(signal)
}

/// How long it ran, or has been running.
pub(crate) fn took(task: &Task) -> Option<String> {
    let started = task.started_at?;
    let until = match task.finished_at {
        Some(finished) => finished,
        None if task.status.is_settled() => return None,
        None => SystemClock::default().now(),
    };
    Some(duration::display(until.since(started)))
}
