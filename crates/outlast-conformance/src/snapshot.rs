//! Everything a store says it holds, to compare before and after.

use outlast_core::{
    Backend, Change, Cursor, Entry, ErrorKind, HistoryQuery, Kind, Listed, Page, Query, Result,
    Revision, Scope, Slot, Space, StreamExtent, StreamQuery, Verified, Versioned,
};

use crate::ops::{ITEM, LOG, kind};

/// More pages than this mean that a walk does not end.
const MOST_PAGES: usize = 100_000;

/// Everything, as far as the cases write it: items and others in two lineages, and all streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) slots: Vec<Slot>,
    pub(crate) history: Vec<Verified<Versioned>>,
    pub(crate) streams: Vec<StreamExtent>,
    pub(crate) entries: Vec<Verified<Entry>>,
    /// `None` if its beginning was pruned.
    pub(crate) feed: Option<Vec<Change>>,
}

impl Snapshot {
    pub(crate) async fn of(backend: &dyn Backend) -> Self {
        let mut slots = Vec::new();
        for (space, kind) in [(0, kind(ITEM)), (1, kind(ITEM)), (0, kind("other"))] {
            let mut query = Query { space: Space(space), tombstones: true, ..Query::of(kind) };
            query.page = Page::first(7);
            slots.extend(walk_list(backend, query).await);
        }
        let history = walk_history(backend, HistoryQuery::of(Scope::All(None))).await;
        let streams = walk_streams(backend, &kind(LOG), 7).await;
        let mut entries = Vec::new();
        for extent in &streams {
            let query = StreamQuery::of(extent.stream.clone());
            entries.extend(walk_stream(backend, query).await);
        }
        let feed = match walk_changes(backend, Revision::ZERO, 7).await {
            Ok(feed) => Some(feed),
            Err(error) if error.kind() == ErrorKind::Compacted => None,
            Err(error) => panic!("the feed cannot be read: {error:?}"),
        };
        Self { slots, history, streams, entries, feed }
    }
}

pub(crate) async fn walk_list(backend: &dyn Backend, mut query: Query) -> Vec<Slot> {
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = backend.list(&query).await.unwrap();
        match take(&mut all, page, query.page.limit) {
            Some(next) => query.page = query.page.after(next),
            None => return all,
        }
    }
    panic!("the listing does not end");
}

pub(crate) async fn walk_history(
    backend: &dyn Backend,
    mut query: HistoryQuery,
) -> Vec<Verified<Versioned>> {
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = backend.history(&query).await.unwrap();
        match take(&mut all, page, query.page.limit) {
            Some(next) => query.page = query.page.after(next),
            None => return all,
        }
    }
    panic!("the history does not end");
}

pub(crate) async fn walk_stream(
    backend: &dyn Backend,
    mut query: StreamQuery,
) -> Vec<Verified<Entry>> {
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = backend.read(&query).await.unwrap();
        match take(&mut all, page, query.page.limit) {
            Some(next) => query.page = query.page.after(next),
            None => return all,
        }
    }
    panic!("the stream does not end");
}

pub(crate) async fn walk_streams(
    backend: &dyn Backend,
    kind: &Kind,
    limit: u32,
) -> Vec<StreamExtent> {
    let mut all = Vec::new();
    let mut page = Page::first(limit);
    for _ in 0..MOST_PAGES {
        let listed = backend.streams(kind, &page).await.unwrap();
        match take(&mut all, listed, limit) {
            Some(next) => page = page.after(next),
            None => return all,
        }
    }
    panic!("the listing of streams does not end");
}

pub(crate) async fn walk_changes(
    backend: &dyn Backend,
    mut after: Revision,
    limit: u32,
) -> Result<Vec<Change>> {
    let mut all: Vec<Change> = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = backend.changes(after, limit).await?;
        after = page.items.last().map_or(after, |change| change.revision);
        let end = page.items.is_empty();
        take(&mut all, page, limit);
        if end {
            return Ok(all);
        }
    }
    panic!("the feed does not end");
}

/// Adds a page, and says where to go on.
fn take<T>(all: &mut Vec<T>, page: Listed<T>, limit: u32) -> Option<Cursor> {
    assert!(page.items.len() <= limit as usize, "a page of {limit} holds {}", page.items.len());
    all.extend(page.items);
    page.next
}
