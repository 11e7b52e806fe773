//! The contract, on top of the rows.

use std::path::Path;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use outlast_core::{
    Admin, AttrName, Backend, BackendInfo, Change, Counts, Entry, Error, Head, HistoryQuery, Key,
    Kind, Kinds, Listed, Page, PrunePlan, Pruned, Query, ReadSet, Result, Revision, Size, Slot,
    StreamExtent, StreamQuery, Verification, Verified, Versioned, View, WriteSet, Written,
};

use super::{Row, Rows, Text, Toy};

impl Rows {
    fn revision(&self) -> Revision {
        // The last commit may have been forgotten.
        self.commits.keys().last().copied().unwrap_or_default().max(self.compacted)
    }

    fn fetch(&self, reads: &ReadSet) -> View {
        let mut view = View { revision: self.revision(), ..View::default() };
        for key in &reads.keys {
            if let Some(version) = self.heads.get(key) {
                let row = &self.versions[&(key.clone(), *version)];
                let (live, checksum, status) = (row.live, row.text.sum, row.status.clone());
                let head = Head { version: *version, live, checksum, status };
                view.heads.insert(key.clone(), head);
            }
        }
        for stream in &reads.streams {
            view.streams.extend(self.lasts.get(stream).map(|last| (stream.clone(), *last)));
        }
        for (id, known) in self.commits.values().filter(|(id, _)| reads.commits.contains(id)) {
            view.commits.insert(*id, known.clone());
        }
        for place in &reads.versions {
            let row = self.versions.get(place);
            view.versions.extend(row.map(|row| (place.clone(), row.text.sum)));
        }
        view
    }

    fn put(&mut self, version: &Versioned) {
        self.order += 1;
        let row = Row {
            order: self.order,
            revision: version.revision,
            live: version.is_live(),
            status: Head::of(version).status,
            text: Text::of_version(version),
        };
        self.versions.insert((version.key.clone(), version.version), row);
    }

    fn write(&mut self, set: &WriteSet) {
        for commit in &set.commits {
            for version in &commit.versions {
                self.put(version);
                self.heads.insert(version.key.clone(), version.version);
                if !version.is_live() {
                    self.transient.remove(&version.key);
                }
            }
            commit.history.iter().for_each(|version| self.put(version));
            for entry in &commit.entries {
                self.lasts.insert(entry.stream.clone(), entry.seq);
                self.entries.insert((entry.stream.clone(), entry.seq), Text::of_entry(entry));
            }
            self.commits.insert(commit.revision, (commit.id, commit.remembered()));
        }
        for (key, attrs) in &set.touches {
            self.transient.entry(key.clone()).or_default().extend(attrs.clone());
        }
    }

    fn prune(&mut self, plan: &PrunePlan, limit: u32) -> Pruned {
        let mut rows = 0;
        for item in &plan.items {
            while self.prune_one(item) {
                rows += 1;
                if rows == u64::from(limit) {
                    return Pruned { rows, done: false };
                }
            }
        }
        Pruned { rows, done: true }
    }
}

#[async_trait]
impl Backend for Toy {
    fn info(&self) -> BackendInfo {
        self.info()
    }

    async fn fetch(&self, reads: &ReadSet) -> Result<View> {
        Ok(self.rows()?.fetch(reads))
    }

    async fn write(&self, set: &WriteSet) -> Result<Written> {
        let mut rows = self.rows()?;
        if rows.revision() != set.base {
            return Ok(Written::Raced);
        }
        rows.write(set);
        Ok(Written::Applied(self.info().durability))
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        let rows = self.rows()?;
        Ok(keys.iter().map(|key| rows.slot(key)).collect())
    }

    async fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        self.rows()?.list(query)
    }

    async fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        self.rows()?.count(query, by)
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        self.rows()?.history(query)
    }

    async fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        self.rows()?.read(query)
    }

    async fn kinds(&self) -> Result<Kinds> {
        let rows = self.rows()?;
        Ok(Kinds {
            entities: rows.heads.keys().map(|key| (key.space, key.kind.clone())).collect(),
            streams: rows.lasts.keys().map(|stream| stream.kind.clone()).collect(),
        })
    }

    async fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        self.rows()?.streams(kind, page)
    }

    async fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        self.rows()?.changes(after, limit)
    }

    async fn prune(&self, plan: &PrunePlan, limit: u32) -> Result<Pruned> {
        Ok(self.rows()?.prune(plan, limit))
    }

    async fn sync(&self) -> Result<()> {
        self.rows().map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.let_go();
        assert!(!self.open.load(Ordering::SeqCst));
        Ok(())
    }
}

#[async_trait]
impl Admin for Toy {
    async fn verify(&self) -> Result<Verification> {
        let rows = self.rows()?;
        let mut found = Verification {
            entities: rows.heads.len() as u64,
            versions: rows.versions.len() as u64,
            entries: rows.entries.len() as u64,
            ..Verification::default()
        };
        for ((key, at), row) in &rows.versions {
            row.text.version(key, *at).err().into_iter().for_each(|damage| found.report(damage));
        }
        for ((stream, seq), text) in &rows.entries {
            text.entry(stream, *seq).err().into_iter().for_each(|damage| found.report(damage));
        }
        Ok(found)
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(Error::unsupported("the toy cannot be copied"))
    }

    async fn size(&self) -> Result<Size> {
        let rows = self.rows()?;
        let versions = rows.versions.values().map(|row| row.text.json.len());
        let entries = rows.entries.values().map(|text| text.json.len());
        Ok(Size { bytes: versions.chain(entries).sum::<usize>() as u64, free: 0 })
    }

    async fn compact(&self) -> Result<()> {
        Err(Error::unsupported("the toy has nothing to compact"))
    }
}
