//! One stream: consecutive entries, so that a place is an index.

use std::collections::VecDeque;

use outlast_core::{Entry, Seq, StreamExtent, StreamName};

#[derive(Debug)]
pub(crate) struct Stream {
    /// The last place ever filled; it stays when the entries are pruned.
    pub(crate) last: Seq,
    pub(crate) entries: VecDeque<Entry>,
}

impl Stream {
    /// The first place still kept.
    pub(crate) fn first(&self) -> u64 {
        self.entries.front().map_or(self.last.0 + 1, |entry| entry.seq.0)
    }

    pub(crate) fn extent(&self, name: &StreamName) -> StreamExtent {
        StreamExtent { stream: name.clone(), first: Seq(self.first()), last: self.last }
    }

    /// The entries from a place up to and with another.
    pub(crate) fn between(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = &Entry> {
        let first = self.first();
        let index = |seq: u64| usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        let end = index(to.saturating_add(1)).min(self.entries.len());
        self.entries.range(index(from).min(end)..end)
    }
}

/// What an entry weighs.
pub(crate) fn weight(entry: &Entry) -> u64 {
    128 + (entry.data.len() + 64 * entry.attrs.len()) as u64
}
