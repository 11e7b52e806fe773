//! Which entities a query means, and pages of them.

use std::iter::Peekable;

use outlast_core::{
    AttrName, AttrValue, Cursor, Error, Key, Listed, Order, Query, Result, Slot, Test,
};

use super::entity::slot;
use super::page::{Filling, beyond};
use crate::codec::{Flaw, HeadRow, key};
use crate::config::LIMITS;
use crate::tables::{Table, Tables};

/// An entity that may be meant, in the order of the query.
pub(crate) struct Candidate {
    key: Key,
    /// The value it is ordered by, if it is ordered by one.
    value: Option<AttrValue>,
}

type Candidates<'a> = Box<dyn Iterator<Item = Result<Candidate>> + 'a>;
type Place = (Option<AttrValue>, Key);

/// One page of a listing.
pub(crate) fn list(tables: &Tables, query: &Query) -> Result<Listed<Slot>> {
    query.validate(LIMITS.page)?;
    let after = query.page.after.as_ref().map(|cursor| place(query, cursor)).transpose()?;
    let mut page = Filling::new(&query.page)?;
    for candidate in candidates(tables, query, after)? {
        let Candidate { key, value } = candidate?;
        let found = matching(tables, query, &key)?;
        let found = found.map(|head| slot(tables, &key, head)).transpose()?;
        if !page.take(found, || Cursor::listing(value.as_ref(), key.id())) {
            break;
        }
    }
    Ok(page.finish())
}

/// The head of an entity that the query means, or the flaw that keeps it from being known.
pub(crate) fn matching(
    tables: &Tables,
    query: &Query,
    entity: &Key,
) -> Result<Option<Result<HeadRow, Flaw>>> {
    let found = tables.content::<HeadRow>(Table::Heads, &key::entity(entity))?;
    Ok(found.filter(|found| match found {
        Ok(head) if head.live => query.accepts(&head.attrs),
        Ok(_) => query.tombstones,
        Err(_) => true,
    }))
}

impl Candidate {
    /// All that a query may mean.
    pub(crate) fn all<'a>(tables: &'a Tables, query: &'a Query) -> Result<Candidates<'a>> {
        candidates(tables, query, None)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}

fn place(query: &Query, cursor: &Cursor) -> Result<Place> {
    let (value, id) = cursor.to_listing()?;
    if value.is_some() != matches!(query.order, Order::Attr(_)) {
        return Err(Error::invalid(format!("cursor {cursor} does not belong to this query")));
    }
    Ok((value, Key::of(query.kind.clone(), id).in_space(query.space)))
}

fn candidates<'a>(
    tables: &'a Tables,
    query: &'a Query,
    after: Option<Place>,
) -> Result<Candidates<'a>> {
    if let Order::Attr(name) = &query.order {
        let from = after.and_then(|(value, key)| Some(key::index(&key, name, &value?)));
        let prefix = key::attribute(&query.kind, query.space, name);
        return indexed(tables, query, &prefix, from.as_deref());
    }
    let after = after.map(|(_, key)| key);
    if let Some((name, values)) = narrowing(query) {
        return by_values(tables, query, name, values, after.as_ref());
    }
    let from = after.as_ref().map(key::entity);
    let prefix = key::lineage(&query.kind, query.space);
    let pairs = beyond(tables, Table::Heads, &prefix, from.as_deref(), query.descending)?;
    Ok(Box::new(pairs.map(move |pair| {
        let (bytes, _) = pair?;
        let key = key::to_entity(&bytes);
        let key = key.map_err(|flaw| tables.error(Table::Heads, &bytes, flaw))?;
        Ok(Candidate { key, value: None })
    })))
}

/// The first filter by equality: an index finds what it means.
fn narrowing(query: &Query) -> Option<(&AttrName, &[AttrValue])> {
    query.filters.iter().find_map(|filter| match &filter.test {
        Test::AnyOf(values) => Some((&filter.name, values.as_slice())),
        Test::Within(..) => None,
    })
}

/// Entities with any of these values, by id: each value has its own in that order.
fn by_values<'a>(
    tables: &'a Tables,
    query: &'a Query,
    name: &AttrName,
    values: &[AttrValue],
    after: Option<&Key>,
) -> Result<Candidates<'a>> {
    let mut values: Vec<&AttrValue> = values.iter().collect();
    values.sort();
    values.dedup();
    let mut runs = Vec::new();
    for value in values {
        let prefix = key::value(&query.kind, query.space, name, value);
        let from = after.map(|after| key::index(after, name, value));
        runs.push(indexed(tables, query, &prefix, from.as_deref())?.peekable());
    }
    let down = query.descending;
    let merged = std::iter::from_fn(move || next_of(&mut runs, down));
    Ok(Box::new(merged.map(|next| next.map(|next| Candidate { value: None, ..next }))))
}

fn next_of(runs: &mut [Peekable<Candidates<'_>>], down: bool) -> Option<Result<Candidate>> {
    let mut best: Option<(usize, Key)> = None;
    for (place, run) in runs.iter_mut().enumerate() {
        match run.peek() {
            None => {}
            Some(Err(_)) => return run.next(),
            Some(Ok(next)) => {
                let nearer = best.as_ref().is_none_or(|(_, key)| (next.key < *key) != down);
                if nearer {
                    best = Some((place, next.key.clone()));
                }
            }
        }
    }
    runs.get_mut(best?.0)?.next()
}

fn indexed<'a>(
    tables: &'a Tables,
    query: &Query,
    prefix: &[u8],
    from: Option<&[u8]>,
) -> Result<Candidates<'a>> {
    let pairs = beyond(tables, Table::Index, prefix, from, query.descending)?;
    Ok(Box::new(pairs.map(move |pair| {
        let (bytes, _) = pair?;
        let row = key::to_index(&bytes);
        let (key, _, value) = row.map_err(|flaw| tables.error(Table::Index, &bytes, flaw))?;
        Ok(Candidate { key, value: Some(value) })
    })))
}
