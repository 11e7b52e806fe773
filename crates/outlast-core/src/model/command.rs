//! One operation on one host.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    AttrName, AttrValue, Attributes, CommandLine, Entity, ProcessIdentity, Result, Timestamp,
    status_machine,
};

status_machine! {
    /// Where a command is in its life.
    pub enum CommandStatus {
        /// Waiting for a host that is not there.
        Queued = "queued" => [Pending, Cancelled, Timeout],
        /// Recorded, and its host is taken.
        Pending = "pending" => [Validating, Skipped, Cancelled, Orphaned] + [Queued],
        /// Being checked before it is sent.
        Validating = "validating" => [Executing, Blocked, Error, Cancelled, Orphaned] + [Queued],
        /// Sent.
        Executing = "executing" => [
            RunningWarning, AwaitingReconnect, Killing, Success, Error, Partial, Skipped, Orphaned,
        ],
        /// Running for longer than expected.
        RunningWarning = "running_warning" => [
            Executing, TimeoutPending, AwaitingReconnect, Killing, Success, Error, Partial,
            Skipped, Orphaned,
        ],
        /// Over its time: somebody has to decide.
        TimeoutPending = "timeout_pending" => [
            Executing, Killing, Success, Error, Partial, Skipped, Orphaned,
        ],
        /// Its host is expected to come back.
        AwaitingReconnect = "awaiting_reconnect" => [Success, Suspicious, StaleBinary, Timeout],
        /// Being killed.
        Killing = "killing" => [Killed, Success, Error, Orphaned],
        /// Refused by its check.
        Blocked = "blocked" => [] settled,
        /// Done, and its goal was reached.
        Success = "success" => [] settled,
        /// It failed.
        Error = "error" => [] settled,
        /// Its host did not come back, or never came.
        Timeout = "timeout" => [] settled,
        /// Left out, or ignored by somebody.
        Skipped = "skipped" => [] settled,
        /// Called off before it was sent.
        Cancelled = "cancelled" => [] settled,
        /// Killed.
        Killed = "killed" => [] settled,
        /// Done, but its goal was not reached.
        Partial = "partial" => [] settled,
        /// The host came back as it was.
        StaleBinary = "stale_binary" => [] settled,
        /// The host came back half changed.
        Suspicious = "suspicious" => [] settled,
        /// The orchestrator ended while it was under way. A late completion counts only if
        /// somebody reconciles it.
        Orphaned = "orphaned" => [] + [Success, Error] settled,
    }
}

/// An operation as it is done on one host: what to run, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpSpec {
    /// Its name: `pull`, `switch`, `test`.
    pub op: String,
    /// What a local executor runs; others know by the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<CommandLine>,
    /// Variables added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// After how many milliseconds it is worth a warning.
    pub warning_ms: u64,
    /// After how many it is over its time.
    pub timeout_ms: u64,
    /// How long its host may take to come back after it; it does not go away when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_ms: Option<u64>,
    /// How long it may wait for a host that is not there; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_ms: Option<u64>,
    /// Whether doing it twice does no harm, so that recovery may queue it again.
    #[serde(default)]
    pub retryable: bool,
}

impl OpSpec {
    /// How long an operation may take before it is worth a warning, unless it says otherwise.
    pub const WARNING: Duration = Duration::from_mins(5);
    /// How long it may take at all.
    pub const TIMEOUT: Duration = Duration::from_mins(15);
    /// How long a host that goes away may take to come back.
    pub const RECONNECT: Duration = Duration::from_secs(90);

    /// An operation with the usual times.
    pub fn new(op: impl Into<String>) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            op: op.into(),
            run: None,
            env: BTreeMap::new(),
            warning_ms: ms(Self::WARNING),
            timeout_ms: ms(Self::TIMEOUT),
            reconnect_ms: None,
            queue_ms: None,
            retryable: false,
        }
    }
}

/// One operation on one host, from when it was asked for to what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Where it is in its life.
    pub status: CommandStatus,
    /// The host.
    pub host_id: String,
    /// What is done.
    #[serde(flatten)]
    pub spec: OpSpec,
    /// The pipeline it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<String>,
    /// The stage of that pipeline, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was sent for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When it is worth a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_at: Option<Timestamp>,
    /// When it is over its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_at: Option<Timestamp>,
    /// Until when its host has to be back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_by: Option<Timestamp>,
    /// Until when it may wait in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_until: Option<Timestamp>,
    /// When killing it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_initiated_at: Option<Timestamp>,
    /// The last signal that was sent to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// Its process, if it is one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
    /// What it ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// A word for why it did not succeed: `host_offline`, `goal_not_achieved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The file its output goes to, if it does not go to its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_file: Option<String>,
}

impl Command {
    /// The kind of the stream that holds a command's output, under the command's id.
    pub const LOG: &'static str = "command_log";

    /// A command that takes its host.
    pub fn new(host_id: impl Into<String>, spec: OpSpec, now: Timestamp) -> Self {
        Self {
            status: CommandStatus::Pending,
            host_id: host_id.into(),
            spec,
            pipeline_id: None,
            stage: None,
            created_at: now,
            started_at: None,
            finished_at: None,
            warning_at: None,
            timeout_at: None,
            reconnect_by: None,
            queued_until: None,
            kill_initiated_at: None,
            kill_signal: None,
            process: None,
            exit_code: None,
            code: None,
            error: None,
            output_file: None,
        }
    }

    /// When time alone changes it next.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.status {
            CommandStatus::Queued => self.queued_until,
            CommandStatus::Executing => self.warning_at.or(self.timeout_at),
            CommandStatus::RunningWarning => self.timeout_at,
            CommandStatus::AwaitingReconnect => self.reconnect_by,
            _ => None,
        }
    }
}

impl Entity for Command {
    type Status = CommandStatus;
    const KIND: &'static str = "command";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<CommandStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: CommandStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        let mut attributes =
            Attributes::from([(AttrName::new("host")?, AttrValue::from(self.host_id.as_str()))]);
        if let Some(pipeline) = &self.pipeline_id {
            attributes.insert(AttrName::group(), AttrValue::from(pipeline.as_str()));
        }
        if let Some(deadline) = self.deadline() {
            attributes.insert(AttrName::deadline(), AttrValue::from(deadline));
        }
        Ok(attributes)
    }
}
