//! Bytes that rot in places the conformance suite does not know.

use outlast_core::{
    Admin, AttrName, Backend, ErrorKind, Filter, HistoryQuery, Query, Revision, Scope, Slot,
};
use outlast_sqlite::Sqlite;

use crate::house::{House, apply, assert_whole, attrs, key, live, put_with, slot};

async fn filled(house: &House) -> Sqlite {
    let store = house.open().await;
    for (id, status) in [("a", "running"), ("b", "running"), ("c", "done")] {
        let item = key("item", id);
        for state in ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"] {
            let attrs = attrs(&[("status", status.into()), ("rank", 7.into())]);
            apply(&store, [put_with(&item, state, attrs)]).await;
        }
    }
    store
}

async fn damages(store: &Sqlite) -> Vec<String> {
    let found = store.verify().await.unwrap();
    found.damages.iter().map(|damage| format!("{damage:?}")).collect()
}

#[tokio::test]
async fn every_column_of_a_version_is_covered() {
    let columns = [
        "epoch = epoch + 1",
        "version = version + 5",
        "at = at + 1",
        "action = 'other'",
        "commit_id = zeroblob(16)",
        "commit_id = x'00'",
        "checksum = checksum + 1",
        "actor = 'user:eve'",
        "actor = NULL",
        "reason = 'none'",
        "metadata = '{}'",
        "schema = 2",
        "attrs = '{\"status\":\"done\",\"rank\":7}'",
        "attrs = 'x'",
        "state = '{\"n\":4}'",
        "state = CAST(x'ff00ff' AS TEXT)",
        "state = NULL",
        "entity = 1 + entity % 3",
    ];
    for column in columns {
        let house = House::new();
        let store = filled(&house).await;
        house
            .sql(&format!(
                "UPDATE history SET {column} WHERE seq = (SELECT seq FROM head WHERE entity = 2)"
            ))
            .await;
        let found = slot(&store, &key("item", "b")).await;
        if column.starts_with("entity") {
            // The head still leads to it, and its checksum is that of its own key.
            assert!(!damages(&store).await.is_empty(), "{column} goes unnoticed");
            continue;
        }
        assert!(matches!(found, Slot::Damaged(_)), "{column} gives {found:?}");
        assert!(live(&store, &key("item", "a")).await.is_some());
        let listed =
            store.list(&Query::of(outlast_core::Kind::new("item").unwrap())).await.unwrap();
        let whole = listed.items.iter().filter(|slot| matches!(slot, Slot::Live(_))).count();
        assert_eq!((listed.items.len(), whole), (3, 2), "{column}");
        let history = HistoryQuery::of(Scope::All(None));
        let history = store.history(&history).await.unwrap().items;
        assert_eq!(history.iter().filter(|version| version.is_ok()).count(), 8, "{column}");
        assert!(!damages(&store).await.is_empty(), "{column} goes unnoticed");
    }
}

#[tokio::test]
async fn every_column_of_a_head_is_covered() {
    let columns = [
        "epoch = epoch + 1",
        "version = version + 1",
        "seq = seq + 99999999",
        "seq = (SELECT seq FROM head WHERE entity = 1)",
        "live = 0",
        "updated_at = updated_at + 1",
        "checksum = checksum - 1",
        "attrs = '{\"status\":\"done\",\"rank\":7}'",
        "attrs = 'x'",
        "transient = '{\"beat\":1}'",
        "transient = 'x'",
    ];
    for column in columns {
        let house = House::new();
        let store = filled(&house).await;
        house.sql(&format!("UPDATE head SET {column} WHERE entity = 2")).await;
        let found = slot(&store, &key("item", "b")).await;
        assert!(matches!(found, Slot::Damaged(_)), "{column} gives {found:?}");
        let listed =
            store.list(&Query::of(outlast_core::Kind::new("item").unwrap())).await.unwrap();
        assert_eq!(listed.items.len(), 3, "{column} hides it from the listing");
        assert!(!damages(&store).await.is_empty(), "{column} goes unnoticed");
    }
}

#[tokio::test]
async fn a_wrong_index_row_shows_nothing_that_was_not_asked_for() {
    let house = House::new();
    let store = filled(&house).await;
    assert_whole(&store).await;
    house.sql("UPDATE attribute SET value = 'running' WHERE entity = 3 AND name = 'status'").await;
    let kind = outlast_core::Kind::new("item").unwrap();
    let running = Query::of(kind).filter(Filter::is(AttrName::status(), "running"));
    let listed = store.list(&running).await.unwrap().items;
    let ids: Vec<String> =
        listed.into_iter().map(|slot| slot.live().unwrap().unwrap().key.id().to_owned()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(store.count(&running, &[]).await.unwrap().total, 2);
    let found = damages(&store).await;
    assert!(found.iter().any(|damage| damage.contains("item/c")), "{found:?}");
    house.sql("DELETE FROM attribute WHERE entity = 1").await;
    let found = damages(&store).await;
    assert!(found.iter().any(|damage| damage.contains("item/a")), "{found:?}");
}

#[tokio::test]
async fn broken_chains_are_found() {
    let breaks = [
        ("UPDATE history SET prev_seq = seq - 99999 WHERE entity = 2 AND version = 3", "missing"),
        ("UPDATE history SET prev_seq = seq WHERE entity = 2 AND version = 2", "order"),
        ("UPDATE history SET prev_seq = NULL WHERE entity = 2 AND version = 2", "no entity"),
        ("DELETE FROM history WHERE entity = 2 AND version = 2", "missing"),
        (
            "UPDATE history SET prev_seq = (SELECT max(seq) FROM history WHERE entity = 2) \
             WHERE entity = 2 AND version = 1",
            "order",
        ),
    ];
    for (sql, why) in breaks {
        let house = House::new();
        let store = filled(&house).await;
        house.sql(sql).await;
        let found = damages(&store).await;
        assert!(found.iter().any(|damage| damage.contains(why)), "{sql}: {found:?}");
        let history = HistoryQuery::of(Scope::Entity(key("item", "b")));
        let page = store.history(&history).await.unwrap();
        assert!(page.items.len() <= 3, "{sql} gives {} versions", page.items.len());
        assert!(live(&store, &key("item", "b")).await.is_some());
    }
}

#[tokio::test]
async fn a_commit_missing_from_the_feed_is_never_skipped() {
    let house = House::new();
    let store = filled(&house).await;
    house.sql("DELETE FROM history WHERE seq >> 16 = 5").await;
    let error = store.changes(Revision::ZERO, 100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("commit 5"), "{error}");
    assert_eq!(store.changes(Revision(5), 100).await.unwrap().items.len(), 4);
}

#[tokio::test]
async fn streams_with_holes_are_found() {
    let house = House::new();
    let store = house.open().await;
    let log = key("log", "l");
    apply(&store, [crate::house::append(&log, &[b"1", b"2", b"3"])]).await;
    house.sql("DELETE FROM stream_entry WHERE id & 4294967295 = 2").await;
    let found = damages(&store).await;
    assert!(found.iter().any(|damage| damage.contains("log/l")), "{found:?}");
}
