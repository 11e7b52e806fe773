//! What agents produce and consume.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttrName, AttrValue, Attributes, Entity, NoStatus, Result, Timestamp};

/// Who may see an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Public,
    /// These agents, and agents with one of these labels.
    Private {
        /// Names of agents.
        #[serde(default)]
        agents: BTreeSet<String>,
        /// Labels.
        #[serde(default)]
        labels: BTreeSet<String>,
    },
    /// Agents that have all of these labels.
    Labelled {
        /// Labels.
        required_labels: BTreeSet<String>,
    },
    /// Agents of this tenant.
    Tenant {
        /// The tenant.
        tenant_id: String,
    },
    /// Everybody, from this moment on.
    After {
        /// The moment.
        at: Timestamp,
    },
}

/// A typed piece of data that was published. It never changes; its id is a version 7 UUID, so ids
/// order artifacts by when they were published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The registered name of its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The content.
    pub payload: Value,
    /// The agent that made it, or `external`.
    pub produced_by: String,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// How it is to be divided among workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// Words it can be found by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Who may see it.
    #[serde(default)]
    pub visibility: Visibility,
    /// Its version in the producer's own counting.
    pub version: u32,
    /// When it was published.
    pub created_at: Timestamp,
}

impl Artifact {
    /// The producer of what came from outside.
    pub const EXTERNAL: &'static str = "external";

    /// A public artifact from outside.
    pub fn new(type_name: impl Into<String>, payload: Value, now: Timestamp) -> Self {
        Self {
            type_name: type_name.into(),
            payload,
            produced_by: Self::EXTERNAL.to_owned(),
            correlation_id: None,
            partition_key: None,
            tags: BTreeSet::new(),
            visibility: Visibility::Public,
            version: 1,
            created_at: now,
        }
    }
}

impl Entity for Artifact {
    type Status = NoStatus;
    const KIND: &'static str = "artifact";
    const CAN_ROLL_BACK: bool = false;

    fn attributes(&self) -> Result<Attributes> {
        let mut attributes = Attributes::from([
            (AttrName::new("type")?, AttrValue::from(self.type_name.as_str())),
            (AttrName::new("producer")?, AttrValue::from(self.produced_by.as_str())),
        ]);
        if let Some(correlation) = &self.correlation_id {
            attributes.insert(AttrName::new("correlation")?, AttrValue::from(correlation.as_str()));
        }
        Ok(attributes)
    }
}

/// Says that an artifact has a tag, so that it can be found by it. Its id is
/// [`ArtifactTag::id_of`]: by tag, and then by when the artifact was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactTag {
    /// The tag.
    pub tag: String,
    /// The artifact.
    pub artifact_id: String,
}

impl ArtifactTag {
    /// The id of the record that says so.
    pub fn id_of(tag: &str, artifact_id: &str) -> String {
        format!("{tag}/{artifact_id}")
    }
}

impl Entity for ArtifactTag {
    type Status = NoStatus;
    const KIND: &'static str = "artifact_tag";
    const CAN_ROLL_BACK: bool = false;

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([
            (AttrName::group(), AttrValue::from(self.tag.as_str())),
            (AttrName::new("artifact")?, AttrValue::from(self.artifact_id.as_str())),
        ]))
    }
}

/// An agent took an artifact as its input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumption {
    /// The artifact.
    pub artifact_id: String,
    /// The agent.
    pub consumer: String,
    /// The subscription that handed it over; none if the agent took it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The run of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// When.
    pub consumed_at: Timestamp,
}

impl Entity for Consumption {
    type Status = NoStatus;
    const KIND: &'static str = "consumption";
    const CAN_ROLL_BACK: bool = false;

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([
            (AttrName::group(), AttrValue::from(self.artifact_id.as_str())),
            (AttrName::new("consumer")?, AttrValue::from(self.consumer.as_str())),
        ]))
    }
}
