//! What the program shows of tasks as cells of a table.

use outlast::{Clock as _, Status as _, Stored, SystemClock, Task, Timestamp};

use crate::duration;
use crate::output::moment;

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
    elapsed(task.started_at, task.finished_at, task.status.is_settled())
}

/// How long something took, or has taken so far unless it is over.
pub(crate) fn elapsed(
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    is_over: bool,
) -> Option<String> {
    let until = match finished {
        Some(finished) => finished,
        None if is_over => return None,
        None => SystemClock::default().now(),
    };
    Some(duration::display(until.since(started?)))
}
