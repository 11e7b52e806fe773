//! What there is at one revision, put together from pages that were read one after the other.
//!
//! The pages are of different moments, all of them between the revision before the first was read
//! and the revision after the last. What changed in between is then read from the feed and put on
//! top in order: an entity that did not change is as it was listed, and one that did is as its
//! last change left it. So all of it is as it was at that last revision.

use std::collections::{BTreeMap, VecDeque};

use outlast_core::{
    AttrName, AttrValue, Command, Entity, Error, ErrorKind, Event, Filter, Key, Kind, Page,
    Pipeline, Query, Result, Revision, Slot, Space, Status, StreamQuery, Test, Timestamp,
};
use outlast_store::Store;

use super::{Delta, Happening, Item, Snapshot, SyncOptions, journal};

/// How often the feed may be pruned while a snapshot is being put together.
const TRIES: u32 = 5;

/// How many entities are listed at once.
const PAGE: u32 = 1000;

/// Takes a snapshot. `TooLarge` if it would hold more bytes than the options allow, `Busy` if the
/// feed was pruned each time before it could be read.
pub(super) async fn take(store: &Store, options: &SyncOptions) -> Result<Snapshot> {
    let mut pruned = None;
    for _ in 0..TRIES {
        let from = store.revision().await?;
        let draft = gather(store, options).await?;
        let to = store.revision().await?;
        match bring_to(store, options, draft, (from, to)).await {
            Err(error) if error.kind() == ErrorKind::Compacted => pruned = Some(error),
            other => return other,
        }
    }
    let busy = format!("the feed was pruned {TRIES} times while a snapshot was taken; try again");
    let busy = Error::busy(busy);
    Err(match pruned {
        Some(cause) => busy.with_source(cause),
        None => busy,
    })
}

/// What was listed, each page of a moment of its own.
struct Draft {
    items: BTreeMap<Key, Item>,
    bytes: usize,
    most_bytes: usize,
    events: VecDeque<Happening>,
    left_out: BTreeMap<Kind, u64>,
    damaged: Vec<String>,
}

impl Draft {
    fn new(options: &SyncOptions) -> Self {
        Self {
            items: BTreeMap::new(),
            bytes: 0,
            most_bytes: options.most_bytes,
            events: VecDeque::new(),
            left_out: BTreeMap::new(),
            damaged: Vec::new(),
        }
    }

    fn put(&mut self, item: Item) -> Result<()> {
        self.bytes += item.bytes();
        let key = item.key.clone();
        let former = if item.state.is_some() {
            self.items.insert(key, item)
        } else {
            self.items.remove(&key)
        };
        self.bytes -= former.map_or(0, |item| item.bytes());
        let most = self.most_bytes;
        if self.bytes <= most {
            return Ok(());
        }
        Err(Error::too_large(format!(
            "a snapshot of the chosen kinds is over {most} bytes; choose fewer kinds, or allow more"
        )))
    }

    fn apply(&mut self, delta: Delta, options: &SyncOptions) -> Result<()> {
        let last = self.events.back().map(|event| event.seq);
        let fresh =
            delta.events.into_iter().filter(|event| last.is_none_or(|last| event.seq > last));
        if options.events > 0 {
            self.events.extend(fresh);
        }
        self.damaged.extend(delta.damaged);
        let mut items = delta.items.into_iter().filter(|item| options.kinds.has(&item.key.kind));
        items.try_for_each(|item| self.put(item))
    }
}

async fn gather(store: &Store, options: &SyncOptions) -> Result<Draft> {
    let mut draft = Draft::new(options);
    for (space, kind) in store.kinds().await?.entities {
        if options.kinds.has(&kind) {
            list_kind(store, options, &mut draft, (space, kind)).await?;
        }
    }
    if options.events > 0 {
        draft.events = last_events(store, options.events).await?;
    }
    Ok(draft)
}

async fn list_kind(
    store: &Store,
    options: &SyncOptions,
    draft: &mut Draft,
    (space, kind): (Space, Kind),
) -> Result<()> {
    let all = Query { space, ..Query::of(kind.clone()) };
    let held = match kind.as_str() {
        Command::KIND => {
            list_recent::<Command>(store, options, draft, (&all, options.commands)).await?
        }
        Pipeline::KIND => {
            list_recent::<Pipeline>(store, options, draft, (&all, options.pipelines)).await?
        }
        _ => list(store, draft, &all, options.most).await?,
    };
    let total = store.count(&all, &[]).await?.total;
    if total > held {
        *draft.left_out.entry(kind).or_default() += total - held;
    }
    Ok(())
}

