//! What a backend implements: it fetches, and writes if nothing changed. It knows no rule.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use uuid::Uuid;

use crate::write::{ReadSet, View, WriteSet, Written};
use crate::{
    AttrName, Change, Counts, Damage, Durability, Entry, Epoch, HistoryQuery, Incarnation, Key,
    Kind, Limits, Listed, Page, Query, Result, Revision, Seq, Slot, Space, StreamName, StreamQuery,
    Timestamp, Verified, Version, Versioned,
};

/// What a store is and what it promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// The backend: `memory`, `sqlite`, `sled`.
    pub name: &'static str,
    /// Where the data is, without secrets.
    pub location: String,
    /// The store, drawn when it was created.
    pub store: Uuid,
    /// The life of the store that revisions belong to.
    pub incarnation: Incarnation,
    /// Who numbers versions: 1 for a persistent store; one that forgets draws it anew at each
    /// start.
    pub epoch: Epoch,
    /// The version of the storage layout.
    pub schema_version: u32,
    /// What a commit survives, as configured and read back, not as hoped for.
    pub durability: Durability,
    /// What it can do beyond the required.
    pub capabilities: Vec<Capability>,
    /// What fits.
    pub limits: Limits,
    /// Whether it was opened for reading only.
    pub read_only: bool,
}

impl BackendInfo {
    /// Whether the backend declares this.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// What a backend may offer beyond the required. What it does not declare it refuses with
/// `Unsupported`, changing nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Content survives closing and opening again.
    Persistent,
    /// Several processes may have it open at once.
    MultiProcess,
    /// It can be copied whole while it is in use.
    Backup,
    /// It can give freed space back to the file system.
    Compact,
    /// It can be opened for reading only.
    ReadOnly,
}

/// What stores implement. Wrappers implement it too, so no method has a default that could hide
/// an override.
///
/// Writes come from one task at a time; reads may come from many. No method reads a clock,
/// invents an id or retries. Dropping a future of a read is harmless; dropping that of
/// [`write`](Backend::write) or [`prune`](Backend::prune) leaves either all of it or nothing.
#[async_trait]
pub trait Backend: Admin + Debug + Send + Sync + 'static {
    /// What the store is. Cheap, and never fails.
    fn info(&self) -> BackendInfo;

    /// Heads, last places, known commits and known versions, in one snapshot.
    async fn fetch(&self, reads: &ReadSet) -> Result<View>;

    /// Writes the set, all or nothing, iff the last commit is still the set's base.
    async fn write(&self, set: &WriteSet) -> Result<Written>;

    /// What lies under each key, in the order of the keys, in one snapshot.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>>;

    /// One page of entities. An entity that is there during the whole walk is met exactly once.
    async fn list(&self, query: &Query) -> Result<Listed<Slot>>;

    /// How many live entities match, by group.
    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts>;

    /// One page of versions.
    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>>;

    /// One page of a stream.
    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>>;

    /// The kinds there is anything of, deleted entities and emptied streams included.
    async fn kinds(&self) -> Result<Kinds>;

    /// The streams of a kind, by lineage and name: one page of them, with their first and last
    /// place.
    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>>;

    /// The commits after a revision, in order, none left out; `Compacted` if one of them was
    /// forgotten or a version that one of them wrote was pruned.
    ///
    /// The page's cursor is ignored: `after` says where to go on.
    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>>;

    /// Removes what the plan names, at most about `limit` rows; call again until it is done.
    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned>;

    /// Returns once everything written before is as durable as the store can make it, and any
    /// work it had put off is done.
    async fn sync(&self) -> Result<()>;

    /// Syncs and lets go of everything. Afterwards every call is `Closed`. Closing twice is fine.
    async fn close(&self) -> Result<()>;
}

/// The kinds a store holds something of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Lineages and kinds of entities.
    pub entities: BTreeSet<(Space, Kind)>,
    /// Kinds of streams, whatever their lineages.
    pub streams: BTreeSet<Kind>,
}

/// The places a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamExtent {
    /// The stream.
    pub stream: StreamName,
    /// The first place still kept; one more than `last` when all were pruned.
    pub first: Seq,
    /// The last place.
    pub last: Seq,
}

/// Care of the store as a whole.
#[async_trait]
pub trait Admin {
    /// Reads everything there is and checks it.
    async fn verify(&self) -> Result<Verification>;

    /// Writes a copy of the whole store, as of one moment, to a path where nothing is.
    async fn backup(&self, to: &Path) -> Result<()>;

    /// How much room it takes.
    async fn size(&self) -> Result<Size>;

    /// Gives freed space back to the file system.
    async fn compact(&self) -> Result<()>;
}

/// What `verify` walked and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Entities, tombstones included.
    pub entities: u64,
    /// Versions of their history.
    pub versions: u64,
    /// Entries of streams.
    pub entries: u64,
    /// What fails verification, at most [`Verification::MOST_NAMED`] of it.
    pub damages: Vec<Damage>,
    /// How much fails verification in all.
    pub damaged: u64,
}

impl Verification {
    /// How many damages are named.
    pub const MOST_NAMED: usize = 1000;

    /// Adds one damage.
    pub fn report(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < Self::MOST_NAMED {
            self.damages.push(damage);
        }
    }
}

/// How much room a store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes on disk, side files included; roughly the bytes held, for a store in memory.
    pub bytes: u64,
    /// Of these, bytes that are free for reuse.
    pub free: u64,
}

/// What to remove. Mechanical: policies decide elsewhere what may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// What to remove, in order.
    pub items: Vec<Prune>,
}

/// One thing to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prune {
    /// Entries of a stream up to and with a place. The numbers go on where they were.
    Entries {
        /// The stream.
        stream: StreamName,
        /// The last place to remove.
        up_to: Seq,
    },
    /// A stream whole; a new one under its name begins at 1.
    Stream(StreamName),
    /// An entity's versions below a number. The head stays in any case.
    History {
        /// The entity.
        key: Key,
        /// The lowest number to keep.
        below: u64,
    },
    /// A deleted entity with its whole history, iff this is still its tombstone. A new entity
    /// under its key begins at version 1.
    Tombstone {
        /// The entity.
        key: Key,
        /// The version that deleted it.
        version: Version,
    },
    /// Commits made before a moment that hold no version any more, with their ids: those that
    /// only appended, and what is remembered of those whose versions were pruned. A commit of
    /// which a version is kept stays, and entries of streams are not touched.
    ///
    /// The moment must be at least [`REMEMBERED_FOR`](crate::REMEMBERED_FOR) ago. A backend reads
    /// no clock and cannot make sure of it, and a batch sent again after its commit was forgotten
    /// too early is applied twice.
    Commits {
        /// What was made at this moment or later stays, as [`CommitId::is_older`] judges it.
        ///
        /// [`CommitId::is_older`]: crate::CommitId::is_older
        before: Timestamp,
    },
}

/// What a call to `prune` removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows removed by this call.
    pub rows: u64,
    /// Whether the whole plan is carried out.
    pub done: bool,
}
