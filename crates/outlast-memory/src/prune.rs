//! Removing what a plan names, a bounded number of rows at a time.

use outlast_core::{Key, Prune, PrunePlan, Pruned, Revision, Seq, StreamName, Timestamp, Version};

use crate::content::{Content, weight};
use crate::stream;
use crate::table::Kept;

impl Content {
    pub(crate) fn prune(&mut self, plan: &PrunePlan, limit: u32) -> Pruned {
        let mut pruned = Pruned { rows: 0, done: true };
        for item in &plan.items {
            let left = u64::from(limit.max(1)) - pruned.rows;
            pruned.rows += self.prune_one(item, left);
            if pruned.rows >= u64::from(limit.max(1)) {
                pruned.done = false;
                break;
            }
        }
        self.cut_feed();
        pruned
    }

    /// Removes at most `left` rows, and says how many; fewer mean that all are gone.
    fn prune_one(&mut self, item: &Prune, left: u64) -> u64 {
        match item {
            Prune::Entries { stream, up_to } => self.prune_entries(stream, *up_to, left),
            Prune::Stream(stream) => {
                let rows = self.prune_entries(stream, Seq(u64::MAX), left);
                if rows < left
                    && let Some(streams) = self.streams.get_mut(&stream.kind)
                {
                    streams.remove(stream);
                }
                rows
            }
            Prune::History { key, below } => self.prune_history(key, *below, left),
            Prune::Tombstone { key, version } => self.prune_tombstone(key, *version, left),
            Prune::Commits { before } => self.prune_commits(*before, left),
        }
    }

    fn prune_entries(&mut self, name: &StreamName, up_to: Seq, left: u64) -> u64 {
        let streams = self.streams.get_mut(&name.kind);
        let Some(stream) = streams.and_then(|streams| streams.get_mut(name)) else { return 0 };
        let mut rows = 0;
        while rows < left
            && let Some(entry) = stream.entries.pop_front_if(|entry| entry.seq <= up_to)
        {
            self.bytes = self.bytes.saturating_sub(stream::weight(&entry));
            rows += 1;
        }
        rows
    }

    fn prune_history(&mut self, key: &Key, below: u64, left: u64) -> u64 {
        let table = self.tables.get_mut(&(key.space, key.kind.clone()));
        let Some(entity) = table.and_then(|table| table.entities.get_mut(key)) else { return 0 };
        let head = entity.head.version;
        let old = entity.versions.keys().filter(|version| version.n < below && **version != head);
        let old: Vec<Version> =
            old.take(usize::try_from(left).unwrap_or(usize::MAX)).copied().collect();
        let gone: Vec<Kept> = old.iter().filter_map(|old| entity.versions.remove(old)).collect();
        self.drop_rows(&gone);
        gone.len() as u64
    }

    fn prune_tombstone(&mut self, key: &Key, version: Version, left: u64) -> u64 {
        let still = |content: &Self| {
            let head = content.entity(key).map(|entity| &entity.head);
            head.is_some_and(|head| !head.live && head.version == version)
        };
        if !still(self) {
            return 0;
        }
        let rows = self.prune_history(key, u64::MAX, left);
        if rows == left {
            return rows;
        }
        let table = self.tables.get_mut(&(key.space, key.kind.clone()));
        let Some(entity) = table.and_then(|table| table.entities.remove(key)) else { return rows };
        let gone: Vec<Kept> = entity.versions.into_values().collect();
        self.drop_rows(&gone);
        rows + gone.len() as u64
    }

    /// Drops versions from the history of all; the feed can no longer begin before them.
    fn drop_rows(&mut self, gone: &[Kept]) {
        for kept in gone {
            self.rows.remove(&kept.row);
            self.bytes = self.bytes.saturating_sub(weight(&kept.version));
            let revision = kept.version.revision;
            self.compacted = self.compacted.max(revision);
            let Some(commit) = self.holding.get_mut(&revision) else { continue };
            commit.versions -= 1;
            if commit.versions == 0 {
                self.spent.insert((commit.at, revision), commit.id);
                self.holding.remove(&revision);
            }
        }
    }

    fn prune_commits(&mut self, before: Timestamp, left: u64) -> u64 {
        let old = self.spent.range(..(before, Revision::ZERO));
        let old = old.filter(|((at, _), id)| id.is_older(*at, before));
        let old = old.take(usize::try_from(left).unwrap_or(usize::MAX));
        let old: Vec<_> = old.map(|(place, id)| (*place, *id)).collect();
        for (place, id) in &old {
            self.spent.remove(place);
            self.commits.remove(id);
            self.compacted = self.compacted.max(place.1);
        }
        old.len() as u64
    }

    /// Cuts the feed where it was compacted.
    fn cut_feed(&mut self) {
        while self.feed.pop_front_if(|row| row.known.revision <= self.compacted).is_some() {}
    }
}
