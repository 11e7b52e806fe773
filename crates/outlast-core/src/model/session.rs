//! A conversation, or a branch of one.

use serde::{Deserialize, Serialize};

use crate::{AttrName, AttrValue, Attributes, Entity, Result, Timestamp, status_machine};

status_machine! {
    /// Whether a session goes on.
    pub enum SessionStatus {
        /// It goes on.
        Open = "open" => [Closed],
        /// It is over.
        Closed = "closed" => [] settled,
    }
}

/// What is known of a branch of a tree of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whether it goes on.
    pub status: SessionStatus,
    /// The tree it is a branch of.
    pub session_tree_id: String,
    /// The swarm that works in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm_id: Option<String>,
    /// The name of the branch.
    pub branch_name: String,
    /// How many entries it has.
    pub entry_count: u64,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_entry_id: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

impl Session {
    /// An open session without entries.
    pub fn new(tree_id: impl Into<String>, branch: impl Into<String>, now: Timestamp) -> Self {
        Self {
            status: SessionStatus::Open,
            session_tree_id: tree_id.into(),
            swarm_id: None,
            branch_name: branch.into(),
            entry_count: 0,
            last_entry_id: None,
            created_at: now,
            closed_at: None,
        }
    }
}

impl Entity for Session {
    type Status = SessionStatus;
    const KIND: &'static str = "session";

    fn status(&self) -> Option<SessionStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: SessionStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        let mut attributes = Attributes::from([
            (AttrName::new("tree")?, AttrValue::from(self.session_tree_id.as_str())),
            (AttrName::new("created")?, AttrValue::from(self.created_at)),
        ]);
        if let Some(swarm) = &self.swarm_id {
            attributes.insert(AttrName::group(), AttrValue::from(swarm.as_str()));
        }
        Ok(attributes)
    }
}
