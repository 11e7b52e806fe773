//! One supervised program run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AttrName, AttrValue, Attributes, Entity, ProcessIdentity, Result, Timestamp, status_machine,
};

status_machine! {
    /// Where a task is in its life.
    pub enum TaskStatus {
        /// Recorded, waiting for its turn.
        Created = "created" => [Running, Interrupted, Failed],
        /// Its process was let go.
        Running = "running" => [Idle, Interrupted, Completed, Failed],
        /// Its process has written nothing for longer than the threshold.
        Idle = "idle" => [Running, Interrupted, Completed, Failed],
        /// It was stopped, or the orchestrator ended while it ran.
        Interrupted = "interrupted" => [] settled,
        /// Its process ended with exit code 0.
        Completed = "completed" => [] settled,
        /// Its process ended otherwise, or could not be started.
        Failed = "failed" => [] settled,
    }
}

/// What to run: text goes through `sh -c`, a list is a program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CommandLine {
    /// For the shell.
    Shell(String),
    /// Directly.
    Direct(Vec<String>),
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text),
            Self::Direct(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// What recovery does about a task that ran when the orchestrator ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryPolicy {
    /// Mark it interrupted and make a new attempt.
    Restart,
    /// Mark it interrupted.
    #[default]
    Interrupted,
    /// Mark it failed.
    Failed,
}

/// What happens when a task has written nothing for longer than its threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnIdle {
    /// It is shown as idle.
    #[default]
    Mark,
    /// It is interrupted.
    Interrupt,
}

/// What a task is asked to do: the same for each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Its name, unique within a run.
    pub name: String,
    /// What to run.
    pub command: CommandLine,
    /// In which folder; the orchestrator's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables added to the orchestrator's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What recovery does about it.
    pub recovery: RecoveryPolicy,
    /// How many attempts recovery may make in all; without bound when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// After how many milliseconds without output it counts as idle.
    pub idle_threshold_ms: u64,
    /// What happens then.
    pub on_idle: OnIdle,
}

/// One attempt at a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The run it belongs to.
    pub run_id: String,
    /// What it is asked to do.
    #[serde(flatten)]
    pub spec: TaskSpec,
    /// Where it is in its life.
    pub status: TaskStatus,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The attempt before, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When its process was let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its process, recorded before it may run anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
    /// The orchestrator that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_instance: Option<String>,
    /// What its process ended with, if it ended by itself and was seen to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Task {
    /// The kind of the stream that holds an attempt's output, under the attempt's id.
    pub const LOG: &'static str = "log";

    /// The first attempt at a task of a run.
    pub fn new(run_id: impl Into<String>, spec: TaskSpec, now: Timestamp) -> Self {
        Self {
            run_id: run_id.into(),
            spec,
            status: TaskStatus::Created,
            attempt: 1,
            retry_of: None,
            created_at: now,
            started_at: None,
            finished_at: None,
            process: None,
            owner_instance: None,
            exit_code: None,
            signal: None,
            error: None,
        }
    }

    /// The attempt after this one, which is kept under `id`.
    pub fn retry(&self, id: impl Into<String>, now: Timestamp) -> Self {
        Self {
            attempt: self.attempt + 1,
            retry_of: Some(id.into()),
            ..Self::new(self.run_id.clone(), self.spec.clone(), now)
        }
    }
}

impl Entity for Task {
    type Status = TaskStatus;
    const KIND: &'static str = "task";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<TaskStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: TaskStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([
            (AttrName::group(), AttrValue::from(self.run_id.as_str())),
            (AttrName::new("attempt")?, AttrValue::Int(self.attempt.into())),
        ]))
    }
}
