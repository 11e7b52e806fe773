//! A saved state of an entity, with the reason it was saved for.

use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::{
    AttrName, AttrValue, Attributes, Entity, Json, Key, MAX_ID_BYTES, NoStatus, Record, Result,
    Timestamp, Version,
};

/// A copy of an entity as it was, to the letter, kept apart from its history. Its id is a version
/// 7 UUID, so ids order checkpoints by when they were made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose state it is.
    pub of: Key,
    /// The version that was saved.
    pub version: Version,
    /// The schema number of the content.
    pub schema: u32,
    /// What it could be filtered by.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attrs: Attributes,
    /// The content.
    pub data: Json,
    /// What it was saved for: [`Checkpoint::STOP`], [`Checkpoint::BEFORE_ROLLBACK`],
    /// [`Checkpoint::BEFORE_RESTORE`], or the user's own words.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
}

impl Checkpoint {
    /// The orchestrator stopped.
    pub const STOP: &'static str = "orchestrator_stop";
    /// The entity is about to be rolled back.
    pub const BEFORE_ROLLBACK: &'static str = "pre_rollback";
    /// Another checkpoint is about to be restored.
    pub const BEFORE_RESTORE: &'static str = "pre_restore";

    /// What is there now, saved for a reason.
    pub fn of(record: Record, reason: impl Into<String>, now: Timestamp) -> Self {
        Self {
            of: record.key,
            version: record.version,
            schema: record.schema,
            attrs: record.attrs,
            data: record.state,
            reason: reason.into(),
            created_at: now,
        }
    }

    /// What all checkpoints of one entity have as their `group`: its kind and id. Where that is
    /// too long for an attribute, its end is a checksum of the whole, so that look at `of` too.
    pub fn group_of(key: &Key) -> String {
        let mut name = format!("{}/{}", key.kind, key.id());
        if name.len() > MAX_ID_BYTES {
            let mut sum = Checksum::new();
            sum.text(&name);
            let sum = format!("{:016x}", sum.finish());
            name.truncate(name.floor_char_boundary(MAX_ID_BYTES - sum.len()));
            name.push_str(&sum);
        }
        name
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
