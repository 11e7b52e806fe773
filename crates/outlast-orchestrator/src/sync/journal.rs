//! Reading the store's changes as deltas, with the events they added to the log.

use std::collections::VecDeque;

use outlast_core::{Change, Event, Incarnation, Page, Result, Revision, Seq, StreamQuery};
use outlast_store::Store;

use super::{Delta, Happening};

/// How many commits are read at once.
const COMMITS: u32 = 64;

/// How many events are read at once.
const EVENTS: u32 = 1000;

/// Some deltas after a revision, in order, and whether there were no more.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) deltas: VecDeque<Delta>,
    pub(super) is_last: bool,
}

/// What follows a revision. `Compacted` if the store does not hold it any more.
pub(super) async fn stretch(
    store: &Store,
    incarnation: Incarnation,
    after: Revision,
) -> Result<Stretch> {
    let page = store.changes(after, COMMITS).await?;
    let is_last = page.next.is_none();
    let mut log = events_of(store, &page.items).await?.into_iter().peekable();
    let deltas = page.items.into_iter().map(|change| {
        let mut events = Vec::new();
        if let Some((_, last)) = places(&change) {
            while let Some(event) = log.next_if(|event| event.seq <= last) {
                events.push(event);
            }
        }
        Delta::of(change, incarnation, events)
    });
    Ok(Stretch { deltas: deltas.collect(), is_last })
}

/// The places of the event log that a commit filled.
fn places(change: &Change) -> Option<(Seq, Seq)> {
    let mut appended = change.appended.iter();
    let (_, first, last) = appended
        .find(|(stream, ..)| stream.kind.as_str() == Event::KIND && stream.id() == Event::LOG)?;
    Some((*first, *last))
}

/// The events that commits added to the log, as far as they are kept and can be read, in order.
async fn events_of(store: &Store, changes: &[Change]) -> Result<Vec<Happening>> {
    let mut places = changes.iter().filter_map(places);
    let Some((first, mut last)) = places.next() else { return Ok(Vec::new()) };
    if let Some((_, end)) = places.next_back() {
        last = end;
    }
    let page = Page::first(EVENTS);
    let mut query =
        StreamQuery { from: Some(first), to: Some(last), page, ..StreamQuery::of(Event::log()?) };
    let mut events = Vec::new();
    loop {
        let found = store.read(&query).await?;
        let readable = found.items.iter().flatten();
        events.extend(readable.filter_map(|entry| Happening::of(entry).ok()));
        let Some(next) = found.next else { return Ok(events) };
        query.page = query.page.after(next);
    }
}
