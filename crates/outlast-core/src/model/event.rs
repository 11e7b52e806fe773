//! What people are told: operational events, in one ordered log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Actor, AttrName, AttrValue, Attributes, Error, Json, Key, NewEntry, Result, StreamName,
};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventCategory {
    /// Somebody asked for it.
    Audit,
    /// It happened by itself.
    System,
    /// Something went wrong.
    Error,
    /// It is part of the work.
    Ops,
}

/// How an event is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventLevel {
    /// To be known.
    Info,
    /// It went well.
    Success,
    /// To be looked at.
    Warn,
    /// It went wrong.
    Error,
}

macro_rules! words {
    ($name:ident, $what:literal, { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stored text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let known = Self::ALL.iter().find(|one| one.as_str() == text).copied();
                known.ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|one| one.as_str()).collect();
                    Error::invalid(format!("{} {text:?} is not one of {}", $what, all.join(", ")))
                })
            }
        }
    };
}

words!(EventCategory, "category", {
    Audit = "audit", System = "system", Error = "error", Ops = "ops",
});
words!(EventLevel, "level", {
    Info = "info", Success = "success", Warn = "warn", Error = "error",
});

/// One event. It is appended to the log in the commit that it reports, so that neither is ever
/// there without the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about.
    pub category: EventCategory,
    /// How it is to be taken.
    pub level: EventLevel,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The host it happened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// What was done: `op:pull`, `connect`, `recovery`, `pipeline:deploy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The entity it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Key>,
    /// What happened, in words.
    pub message: String,
    /// Anything else, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl Event {
    /// The kind of the stream that holds the log.
    pub const KIND: &'static str = "event";
    /// The id of that stream.
    pub const LOG: &'static str = "log";
    /// The longest event, in bytes of JSON. What is longer is refused, with what it reports.
    pub const MAX_BYTES: usize = 32 << 10;

    /// An event with nothing but what every one has.
    pub fn new(category: EventCategory, level: EventLevel, message: impl Into<String>) -> Self {
        Self {
            category,
            level,
            actor: None,
            host_id: None,
            action: None,
            subject: None,
            message: message.into(),
            details: None,
        }
    }

    /// The same, caused by `actor`.
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// The same, on a host.
    pub fn on(mut self, host_id: impl Into<String>) -> Self {
        self.host_id = Some(host_id.into());
        self
    }

    /// The same, under the name of what was done.
    pub fn called(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// The same, about an entity.
    pub fn about(mut self, subject: Key) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The same with details.
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The stream that holds the log.
    pub fn log() -> Result<StreamName> {
        Key::new(Self::KIND, Self::LOG)
    }

    /// The event as an entry of the log. `TooLarge` over [`Event::MAX_BYTES`].
    pub fn entry(&self) -> Result<NewEntry> {
        let json = Json::encode(self)?;
        let bytes = json.as_str().len();
        if bytes > Self::MAX_BYTES {
            let most = Self::MAX_BYTES;
            return Err(Error::too_large(format!("an event of {bytes} bytes is over {most}")));
        }
        let mut attrs = Attributes::from([
            (AttrName::new("category")?, AttrValue::from(self.category.as_str())),
            (AttrName::new("level")?, AttrValue::from(self.level.as_str())),
        ]);
        if let Some(host) = &self.host_id {
            attrs.insert(AttrName::new("host")?, AttrValue::from(host.as_str()));
        }
        if let Some(subject) = &self.subject {
            let subject = format!("{}/{}", subject.kind, subject.id());
            if subject.len() <= crate::MAX_ID_BYTES {
                attrs.insert(AttrName::new("subject")?, AttrValue::from(subject.as_str()));
            }
        }
        Ok(NewEntry { at: None, attrs, data: json.as_str().as_bytes().to_vec() })
    }
}
