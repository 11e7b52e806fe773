//! The lines, as they are written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outlast_core::{
    Action, Actor, Attributes, CommitId, Entry, Epoch, Error, Id, Incarnation, Json, Key, Kind,
    Result, Revision, Seq, Space, StreamExtent, StreamName, Timestamp, Version, Versioned,
    checksum_attributes,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::tally::Tally;

/// The name of the format.
pub(super) const FORMAT: &str = "outlast-export";
/// The version of the format this program reads and writes.
pub(super) const VERSION: u32 = 1;

/// Where an export came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The name of the format.
    pub format: String,
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The backend it came from.
    pub backend: String,
    /// The store it came from.
    pub store: Uuid,
    /// The life of that store.
    pub incarnation: Incarnation,
    /// The commit it shows that store at.
    pub revision: Revision,
}

/// The first line: its shape is the same in every version of the format.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) header: Box<RawValue>,
    pub(super) checksum: Sum,
}

/// Enough of any header to know whether the rest can be read.
#[derive(Deserialize)]
pub(super) struct Which {
    pub(super) format: String,
    pub(super) version: u32,
}

/// Every line but the first.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// One version of an entity.
    Version(Box<VersionLine>),
    /// The transient attributes of the entity before.
    Transient(TransientLine),
    /// A stream; its entries follow.
    Stream(StreamLine),
    /// One entry of the stream before.
    Entry(EntryLine),
    /// The last line.
    End(EndLine),
}

/// A checksum, as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u64);

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let sum = if text.len() == 16 { u64::from_str_radix(&text, 16).ok() } else { None };
        sum.map(Self).ok_or_else(|| serde::de::Error::custom("a checksum is 16 hex digits"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionLine {
    kind: Kind,
    id: Id,
    #[serde(default, skip_serializing_if = "is_first")]
    space: Space,
    epoch: Epoch,
    n: u64,
    commit: CommitId,
    at: Timestamp,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Content>,
    schema: u32,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attrs: Attributes,
    /// Absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Content>,
    checksum: Sum,
}

/// JSON as it was written: embedded where that gives the same text back, else as a string of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Json(Box<RawValue>),
    Text(String),
}

impl Content {
    fn of(json: &Json) -> Result<Self> {
        let text = json.as_str();
        // A line break would end the line, and white space around a value is not kept.
        if text.trim() == text && !text.contains(['\n', '\r']) {
            return Ok(Self::Json(RawValue::from_string(text.to_owned()).map_err(|cause| {
                Error::corrupt("stored JSON cannot be read").with_source(cause)
            })?));
        }
        Ok(Self::Text(text.to_owned()))
    }

    fn into_json(self) -> Result<Json> {
        match self {
            Self::Json(raw) => Json::parse(raw.get()),
            Self::Text(text) => Json::parse(&text),
        }
    }
}

impl VersionLine {
    pub(super) fn of(version: &Versioned) -> Result<Self> {
        Ok(Self {
            kind: version.key.kind.clone(),
            id: Id::new(version.key.id())?,
            space: version.key.space,
            epoch: version.version.epoch,
            n: version.version.n,
            commit: version.commit,
            at: version.at,
            action: version.action.clone(),
            actor: version.actor.clone(),
            reason: version.reason.clone(),
            metadata: version.metadata.as_ref().map(Content::of).transpose()?,
            schema: version.schema,
            attrs: version.attrs.clone(),
            state: version.state.as_ref().map(Content::of).transpose()?,
            checksum: Sum(version.checksum()),
        })
    }

    pub(super) fn into_version(self) -> Result<Versioned> {
        let version = Versioned {
            key: Key::of(self.kind, self.id).in_space(self.space),
            version: Version::new(self.epoch, self.n),
            revision: Revision::ZERO,
            commit: self.commit,
            at: self.at,
            action: self.action,
            actor: self.actor,
            reason: self.reason,
            metadata: self.metadata.map(Content::into_json).transpose()?,
            schema: self.schema,
            attrs: self.attrs,
            state: self.state.map(Content::into_json).transpose()?,
        };
        check(self.checksum, version.checksum())?;
        Ok(version)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransientLine {
    attrs: Attributes,
    checksum: Sum,
}

impl TransientLine {
    pub(super) fn of(attrs: Attributes) -> Self {
        let checksum = Sum(checksum_attributes(&attrs));
        Self { attrs, checksum }
    }

    pub(super) fn into_attributes(self) -> Result<Attributes> {
        check(self.checksum, checksum_attributes(&self.attrs))?;
        Ok(self.attrs)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamLine {
    kind: Kind,
    id: Id,
    #[serde(default, skip_serializing_if = "is_first")]
    space: Space,
    first: Seq,
    last: Seq,
    checksum: Sum,
}

impl StreamLine {
    pub(super) fn of(extent: &StreamExtent) -> Result<Self> {
        Ok(Self {
            kind: extent.stream.kind.clone(),
            id: Id::new(extent.stream.id())?,
            space: extent.stream.space,
            first: extent.first,
            last: extent.last,
            checksum: extent_sum(extent),
        })
    }

    pub(super) fn into_extent(self) -> Result<StreamExtent> {
        let stream = Key::of(self.kind, self.id).in_space(self.space);
        let extent = StreamExtent { stream, first: self.first, last: self.last };
        check(self.checksum, extent_sum(&extent).0)?;
        Ok(extent)
    }
}

fn extent_sum(extent: &StreamExtent) -> Sum {
    let StreamExtent { stream, first, last } = extent;
    Sum(xxh3_64(format!("{} {} {stream}", first.0, last.0).as_bytes()))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    seq: Seq,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attrs: Attributes,
    data: Data,
    checksum: Sum,
}

/// The bytes of an entry: as text where they are UTF-8, else in base64.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Data {
    Text(String),
    Base64(String),
}

impl EntryLine {
    pub(super) fn of(entry: Entry) -> Self {
        let checksum = Sum(entry.checksum());
        let data = match String::from_utf8(entry.data) {
            Ok(text) => Data::Text(text),
            Err(error) => Data::Base64(STANDARD.encode(error.as_bytes())),
        };
        Self { seq: entry.seq, at: entry.at, attrs: entry.attrs, data, checksum }
    }

    pub(super) fn into_entry(self, stream: StreamName) -> Result<Entry> {
        let data = match self.data {
            Data::Text(text) => text.into_bytes(),
            Data::Base64(text) => STANDARD.decode(text).map_err(|cause| {
                Error::invalid("the data of the entry is not base64").with_source(cause)
            })?,
        };
        let entry = Entry { stream, seq: self.seq, at: self.at, attrs: self.attrs, data };
        check(self.checksum, entry.checksum())?;
        Ok(entry)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) tally: Tally,
    /// Over the bytes of all lines between the first and this one.
    pub(super) checksum: Sum,
}

fn check(written: Sum, found: u64) -> Result<()> {
    if written.0 == found {
        return Ok(());
    }
    Err(Error::invalid("its checksum differs: the line was damaged or edited"))
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
fn is_first(space: &Space) -> bool {
    *space == Space::default()
}
