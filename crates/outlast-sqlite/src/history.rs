//! Versions of entities: one entity's chain, or all rows in the order they were written.

use outlast_core::{
    AttrValue, Cursor, Epoch, Error, HistoryQuery, Key, Kind, Limits, Listed, Result, Scope,
    Verified, Version, Versioned,
};

use crate::Sqlite;
use crate::codec::{Cells, STATE, VERSION, damage};
use crate::script::{Answer, Script};

impl Sqlite {
    pub(crate) async fn history_page(
        &self,
        query: &HistoryQuery,
    ) -> Result<Listed<Verified<Versioned>>> {
        query.page.validate(Limits::EMBEDDED.page)?;
        let mut script = Script::new();
        script.heavy(STATE);
        match &query.scope {
            Scope::Entity(key) => push_chain(&mut script, query, key)?,
            Scope::All(kind) => push_all(&mut script, query, kind.as_ref())?,
        }
        let answers = self.connections.read(script).await?;
        let Some(answer) = answers.into_iter().next() else { return Ok(Listed::empty()) };
        let page = self.versions_of(query, &answer);
        if let (Scope::All(_), Some(after), Some(next)) =
            (&query.scope, &query.page.after, &page.next)
        {
            check_order(&after.to_number()?, &next.to_number()?, query.newest_first)
                .map_err(|error| error.context(&self.connections.place))?;
        }
        Ok(page)
    }

    fn versions_of(&self, query: &HistoryQuery, answer: &Answer) -> Listed<Verified<Versioned>> {
        let (rows, last) = answer.page(query.page.limit);
        let next = last.map(|cells| match query.scope {
            Scope::Entity(_) => chain_cursor(cells),
            Scope::All(_) => Cursor::number(cells.count(0)),
        });
        let items = rows.iter().map(|row| {
            let cells = Cells(row);
            if cells.int(0).is_none() {
                let place = &self.connections.place;
                let key = cells.key(2).map_or_else(|_| "an entity".to_owned(), |k| k.to_string());
                let why = "an older version is missing from its chain";
                return Err(damage(key, "history", place, why, None));
            }
            cells.versioned(&self.connections.place)
        });
        let asked = |item: &Verified<Versioned>| {
            item.as_ref().map_or(true, |version| query.accepts(version))
        };
        Listed { items: items.filter(asked).collect(), next }
    }
}

/// Rows of a damaged table may come in any order, and a walk that does not get on would never end.
pub(crate) fn check_order<T: Ord>(after: &T, next: &T, descending: bool) -> Result<()> {
    let gets_on = if descending { next < after } else { next > after };
    if gets_on {
        return Ok(());
    }
    Err(Error::corrupt("rows are not in order; restore the file from a backup"))
}

fn chain_cursor(cells: Cells<'_>) -> Cursor {
    let epoch = AttrValue::Int(cells.int(5).unwrap_or_default());
    Cursor::listing(Some(&epoch), &cells.count(6).to_string())
}

fn cursor_version(cursor: &Cursor) -> Result<Version> {
    let foreign = || Error::invalid(format!("cursor {cursor} is of another query"));
    let (epoch, n) = cursor.to_listing()?;
    let Some(AttrValue::Int(epoch)) = epoch else { return Err(foreign()) };
    let epoch = u64::try_from(epoch).map_err(|_| foreign())?;
    Ok(Version::new(Epoch(epoch), n.as_str().parse().map_err(|_| foreign())?))
}

/// Walks the chain from the head. The newest first, it ends with the page; the oldest first, the
/// numbers of the whole chain are walked and sorted, and only the page's rows are read.
///
/// UNION ends the walk even where damage made the chain run in a circle. A row that is missing
/// is met as NULL.
fn push_chain(script: &mut Script, query: &HistoryQuery, key: &Key) -> Result<()> {
    script
        .sql(
            "WITH RECURSIVE chain(entity, seq) AS (SELECT d.entity, d.seq FROM entity e \
             CROSS JOIN head d ON d.entity = e.no WHERE e.space = ",
        )
        .value(i64::from(key.space.0))
        .sql(" AND e.kind = ")
        .value(key.kind.as_str())
        .sql(" AND e.id = ")
        .value(key.id())
        .sql(
            " UNION SELECT chain.entity, p.prev_seq FROM chain CROSS JOIN history p \
             ON p.seq = chain.seq WHERE p.prev_seq IS NOT NULL) SELECT ",
        )
        .sql(VERSION);
    if query.newest_first {
        script.sql(
            " FROM chain LEFT JOIN history h ON h.seq = chain.seq \
             LEFT JOIN entity e ON e.no = chain.entity WHERE (h.seq IS NULL OR (1",
        );
        push_filters(script, query);
        if let Some(after) = &query.page.after {
            push_beyond(script, cursor_version(after)?, "<");
        }
        script.sql(")) LIMIT ").value(i64::from(query.page.limit) + 1).end();
        return Ok(());
    }
    let first_page = if query.page.after.is_none() { "1" } else { "0" };
    script.sql(
        " FROM (SELECT chain.entity, chain.seq, h.epoch, h.version FROM chain \
         LEFT JOIN history h ON h.seq = chain.seq WHERE ((h.seq IS NULL AND ",
    );
    script.sql(first_page).sql(") OR (h.seq IS NOT NULL");
    push_filters(script, query);
    if let Some(after) = &query.page.after {
        push_beyond(script, cursor_version(after)?, ">");
    }
    script
        .sql(")) ORDER BY h.epoch, h.version LIMIT ")
        .value(i64::from(query.page.limit) + 1)
        .sql(
            ") page LEFT JOIN history h ON h.seq = page.seq \
             LEFT JOIN entity e ON e.no = page.entity ORDER BY page.epoch, page.version",
        )
        .end();
    Ok(())
}

fn push_beyond(script: &mut Script, version: Version, beyond: &str) {
    script.sql(" AND (h.epoch, h.version) ").sql(beyond).sql(" (");
    script.value(held(version.epoch.0)).sql(", ");
    script.value(held(version.n)).sql(")");
}

fn push_all(script: &mut Script, query: &HistoryQuery, kind: Option<&Kind>) -> Result<()> {
    script.sql("SELECT ").sql(VERSION);
    script.sql(" FROM history h LEFT JOIN entity e ON e.no = h.entity WHERE h.entity IS NOT NULL");
    if let Some(kind) = kind {
        script.sql(" AND e.kind = ").value(kind.as_str());
    }
    push_filters(script, query);
    if let Some(after) = &query.page.after {
        script.sql(if query.newest_first { " AND h.seq < " } else { " AND h.seq > " });
        script.value(held(after.to_number()?));
    }
    script.sql(" ORDER BY h.seq").sql(if query.newest_first { " DESC" } else { "" });
    script.sql(" LIMIT ").value(i64::from(query.page.limit) + 1).end();
    Ok(())
}

fn push_filters(script: &mut Script, query: &HistoryQuery) {
    if let Some(from) = query.from {
        script.sql(" AND h.version >= ").value(held(from));
    }
    if let Some(to) = query.to {
        script.sql(" AND h.version <= ").value(held(to));
    }
    if let Some(since) = query.since {
        script.sql(" AND h.at >= ").value(since.as_micros());
    }
    if let Some(until) = query.until {
        script.sql(" AND h.at < ").value(until.as_micros());
    }
    if let Some(actor) = &query.actor {
        script.sql(" AND h.actor = ").value(actor.to_string());
    }
    if let Some(action) = &query.action {
        script.sql(" AND h.action = ").value(action.as_str());
    }
}

/// The number as a column could hold it: larger ones are larger than all.
fn held(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
