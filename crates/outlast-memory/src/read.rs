//! Pages of entities, versions, entries, streams and commits.

use std::collections::BTreeMap;
use std::ops::Bound;

use outlast_core::{
    AttrName, AttrValue, Change, Counts, Cursor, Entry, Epoch, Error, ErrorKind, HistoryQuery, Key,
    Kind, Listed, Order, Page, Query, Result, Revision, Scope, Slot, Space, StreamExtent,
    StreamQuery, Verified, Version, Versioned,
};

use crate::backend::LIMITS;
use crate::content::{Content, FeedRow};
use crate::table::Entity;

impl Content {
    pub(crate) fn list(&self, query: &Query) -> Result<Listed<Slot>> {
        query.validate(LIMITS.page)?;
        let after = query.page.after.as_ref().map(Cursor::to_listing).transpose()?;
        let key = |id| Key::of(query.kind.clone(), id).in_space(query.space);
        let Some(table) = self.tables.get(&(query.space, query.kind.clone())) else {
            return Ok(Listed::empty());
        };
        let (found, name) = match (&query.order, after) {
            (Order::Id, None) => (table.by_id(query, None), None),
            (Order::Id, Some((None, id))) => (table.by_id(query, Some(&key(id))), None),
            (Order::Attr(name), None) => (table.by_value(query, name, None), Some(name)),
            (Order::Attr(name), Some((Some(value), id))) => {
                (table.by_value(query, name, Some((value, key(id)))), Some(name))
            }
            (Order::Id, Some((Some(_), _))) | (Order::Attr(_), Some((None, _))) => {
                return Err(foreign_cursor());
            }
        };
        let cursor = |entity: &&Entity| {
            let value = name.and_then(|name| entity.attrs().get(name));
            Cursor::listing(value, entity.current.key.id())
        };
        let page = cut(found, query.page.limit, cursor);
        Ok(Listed { items: page.items.into_iter().map(Entity::slot).collect(), next: page.next })
    }

    pub(crate) fn count(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        Query { page: Page::default(), ..query.clone() }.validate(LIMITS.page)?;
        let query = Query { tombstones: false, descending: false, ..query.clone() };
        let mut counts = Counts::default();
        let Some(table) = self.tables.get(&(query.space, query.kind.clone())) else {
            return Ok(counts);
        };
        if query.filters.is_empty() && query.order == Order::Id && by.is_empty() {
            counts.total = table.live;
            return Ok(counts);
        }
        let mut groups: BTreeMap<Vec<Option<&AttrValue>>, u64> = BTreeMap::new();
        for entity in table.by_id(&query, None) {
            counts.total += 1;
            if !by.is_empty() {
                let group = by.iter().map(|name| entity.attrs().get(name)).collect();
                *groups.entry(group).or_default() += 1;
            }
        }
        let owned = |group: Vec<Option<&AttrValue>>| {
            group.into_iter().map(Option::<&AttrValue>::cloned).collect()
        };
        counts.groups = groups.into_iter().map(|(group, n)| (owned(group), n)).collect();
        Ok(counts)
    }

    pub(crate) fn history(&self, query: &HistoryQuery) -> Result<Listed<Verified<Versioned>>> {
        query.page.validate(LIMITS.page)?;
        let page = match &query.scope {
            Scope::Entity(key) => self.history_of(key, query)?,
            Scope::All(kind) => self.history_of_all(kind.as_ref(), query)?,
        };
        let items = page.items.into_iter().map(|version| Ok(version.clone())).collect();
        Ok(Listed { items, next: page.next })
    }

    fn history_of(&self, key: &Key, query: &HistoryQuery) -> Result<Listed<&Versioned>> {
        let after = query.page.after.as_ref().map(to_version).transpose()?;
        let Some(entity) = self.entity(key) else { return Ok(Listed::empty()) };
        let versions = entity.versions.range(beyond(after, query.newest_first));
        let versions = turned(versions.map(|(_, kept)| &*kept.version), query.newest_first);
        let versions = versions.filter(|version| query.accepts(version));
        Ok(cut(versions, query.page.limit, |version| {
            let epoch = AttrValue::Int(version.version.epoch.0.cast_signed());
            Cursor::listing(Some(&epoch), &version.version.n.to_string())
        }))
    }

    fn history_of_all(
        &self,
        kind: Option<&Kind>,
        query: &HistoryQuery,
    ) -> Result<Listed<&Versioned>> {
        let after = query.page.after.as_ref().map(Cursor::to_number).transpose()?;
        let rows = self.rows.range(beyond(after, query.newest_first));
        let rows = turned(rows, query.newest_first).filter(|(_, version)| {
            kind.is_none_or(|kind| version.key.kind == *kind) && query.accepts(version)
        });
        let page = cut(rows, query.page.limit, |(row, _)| Cursor::number(**row));
        let items = page.items.into_iter().map(|(_, version)| &**version).collect();
        Ok(Listed { items, next: page.next })
    }

