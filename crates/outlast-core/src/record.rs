//! What a store holds: versions of entities, and entries of streams.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::{
    Action, Actor, Attributes, CommitId, Error, Json, Key, Revision, Seq, StreamName, Timestamp,
    Version,
};

/// One version of an entity: its content, and who changed it when and why.
///
/// It is the history row, the audit row and the entry of the feed at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// The entity.
    pub key: Key,
    /// Its version.
    pub version: Version,
    /// The commit's place in the feed; zero for history that was copied beneath a newer version.
    pub revision: Revision,
    /// The commit that wrote it.
    pub commit: CommitId,
    /// When.
    pub at: Timestamp,
    /// What the change did.
    pub action: Action,
    /// Who, if the audit was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Why, if the audit was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Anything else worth keeping, if the audit was on.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::json::present"
    )]
    pub metadata: Option<Json>,
    /// The schema number of the content.
    pub schema: u32,
    /// What it can be filtered by.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attrs: Attributes,
    /// The content; `None` says the entity was deleted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::json::present"
    )]
    pub state: Option<Json>,
}

impl Versioned {
    /// The checksum that is stored beside it and compared on every read.
    ///
    /// It covers everything but the revision, which belongs to the store it lies in.
    pub fn checksum(&self) -> u64 {
        let mut sum = Checksum::new();
        sum.number(u64::from(self.key.space.0));
        sum.text(self.key.kind.as_str());
        sum.text(self.key.id());
        sum.number(self.version.epoch.0);
        sum.number(self.version.n);
        sum.bytes(self.commit.as_bytes());
        sum.number(self.at.as_micros().cast_unsigned());
        sum.text(self.action.as_str());
        sum.option(self.actor.as_ref().map(ToString::to_string).as_deref());
        sum.option(self.reason.as_deref());
        sum.option(self.metadata.as_ref().map(Json::as_str));
        sum.number(u64::from(self.schema));
        sum.attributes(&self.attrs);
        sum.option(self.state.as_ref().map(Json::as_str));
        sum.finish()
    }

    /// Whether the entity lives at this version.
    pub fn is_live(&self) -> bool {
        self.state.is_some()
    }

    /// The live record this version is, or `None` for a tombstone.
    pub fn into_record(self, transient: Attributes) -> Option<Record> {
        Some(Record {
            key: self.key,
            version: self.version,
            updated_at: self.at,
            schema: self.schema,
            state: self.state?,
            attrs: self.attrs,
            transient,
        })
    }
}

/// A live entity as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The entity.
    pub key: Key,
    /// Its version, for the next write's expectation.
    pub version: Version,
    /// When this version was written.
    pub updated_at: Timestamp,
    /// The schema number of the content.
    pub schema: u32,
    /// The content.
    pub state: Json,
    /// What it can be filtered by.
    pub attrs: Attributes,
    /// Heartbeats and progress: the last value only, without version or history.
    pub transient: Attributes,
}

/// What lies under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing, ever.
    Vacant,
    /// A live entity.
    Live(Box<Record>),
    /// A deleted entity, whose version a re-creation continues.
    Tombstone {
        /// The entity.
        key: Key,
        /// The version that deleted it.
        version: Version,
        /// When.
        at: Timestamp,
    },
    /// Bytes that fail verification.
    Damaged(Box<Damage>),
}

impl Slot {
    /// The live record, if there is one; `Corrupt` if the bytes fail verification.
    pub fn live(self) -> Result<Option<Record>, Error> {
        match self {
            Self::Live(record) => Ok(Some(*record)),
            Self::Vacant | Self::Tombstone { .. } => Ok(None),
            Self::Damaged(damage) => Err((*damage).into()),
        }
    }
}

/// A record, version or entry whose bytes fail verification. The others stay readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is damaged, as the error will name it: `task/7 version 3`.
    pub what: String,
    /// The file or table it lies in.
    pub place: String,
    /// How it was noticed.
    pub why: String,
    /// The stored bytes as far as they could be read, at most [`Damage::MAX_BYTES`].
    pub bytes: Vec<u8>,
}

impl Damage {
    /// How many of the damaged bytes are kept for the report.
    pub const MAX_BYTES: usize = 4096;

    /// The damage whose stored bytes were `bytes`.
    pub fn new(
        what: impl fmt::Display,
        place: impl Into<String>,
        why: impl Into<String>,
        bytes: &[u8],
    ) -> Self {
        let bytes = bytes.iter().take(Self::MAX_BYTES).copied().collect();
        Self { what: what.to_string(), place: place.into(), why: why.into(), bytes }
    }
}

impl fmt::Debug for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {} ({} bytes)", self.what, self.place, self.why, self.bytes.len())
    }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        let Damage { what, place, why, .. } = damage;
        Self::corrupt(format!("{what} in {place} is damaged: {why}; restore it from a backup"))
    }
}

/// Something read back and checked: itself, or the damage found in its place.
pub type Verified<T> = Result<T, Damage>;

/// What is to be appended to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// When it came into being; the time of the commit when absent.
    pub at: Option<Timestamp>,
    /// What it can be filtered by.
    pub attrs: Attributes,
    /// The content: any bytes, also none.
    pub data: Vec<u8>,
}

/// One entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stream.
    pub stream: StreamName,
    /// Its place, from 1 without gaps.
    pub seq: Seq,
    /// When it came into being.
    pub at: Timestamp,
    /// What it can be filtered by.
    pub attrs: Attributes,
    /// The content.
    pub data: Vec<u8>,
}

impl Entry {
    /// The checksum that is stored beside it and compared on every read.
    pub fn checksum(&self) -> u64 {
        let mut sum = Checksum::new();
        sum.number(u64::from(self.stream.space.0));
        sum.text(self.stream.kind.as_str());
        sum.text(self.stream.id());
        sum.number(self.seq.0);
        sum.number(self.at.as_micros().cast_unsigned());
        sum.attributes(&self.attrs);
        sum.bytes(&self.data);
        sum.finish()
    }
}
