//! No statement that runs walks a table that grows, unless walking it is what was asked for, and
//! none sorts a stream.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Bound;

use outlast_core::{
    Action, Actor, AttrName, Backend, Expect, Filter, HistoryQuery, Kind, Op, Order, Page, Prune,
    PrunePlan, Query, Revision, Scope, Seq, StreamQuery, Test, Timestamp,
};
use sqlx::{AssertSqlSafe, Row};

use super::{append, batch, key, open, put, send};

thread_local! {
    static RAN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes the statements of a script.
pub(crate) fn ran(sql: &str) {
    let statements = sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty());
    RAN.with_borrow_mut(|ran| ran.extend(statements.map(str::to_owned)));
}

/// The statements that ran since.
pub(crate) fn take() -> Vec<String> {
    RAN.take().into_iter().collect()
}

/// The statement whose walk is what was asked for: all of history in order.
const WALK: &str =
    "FROM history h LEFT JOIN entity e ON e.no = h.entity WHERE h.entity IS NOT NULL";

#[tokio::test]
async fn no_statement_scans_a_table_that_grows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    use_everything(&store).await;
    let statements = RAN.take();
    assert!(statements.len() > 50, "only {} statements ran", statements.len());
    let mut reader = store.connections.reader().await.unwrap();
    let mut found = Vec::new();
    for statement in statements {
        // The fence is a table of the writing connection alone.
        let statement = statement.replace("(SELECT held FROM temp.fence)", "1");
        let plain = ["BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "UPDATE temp.fence"];
        if plain.iter().any(|plain| statement.starts_with(plain)) || statement.contains(WALK) {
            continue;
        }
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::raw_sql(sql).fetch_all(&mut *reader).await.unwrap();
        for row in rows {
            let step: String = row.get("detail");
            let sorts = statement.contains("x.data") && step.contains("FOR ORDER BY");
            if scans(&step) || sorts {
                found.push(format!("{step}: {statement}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

/// Whether a step walks more than a list of values, a recursion or a subquery.
fn scans(step: &str) -> bool {
    let small = [
        "v",
        "chain",
        "page",
        "meta",
        "lineage",
        "named",
        "sqlite_schema",
        "schema_migrations",
        "pragma_user_version",
    ];
    let walked = step.strip_prefix("SCAN ").map(|rest| rest.split(' ').next().unwrap_or_default());
    let values = step.contains("VALUES CLAUSE") || step.contains("CONSTANT ROW");
    walked.is_some_and(|table| !values && !small.contains(&table) && !table.starts_with('('))
}

async fn use_everything(store: &crate::Sqlite) {
    let (item, log) = (key("item", "a"), key("log", "l"));
    for rank in 0..3 {
        send(store, &batch([put(&item, "1", rank), append(&log, b"x")])).await.unwrap();
    }
    let touched = [(AttrName::new("beat").unwrap(), 1.into())].into();
    send(store, &batch([Op::Touch { key: item.clone(), attrs: touched }])).await.unwrap();
    let history = HistoryQuery::of(Scope::Entity(item.clone()));
    let versions = store.history(&history).await.unwrap().items;
    let versions: Vec<_> = versions.into_iter().map(Result::unwrap).collect();
    send(store, &batch([Op::Delete { key: item.clone(), expect: Expect::Live }])).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = open(folder.path()).await;
    let older = versions[..2].to_vec();
    let merge = Op::MergeRecord { record: Box::new(versions[2].clone()), history: vec![] };
    send(&other, &batch([merge])).await.unwrap();
    let merge = Op::MergeRecord { record: Box::new(versions[2].clone()), history: older };
    send(&other, &batch([merge])).await.unwrap();
    list_everything(store).await;
    read_everything(store).await;
    for item in [
        Prune::History { key: item.clone(), below: 2 },
        Prune::Entries { stream: log.clone(), up_to: Seq(1) },
        Prune::Stream(log),
        Prune::Tombstone {
            key: item,
            version: outlast_core::Version::new(outlast_core::Epoch(1), 4),
        },
        Prune::Commits { before: Timestamp::from_micros(i64::MAX) },
    ] {
        let pruned = store.prune(&PrunePlan { items: vec![item] }, 10).await.unwrap();
        assert!(pruned.done && pruned.rows > 0);
    }
}

async fn list_everything(store: &crate::Sqlite) {
    let rank = AttrName::new("rank").unwrap();
    let filters = [
        Filter::is(AttrName::status(), "even"),
        Filter::at_most(rank.clone(), 5),
        Filter {
            name: rank.clone(),
            test: Test::Within(Bound::Excluded("a".into()), Bound::Unbounded),
        },
    ];
    let all = Query::of(Kind::new("item").unwrap());
    let mut queries = vec![all.clone(), Query { tombstones: true, ..all.clone() }];
    queries.extend(filters.iter().map(|filter| all.clone().filter(filter.clone())));
    queries.push(Query { filters: filters.to_vec(), ..all.clone() });
    queries.push(Query { order: Order::Attr(rank.clone()), ..all.clone() });
    for query in queries {
        for descending in [false, true] {
            let value = match query.order {
                Order::Id => None,
                Order::Attr(_) => Some(1.into()),
            };
            let after = outlast_core::Cursor::listing(value.as_ref(), "0");
            for page in [Page::first(3), Page::first(3).after(after)] {
                let query = Query { descending, page, ..query.clone() };
                store.list(&query).await.unwrap();
            }
        }
        store.count(&query, &[]).await.unwrap();
        store.count(&query, std::slice::from_ref(&rank)).await.unwrap();
    }
}

async fn read_everything(store: &crate::Sqlite) {
    let (item, log) = (key("item", "a"), key("log", "l"));
    store.get(std::slice::from_ref(&item)).await.unwrap();
    store.kinds().await.unwrap();
    let place = outlast_core::Cursor::listing(Some(&1.into()), "1");
    for scope in
        [Scope::Entity(item), Scope::All(None), Scope::All(Some(Kind::new("item").unwrap()))]
    {
        for newest_first in [false, true] {
            let after = match scope {
                Scope::Entity(_) => place.clone(),
                Scope::All(_) => outlast_core::Cursor::number(1),
            };
            for page in [Page::first(2), Page::first(2).after(after)] {
                let query = HistoryQuery { newest_first, page, ..HistoryQuery::of(scope.clone()) };
                store.history(&query).await.unwrap();
                let query = HistoryQuery {
                    from: Some(1),
                    to: Some(9),
                    since: Some(Timestamp::from_micros(0)),
                    until: Some(Timestamp::from_micros(9)),
                    actor: Some(Actor::System),
                    action: Some(Action::update()),
                    ..query
                };
                store.history(&query).await.unwrap();
            }
        }
    }
    for newest_first in [false, true] {
        let query = StreamQuery { newest_first, ..StreamQuery::of(log.clone()) };
        let filter = Filter::is(AttrName::status(), "even");
        store.read(&StreamQuery { filters: vec![filter], ..query.clone() }).await.unwrap();
        store.read(&query).await.unwrap();
    }
    let kind = Kind::new("log").unwrap();
    store.streams(&kind, &Page::first(2)).await.unwrap();
    store.streams(&kind, &Page::first(2).after(place)).await.unwrap();
    store.changes(Revision(1), 2).await.unwrap();
}
