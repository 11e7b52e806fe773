//! What there is at one revision.

use std::collections::BTreeMap;

use outlast_core::{Incarnation, Kind, Revision};
use serde::{Deserialize, Serialize};

use super::{Happening, Item, Position};

/// What there is at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The life of the store.
    #[serde(skip, default = "nowhere")]
    pub incarnation: Incarnation,
    /// The revision.
    #[serde(skip)]
    pub revision: Revision,
    /// The entities, in the order of their keys.
    pub items: Vec<Item>,
    /// The last events of the log, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Happening>,
    /// How many entities of a kind are there and not in it, because of the bounds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<Kind, u64>,
    /// What is there and cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
}

fn nowhere() -> Incarnation {
    Incarnation(uuid::Uuid::nil())
}

impl Snapshot {
    /// Its place in the feed.
    pub fn position(&self) -> Position {
        Position { incarnation: self.incarnation, revision: self.revision }
    }

    pub(super) fn at(self, position: Position) -> Self {
        let Position { incarnation, revision } = position;
        Self { incarnation, revision, ..self }
    }
}
