//! What the planner reads and what it decides: the whole conversation between core and backends.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::{
    AttrValue, Attributes, CommitId, Durability, Entry, ErrorKind, Expect, Key, Revision, Seq,
    StreamName, Timestamp, Version, Versioned,
};

/// What a plan needs to know. Fetched in one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Entities whose heads matter.
    pub keys: HashSet<Key>,
    /// Streams whose last place matters.
    pub streams: HashSet<StreamName>,
    /// Commits that may have been applied before.
    pub commits: HashSet<CommitId>,
    /// Single versions of history that may be there already. Only merges ask.
    pub versions: HashSet<(Key, Version)>,
}

/// The newest version of an entity, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its version.
    pub version: Version,
    /// Whether the entity lives, or this is a tombstone.
    pub live: bool,
    /// The checksum of the version, as stored.
    pub checksum: u64,
    /// The attribute `status`, if it is a text.
    pub status: Option<Arc<str>>,
}

impl Head {
    /// The head that `version` makes.
    pub fn of(version: &Versioned) -> Self {
        let status = match version.attrs.get(&crate::AttrName::status()) {
            Some(AttrValue::Text(status)) => Some(status.clone()),
            _ => None,
        };
        Self {
            version: version.version,
            live: version.is_live(),
            checksum: version.checksum(),
            status,
        }
    }
}

/// What was read. A name that is not in a map is not in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The last commit of the snapshot.
    pub revision: Revision,
    /// The heads of the entities asked for, tombstones included.
    pub heads: HashMap<Key, Head>,
    /// The last place of the streams asked for.
    pub streams: HashMap<StreamName, Seq>,
    /// The commits asked for that were applied.
    pub commits: HashMap<CommitId, Remembered>,
    /// The checksums of the versions asked for that are kept.
    pub versions: HashMap<(Key, Version), u64>,
    /// What is done for single entities and streams, where that is not what the store does for
    /// all. Only a store that moves from one place to another has any.
    pub terms: HashMap<Key, Terms>,
    /// The commits asked for of which nobody can say yet whether they were applied.
    pub unsettled: HashSet<CommitId>,
    /// The number of the terms as a whole, raised whenever any of them changes.
    pub term: u64,
}

/// What a store does for one entity or stream at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// A commit that writes it survives so much.
    Gives(Durability),
    /// A commit that names it is refused, with this error.
    Refuses(ErrorKind, String),
}

/// What a store remembers of a commit, enough to give its receipt again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The digest of its batch.
    pub digest: u64,
    /// Its place in the feed.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
    /// The versions it wrote.
    pub versions: Vec<(Key, Version)>,
    /// The streams it appended to, with the first and last place it filled.
    pub appended: Vec<(StreamName, Seq, Seq)>,
}

/// What to write: all of it, iff the store's last commit is still `base`.
///
/// One number stands for every head the plan was made from, since no head changes without a
/// commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// The revision of the view it was planned from.
    pub base: Revision,
    /// The number of the terms it was planned under. A store whose terms changed since then
    /// answers [`Written::Raced`]; one that has no terms does not look at it.
    pub term: u64,
    /// Commits in the order of their revisions, `base + 1` first, without gaps.
    pub commits: Vec<Commit>,
    /// Transient attributes to set, at most one row per entity. They follow the commits.
    pub touches: Vec<(Key, Attributes)>,
}

impl WriteSet {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.touches.is_empty()
    }
}

/// One commit to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its place in the feed.
    pub revision: Revision,
    /// Its name.
    pub id: CommitId,
    /// The digest of its batch, to be remembered beside the id.
    pub digest: u64,
    /// When.
    pub at: Timestamp,
    /// New heads, tombstones included, one per entity. Each supersedes what was the head.
    pub versions: Vec<Versioned>,
    /// Older versions to put beneath an entity's head. None of them is there yet; their
    /// revision is zero and they do not appear in the feed.
    pub history: Vec<Versioned>,
    /// Entries in stream order, `seq` following the last place of each stream.
    pub entries: Vec<Entry>,
}

impl Commit {
    /// What the store must be able to say about it later.
    pub fn remembered(&self) -> Remembered {
        let mut appended: Vec<(StreamName, Seq, Seq)> = Vec::new();
        for entry in &self.entries {
            match appended.iter_mut().find(|(stream, ..)| *stream == entry.stream) {
                Some((_, _, last)) => *last = entry.seq,
                None => appended.push((entry.stream.clone(), entry.seq, entry.seq)),
            }
        }
        Remembered {
            digest: self.digest,
            revision: self.revision,
            at: self.at,
            versions: self.versions.iter().map(|v| (v.key.clone(), v.version)).collect(),
            appended,
        }
    }
}

/// What became of a write set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it was applied, and survives so much.
    Applied(Durability),
    /// Another writer committed after the view was read; nothing was applied.
    Raced,
}

/// What a commit did, as its caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The commit.
    pub id: CommitId,
    /// Its place in the feed. A batch of touches alone has none of its own and states the last.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
    /// What it survives.
    pub durability: Durability,
    /// The versions it wrote.
    pub versions: Vec<(Key, Version)>,
    /// The streams it appended to, with the first and last place it filled.
    pub appended: Vec<(StreamName, Seq, Seq)>,
}

impl Receipt {
    /// The version an entity has now, if the commit wrote it.
    pub fn version(&self, key: &Key) -> Option<Version> {
        self.versions.iter().find(|(written, _)| written == key).map(|(_, version)| *version)
    }
}

/// What became of a batch. A lost race is an outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Applied now.
    Applied(Receipt),
    /// The same batch was applied before; this is what it did then.
    Replayed(Receipt),
    /// An expectation did not hold; nothing was applied.
    Conflict {
        /// The entity.
        key: Key,
        /// What the batch expected of it.
        expected: Expect,
        /// Its version, if it lives.
        actual: Option<Version>,
    },
}
