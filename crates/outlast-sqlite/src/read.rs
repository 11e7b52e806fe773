//! Entities as they are now: by key, by page, and counted.
//!
//! Filters are answered by the attribute index and checked again against the record itself, so an
//! index row that does not agree with its record never shows a record that was not asked for.

use std::collections::HashMap;

use outlast_core::{
    AttrName, Counts, Cursor, Error, Filter, Key, Limits, Listed, Order, Query, Result, Slot, Test,
};

use crate::Sqlite;
use crate::codec::{AFTER_HEAD, Cells, HEAD, STATE, VERSION};
use crate::history::check_order;
use crate::lookup::push_names;
use crate::moment::Moment;
use crate::script::{Answer, MOST_ROWS, MOST_VALUES, Script};
use crate::value::{push_test, push_value};

/// Up to so many matches are found by the index and sorted; if every filter matches more, walking
/// the entities in their order meets enough of them soon.
const FEW: i64 = 10_000;

/// Which table drives a listing.
#[derive(Clone, Copy)]
enum Driver<'a> {
    Entities,
    Attribute(&'a AttrName, Option<&'a Filter>),
}

impl Sqlite {
    pub(crate) async fn slots(&self, keys: &[Key]) -> Result<Vec<Slot>> {
        let mut script = Script::new();
        // A single statement is a snapshot by itself.
        let is_one = keys.len() <= MOST_ROWS;
        if !is_one {
            script.sql("BEGIN").end();
        }
        for keys in keys.chunks(MOST_ROWS) {
            script.sql("SELECT ").sql(VERSION).sql(", ").sql(HEAD).sql(", v.column1 FROM ");
            push_names(&mut script, keys);
            script
                .sql(
                    " v CROSS JOIN entity e ON e.space = v.column2 AND e.kind = v.column3 \
                     AND e.id = v.column4 LEFT JOIN head d ON d.entity = e.no \
                     LEFT JOIN history h ON h.seq = d.seq",
                )
                .end();
        }
        if !is_one {
            script.sql("COMMIT").end();
        }
        let before = self.connections.moment();
        let answers = self.connections.read(script).await?;
        let mut slots = Vec::with_capacity(keys.len());
        let answers = answers.iter().skip(usize::from(!is_one));
        for (keys, answer) in keys.chunks(MOST_ROWS).zip(answers) {
            let mut found: HashMap<i64, Slot> = HashMap::new();
            for row in &answer.rows {
                let cells = Cells(row);
                let place = cells.int(AFTER_HEAD).unwrap_or(-1);
                found.insert(place, cells.slot(&self.connections.place));
            }
            let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
            slots.extend((0..count).map(|place| found.remove(&place).unwrap_or(Slot::Vacant)));
        }
        self.keep(before, &slots);
        Ok(slots)
    }

    /// Keeps what was read since that moment, if it still is that moment.
    fn keep(&self, before: Option<Moment>, slots: &[Slot]) {
        let mut recent = self.recent();
        if let Some(now) = before.filter(|_| self.connections.moment() == before) {
            recent.keep(now, slots);
        }
    }

    pub(crate) async fn list_page(&self, query: &Query) -> Result<Listed<Slot>> {
        query.validate(Limits::EMBEDDED.page)?;
        check_filters(&query.filters)?;
        let driver = self.driver(query).await?;
        let mut script = Script::new();
        script.heavy(STATE);
        push_list(&mut script, query, driver)?;
        let answers = self.connections.read(script).await?;
        let Some(answer) = answers.into_iter().next() else { return Ok(Listed::empty()) };
        let page = self.page_of(query, &answer);
        let next = page.next.as_ref().and_then(|next| next.to_listing().ok());
        if let (Some(after), Some(next)) = (&query.page.after, next) {
            check_order(&after.to_listing()?, &next, query.descending)
                .map_err(|error| error.context(&self.connections.place))?;
        }
        Ok(page)
    }

    fn page_of(&self, query: &Query, answer: &Answer) -> Listed<Slot> {
        let (rows, last) = answer.page(query.page.limit);
        let next =
            last.map(|cells| Cursor::listing(cells.value(AFTER_HEAD).as_ref(), &cells.any_text(4)));
        let slots = rows.iter().map(|row| Cells(row).slot(&self.connections.place));
        Listed { items: slots.filter(|slot| asked_for(query, slot)).collect(), next }
    }

    /// Chooses what drives the query: the index while it leaves few, the entities else.
    async fn driver<'a>(&self, query: &'a Query) -> Result<Driver<'a>> {
        if let Order::Attr(name) = &query.order {
            let same = query.filters.iter().find(|filter| filter.name == *name);
            return Ok(Driver::Attribute(name, same));
        }
        if query.filters.is_empty() {
            return Ok(Driver::Entities);
        }
        let mut script = Script::new();
        script.sql("BEGIN").end();
        for filter in &query.filters {
            script.sql("SELECT count(*) FROM (SELECT 1 FROM attribute a WHERE ");
            push_attribute(&mut script, query, &filter.name);
            script.sql(" AND ");
            push_test(&mut script, "a.value", filter);
            script.sql(" LIMIT ").value(FEW + 1).sql(")").end();
        }
        script.sql("COMMIT").end();
        let answers = self.connections.read(script).await?;
        let counts = answers.iter().skip(1).map(|answer| {
            answer.rows.first().and_then(|row| Cells(row).int(0)).unwrap_or(i64::MAX)
        });
        let fewest = counts.zip(&query.filters).min_by_key(|(count, _)| *count);
        Ok(match fewest {
            Some((count, filter)) if count <= FEW => Driver::Attribute(&filter.name, Some(filter)),
            _ => Driver::Entities,
        })
    }

    pub(crate) async fn count_matches(&self, query: &Query, by: &[AttrName]) -> Result<Counts> {
        check_filters(&query.filters)?;
        let driver = self.driver(query).await?;
        let driver = match (&query.order, driver) {
            // Entities without the attribute ordered by are left out of lists, so of counts too.
            (Order::Id, driver) | (_, driver @ Driver::Attribute(..)) => driver,
            (Order::Attr(name), Driver::Entities) => Driver::Attribute(name, None),
        };
        let mut script = Script::new();
        script.sql("SELECT count(*)");
        for name in by {
            script.sql(", ").sql(&head_attribute(name));
        }
        push_from(&mut script, query, driver);
        script.sql(" AND d.live");
        for place in 0..by.len() {
            script.sql(if place == 0 { " GROUP BY " } else { ", " }).sql(&(place + 2).to_string());
        }
        script.end();
        let answers = self.connections.read(script).await?;
        let mut counts = Counts::default();
        for row in answers.first().map(|answer| &answer.rows).into_iter().flatten() {
            let cells = Cells(row);
            let count = cells.count(0);
            counts.total += count;
            let group = (1..=by.len()).map(|column| cells.value(column));
            counts.groups.push((group.collect(), count));
        }
        if by.is_empty() {
            counts.groups.clear();
        }
        counts.groups.sort();
        Ok(counts)
    }
}

