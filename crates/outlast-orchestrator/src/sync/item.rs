//! An entity at one version, as it is told to subscribers.

use outlast_core::{
    Action, Epoch, Error, Id, Json, Key, Kind, Record, Space, Timestamp, Version, Versioned,
};
use serde::{Deserialize, Serialize};

use super::wire::{Number, is_first, present};

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
