//! Walks a store and writes down everything it held at one moment.

use outlast_core::{
    HistoryQuery, Key, Kind, Page, Query, Result, Revision, Scope, Seq, Slot, Space, StreamExtent,
    StreamQuery,
};
use outlast_store::Store;
use tokio::io::AsyncWrite;

use super::cut::{Cut, pruned};
use super::format::{FORMAT, Header, VERSION};
use super::tally::{Listener, Phase, Progress, Tally};
use super::writer::Writer;

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How much of everything.
    pub tally: Tally,
    /// How many bytes were written.
    pub bytes: u64,
    /// The commit the export shows the store at.
    pub revision: Revision,
}

const ENTITIES: u32 = 64;
const STREAMS: u32 = 256;
/// Pages of versions and entries begin small, because each may weigh as much as the store's
/// limits allow, and grow as long as the items turn out light.
const FEWEST: u32 = 16;
const MOST: u32 = 256;
/// What such a page is meant to weigh.
const PAGE_BYTES: usize = 4 << 20;

fn next_limit(limit: u32, bytes: usize) -> u32 {
    let each = bytes / limit as usize + 1;
    let fitting = u32::try_from(PAGE_BYTES / each).unwrap_or(MOST);
    fitting.min(limit * 2).clamp(FEWEST, MOST)
}

/// Writes everything the store holds, as of the last commit before the call. What was enqueued
/// and not yet applied is left out: [`sync`](Store::sync) first.
///
/// Of a store that moves from memory to a database, versions written meanwhile may be in it too.
///
/// Transient attributes belong to no commit: they are those of the time they are read.
///
/// Errors: `Corrupt`, naming it, if something in the store fails verification; `Busy` if
/// retention removed what was yet to be read, or very many streams grew: repeat it;
/// `StorageFull` or `Unavailable` if the output cannot be written; and those of the store.
///
/// Cancel safety: the store is only read. What was written when the future is dropped lacks the
/// last line, so it cannot be taken for a whole export.
pub async fn export<W: AsyncWrite + Unpin + Send>(
    store: &Store,
    out: W,
    progress: Listener<'_>,
) -> Result<Exported> {
    let cut = Cut::now(store).await?;
    let mut writer = Writer::new(out);
    writer.header(&header(store, cut.revision)).await?;
    // A store that moves has versions of two stores, and revisions are each store's own.
    let counts_alike = store.info().name != "dual";
    let mut export = Export { store, cut, counts_alike, writer, progress };
    let kinds = store.kinds().await?;
    for (space, kind) in kinds.entities {
        export.entities(space, kind).await?;
    }
    for kind in kinds.streams {
        export.streams(&kind).await?;
    }
    export.cut.follow(store).await?;
    export.writer.end().await?;
    export.report();
    let Writer { tally, bytes, .. } = export.writer;
    Ok(Exported { tally, bytes, revision: export.cut.revision })
}

fn header(store: &Store, revision: Revision) -> Header {
    let info = store.info();
    Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        created_at: store.clock().now(),
        backend: info.name.to_owned(),
        store: info.store,
        incarnation: info.incarnation,
        revision,
    }
}

struct Export<'a, W> {
    store: &'a Store,
    cut: Cut,
    /// Whether the revisions of all versions are of the feed that the cut is in.
    counts_alike: bool,
    writer: Writer<W>,
    progress: Listener<'a>,
}

impl<W: AsyncWrite + Unpin> Export<'_, W> {
    fn report(&mut self) {
        let done = self.writer.tally;
        (self.progress)(Progress { phase: Phase::Exporting, done, total: None });
    }

    async fn entities(&mut self, space: Space, kind: Kind) -> Result<()> {
        let page = Page::first(ENTITIES);
        let mut query = Query { space, tombstones: true, page, ..Query::of(kind) };
        loop {
            let found = self.store.list(&query).await?;
            for slot in found.items {
                self.entity(slot).await?;
            }
            self.report();
            let Some(next) = found.next else { return Ok(()) };
            query.page = query.page.after(next);
        }
    }

    async fn entity(&mut self, slot: Slot) -> Result<()> {
        match slot {
            Slot::Vacant => Ok(()),
            Slot::Damaged(damage) => Err((*damage).into()),
            Slot::Tombstone { key, .. } => self.versions(key).await.map(drop),
            Slot::Live(record) => {
                let live = self.versions(record.key).await?;
                if live && !record.transient.is_empty() {
                    self.writer.transient(record.transient).await?;
                }
                Ok(())
            }
        }
    }

    /// Writes the versions of an entity up to the cut, and says whether it lived there.
    async fn versions(&mut self, key: Key) -> Result<bool> {
        let (mut live, mut written, mut oldest) = (false, false, None);
        let page = Page::first(FEWEST);
        let mut query = HistoryQuery { page, ..HistoryQuery::of(Scope::Entity(key)) };
        loop {
            let found = self.store.history(&query).await?;
            let mut bytes = 0;
            for version in found.items {
                let version = version?;
                bytes += version.state.as_ref().map_or(0, |state| state.as_str().len());
                oldest.get_or_insert(version.version.n);
                if !self.counts_alike || version.revision <= self.cut.revision {
                    self.writer.version(&version, !written).await?;
                    (live, written) = (version.is_live(), true);
                }
            }
            match found.next {
                Some(next) => {
                    let limit = next_limit(query.page.limit, bytes);
                    query.page = Page { limit, after: Some(next) };
                }
                // Nothing at the cut, and yet not new since: its older versions were pruned.
                None if !written && oldest != Some(1) => return Err(pruned()),
                None => return Ok(live),
            }
        }
    }

    async fn streams(&mut self, kind: &Kind) -> Result<()> {
        let mut page = Page::first(STREAMS);
        loop {
            let found = self.store.streams(kind, &page).await?;
            self.cut.follow(self.store).await?;
            for extent in found.items {
                if let Some(extent) = self.cut.of(extent) {
                    self.stream(extent).await?;
                }
            }
            let Some(next) = found.next else { return Ok(()) };
            page = page.after(next);
        }
    }

    async fn stream(&mut self, extent: StreamExtent) -> Result<()> {
        self.writer.stream(&extent).await?;
        let StreamExtent { stream, first, last } = extent;
        let (mut next, page) = (first, Page::first(FEWEST));
        let mut query =
            StreamQuery { from: Some(first), to: Some(last), page, ..StreamQuery::of(stream) };
        while next <= last {
            let found = self.store.read(&query).await?;
            let mut bytes = 0;
            for entry in found.items {
                let entry = entry?;
                bytes += entry.data.len();
                if entry.seq != next {
                    return Err(pruned());
                }
                next = Seq(next.0 + 1);
                self.writer.entry(entry).await?;
            }
            self.report();
            match found.next {
                Some(after) => {
                    let limit = next_limit(query.page.limit, bytes);
                    query.page = Page { limit, after: Some(after) };
                }
                None if next <= last => return Err(pruned()),
                None => {}
            }
        }
        Ok(())
    }
}
