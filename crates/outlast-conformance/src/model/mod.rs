//! What a store means, written a second time and as simply as possible: lists, walked in full.
//!
//! It shares no code with the planner, so that a rule misunderstood in one of the two shows as a
//! difference. It is slow on purpose.

mod apply;
mod query;

use outlast_core::{
    AttrValue, Attributes, Batch, Change, Durability, Entry, Epoch, ErrorKind, Expect, Key, Op,
    Outcome, Prune, Receipt, Revision, Seq, StreamExtent, StreamName, Timestamp, Versioned,
};

use crate::snapshot::Snapshot;

/// A stream with the last place it ever filled.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) name: StreamName,
    pub(crate) last: u64,
    pub(crate) entries: Vec<Entry>,
}

/// A store as the contract describes it.
#[derive(Clone, Debug)]
pub struct Model {
    epoch: Epoch,
    durability: Durability,
    revision: u64,
    /// The newest revision that was forgotten or of which a version was pruned.
    compacted: u64,
    /// Every version kept, in the order they were written.
    rows: Vec<Versioned>,
    /// The newest version of every entity.
    heads: Vec<Versioned>,
    transient: Vec<(Key, Attributes)>,
    streams: Vec<Stream>,
    known: Vec<(Batch, Receipt)>,
    /// Batches whose commits were forgotten. Nothing depends on them but what is tried.
    forgotten: Vec<Batch>,
    feed: Vec<Change>,
}

impl Model {
    /// An empty store that numbers versions within `epoch` and gives `durability`.
    pub fn new(epoch: Epoch, durability: Durability) -> Self {
        Self {
            epoch,
            durability,
            revision: 0,
            compacted: 0,
            rows: Vec::new(),
            heads: Vec::new(),
            transient: Vec::new(),
            streams: Vec::new(),
            known: Vec::new(),
            forgotten: Vec::new(),
            feed: Vec::new(),
        }
    }

    /// What a batch does at `now`: the outcome, or the kind of the error.
    pub fn commit(&mut self, batch: &Batch, now: Timestamp) -> Result<Outcome, ErrorKind> {
        if breaks_a_rule(batch) {
            return Err(ErrorKind::Invalid);
        }
        if batch.durability > self.durability {
            return Err(ErrorKind::Unsupported);
        }
        if let Some((first, receipt)) = self.known.iter().find(|(known, _)| known.id == batch.id) {
            let same = first.ops == batch.ops && first.cause == batch.cause;
            return if same {
                Ok(Outcome::Replayed(receipt.clone()))
            } else {
                Err(ErrorKind::Invalid)
            };
        }
        for op in &batch.ops {
            if let Some((key, expected)) = self.unmet(op) {
                let actual = self.living(&key).map(|head| head.version);
                return Ok(Outcome::Conflict { key, expected, actual });
            }
        }
        let mut after = self.clone();
        let receipt = after.apply(batch, now)?;
        *self = after;
        Ok(Outcome::Applied(receipt))
    }

    /// Carries out one item of a plan, whole.
    pub fn prune(&mut self, item: &Prune) {
        match item {
            Prune::Entries { stream, up_to } => {
                for stream in self.streams.iter_mut().filter(|found| found.name == *stream) {
                    stream.entries.retain(|entry| entry.seq > *up_to);
                }
            }
            Prune::Stream(stream) => self.streams.retain(|found| found.name != *stream),
            Prune::History { key, below } => self.drop_rows(key, *below),
            Prune::Tombstone { key, version } => {
                let head = self.head(key).filter(|head| head.state.is_none());
                if head.is_some_and(|head| head.version == *version) {
                    self.heads.retain(|head| head.key != *key);
                    self.drop_rows(key, u64::MAX);
                }
            }
            Prune::Commits { before } => self.forget(*before),
        }
    }

    fn forget(&mut self, before: Timestamp) {
        let millis = before.as_micros().div_euclid(1000);
        let known = std::mem::take(&mut self.known);
        for (batch, receipt) in known {
            let holds = self.rows.iter().any(|row| row.revision == receipt.revision);
            if holds || receipt.at >= before || batch.id.millis() >= millis {
                self.known.push((batch, receipt));
            } else {
                self.compacted = self.compacted.max(receipt.revision.0);
                self.forgotten.push(batch);
            }
        }
    }

    fn drop_rows(&mut self, key: &Key, below: u64) {
        let head = self.head(key).map(|head| head.version);
        let goes =
            |row: &Versioned| row.key == *key && row.version.n < below && Some(row.version) != head;
        let gone = self.rows.iter().filter(|row| goes(row)).map(|row| row.revision.0);
        self.compacted = gone.fold(self.compacted, u64::max);
        self.rows.retain(|row| !goes(row));
    }

    fn head(&self, key: &Key) -> Option<&Versioned> {
        self.heads.iter().find(|head| head.key == *key)
    }

    fn living(&self, key: &Key) -> Option<&Versioned> {
        self.head(key).filter(|head| head.state.is_some())
    }

