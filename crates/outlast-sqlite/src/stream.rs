//! Streams: pages of entries, and which streams there are.

use outlast_core::{
    AttrValue, Cursor, Entry, Error, Kind, Limits, Listed, Page, Result, Seq, StreamExtent,
    StreamName, StreamQuery, Verified,
};

use crate::Sqlite;
use crate::codec::{Cells, damage, entry_seq};
use crate::error::Place;
use crate::history::check_order;
use crate::script::{Answer, Script};
use crate::value::push_test;

/// The highest place a stream has.
const MOST: u64 = u32::MAX as u64;

impl Sqlite {
    pub(crate) async fn entries_page(
        &self,
        query: &StreamQuery,
    ) -> Result<Listed<Verified<Entry>>> {
        query.page.validate(Limits::EMBEDDED.page)?;
        let mut from = query.from.map_or(0, |seq| seq.0);
        let mut to = query.to.map_or(MOST, |seq| seq.0.min(MOST));
        if let Some(after) = &query.page.after {
            let after = after.to_number()?;
            if query.newest_first {
                to = to.min(after.saturating_sub(1));
            } else {
                from = from.max(after.saturating_add(1));
            }
        }
        if from > to {
            return Ok(Listed::empty());
        }
        let mut script = Script::new();
        script.heavy(4).sql("BEGIN").end();
        script.sql("SELECT s.first_seq, s.last_seq FROM stream s WHERE ");
        push_named(&mut script, &query.stream);
        script.end();
        push_entries(&mut script, query, (from, to));
        script.sql("COMMIT").end();
        let answers = self.connections.read(script).await?;
        let (Some(extent), Some(rows)) = (answers.get(1), answers.get(2)) else {
            return Ok(Listed::empty());
        };
        let Some(extent) = extent.rows.first().map(Cells) else { return Ok(Listed::empty()) };
        let kept = (from.max(extent.count(0)), to.min(extent.count(1)));
        let page = self.entries_of(query, rows, kept);
        if let (Some(after), Some(next)) = (&query.page.after, &page.next) {
            check_order(&after.to_number()?, &next.to_number()?, query.newest_first)
                .map_err(|error| error.context(&self.connections.place))?;
        }
        Ok(page)
    }

    fn entries_of(
        &self,
        query: &StreamQuery,
        answer: &Answer,
        kept: (u64, u64),
    ) -> Listed<Verified<Entry>> {
        let place = &self.connections.place;
        let (rows, last) = answer.page(query.page.limit);
        let found = rows.iter().map(|row| {
            let cells = Cells(row);
            (entry_seq(cells.int(0).unwrap_or_default()).0, cells.entry(&query.stream, place))
        });
        let asked =
            |entry: &Verified<Entry>| entry.as_ref().map_or(true, |entry| query.accepts(entry));
        let mut found: Vec<_> = found.filter(|(_, entry)| asked(entry)).collect();
        if is_whole(query) {
            found = with_holes(query, found, (kept, last.is_none()), place);
        }
        let most = usize::try_from(query.page.limit).unwrap_or(usize::MAX);
        let cut = found.len() > most;
        found.truncate(most);
        let last = last.map(|cells| entry_seq(cells.int(0).unwrap_or_default()).0);
        let end = if cut { found.last().map(|(seq, _)| *seq) } else { last };
        let items = found.into_iter().map(|(_, entry)| entry).collect();
        Listed { items, next: end.map(Cursor::number) }
    }

    pub(crate) async fn streams_page(
        &self,
        kind: &Kind,
        page: &Page,
    ) -> Result<Listed<StreamExtent>> {
        page.validate(Limits::EMBEDDED.page)?;
        let mut script = Script::new();
        script.sql("SELECT space, kind, id, first_seq, last_seq FROM stream WHERE kind = ");
        script.value(kind.as_str());
        if let Some(after) = &page.after {
            let (Some(AttrValue::Int(space)), id) = after.to_listing()? else {
                return Err(Error::invalid(format!("cursor {after} is of another query")));
            };
            script.sql(" AND (space, id) > (").value(space).sql(", ").value(id.as_str()).sql(")");
        }
        script.sql(" ORDER BY space, id LIMIT ").value(i64::from(page.limit) + 1).end();
        let answers = self.connections.read(script).await?;
        let Some(answer) = answers.first() else { return Ok(Listed::empty()) };
        let (rows, last) = answer.page(page.limit);
        let next = last.map(|cells| {
            let space = AttrValue::Int(cells.int(0).unwrap_or_default());
            Cursor::listing(Some(&space), &cells.any_text(2))
        });
        let items: Result<Vec<_>> = rows.iter().map(|row| extent(Cells(row), self)).collect();
        Ok(Listed { items: items?, next })
    }
}

