//! Who changed something, and why.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Action, Error, Id, Json, Result};

/// Who caused a change. Its text form is `user:ann`, `agent:a1`, `system`, `recovery`,
/// `migration` or `cleanup`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// A person.
    User(Id),
    /// An agent or host.
    Agent(Id),
    /// The orchestrator itself.
    System,
    /// Recovery after a restart.
    Recovery,
    /// A move between stores.
    Migration,
    /// Retention.
    Cleanup,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::System => f.write_str("system"),
            Self::Recovery => f.write_str("recovery"),
            Self::Migration => f.write_str("migration"),
            Self::Cleanup => f.write_str("cleanup"),
        }
    }
}

impl FromStr for Actor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("user", id)) => Ok(Self::User(Id::new(id)?)),
            Some(("agent", id)) => Ok(Self::Agent(Id::new(id)?)),
            None if text == "system" => Ok(Self::System),
            None if text == "recovery" => Ok(Self::Recovery),
            None if text == "migration" => Ok(Self::Migration),
            None if text == "cleanup" => Ok(Self::Cleanup),
            _ => Err(Error::invalid(format!(
                "actor {text:?} is not user:ID, agent:ID, system, recovery, migration or cleanup"
            ))),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

/// Who, what for, and anything worth keeping about it. All of it is optional: a store with the
/// audit switched off records none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// What the change is called; derived from each operation when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Why, in words, at most [`MAX_REASON_BYTES`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Anything else, as JSON.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::json::present"
    )]
    pub metadata: Option<Json>,
}

/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 4096;

impl Cause {
    /// A change made by `actor`.
    pub fn by(actor: Actor) -> Self {
        Self { actor: Some(actor), ..Self::default() }
    }

    /// The same with a reason in words.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The same under a name of its own in the audit trail.
    pub fn called(mut self, action: Action) -> Self {
        self.action = Some(action);
        self
    }
}

impl Action {
    /// An entity that was absent or deleted now lives.
    pub fn create() -> Self {
        Self::well_known("create")
    }

    /// Content changed, the status did not.
    pub fn update() -> Self {
        Self::well_known("update")
    }

    /// The status changed.
    pub fn status_change() -> Self {
        Self::well_known("status_change")
    }

    /// The entity was deleted; a tombstone keeps its version.
    pub fn delete() -> Self {
        Self::well_known("delete")
    }

    /// An older version's content became the new version.
    pub fn rollback() -> Self {
        Self::well_known("rollback")
    }

    /// The content of a checkpoint became the new version.
    pub fn restore() -> Self {
        Self::well_known("restore")
    }

    /// Recovery after a restart changed it.
    pub fn recovery() -> Self {
        Self::well_known("recovery")
    }
}
