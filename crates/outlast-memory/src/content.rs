//! Everything the store holds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use outlast_core::{
    CommitId, Damage, Key, Kind, Kinds, Remembered, Revision, Slot, Space, StreamName, Timestamp,
    Verification, Versioned,
};

use crate::stream::Stream;
use crate::table::{Entity, Table};

/// One commit of the feed. Its versions are shared with the history.
#[derive(Debug)]
pub(crate) struct FeedRow {
    pub(crate) id: CommitId,
    pub(crate) known: Arc<Remembered>,
    pub(crate) versions: Vec<Arc<Versioned>>,
}

/// A commit of which versions are kept.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) id: CommitId,
    pub(crate) at: Timestamp,
    /// How many.
    pub(crate) versions: usize,
}

/// Everything, as of the last commit.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// The last commit.
    pub(crate) revision: Revision,
    /// The feed begins after this one.
    pub(crate) compacted: Revision,
    /// Entities by lineage and kind.
    pub(crate) tables: HashMap<(Space, Kind), Table>,
    /// Every version in the order it was written, by a number of its own.
    pub(crate) rows: BTreeMap<u64, Arc<Versioned>>,
    /// The number of the newest row.
    pub(crate) last_row: u64,
    /// Commits after `compacted`, one per revision.
    pub(crate) feed: VecDeque<FeedRow>,
    /// What is remembered of commits.
    pub(crate) commits: HashMap<CommitId, Arc<Remembered>>,
    /// Commits of which versions are kept.
    pub(crate) holding: HashMap<Revision, Holding>,
    /// Commits of which none is, the oldest first.
    pub(crate) spent: BTreeMap<(Timestamp, Revision), CommitId>,
    /// Streams by kind, then by name.
    pub(crate) streams: HashMap<Kind, BTreeMap<StreamName, Stream>>,
    /// Roughly the bytes held.
    pub(crate) bytes: u64,
}

impl Content {
    pub(crate) fn table(&self, key: &Key) -> Option<&Table> {
        self.tables.get(&(key.space, key.kind.clone()))
    }

    pub(crate) fn entity(&self, key: &Key) -> Option<&Entity> {
        self.table(key)?.entities.get(key)
    }

    pub(crate) fn stream(&self, name: &StreamName) -> Option<&Stream> {
        self.streams.get(&name.kind)?.get(name)
    }

    pub(crate) fn slot(&self, key: &Key) -> Slot {
        self.entity(key).map_or(Slot::Vacant, Entity::slot)
    }

    pub(crate) fn kinds(&self) -> Kinds {
        let entities = self.tables.iter().filter(|(_, table)| !table.entities.is_empty());
        let streams = self.streams.iter().filter(|(_, streams)| !streams.is_empty());
        Kinds {
            entities: entities.map(|(kind, _)| kind.clone()).collect(),
            streams: streams.map(|(kind, _)| kind.clone()).collect(),
        }
    }

    /// Walks everything and compares the checksums that were taken when it was written.
    pub(crate) fn verify(&self) -> Verification {
        let mut found = Verification::default();
        for entity in self.tables.values().flat_map(|table| table.entities.values()) {
            found.entities += 1;
            for kept in entity.versions.values() {
                found.versions += 1;
                let version = &kept.version;
                if version.checksum() != kept.checksum {
                    let what = format!("{} version {}", version.key, version.version);
                    found.report(Damage::new(what, "memory", "its checksum differs", &[]));
                }
            }
        }
        for stream in self.streams.values().flat_map(BTreeMap::values) {
            found.entries += stream.entries.len() as u64;
        }
        found
    }
}

/// What a version weighs, its place in maps included.
pub(crate) fn weight(version: &Versioned) -> u64 {
    let state = version.state.as_ref().map_or(0, |state| state.as_str().len());
    let metadata = version.metadata.as_ref().map_or(0, |json| json.as_str().len());
    let reason = version.reason.as_ref().map_or(0, String::len);
    512 + (state + metadata + reason + 64 * version.attrs.len()) as u64
}
