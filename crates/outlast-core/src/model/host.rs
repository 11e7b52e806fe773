//! A machine, or anything else that commands run on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttrName, AttrValue, Attributes, Entity, Result, Timestamp, status_machine};

status_machine! {
    /// What is known of a host's whereabouts. Any may follow any: it is observed, not decided.
    pub enum HostStatus {
        /// It is heard.
        Online = "online" => [Offline, Running, Error, Unknown],
        /// It is not.
        Offline = "offline" => [Online, Running, Error, Unknown],
        /// It is heard, and says that it is at work.
        Running = "running" => [Online, Offline, Error, Unknown],
        /// It says that something is wrong with it.
        Error = "error" => [Online, Offline, Running, Unknown],
        /// It was never heard.
        Unknown = "unknown" => [Online, Offline, Running, Error],
    }
}

/// A registered host. When it was last heard is a transient attribute, [`Host::LAST_SEEN`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// What is known of its whereabouts.
    pub status: HostStatus,
    /// Its name, which no other host has.
    pub hostname: String,
    /// What kind of system it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_type: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What it is used as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The colour it is shown in, as `#rrggbb`.
    pub theme_color: String,
    /// The folder that local commands for it run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Anything else it reports: versions, its generation, the state of its locks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Host {
    /// The transient attribute that says when it was last heard, in microseconds since 1970.
    pub const LAST_SEEN: &'static str = "last_seen";
    /// The colour of a host that chose none.
    pub const THEME_COLOR: &'static str = "#7aa2f7";

    /// A host that was never heard.
    pub fn new(hostname: impl Into<String>, now: Timestamp) -> Self {
        Self {
            status: HostStatus::Unknown,
            hostname: hostname.into(),
            host_type: None,
            location: None,
            device_type: None,
            comment: None,
            theme_color: Self::THEME_COLOR.to_owned(),
            cwd: None,
            facts: BTreeMap::new(),
            created_at: now,
        }
    }
}

impl Entity for Host {
    type Status = HostStatus;
    const KIND: &'static str = "host";
    const CAN_ROLL_BACK: bool = false;

    fn status(&self) -> Option<HostStatus> {
        Some(self.status)
    }

    fn set_status(&mut self, status: HostStatus) {
        self.status = status;
    }

    fn attributes(&self) -> Result<Attributes> {
        Ok(Attributes::from([(
            AttrName::new("hostname")?,
            AttrValue::from(self.hostname.as_str()),
        )]))
    }
}
