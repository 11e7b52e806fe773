//! What is told while a run is driven.

use outlast_core::{Task, TaskStatus, Timestamp};
use outlast_store::Stored;
use serde::Serialize;

/// A task has moved. Told after the move was committed, or enqueued if that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The task.
    pub task_id: String,
    /// Its name in the file.
    pub name: String,
    /// Which attempt at it.
    pub attempt: u32,
    /// Where it is now.
    pub status: TaskStatus,
    /// Its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What its process exited with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Event {
    /// What there is to tell about a task as it is now.
    pub(super) fn of(task: &Stored<Task>) -> Self {
        Self {
            at: task.updated_at,
            task_id: task.id().to_owned(),
            name: task.spec.name.clone(),
            attempt: task.attempt,
            status: task.status,
            pid: task.process.as_ref().map(|process| process.pid),
            exit_code: task.exit_code,
            signal: task.signal,
            error: task.error.clone(),
        }
    }
}