    pub(crate) fn read(&self, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
        query.page.validate(LIMITS.page)?;
        let after = query.page.after.as_ref().map(Cursor::to_number).transpose()?;
        let Some(stream) = self.stream(&query.stream) else { return Ok(Listed::empty()) };
        let mut from = query.from.map_or(0, |seq| seq.0);
        let mut to = query.to.map_or(u64::MAX, |seq| seq.0);
        if let Some(after) = after {
            if query.newest_first {
                to = to.min(after.saturating_sub(1));
            } else {
                from = from.max(after.saturating_add(1));
            }
        }
        let entries = turned(stream.between(from, to), query.newest_first);
        let entries = entries.filter(|entry| query.accepts(entry));
        let page = cut(entries, query.page.limit, |entry| Cursor::number(entry.seq.0));
        let items = page.items.into_iter().map(|entry| Ok(entry.clone())).collect();
        Ok(Listed { items, next: page.next })
    }

    pub(crate) fn streams(&self, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
        page.validate(LIMITS.page)?;
        let after = page.after.as_ref().map(|cursor| to_stream(cursor, kind)).transpose()?;
        let Some(streams) = self.streams.get(kind) else { return Ok(Listed::empty()) };
        let page = cut(streams.range(beyond(after, false)), page.limit, |(name, _)| {
            Cursor::listing(Some(&AttrValue::Int(name.space.0.into())), name.id())
        });
        let items = page.items.into_iter().map(|(name, stream)| stream.extent(name)).collect();
        Ok(Listed { items, next: page.next })
    }

    pub(crate) fn changes(&self, after: Revision, limit: u32) -> Result<Listed<Change>> {
        Page::first(limit).validate(LIMITS.page)?;
        if after < self.compacted {
            let (after, first) = (after.0, self.compacted.0);
            let message = format!(
                "the feed after revision {after} was pruned up to {first}; start from a snapshot"
            );
            return Err(Error::new(ErrorKind::Compacted, message));
        }
        let skipped = usize::try_from(after.0 - self.compacted.0).unwrap_or(usize::MAX);
        let rows = self.feed.range(skipped.min(self.feed.len())..);
        let page = cut(rows, limit, |row| Cursor::number(row.known.revision.0));
        Ok(Listed { items: page.items.into_iter().map(FeedRow::change).collect(), next: page.next })
    }
}

impl FeedRow {
    fn change(&self) -> Change {
        Change {
            revision: self.known.revision,
            commit: self.id,
            at: self.known.at,
            versions: self.versions.iter().map(|version| Ok((**version).clone())).collect(),
            appended: self.known.appended.clone(),
        }
    }
}

/// The first `limit` items, and the cursor of the last if there are more.
fn cut<T>(
    mut items: impl Iterator<Item = T>,
    limit: u32,
    cursor: impl Fn(&T) -> Cursor,
) -> Listed<T> {
    let page: Vec<T> = items.by_ref().take(limit as usize).collect();
    let next = items.next().and_then(|_| page.last().map(cursor));
    Listed { items: page, next }
}

fn turned<'a, I>(items: I, down: bool) -> Box<dyn Iterator<Item = I::Item> + 'a>
where
    I: DoubleEndedIterator + 'a,
{
    if down { Box::new(items.rev()) } else { Box::new(items) }
}

fn beyond<T>(after: Option<T>, down: bool) -> (Bound<T>, Bound<T>) {
    let edge = after.map_or(Bound::Unbounded, Bound::Excluded);
    if down { (Bound::Unbounded, edge) } else { (edge, Bound::Unbounded) }
}

fn to_version(cursor: &Cursor) -> Result<Version> {
    match cursor.to_listing()? {
        (Some(AttrValue::Int(epoch)), n) => {
            let n = n.as_str().parse().map_err(|_| foreign_cursor())?;
            Ok(Version::new(Epoch(epoch.cast_unsigned()), n))
        }
        _ => Err(foreign_cursor()),
    }
}

fn to_stream(cursor: &Cursor, kind: &Kind) -> Result<Key> {
    match cursor.to_listing()? {
        (Some(AttrValue::Int(space)), id) => {
            let space = u32::try_from(space).map_err(|_| foreign_cursor())?;
            Ok(Key::of(kind.clone(), id).in_space(Space(space)))
        }
        _ => Err(foreign_cursor()),
    }
}

fn foreign_cursor() -> Error {
    Error::invalid("the cursor belongs to another query; begin again without one")
}
