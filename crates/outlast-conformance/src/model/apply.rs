//! What a batch leaves behind once all its expectations hold.

use outlast_core::{
    Action, AttrName, AttrValue, Attributes, Batch, Cause, Change, Entry, Epoch, ErrorKind, Key,
    Op, Put, Receipt, Revision, Seq, StreamName, Timestamp, Version, Versioned,
};

use super::{Model, Stream};

impl Model {
    pub(super) fn apply(&mut self, batch: &Batch, now: Timestamp) -> Result<Receipt, ErrorKind> {
        let revision = Revision(self.revision + 1);
        let mut heads = Vec::new();
        let mut beneath = Vec::new();
        let mut appended = Vec::new();
        for op in &batch.ops {
            match op {
                Op::Put(put) => heads.push(self.written(put, batch, now)),
                Op::Delete { key, .. } => heads.push(self.deleted(key, batch, now)),
                Op::MergeRecord { record, history } => {
                    let newer =
                        self.head(&record.key).is_none_or(|head| head.version < record.version);
                    let mut older = history.clone();
                    if newer {
                        heads.push(Versioned { revision, ..(**record).clone() });
                    } else {
                        older.push((**record).clone());
                    }
                    for version in older {
                        if !self.has(&version)? {
                            beneath.push(Versioned { revision: Revision(0), ..version });
                        }
                    }
                }
                Op::Append { stream, entries } => {
                    let first = self.last(stream) + 1;
                    let entries = entries.iter().zip(first..).map(|(entry, seq)| Entry {
                        stream: stream.clone(),
                        seq: Seq(seq),
                        at: entry.at.unwrap_or(now),
                        attrs: entry.attrs.clone(),
                        data: entry.data.clone(),
                    });
                    appended.extend(self.extend(stream, &entries.collect::<Vec<_>>()));
                }
                Op::MergeEntries { stream, entries } => {
                    let last = self.last(stream);
                    if last > 0 && entries[0].seq.0 > last + 1 {
                        return Err(ErrorKind::Invalid);
                    }
                    let news = entries.iter().filter(|entry| entry.seq.0 > last).cloned();
                    appended.extend(self.extend(stream, &news.collect::<Vec<_>>()));
                }
                Op::Assert { .. } | Op::Touch { .. } => {}
            }
        }
        let versions = heads.iter().map(|head| (head.key.clone(), head.version)).collect();
        let mut receipt = Receipt {
            id: batch.id,
            revision,
            at: now,
            durability: self.durability,
            versions,
            appended,
        };
        if heads.is_empty() && beneath.is_empty() && receipt.appended.is_empty() {
            receipt.revision = Revision(self.revision);
        } else {
            self.record(batch, &receipt, heads, beneath);
        }
        self.touch(batch);
        Ok(receipt)
    }

    fn record(
        &mut self,
        batch: &Batch,
        receipt: &Receipt,
        heads: Vec<Versioned>,
        beneath: Vec<Versioned>,
    ) {
        self.revision += 1;
        self.known.push((batch.clone(), receipt.clone()));
        self.feed.push(Change {
            revision: receipt.revision,
            commit: receipt.id,
            at: receipt.at,
            versions: heads.iter().cloned().map(Ok).collect(),
            appended: receipt.appended.clone(),
        });
        for head in &heads {
            self.heads.retain(|old| old.key != head.key);
            self.heads.push(head.clone());
            if head.state.is_none() {
                self.transient.retain(|(key, _)| *key != head.key);
            }
        }
        self.rows.extend(heads);
        self.rows.extend(beneath);
    }

    fn written(&self, put: &Put, batch: &Batch, now: Timestamp) -> Versioned {
        let status = |attrs: &Attributes| match attrs.get(&AttrName::new("status").unwrap()) {
            Some(AttrValue::Text(status)) => Some(status.to_string()),
            _ => None,
        };
        let action = match self.living(&put.key) {
            None => "create",
            Some(old) if status(&old.attrs) == status(&put.attrs) => "update",
            Some(_) => "status_change",
        };
        Versioned {
            schema: put.schema,
            attrs: put.attrs.clone(),
            state: Some(put.state.clone()),
            ..self.next(&put.key, batch, now, action)
        }
    }

    fn deleted(&self, key: &Key, batch: &Batch, now: Timestamp) -> Versioned {
        self.next(key, batch, now, "delete")
    }

    fn next(&self, key: &Key, batch: &Batch, now: Timestamp, action: &str) -> Versioned {
        let Cause { actor, action: called, reason, metadata } = batch.cause.clone();
        let version = match self.head(key).map(|head| head.version) {
            None => Version::new(self.epoch, 1),
            Some(Version { epoch: Epoch(epoch), n }) => {
                Version::new(Epoch(epoch.max(self.epoch.0)), n + 1)
            }
        };
        Versioned {
            key: key.clone(),
            version,
            revision: Revision(self.revision + 1),
            commit: batch.id,
            at: now,
            action: called.unwrap_or_else(|| Action::new(action).unwrap()),
            actor,
            reason,
            metadata,
            schema: 0,
            attrs: Attributes::new(),
            state: None,
        }
    }

    /// Whether a version is here; `Diverged` if another one is here under its number.
    fn has(&self, version: &Versioned) -> Result<bool, ErrorKind> {
        let here =
            self.rows.iter().find(|row| row.key == version.key && row.version == version.version);
        match here {
            None => Ok(false),
            Some(row) if Versioned { revision: version.revision, ..row.clone() } == *version => {
                Ok(true)
            }
            Some(_) => Err(ErrorKind::Diverged),
        }
    }

    fn last(&self, stream: &StreamName) -> u64 {
        self.streams.iter().find(|found| found.name == *stream).map_or(0, |found| found.last)
    }

    fn extend(&mut self, name: &StreamName, entries: &[Entry]) -> Option<(StreamName, Seq, Seq)> {
        let (first, last) = (entries.first()?.seq, entries.last()?.seq);
        if !self.streams.iter().any(|found| found.name == *name) {
            self.streams.push(Stream { name: name.clone(), last: 0, entries: Vec::new() });
        }
        for stream in self.streams.iter_mut().filter(|found| found.name == *name) {
            stream.entries.extend(entries.iter().cloned());
            stream.last = last.0;
        }
        Some((name.clone(), first, last))
    }

    fn touch(&mut self, batch: &Batch) {
        for op in &batch.ops {
            let Op::Touch { key, attrs } = op else { continue };
            let mut all = self.transient_of(key);
            for (name, value) in attrs {
                all.insert(name.clone(), value.clone());
            }
            self.transient.retain(|(touched, _)| touched != key);
            self.transient.push((key.clone(), all));
        }
    }

    pub(super) fn transient_of(&self, key: &Key) -> Attributes {
        let found = self.transient.iter().find(|(touched, _)| touched == key);
        found.map(|(_, attrs)| attrs.clone()).unwrap_or_default()
    }
}