    /// Whether it lives, with no status in words or with one of these.
    fn is_among(&self, key: &Key, states: &[&str]) -> bool {
        let Some(head) = self.living(key) else { return false };
        match head.attrs.iter().find(|(name, _)| name.as_str() == "status") {
            Some((_, AttrValue::Text(is))) => states.iter().any(|state| *state == &**is),
            _ => true,
        }
    }

    /// The key and the expectation that does not hold, if an operation has one.
    fn unmet(&self, op: &Op) -> Option<(Key, Expect)> {
        let living = |key: &Key| self.living(key).map(|head| head.version);
        match op {
            Op::Put(put) => {
                let met = match put.expect {
                    Expect::Any => true,
                    Expect::Absent => living(&put.key).is_none(),
                    Expect::Live => living(&put.key).is_some(),
                    Expect::At(version) => living(&put.key) == Some(version),
                    Expect::Status(states) => self.is_among(&put.key, states),
                };
                if met { None } else { Some((put.key.clone(), put.expect)) }
            }
            Op::Assert { key, expect } => {
                let version = living(key);
                let met = *expect == Expect::Any
                    || (*expect == Expect::Absent && version.is_none())
                    || (*expect == Expect::Live && version.is_some())
                    || (version.is_some_and(|version| *expect == Expect::At(version)))
                    || matches!(expect, Expect::Status(states) if self.is_among(key, states));
                if met { None } else { Some((key.clone(), *expect)) }
            }
            Op::Delete { key, expect } => match (living(key), expect) {
                (Some(_), Expect::Any | Expect::Live) => None,
                (Some(version), Expect::At(expected)) if version == *expected => None,
                (Some(_), Expect::Status(states)) if self.is_among(key, states) => None,
                (None, Expect::Any) => Some((key.clone(), Expect::Live)),
                _ => Some((key.clone(), *expect)),
            },
            Op::Touch { key, .. } => match living(key) {
                Some(_) => None,
                None => Some((key.clone(), Expect::Live)),
            },
            Op::Append { .. } | Op::MergeRecord { .. } | Op::MergeEntries { .. } => None,
        }
    }

    /// Everything, in the form a store is asked for it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut slots = Vec::new();
        for (space, kind) in [(0, "item"), (1, "item"), (0, "other")] {
            let mut heads: Vec<&Versioned> = self.heads.iter().collect();
            heads.retain(|head| head.key.kind.as_str() == kind && head.key.space.0 == space);
            heads.sort_by(|a, b| a.key.id().as_bytes().cmp(b.key.id().as_bytes()));
            slots.extend(heads.into_iter().map(|head| self.slot(&head.key)));
        }
        let mut streams: Vec<&Stream> = self.streams.iter().collect();
        streams.sort_by(|a, b| {
            (a.name.space, a.name.id().as_bytes()).cmp(&(b.name.space, b.name.id().as_bytes()))
        });
        let entries = streams.iter().flat_map(|stream| stream.entries.iter().cloned().map(Ok));
        Snapshot {
            slots,
            history: self.rows.iter().cloned().map(Ok).collect(),
            entries: entries.collect(),
            streams: streams.iter().map(|stream| stream.extent()).collect(),
            feed: if self.compacted == 0 { Some(self.feed.clone()) } else { None },
        }
    }

    /// Where the feed begins, and what follows.
    pub(crate) fn feed_after_compaction(&self) -> (Revision, &[Change]) {
        let skipped = usize::try_from(self.compacted).unwrap();
        (Revision(self.compacted), &self.feed[skipped..])
    }

    /// What was sent before.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Batch> {
        self.known.iter().map(|(batch, _)| batch).chain(&self.forgotten)
    }

    /// When the commits that are not forgotten were made.
    pub(crate) fn moments(&self) -> Vec<Timestamp> {
        self.known.iter().map(|(_, receipt)| receipt.at).collect()
    }

    /// The newest version under a key, deleted or not.
    pub(crate) fn newest(&self, key: &Key) -> Option<&Versioned> {
        self.head(key)
    }
}

impl Stream {
    fn extent(&self) -> StreamExtent {
        let first = match self.entries.first() {
            Some(entry) => entry.seq,
            None => Seq(self.last + 1),
        };
        StreamExtent { stream: self.name.clone(), first, last: Seq(self.last) }
    }
}

/// The rules a batch must keep whatever the store holds, as far as random batches break them.
fn breaks_a_rule(batch: &Batch) -> bool {
    let mut keys: Vec<&Key> = Vec::new();
    let mut streams: Vec<&StreamName> = Vec::new();
    let mut changes = 0;
    for op in &batch.ops {
        match op {
            Op::Put(put) => keys.push(&put.key),
            Op::Delete { key, .. } | Op::Assert { key, .. } | Op::Touch { key, .. } => {
                keys.push(key);
            }
            Op::MergeRecord { record, .. } => keys.push(&record.key),
            Op::Append { stream, .. } | Op::MergeEntries { stream, .. } => streams.push(stream),
        }
        changes += usize::from(!matches!(op, Op::Assert { .. }));
    }
    let (all_keys, all_streams) = (keys.len(), streams.len());
    keys.sort();
    keys.dedup();
    streams.sort();
    streams.dedup();
    changes == 0 || keys.len() < all_keys || streams.len() < all_streams
}
