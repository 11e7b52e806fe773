//! What a subscription waits for: the open half of a join, or a batch that is filling up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AttrName, AttrValue, Attributes, Entity, MAX_ID_BYTES, NoStatus, Result, Timestamp,
    status_machine,
};

status_machine! {
    /// Where a window is in its life.
    pub enum WindowStatus {
        /// More is to come. A join that feeds a batch is completed by going into it.
        Waiting = "waiting" => [Dispatching, Expired, Orphaned, Cancelled] + [Completed],
        /// Handed to its agent, which has not acknowledged it.
        Dispatching = "dispatching" => [Completed, Flushed, DeadLetter],
        /// A join that was complete, and was acknowledged.
        Completed = "completed" => [] settled,
        /// A batch that was acknowledged.
        Flushed = "flushed" => [] settled,
        /// A join that was not complete in time.
        Expired = "expired" => [] settled,
        /// It was handed over too often without an acknowledgement.
        DeadLetter = "dead_letter" => [] settled,
        /// Its subscription is not there any more, or is another now.
        Orphaned = "orphaned" => [Waiting, Cancelled],
        /// Called off.
        Cancelled = "cancelled" => [] settled,
    }
}

/// Which of the two a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// It waits for artifacts of several types that belong together.
    Join,
    /// It waits until there are enough, or for long enough.
    Batch,
}

/// Why a batch was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushReason {
    /// It was full.
    Size,
    /// Its time was over.
    Timeout,
    /// The orchestrator stopped.
    Shutdown,
    /// Somebody asked for it.
    Manual,
}

/// How a join ends without being complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinWithin {
    /// So many milliseconds after its first artifact.
    #[serde(rename = "ms")]
    Time(u64),
    /// When so many artifacts that matched its subscription came after its first one.
    #[serde(rename = "artifacts")]
    Count(u64),
}

/// Which artifacts belong together, and for how long they are waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinSpec {
    /// Where in the payload the key stands: `order.id`.
    pub by: String,
    /// For how long.
    pub within: JoinWithin,
}

/// When a batch is handed over: one of the two at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BatchSpec {
    /// When it has so many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// So many milliseconds after its first item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// A hand-over of a window's content, repeated under the same id until it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Its id, the same each time.
    pub id: String,
    /// Which try is under way, from 1, or comes next at `next_attempt_at`.
    pub attempts: u32,
    /// When it is tried again, after a try that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why, for a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FlushReason>,
    /// When it was handed over for the first time.
    pub dispatched_at: Timestamp,
}

/// The open half of a join, or a batch that is filling up. What it holds are [`WindowItem`]s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Where it is in its life.
    pub status: WindowStatus,
    /// Which of the two it is.
    pub operation: WindowKind,
    /// The agent whose subscription it is.
    pub agent_name: String,
    /// The name of the subscription, unique among its agent's.
    pub subscription: String,
    /// Where the subscription stood among its agent's; to be shown, never to be found by.
    pub subscription_index: u32,
    /// The checksum of what the subscription asks for. A window is never attached to one with
    /// another.
    pub fingerprint: String,
    /// The key of a join, with its type: `"1"` and `1` are two keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_key: Option<String>,
    /// The types it needs in the order they were declared, which is that of what is handed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// How many artifacts of each type it needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<String, u32>,
    /// How many of each it holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub collected: BTreeMap<String, u32>,
    /// How many items it holds; what a join hands to a batch counts as one.
    pub items_collected: u32,
    /// With how many a batch is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_target: Option<u32>,
    /// For how long it waits, in milliseconds, if time ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// How many artifacts end it, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_count: Option<u64>,
    /// The number of its first artifact in the counting of its subscription.
    pub opened_at_seq: u64,
    /// When its first artifact came.
    pub created_at: Timestamp,
    /// When time ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_end: Option<Timestamp>,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its hand-over, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch: Option<Dispatch>,
    /// Why it is not what it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Window {
    /// What all windows of one subscription have as their `group`.
    pub fn group_of(agent_name: &str, subscription: &str) -> String {
        format!("{agent_name}/{subscription}")
    }

    /// When time alone changes it next: it ends, or its hand-over is tried again.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.status {
            WindowStatus::Waiting => self.window_end,
            WindowStatus::Dispatching => self.dispatch.as_ref()?.next_attempt_at,
            _ => None,
        }
    }
}

impl Entity for Window {
    type Status = WindowStatus;
    const KIND: &'static str = "window";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<WindowStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: WindowStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        let group = Self::group_of(&self.agent_name, &self.subscription);
        let operation = match self.operation {
            WindowKind::Join => "join",
            WindowKind::Batch => "batch",
        };
        let mut attributes = Attributes::from([
            (AttrName::group(), AttrValue::from(group.as_str())),
            (AttrName::new("agent")?, AttrValue::from(self.agent_name.as_str())),
            (AttrName::new("operation")?, AttrValue::from(operation)),
            (AttrName::new("created")?, AttrValue::from(self.created_at)),
        ]);
        if let Some(deadline) = self.deadline() {
            attributes.insert(AttrName::deadline(), AttrValue::from(deadline));
        }
        if let Some(finished) = self.finished_at {
            attributes.insert(AttrName::new("finished")?, AttrValue::from(finished));
        }
        if let Some(key) = self.correlation_key.as_deref().filter(|key| key.len() <= MAX_ID_BYTES) {
            attributes.insert(AttrName::new("correlation")?, AttrValue::from(key));
        }
        Ok(attributes)
    }
}

/// One thing a window holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowItem {
    /// The window.
    pub window_id: String,
    /// Its place in it, in the order of arrival, from 1.
    pub place: u64,
    /// The number of the artifact that brought it in the counting of its subscription.
    #[serde(default)]
    pub seq: u64,
    /// The artifacts it is made of: one, or all that a join put together.
    pub artifact_ids: Vec<String>,
    /// The type of the artifact; `join` for what a join put together.
    pub type_name: String,
    /// When it came.
    pub added_at: Timestamp,
}

impl Entity for WindowItem {
    type Status = NoStatus;
    const KIND: &'static str = "window_item";
    const CAN_ROLL_BACK: bool = false;

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([
            (AttrName::group(), AttrValue::from(self.window_id.as_str())),
            (
                AttrName::new("place")?,
                AttrValue::Int(i64::try_from(self.place).unwrap_or(i64::MAX)),
            ),
        ]))
    }
}
