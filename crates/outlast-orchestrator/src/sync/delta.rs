//! What one commit changed, as it is told to subscribers.

use outlast_core::{
    Change, Error, Id, Incarnation, Key, Kind, Revision, Seq, Space, StreamName, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::options::SyncOptions;
use super::wire::{Number, is_first};
use super::{Happening, Item};

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