/// Whether a query asks for every entry, so that none may be missing.
fn is_whole(query: &StreamQuery) -> bool {
    query.filters.is_empty() && query.since.is_none() && query.until.is_none()
}

/// Puts a damage where entries are missing: between others, and before `kept` ends if the page is
/// the last. Each stands for all that are missing in its place.
fn with_holes(
    query: &StreamQuery,
    found: Vec<(u64, Verified<Entry>)>,
    ((first, last), ends): ((u64, u64), bool),
    place: &Place,
) -> Vec<(u64, Verified<Entry>)> {
    let down = query.newest_first;
    let mut next = if down { last } else { first };
    let mut items = Vec::with_capacity(found.len());
    for (seq, entry) in found {
        if down && seq < next {
            items.push((seq + 1, Err(hole(&query.stream, (seq + 1, next), place))));
        } else if !down && seq > next {
            items.push((seq - 1, Err(hole(&query.stream, (next, seq - 1), place))));
        }
        next = if down { seq.saturating_sub(1) } else { seq + 1 };
        items.push((seq, entry));
    }
    let (low, high) = if down { (first, next) } else { (next, last) };
    if ends && low <= high && low > 0 {
        let end = if down { low } else { high };
        items.push((end, Err(hole(&query.stream, (low, high), place))));
    }
    items
}

fn hole(stream: &StreamName, (low, high): (u64, u64), place: &Place) -> outlast_core::Damage {
    let what = format!("{stream} entries {low} to {high}");
    damage(what, "stream_entry", place, "they are missing", None)
}

fn extent(cells: Cells<'_>, store: &Sqlite) -> Result<StreamExtent> {
    let stream = cells.key(0).map_err(|why| {
        Error::corrupt(format!("table stream of {} is damaged: {why}", store.connections.place))
    })?;
    Ok(StreamExtent { stream, first: Seq(cells.count(3)), last: Seq(cells.count(4)) })
}

/// Names a stream in a condition on `s`.
fn push_named(script: &mut Script, stream: &StreamName) {
    script.sql("s.space = ").value(i64::from(stream.space.0));
    script.sql(" AND s.kind = ").value(stream.kind.as_str());
    script.sql(" AND s.id = ").value(stream.id());
}

/// A join with the stream would sort all of its entries for each page.
fn push_entries(script: &mut Script, query: &StreamQuery, (from, to): (u64, u64)) {
    script.sql("SELECT x.id, x.at, x.checksum, x.attrs, x.data FROM stream_entry x WHERE x.id");
    for (bound, word) in [(from, " BETWEEN "), (to, " AND ")] {
        script.sql(word).sql("(SELECT s.no << 32 FROM stream s WHERE ");
        push_named(script, &query.stream);
        script.sql(") + ").value(bound.cast_signed());
    }
    if let Some(since) = query.since {
        script.sql(" AND x.at >= ").value(since.as_micros());
    }
    if let Some(until) = query.until {
        script.sql(" AND x.at < ").value(until.as_micros());
    }
    for filter in &query.filters {
        // Attributes that cannot be read pass, to be shown as damaged.
        script.sql(" AND CASE WHEN json_valid(x.attrs) THEN ");
        push_test(script, &format!("x.attrs ->> '{}'", filter.name), filter);
        script.sql(" ELSE x.attrs IS NOT NULL END");
    }
    script.sql(" ORDER BY x.id").sql(if query.newest_first { " DESC" } else { "" });
    script.sql(" LIMIT ").value(i64::from(query.page.limit) + 1).end();
}
