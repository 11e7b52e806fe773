//! Streams: pages of entries, and which streams there are.

use outlast_core::{
    AttrValue, Cursor, Entry, Error, Kind, Limits, Listed, Page, Result, Seq, StreamExtent,
    StreamQuery, Verified,
};

use crate::Sqlite;
use crate::codec::{Cells, entry_seq};
use crate::script::Script;
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
        script.heavy(4);
        push_entries(&mut script, query, (from, to));
        let answers = self.connections.read(script).await?;
        let Some(answer) = answers.first() else { return Ok(Listed::empty()) };
        let (rows, last) = answer.page(query.page.limit);
        let next = last.map(|cells| Cursor::number(entry_seq(cells.int(0).unwrap_or_default()).0));
        let entries =
            rows.iter().map(|row| Cells(row).entry(&query.stream, &self.connections.place));
        let asked =
            |entry: &Verified<Entry>| entry.as_ref().map_or(true, |entry| query.accepts(entry));
        Ok(Listed { items: entries.filter(asked).collect(), next })
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

fn extent(cells: Cells<'_>, store: &Sqlite) -> Result<StreamExtent> {
    let stream = cells.key(0).map_err(|why| {
        Error::corrupt(format!("table stream of {} is damaged: {why}", store.connections.place))
    })?;
    Ok(StreamExtent { stream, first: Seq(cells.count(3)), last: Seq(cells.count(4)) })
}

fn push_entries(script: &mut Script, query: &StreamQuery, (from, to): (u64, u64)) {
    script.sql(
        "SELECT x.id, x.at, x.checksum, x.attrs, x.data FROM stream s \
         CROSS JOIN stream_entry x ON x.id BETWEEN (s.no << 32) + ",
    );
    script.value(from.cast_signed()).sql(" AND (s.no << 32) + ").value(to.cast_signed());
    script.sql(" WHERE s.space = ").value(i64::from(query.stream.space.0));
    script.sql(" AND s.kind = ").value(query.stream.kind.as_str());
    script.sql(" AND s.id = ").value(query.stream.id());
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
