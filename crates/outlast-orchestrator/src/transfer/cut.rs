//! The moment an export shows a store at.
//!
//! Versions say which commit wrote them, so those after the moment are left out one by one.
//! Entries do not, so the feed is followed from the moment on: it names what was appended since.

use std::collections::HashMap;

use outlast_core::{Error, ErrorKind, ReadSet, Result, Revision, Seq, StreamExtent, StreamName};
use outlast_store::Store;

/// How many streams may be appended to during an export. Beyond that, what has to be remembered
/// of them is no longer small.
const MOST_STREAMS: usize = 100_000;
const PAGE: u32 = 64;

pub(super) struct Cut {
    /// The last commit to show.
    pub(super) revision: Revision,
    followed: Revision,
    /// The first place filled after the moment, of each stream that was appended to.
    appended: HashMap<StreamName, Seq>,
}

impl Cut {
    /// The present moment.
    pub(super) async fn now(store: &Store) -> Result<Self> {
        let revision = store.backend().fetch(&ReadSet::default()).await?.revision;
        Ok(Self { revision, followed: revision, appended: HashMap::new() })
    }

    /// Learns of everything that was committed up to now.
    pub(super) async fn follow(&mut self, store: &Store) -> Result<()> {
        loop {
            let page = store.changes(self.followed, PAGE).await.map_err(|error| {
                if error.kind() == ErrorKind::Compacted { pruned() } else { error }
            })?;
            for change in page.items {
                self.followed = change.revision;
                for (stream, first, _) in change.appended {
                    self.appended.entry(stream).or_insert(first);
                }
            }
            if self.appended.len() > MOST_STREAMS {
                return Err(Error::busy(format!(
                    "more than {MOST_STREAMS} streams grew during the export; \
                     repeat it at a quieter time"
                )));
            }
            if page.next.is_none() {
                return Ok(());
            }
        }
    }

    /// What a stream held at the moment, if it was followed past the time its extent was read.
    /// `None` if it did not exist.
    pub(super) fn of(&self, extent: StreamExtent) -> Option<StreamExtent> {
        let last = match self.appended.get(&extent.stream) {
            Some(first) => Seq(first.0.saturating_sub(1)),
            None => extent.last,
        };
        let first = extent.first.min(Seq(last.0 + 1));
        (last > Seq(0)).then_some(StreamExtent { first, last, ..extent })
    }
}

/// What was there at the moment is no longer there to be read.
pub(super) fn pruned() -> Error {
    Error::busy("retention removed what the export had yet to read; repeat the export")
}
