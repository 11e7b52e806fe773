//! A worker, usually backed by a model.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttrName, AttrValue, Attributes, Entity, Result, Timestamp, status_machine};

status_machine! {
    /// Where an agent is in its life. Being escalated to another model is an event, not a state.
    pub enum AgentStatus {
        /// Recorded, not begun.
        Pending = "pending" => [Spawning, Running, Failed, Killed],
        /// Being brought up.
        Spawning = "spawning" => [Running, Failed, Killed],
        /// At work.
        Running = "running" => [Paused, Blocked, Retrying, Completed, Failed, Killed],
        /// Waiting to be resumed.
        Paused = "paused" => [Running, Failed, Killed],
        /// Waiting for something that it cannot bring about.
        Blocked = "blocked" => [Running, Failed, Killed],
        /// It failed and is tried again at `next_retry_at`.
        Retrying = "retrying" => [Spawning, Running, Paused, Failed, Killed],
        /// It has done its work.
        Completed = "completed" => [] settled,
        /// It was given up. Only an explicit retry leads out of here.
        Failed = "failed" => [] + [Retrying, Pending] settled,
        /// It was stopped.
        Killed = "killed" => [] settled,
    }
}

/// A worker with one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Where it is in its life.
    pub status: AgentStatus,
    /// The swarm it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm_id: Option<String>,
    /// The session it works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The agent that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The model behind it.
    pub model: String,
    /// The models it is still to be escalated to, in order, each when the retries with the one
    /// before are used up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback_models: Vec<String>,
    /// What it is asked to do.
    pub task: String,
    /// How often it was tried again with the present model.
    pub retry_count: u32,
    /// How often it may be.
    pub max_retries: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry_at: Option<Timestamp>,
    /// What went wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it began for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it completed, failed for good, or was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When it was last paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// When it was last resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// From when it began to when it was over, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_ms: Option<u64>,
    /// Anything else: a label, its context, what it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl Agent {
    /// How often an agent is tried again unless it says otherwise.
    pub const MAX_RETRIES: u32 = 3;
    /// The longest pause before it is tried again.
    pub const MAX_RETRY_DELAY: Duration = Duration::from_mins(5);

    /// An agent that has not begun.
    pub fn new(model: impl Into<String>, task: impl Into<String>, now: Timestamp) -> Self {
        Self {
            status: AgentStatus::Pending,
            swarm_id: None,
            session_id: None,
            parent_id: None,
            model: model.into(),
            fallback_models: Vec::new(),
            task: task.into(),
            retry_count: 0,
            max_retries: Self::MAX_RETRIES,
            next_retry_at: None,
            last_error: None,
            created_at: now,
            started_at: None,
            completed_at: None,
            paused_at: None,
            resumed_at: None,
            runtime_ms: None,
            metadata: None,
        }
    }

    /// The pause before try `retry`: two to that power seconds, at most [`Self::MAX_RETRY_DELAY`].
    pub fn retry_delay(retry: u32) -> Duration {
        Duration::from_secs(2_u64.saturating_pow(retry)).min(Self::MAX_RETRY_DELAY)
    }
}

impl Entity for Agent {
    type Status = AgentStatus;
    const KIND: &'static str = "agent";

    fn status(&self) -> Option<AgentStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: AgentStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        let mut attributes = Attributes::new();
        let mut add = |name, value: Option<AttrValue>| {
            if let Some(value) = value {
                attributes.insert(name, value);
            }
        };
        add(AttrName::group(), self.swarm_id.as_deref().map(AttrValue::from));
        add(AttrName::new("session")?, self.session_id.as_deref().map(AttrValue::from));
        add(AttrName::new("parent")?, self.parent_id.as_deref().map(AttrValue::from));
        add(AttrName::deadline(), self.next_retry_at.map(AttrValue::from));
        add(AttrName::new("created")?, Some(AttrValue::from(self.created_at)));
        Ok(attributes)
    }
}
