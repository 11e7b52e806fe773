//! Streams: their entries, and which there are.

use outlast_core::{
    AttrValue, Cursor, Entry, Error, Key, Kind, Listed, Page, Result, Space, StreamExtent,
    StreamQuery, Verified,
};

use super::page::{Filling, beyond};
use crate::codec::{Extent, key};
use crate::tables::{Table, Tables};

/// One page of a stream.
pub(crate) fn entries(tables: &Tables, query: &StreamQuery) -> Result<Listed<Verified<Entry>>> {
    let stream = &query.stream;
    let mut page = Filling::new(&query.page)?;
    let extent: Option<Extent> = tables.sound(Table::Streams, &key::entity(stream))?;
    let Some(extent) = extent else { return Ok(Listed::empty()) };
    let mut first = query.from.map_or(extent.first, |from| from.max(extent.first)).0;
    let mut last = query.to.map_or(extent.last, |to| to.min(extent.last)).0;
    if let Some(cursor) = &query.page.after {
        let after = cursor.to_number()?;
        if query.newest_first {
            last = last.min(after.saturating_sub(1));
        } else {
            first = first.max(after.saturating_add(1));
        }
    }
    // The places are walked and not the rows, so that a row that is gone is missed.
    let mut seqs: Box<dyn Iterator<Item = u64>> = Box::new(first..=last);
    if query.newest_first {
        seqs = Box::new((first..=last).rev());
    }
    for seq in seqs {
        let found = entry(tables, query, seq)?;
        if !page.take(found, || Cursor::number(seq)) {
            break;
        }
    }
    Ok(page.finish())
}

fn entry(tables: &Tables, query: &StreamQuery, seq: u64) -> Result<Option<Verified<Entry>>> {
    let place = key::entry(&query.stream, seq);
    let found: Verified<Entry> = tables.kept(Table::Entries, &place)?;
    Ok(Some(found).filter(|found| found.as_ref().map_or(true, |entry| query.accepts(entry))))
}

/// One page of the streams of a kind.
pub(crate) fn streams(tables: &Tables, kind: &Kind, page: &Page) -> Result<Listed<StreamExtent>> {
    let prefix = key::of_kind(kind);
    let after = page.after.as_ref().map(|cursor| place(kind, cursor)).transpose()?;
    let mut filling = Filling::new(page)?;
    for pair in beyond(tables, Table::Streams, &prefix, after.as_deref(), false)? {
        let (place, bytes) = pair?;
        let damaged = |flaw| tables.error(Table::Streams, &place, flaw);
        let stream = key::to_entity(&place).map_err(damaged)?;
        let extent: Extent = Tables::met(Table::Streams, &place, bytes).map_err(damaged)?;
        let space = AttrValue::Int(i64::from(stream.space.0));
        let cursor = Cursor::listing(Some(&space), stream.id());
        let Extent { first, last } = extent;
        if !filling.take(Some(StreamExtent { stream, first, last }), || cursor) {
            break;
        }
    }
    Ok(filling.finish())
}

/// The key that a cursor of a listing of streams names.
fn place(kind: &Kind, cursor: &Cursor) -> Result<Vec<u8>> {
    let (space, id) = cursor.to_listing()?;
    let space = match space {
        Some(AttrValue::Int(space)) => u32::try_from(space).ok(),
        _ => None,
    };
    let foreign = || Error::invalid(format!("cursor {cursor} does not belong to this query"));
    let space = Space(space.ok_or_else(foreign)?);
    Ok(key::entity(&Key::of(kind.clone(), id).in_space(space)))
}
