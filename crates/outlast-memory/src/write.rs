//! Applying a planned set. Nothing here can fail, so nothing has to be undone.

use std::collections::VecDeque;
use std::sync::Arc;

use outlast_core::{Attributes, Commit, Durability, Entry, Key, Versioned, WriteSet, Written};

use crate::content::{Content, FeedRow, Holding, weight};
use crate::stream::{self, Stream};
use crate::table::Kept;

impl Content {
    pub(crate) fn write(&mut self, set: &WriteSet) -> Written {
        if set.base != self.revision {
            return Written::Raced;
        }
        for commit in &set.commits {
            self.commit(commit);
        }
        for (key, attrs) in &set.touches {
            self.touch(key, attrs);
        }
        Written::Applied(Durability::Volatile)
    }

    fn commit(&mut self, commit: &Commit) {
        let mut versions = Vec::with_capacity(commit.versions.len());
        for version in &commit.versions {
            let version = Arc::new(version.clone());
            let row = self.keep(&version);
            let table = (version.key.space, version.key.kind.clone());
            self.tables.entry(table).or_default().supersede(&version, row);
            versions.push(version);
        }
        for version in &commit.history {
            self.put_beneath(version);
        }
        for entry in &commit.entries {
            self.append(entry);
        }
        let known = Arc::new(commit.remembered());
        self.commits.insert(commit.id, known.clone());
        let holding = Holding { id: commit.id, at: commit.at, versions: versions.len() };
        if versions.is_empty() {
            self.spent.insert((commit.at, commit.revision), commit.id);
        } else {
            self.holding.insert(commit.revision, holding);
        }
        self.feed.push_back(FeedRow { id: commit.id, known, versions });
        self.revision = commit.revision;
    }

    fn keep(&mut self, version: &Arc<Versioned>) -> u64 {
        self.bytes += weight(version);
        self.last_row += 1;
        self.rows.insert(self.last_row, version.clone());
        self.last_row
    }

    fn put_beneath(&mut self, version: &Versioned) {
        let version = Arc::new(version.clone());
        let row = self.keep(&version);
        let table = self.tables.get_mut(&(version.key.space, version.key.kind.clone()));
        if let Some(entity) = table.and_then(|table| table.entities.get_mut(&version.key)) {
            let checksum = version.checksum();
            entity.versions.insert(version.version, Kept { row, checksum, version });
        }
    }

    fn append(&mut self, entry: &Entry) {
        self.bytes += stream::weight(entry);
        let streams = self.streams.entry(entry.stream.kind.clone()).or_default();
        let stream = streams
            .entry(entry.stream.clone())
            .or_insert_with(|| Stream { last: entry.seq, entries: VecDeque::new() });
        stream.last = entry.seq;
        stream.entries.push_back(entry.clone());
    }

    fn touch(&mut self, key: &Key, attrs: &Attributes) {
        let table = self.tables.get_mut(&(key.space, key.kind.clone()));
        if let Some(entity) = table.and_then(|table| table.entities.get_mut(key)) {
            let touched = attrs.iter().map(|(name, value)| (name.clone(), value.clone()));
            entity.transient.extend(touched);
        }
    }
}
