//! One stream being imported: what the store has of it, and what it lacks.

use std::collections::HashMap;
use std::mem;

use outlast_core::{
    Actor, AttrName, AttrValue, Attributes, Batch, Cause, Entry, Op, Page, Prune, PrunePlan,
    ReadSet, Result, Seq, StreamExtent, StreamName, StreamQuery, Timestamp,
};
use outlast_store::Store;

pub(super) struct Tail {
    extent: StreamExtent,
    /// The last place the store had filled when the stream was begun; zero if it has no such
    /// stream.
    last_here: Seq,
    gathered: Vec<Entry>,
    weight: usize,
}

impl Tail {
    pub(super) async fn open(store: &Store, extent: StreamExtent) -> Result<Self> {
        let mut reads = ReadSet::default();
        reads.streams.insert(extent.stream.clone());
        let view = store.backend().fetch(&reads).await?;
        let last_here = view.streams.get(&extent.stream).copied().unwrap_or_default();
        Ok(Self { extent, last_here, gathered: Vec::new(), weight: 0 })
    }

    pub(super) fn stream(&self) -> &StreamName {
        &self.extent.stream
    }

    /// Why the stream cannot be continued, if it cannot.
    pub(super) fn gap(&self) -> Option<String> {
        let (here, first) = (self.last_here.0, self.extent.first.0);
        (here > 0 && first > here + 1)
            .then(|| format!("it ends at {here} here, and the export has it from {first} on only"))
    }

    /// Gathers one more entry, and says what they weigh together.
    pub(super) fn push(&mut self, entry: Entry) -> usize {
        self.weight += entry.data.len() + 64 * (1 + entry.attrs.len());
        self.gathered.push(entry);
        self.weight
    }

    /// The gathered entries that the store lacks, or how those that it has differ.
    pub(super) async fn missing(&mut self, store: &Store) -> Result<Result<Vec<Entry>, String>> {
        let mut entries = mem::take(&mut self.gathered);
        self.weight = 0;
        let known = entries.partition_point(|entry| entry.seq <= self.last_here);
        let lacking = entries.split_off(known);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(Ok(lacking));
        };
        let mut query = StreamQuery {
            from: Some(first.seq),
            to: Some(last.seq),
            page: Page::first(64),
            ..StreamQuery::of(self.extent.stream.clone())
        };
        let theirs: HashMap<Seq, u64> =
            entries.iter().map(|entry| (entry.seq, entry.checksum())).collect();
        loop {
            let page = store.read(&query).await?;
            for ours in page.items {
                let ours = ours?;
                if theirs.get(&ours.seq).is_some_and(|sum| *sum != ours.checksum()) {
                    return Ok(Err(format!("its entry {} has other content here", ours.seq.0)));
                }
            }
            let Some(next) = page.next else { return Ok(Ok(lacking)) };
            query.page = query.page.after(next);
        }
    }

    /// Makes a stream whose entries were all pruned, so that it goes on counting where it was.
    ///
    /// A stream comes into being with an entry only. So one is put at the last place and pruned
    /// at once; it is marked, so that an import that was cut off in between is completed by the
    /// next.
    pub(super) async fn empty_out(self, store: &Store) -> Result<()> {
        let StreamExtent { stream, first, last } = self.extent;
        if first <= last {
            return Ok(());
        }
        let placeholder = placeholder(&stream, last)?;
        if self.last_here == Seq(0) {
            let entries = vec![placeholder];
            let op = Op::MergeEntries { stream: stream.clone(), entries };
            let id = store.ids().commit_id();
            store.commit(Batch::new(id, Cause::by(Actor::Migration)).with(op)).await?;
        } else {
            let page = Page::first(1);
            let query = StreamQuery { from: Some(last), page, ..StreamQuery::of(stream.clone()) };
            let left = store.read(&query).await?.items.pop().transpose()?;
            if self.last_here != last || left != Some(placeholder) {
                return Ok(());
            }
        }
        let plan = PrunePlan { items: vec![Prune::Entries { stream, up_to: last }] };
        while !store.prune(&plan, 100).await?.done {}
        Ok(())
    }
}

fn placeholder(stream: &StreamName, seq: Seq) -> Result<Entry> {
    Ok(Entry {
        stream: stream.clone(),
        seq,
        at: Timestamp::default(),
        attrs: Attributes::from([(AttrName::new("placeholder")?, AttrValue::Int(1))]),
        data: Vec::new(),
    })
}
