//! What one commit changed, as it is told to subscribers.

use outlast_core::{
    Action, Change, Entry, Epoch, Error, Event, Id, Incarnation, Json, Key, Kind, Record, Revision,
    Seq, Space, StreamName, Timestamp, Version, Versioned,
};
use serde::{Deserialize, Serialize};

use super::options::SyncOptions;
use super::wire::{Number, present};

/// What happened to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It is new. An entity that is copied from elsewhere, or created again under another action
    /// than `create`, may be told as updated: to a client both mean that this is how it is now.
    Added,
    /// It has a new version.
    Updated,
    /// It was deleted.
    Removed,
}

/// An entity at one version, whole. Applying an item again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ItemWire", try_from = "ItemWire")]
pub struct Item {
    /// The entity.
    pub key: Key,
    /// What happened to it; in a snapshot, that it is there.
    pub op: Op,
    /// The version it has.
    pub version: Version,
    /// When that was written.
    pub at: Timestamp,
    /// The content; none once it was removed.
    pub state: Option<Json>,
}

impl Item {
    pub(super) fn present(record: Record) -> Self {
        let Record { key, version, updated_at, state, .. } = record;
        Self { key, op: Op::Added, version, at: updated_at, state: Some(state) }
    }

    pub(super) fn changed(version: Versioned) -> Self {
        let op = match &version.state {
            None => Op::Removed,
            Some(_) if version.version.n == 1 || version.action == Action::create() => Op::Added,
            Some(_) => Op::Updated,
        };
        let Versioned { key, version, at, state, .. } = version;
        Self { key, op, version, at, state }
    }

    /// How many bytes of content it holds.
    pub(super) fn bytes(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.as_str().len())
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct ItemWire {
    kind: Kind,
    id: String,
    #[serde(default, skip_serializing_if = "is_first")]
    space: Space,
    op: Op,
    version: Number,
    epoch: Number,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    state: Option<Json>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape serde asks for
fn is_first(space: &Space) -> bool {
    *space == Space::default()
}

impl From<Item> for ItemWire {
    fn from(item: Item) -> Self {
        let Item { key, op, version, at, state } = item;
        let (space, kind) = (key.space, key.kind.clone());
        let (id, number) = (key.id().to_owned(), Number(version.n));
        Self { kind, id, space, op, version: number, epoch: Number(version.epoch.0), at, state }
    }
}

impl TryFrom<ItemWire> for Item {
    type Error = Error;

    fn try_from(wire: ItemWire) -> Result<Self, Error> {
        let key = Key::of(wire.kind, Id::new(wire.id)?).in_space(wire.space);
        if (wire.op == Op::Removed) != wire.state.is_none() {
            return Err(Error::invalid(format!(
                "{key} has content if and only if it was not removed"
            )));
        }
        let version = Version::new(Epoch(wire.epoch.0), wire.version.0);
        Ok(Self { key, op: wire.op, version, at: wire.at, state: wire.state })
    }
}

/// Entries that were added to the end of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "AppendedWire", try_from = "AppendedWire")]
pub struct Appended {
    /// The stream.
    pub stream: StreamName,
    /// The first place that was filled.
    pub first: Seq,
    /// The last.
    pub last: Seq,
}

#[derive(Clone, Serialize, Deserialize)]
struct AppendedWire {
    kind: Kind,
    id: String,
    #[serde(default, skip_serializing_if = "is_first")]
    space: Space,
    first: Number,
    last: Number,
}

impl From<Appended> for AppendedWire {
    fn from(appended: Appended) -> Self {
        let Appended { stream, first, last } = appended;
        let (space, kind, id) = (stream.space, stream.kind.clone(), stream.id().to_owned());
        Self { kind, id, space, first: Number(first.0), last: Number(last.0) }
    }
}

impl TryFrom<AppendedWire> for Appended {
    type Error = Error;

    fn try_from(wire: AppendedWire) -> Result<Self, Error> {
        let stream = Key::of(wire.kind, Id::new(wire.id)?).in_space(wire.space);
        Ok(Self { stream, first: Seq(wire.first.0), last: Seq(wire.last.0) })
    }
}

/// An event of the log, with its place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "HappeningWire", from = "HappeningWire")]
pub struct Happening {
    /// Its place in the log.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// The event as it was written.
    pub event: Json,
}

impl Happening {
    /// The event of an entry of the log. `Corrupt` if it is not JSON.
    pub(super) fn of(entry: &Entry) -> Result<Self, Error> {
        let text = std::str::from_utf8(&entry.data).ok();
        let event = text.and_then(|text| Json::parse(text).ok()).ok_or_else(|| {
            Error::corrupt(format!("entry {} of {} is not an event", entry.seq.0, entry.stream))
        })?;
        Ok(Self { seq: entry.seq, at: entry.at, event })
    }

    /// The event itself. `Corrupt` if it has another shape.
    pub fn decode(&self) -> outlast_core::Result<Event> {
        self.event.decode()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct HappeningWire {
    seq: Number,
    at: Timestamp,
    event: Json,
}

impl From<Happening> for HappeningWire {
    fn from(happening: Happening) -> Self {
        let Happening { seq, at, event } = happening;
        Self { seq: Number(seq.0), at, event }
    }
}

impl From<HappeningWire> for Happening {
    fn from(wire: HappeningWire) -> Self {
        Self { seq: Seq(wire.seq.0), at: wire.at, event: wire.event }
    }
}

/// What one commit changed. There is one for each revision, also when it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The life of the store it belongs to.
    pub incarnation: Incarnation,
    /// Its place in the feed: one more than that of the delta before.
    pub revision: Revision,
    /// When it was committed.
    pub at: Timestamp,
    /// The entities it changed, each once.
    pub items: Vec<Item>,
    /// What it appended to streams, without the content.
    pub appended: Vec<Appended>,
    /// What it added to the event log, as far as that is still kept.
    pub events: Vec<Happening>,
    /// What it changed and cannot be read.
    pub damaged: Vec<String>,
}

impl Delta {
    pub(super) fn of(change: Change, incarnation: Incarnation, events: Vec<Happening>) -> Self {
        let Change { revision, at, versions, appended, .. } = change;
        let mut delta = Self {
            incarnation,
            revision,
            at,
            items: Vec::with_capacity(versions.len()),
            appended: Vec::with_capacity(appended.len()),
            events,
            damaged: Vec::new(),
        };
        for version in versions {
            match version {
                Ok(version) => delta.items.push(Item::changed(version)),
                Err(damage) => delta.damaged.push(damage.what),
            }
        }
        let appended = appended.into_iter();
        delta.appended.extend(appended.map(|(stream, first, last)| Appended {
            stream,
            first,
            last,
        }));
        delta
    }

    /// What of it a subscription with these options tells.
    pub(super) fn within(&self, options: &SyncOptions) -> Option<Self> {
        let all = options.events > 0 || self.events.is_empty();
        let chosen = |item: &Item| options.kinds.has(&item.key.kind);
        if all && self.items.iter().all(chosen) {
            return None;
        }
        let items = self.items.iter().filter(|item| chosen(item)).cloned().collect();
        let events = if options.events > 0 { self.events.clone() } else { Vec::new() };
        Some(Self { items, events, ..self.clone() })
    }
}
