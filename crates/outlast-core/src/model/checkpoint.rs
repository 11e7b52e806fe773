//! A saved state of an entity, with the reason it was saved for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttrName, AttrValue, Attributes, Entity, Key, NoStatus, Result, Timestamp, Version};

/// A copy of an entity as it was, kept apart from its history. Its id is a version 7 UUID, so ids
/// order checkpoints by when they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose state it is.
    pub of: Key,
    /// The version that was saved.
    pub version: Version,
    /// The schema number of the content.
    pub schema: u32,
    /// The content.
    pub data: Value,
    /// What it was saved for: [`Checkpoint::STOP`], [`Checkpoint::BEFORE_ROLLBACK`], or the
    /// user's own words.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
}

impl Checkpoint {
    /// The orchestrator stopped.
    pub const STOP: &'static str = "orchestrator_stop";
    /// The entity is about to be rolled back.
    pub const BEFORE_ROLLBACK: &'static str = "pre_rollback";

    /// What all checkpoints of one entity have as their `group`.
    pub fn group_of(key: &Key) -> String {
        format!("{}/{}", key.kind, key.id())
    }
}

impl Entity for Checkpoint {
    type Status = NoStatus;
    const KIND: &'static str = "checkpoint";
    const CAN_ROLL_BACK: bool = false;

    fn attributes(&self) -> Result<Attributes> {
        let group = Self::group_of(&self.of);
        Ok(Attributes::from([(AttrName::group(), AttrValue::from(group.as_str()))]))
    }
}
