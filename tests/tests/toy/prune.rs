//! Pruning: a row at a time until the limit is reached.

use outlast_core::{Key, Prune, Revision, Seq, StreamName, Timestamp, Version};

use super::Rows;

impl Rows {
    /// Removes one row that the item names. `false` if there is none left.
    pub(super) fn prune_one(&mut self, item: &Prune) -> bool {
        match item {
            Prune::Entries { stream, up_to } => self.prune_entry(stream, *up_to),
            Prune::Stream(stream) => {
                let some = self.prune_entry(stream, Seq(u64::MAX));
                if !some {
                    self.lasts.remove(stream);
                }
                some
            }
            Prune::History { key, below } => self.prune_version(key, *below),
            Prune::Tombstone { key, version } => self.prune_tombstone(key, *version),
            Prune::Commits { before } => self.forget_commit(*before),
        }
    }

    fn prune_entry(&mut self, stream: &StreamName, up_to: Seq) -> bool {
        let range = (stream.clone(), Seq(0))..=(stream.clone(), up_to);
        let first = self.entries.range(range).next().map(|(place, _)| place.clone());
        first.is_some_and(|place| self.entries.remove(&place).is_some())
    }

    fn prune_version(&mut self, key: &Key, below: u64) -> bool {
        let head = self.heads.get(key);
        let found = self
            .versions
            .keys()
            .find(|(of, version)| of == key && version.n < below && Some(version) != head);
        let found = found.cloned();
        found.is_some_and(|place| self.drop_version(&place))
    }

    fn prune_tombstone(&mut self, key: &Key, version: Version) -> bool {
        let place = (key.clone(), version);
        let is_head = self.heads.get(key) == Some(&version);
        if !is_head || self.versions[&place].live {
            return false;
        }
        if !self.prune_version(key, u64::MAX) {
            self.heads.remove(key);
            self.drop_version(&place);
        }
        true
    }

    fn forget_commit(&mut self, before: Timestamp) -> bool {
        let holds = |revision| self.versions.values().any(|row| row.revision == revision);
        let old = self
            .commits
            .iter()
            .find(|(revision, (id, known))| id.is_older(known.at, before) && !holds(**revision));
        let Some(revision) = old.map(|(revision, _)| *revision) else { return false };
        self.compacted = self.compacted.max(revision);
        self.commits.remove(&revision).is_some()
    }

    fn drop_version(&mut self, place: &(Key, Version)) -> bool {
        let row = self.versions.remove(place);
        let revision = row.as_ref().map_or(Revision::ZERO, |row| row.revision);
        self.compacted = self.compacted.max(revision);
        row.is_some()
    }
}