fn asked_for(query: &Query, slot: &Slot) -> bool {
    match slot {
        Slot::Live(record) => {
            let of_kind = record.key.kind == query.kind && record.key.space == query.space;
            of_kind && query.accepts(&record.attrs)
        }
        Slot::Tombstone { .. } => query.tombstones,
        Slot::Damaged(_) => true,
        Slot::Vacant => false,
    }
}

fn check_filters(filters: &[Filter]) -> Result<()> {
    let values = filters.iter().map(|filter| match &filter.test {
        Test::AnyOf(values) => values.len(),
        Test::Within(..) => 2,
    });
    let values: usize = values.sum();
    // Each is bound at most twice, and a query binds a few more.
    if values > MOST_VALUES / 2 - 16 {
        return Err(Error::too_large(format!("a query cannot compare with {values} values")));
    }
    Ok(())
}

fn push_list(script: &mut Script, query: &Query, driver: Driver<'_>) -> Result<()> {
    let by_value = matches!(query.order, Order::Attr(_));
    script.sql("SELECT ").sql(VERSION).sql(", ").sql(HEAD);
    script.sql(if by_value { ", a.value" } else { ", NULL" });
    push_from(script, query, driver);
    if !query.tombstones {
        // The record decides whether it lives; a head that says otherwise, or is missing, is damage
        // to show.
        script.sql(" AND (d.live IS NOT 0 OR h.state IS NOT NULL)");
    }
    if let Some(after) = &query.page.after {
        let (value, id) = after.to_listing()?;
        let beyond = if query.descending { "<" } else { ">" };
        match (by_value, value) {
            (true, Some(value)) => {
                script.sql(" AND a.value ").sql(beyond).sql("= ");
                push_value(script, &value);
                script.sql(" AND (a.value ").sql(beyond).sql(" ");
                push_value(script, &value);
                script.sql(" OR e.id ").sql(beyond).sql(" ").value(id.as_str()).sql(")");
            }
            (false, None) => {
                script.sql(" AND e.id ").sql(beyond).sql(" ").value(id.as_str());
            }
            _ => return Err(Error::invalid(format!("cursor {after} is of another query"))),
        }
    }
    let direction = if query.descending { " DESC" } else { "" };
    script.sql(" ORDER BY ");
    if by_value {
        script.sql("a.value").sql(direction).sql(", ");
    }
    script.sql("e.id").sql(direction);
    script.sql(" LIMIT ").value(i64::from(query.page.limit) + 1).end();
    Ok(())
}

/// Adds `FROM ... WHERE ...` with all filters. CROSS JOIN keeps the order of the tables.
fn push_from(script: &mut Script, query: &Query, driver: Driver<'_>) {
    match driver {
        Driver::Entities => {
            script.sql(
                " FROM entity e LEFT JOIN head d ON d.entity = e.no \
                 LEFT JOIN history h ON h.seq = d.seq WHERE e.space = ",
            );
            script.value(i64::from(query.space.0));
            script.sql(" AND e.kind = ").value(query.kind.as_str());
        }
        Driver::Attribute(name, filter) => {
            script.sql(
                " FROM attribute a CROSS JOIN entity e ON e.no = a.entity \
                 CROSS JOIN head d ON d.entity = a.entity \
                 LEFT JOIN history h ON h.seq = d.seq WHERE ",
            );
            push_attribute(script, query, name);
            if let Some(filter) = filter {
                script.sql(" AND ");
                push_test(script, "a.value", filter);
            }
        }
    }
    // The head has the last word on every filter, also on the one the index answered.
    for filter in &query.filters {
        // A head whose attributes cannot be read passes, to be shown as damaged.
        script.sql(" AND CASE WHEN json_valid(d.attrs) THEN ");
        push_test(script, &head_attribute(&filter.name), filter);
        script.sql(" ELSE d.attrs IS NOT NULL END");
    }
}

fn push_attribute(script: &mut Script, query: &Query, name: &AttrName) {
    script.sql("a.space = ").value(i64::from(query.space.0));
    script.sql(" AND a.kind = ").value(query.kind.as_str());
    script.sql(" AND a.name = ").value(name.as_str());
}

/// An attribute as the head states it. Names hold nothing that would need quoting.
fn head_attribute(name: &AttrName) -> String {
    format!("CASE WHEN json_valid(d.attrs) THEN d.attrs ->> '{name}' END")
}
