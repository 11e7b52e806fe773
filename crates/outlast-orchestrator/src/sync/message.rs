//! What is said between a subscription and its client, and how it is written.

use std::sync::Arc;

use outlast_core::{Error, Incarnation, Json, Result, Revision, Timestamp};
use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::wire::Number;
use super::{Appended, Delta, Happening, Item, Snapshot};

/// A place in the feed of one life of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the store.
    pub incarnation: Incarnation,
    /// The last revision that was told.
    pub revision: Revision,
}

/// What a subscription tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// What there is, as the first thing that is told, or after [`Message::Resync`].
    Init(Arc<Snapshot>),
    /// The same, because it was asked for.
    FullState(Arc<Snapshot>),
    /// What the next revision changed.
    Delta(Arc<Delta>),
    /// Nothing happened for a while; a client that is elsewhere has missed something.
    Sync(Position),
    /// Deltas were left out, and a snapshot follows. States the last revision that was told.
    Resync(Position, Reason),
}

/// Why deltas were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The subscription was not asked for too long.
    Lagged,
    /// The store holds them no longer.
    Compacted,
    /// The content of the store was replaced whole.
    Replaced,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A snapshot.
    GetState,
    /// Everything after a position, or a snapshot if that is not to be had.
    Resume(Position),
}

impl Message {
    /// Where the feed is once the message was told.
    pub fn position(&self) -> Position {
        match self {
            Self::Init(snapshot) | Self::FullState(snapshot) => snapshot.position(),
            Self::Delta(delta) => {
                Position { incarnation: delta.incarnation, revision: delta.revision }
            }
            Self::Sync(position) | Self::Resync(position, _) => *position,
        }
    }

    /// The message as JSON text.
    pub fn to_json(&self) -> Result<Json> {
        Json::encode(self)
    }

    /// The message that a text is. `Invalid` if it is none.
    pub fn from_json(text: &str) -> Result<Self> {
        parse(text)
    }
}

impl Request {
    /// The request as JSON text: `{"type":"get_state"}`, or `resume` with `version` and
    /// `incarnation`.
    pub fn to_json(&self) -> Result<Json> {
        Json::encode(self)
    }

    /// The request that a text is. `Invalid` if it is none.
    pub fn from_json(text: &str) -> Result<Self> {
        parse(text)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|cause| {
        Error::invalid("the text is not a message of the sync protocol").with_source(cause)
    })
}

#[derive(Serialize)]
struct DeltaOut<'a> {
    at: Timestamp,
    items: &'a [Item],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    appended: &'a [Appended],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    events: &'a [Happening],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    damaged: &'a [String],
}

#[derive(Deserialize)]
struct DeltaIn {
    at: Timestamp,
    items: Vec<Item>,
    #[serde(default)]
    appended: Vec<Appended>,
    #[serde(default)]
    events: Vec<Happening>,
    #[serde(default)]
    damaged: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ResyncBody {
    reason: Reason,
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, position) = (self.name(), self.position());
        let fields = if matches!(self, Self::Sync(_)) { 3 } else { 4 };
        let mut message = serializer.serialize_struct("Message", fields)?;
        message.serialize_field("type", name)?;
        message.serialize_field("version", &Number(position.revision.0))?;
        message.serialize_field("incarnation", &position.incarnation)?;
        match self {
            Self::Init(snapshot) | Self::FullState(snapshot) => {
                message.serialize_field("payload", &**snapshot)?;
            }
            Self::Delta(delta) => {
                let Delta { at, items, appended, events, damaged, .. } = &**delta;
                let body = DeltaOut { at: *at, items, appended, events, damaged };
                message.serialize_field("payload", &body)?;
            }
            Self::Sync(_) => {}
            Self::Resync(_, reason) => {
                message.serialize_field("payload", &ResyncBody { reason: *reason })?;
            }
        }
        message.end()
    }
}

impl Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::FullState(_) => "full_state",
            Self::Delta(_) => "delta",
            Self::Sync(_) => "sync",
            Self::Resync(..) => "resync",
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    name: String,
    version: Number,
    incarnation: Incarnation,
    #[serde(default)]
    payload: Option<Json>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Envelope { name, version, incarnation, payload } = Envelope::deserialize(deserializer)?;
        let position = Position { incarnation, revision: Revision(version.0) };
        let body = || payload.as_ref().ok_or_else(|| D::Error::missing_field("payload"));
        match name.as_str() {
            "init" => Ok(Self::Init(Arc::new(decode::<Snapshot, D>(body()?)?.at(position)))),
            "full_state" => {
                Ok(Self::FullState(Arc::new(decode::<Snapshot, D>(body()?)?.at(position))))
            }
            "delta" => {
                let DeltaIn { at, items, appended, events, damaged } = decode::<_, D>(body()?)?;
                let Position { incarnation, revision } = position;
                let delta = Delta { incarnation, revision, at, items, appended, events, damaged };
                Ok(Self::Delta(Arc::new(delta)))
            }
            "sync" => Ok(Self::Sync(position)),
            "resync" => Ok(Self::Resync(position, decode::<ResyncBody, D>(body()?)?.reason)),
            other => Err(D::Error::custom(format!("there is no message of type {other:?}"))),
        }
    }
}

fn decode<'de, T: for<'a> Deserialize<'a>, D: Deserializer<'de>>(
    body: &Json,
) -> Result<T, D::Error> {
    serde_json::from_str(body.as_str()).map_err(D::Error::custom)
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum RequestWire {
    GetState,
    Resume { version: Number, incarnation: Incarnation },
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = match self {
            Self::GetState => RequestWire::GetState,
            Self::Resume(Position { incarnation, revision }) => {
                RequestWire::Resume { version: Number(revision.0), incarnation: *incarnation }
            }
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match RequestWire::deserialize(deserializer)? {
            RequestWire::GetState => Self::GetState,
            RequestWire::Resume { version, incarnation } => {
                Self::Resume(Position { incarnation, revision: Revision(version.0) })
            }
        })
    }
}