/// Lists everything of a kind that is not settled, and of the rest what is newest.
async fn list_recent<T: Entity>(
    store: &Store,
    options: &SyncOptions,
    draft: &mut Draft,
    (all, most_settled): (&Query, u32),
) -> Result<u64> {
    let held = list(store, draft, &all.clone().filter(among::<T>(false)), options.most).await?;
    let since = store.clock().now().minus(options.settled_within);
    let newest = Query { descending: true, ..all.clone().filter(among::<T>(true)) };
    Ok(held + list_newest(store, draft, &newest, (most_settled, since)).await?)
}

/// Those whose status is settled, or is not.
fn among<T: Entity>(settled: bool) -> Filter {
    let all = T::Status::ALL.iter().filter(|status| status.is_settled() == settled);
    let texts = all.map(|status| AttrValue::from(status.as_str())).collect();
    Filter { name: AttrName::status(), test: Test::AnyOf(texts) }
}

/// Lists what a query finds, up to a bound, and says how many that were, damaged ones included.
async fn list(store: &Store, draft: &mut Draft, query: &Query, most: u32) -> Result<u64> {
    let mut query = query.clone();
    let mut held = 0;
    while held < u64::from(most) {
        let left = u64::from(most) - held;
        query.page.limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = store.list(&query).await?;
        for slot in page.items {
            held += u64::from(take_in(draft, slot, None)?);
        }
        let Some(next) = page.next else { break };
        query.page = query.page.after(next);
    }
    Ok(held)
}

/// Lists the first of what a query finds, as far as it is new enough.
async fn list_newest(
    store: &Store,
    draft: &mut Draft,
    query: &Query,
    (most, since): (u32, Timestamp),
) -> Result<u64> {
    if most == 0 {
        return Ok(0);
    }
    let query = Query { page: Page::first(most.min(PAGE)), ..query.clone() };
    let mut held = 0;
    for slot in store.list(&query).await?.items {
        held += u64::from(take_in(draft, slot, Some(since))?);
    }
    Ok(held)
}

fn take_in(draft: &mut Draft, slot: Slot, since: Option<Timestamp>) -> Result<bool> {
    match slot {
        Slot::Live(record) if since.is_some_and(|since| record.updated_at < since) => Ok(false),
        Slot::Live(record) => draft.put(Item::present(*record)).map(|()| true),
        Slot::Damaged(damage) => {
            draft.damaged.push(damage.what);
            Ok(true)
        }
        Slot::Vacant | Slot::Tombstone { .. } => Ok(false),
    }
}

async fn last_events(store: &Store, most: u32) -> Result<VecDeque<Happening>> {
    let page = Page::first(most.min(PAGE));
    let query = StreamQuery { newest_first: true, page, ..StreamQuery::of(Event::log()?) };
    let found = store.read(&query).await?.items;
    let readable = found.iter().flatten();
    Ok(readable.filter_map(|entry| Happening::of(entry).ok()).rev().collect())
}

/// Puts what changed since the first page on top, so that all of it is of one moment.
async fn bring_to(
    store: &Store,
    options: &SyncOptions,
    mut draft: Draft,
    (from, to): (Revision, Revision),
) -> Result<Snapshot> {
    let incarnation = store.info().incarnation;
    let mut at = from;
    while at < to {
        let stretch = journal::stretch(store, incarnation, at).await?;
        let is_over = stretch.deltas.is_empty();
        for delta in stretch.deltas {
            if delta.revision <= to {
                at = delta.revision;
                draft.apply(delta, options)?;
            } else {
                at = to;
            }
        }
        if is_over && at < to {
            return Err(Error::corrupt(format!("the feed ends at {} before {}", at.0, to.0)));
        }
    }
    let Draft { items, mut events, left_out, mut damaged, .. } = draft;
    let surplus = events.len().saturating_sub(options.events as usize);
    events.drain(..surplus);
    damaged.sort();
    damaged.dedup();
    Ok(Snapshot {
        incarnation,
        revision: to,
        items: items.into_values().collect(),
        events: events.into(),
        left_out,
        damaged,
    })
}
