//! Bytes that rot in places the conformance suite does not know.

use outlast_core::{
    Admin, AttrName, Backend, ErrorKind, Filter, HistoryQuery, Op, OpenOptions, Page, Prune,
    PrunePlan, Query, RandomIds, Revision, Scope, Seq, Slot, StreamQuery,
};
use outlast_sqlite::Sqlite;

use crate::house::{
    House, append, apply, assert_whole, attrs, batch, key, live, put, put_with, send, slot,
};

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
        "beneath = 1",
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
async fn a_layout_that_cannot_be_read_is_corrupt() {
    let house = House::new();
    filled(&house).await.close().await.unwrap();
    let bytes = std::fs::read(house.file()).unwrap();
    // What was there before the last change of the layout may still lie in the file.
    let text = b"transient          TEXT";
    let copies: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text)).collect();
    assert!(!copies.is_empty());
    for offset in [0, 19] {
        let mut rotten = bytes.clone();
        for at in &copies {
            rotten[at + offset] |= 0x80;
        }
        std::fs::write(house.file(), &rotten).unwrap();
        let refused = Sqlite::open(&house.file(), &OpenOptions::existing(), &RandomIds).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn a_row_under_another_number_is_no_version() {
    let house = House::new();
    let store = filled(&house).await;
    house.sql("UPDATE history SET seq = seq + (1 << 30) WHERE entity = 2 AND version = 2").await;
    let all = HistoryQuery::of(Scope::All(None));
    let versions = store.history(&all).await.unwrap().items;
    assert_eq!(versions.iter().filter(|version| version.is_ok()).count(), 8, "{versions:?}");
}

#[tokio::test]
async fn nothing_is_planned_from_a_damaged_head() {
    let columns = [
        "DELETE FROM head WHERE entity = 2",
        "UPDATE head SET epoch = epoch + 1 WHERE entity = 2",
        "UPDATE head SET version = version - 1 WHERE entity = 2",
        "UPDATE head SET seq = seq + 99999999 WHERE entity = 2",
        "UPDATE head SET seq = (SELECT prev_seq FROM history h WHERE h.seq = head.seq) \
         WHERE entity = 2",
        "UPDATE head SET live = 0 WHERE entity = 2",
        "UPDATE head SET checksum = checksum - 1 WHERE entity = 2",
        "UPDATE head SET attrs = '{\"status\":\"done\",\"rank\":7}' WHERE entity = 2",
    ];
    for sql in columns {
        let house = House::new();
        filled(&house).await.close().await.unwrap();
        house.sql(sql).await;
        let store = house.open().await;
        let item = key("item", "b");
        let refused = send(&store, &batch([put(&item, "4")])).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{sql}");
        assert!(refused.to_string().contains("item/b"), "{refused}");
        let listed = store.list(&Query::of(outlast_core::Kind::new("item").unwrap())).await;
        assert_eq!(listed.unwrap().items.len(), 3, "{sql} hides it from the listing");
        apply(&store, [put(&key("item", "a"), "4")]).await;
    }
}

#[tokio::test]
async fn a_merge_never_ties_a_broken_chain_together() {
    let house = House::new();
    let store = filled(&house).await;
    let item = key("item", "b");
    let all = store.history(&HistoryQuery::of(Scope::Entity(item.clone()))).await.unwrap().items;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    house.sql("DELETE FROM history WHERE entity = 2 AND version = 2").await;
    let merge = Op::MergeRecord { record: Box::new(all[2].clone()), history: all[..1].to_vec() };
    let refused = send(&store, &batch([merge])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert!(!damages(&store).await.is_empty());
}

#[tokio::test]
async fn a_damaged_commit_is_not_answered_again() {
    let changes = [
        "digest = digest + 1",
        "at = at + 1",
        "appended = '[]'",
        "appended = NULL",
        "commit_checksum = NULL",
    ];
    for change in changes {
        let house = House::new();
        let store = house.open().await;
        let sent = batch([put(&key("item", "a"), "1"), append(&key("log", "l"), &[b"1"])]);
        send(&store, &sent).await.unwrap();
        house.sql(&format!("UPDATE history SET {change} WHERE digest IS NOT NULL")).await;
        let refused = send(&store, &sent).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{change}: {refused}");
    }
}

#[tokio::test]
async fn entries_that_are_missing_are_damage_where_they_were() {
    for (gone, whole, holes) in [
        ("= 1", 9, 1),
        ("= 5", 9, 1),
        ("= 10", 9, 1),
        ("IN (2, 3, 7)", 7, 2),
        ("% 2 = 0", 5, 5),
        ("% 2 = 1", 5, 5),
        ("> 0", 0, 1),
    ] {
        let house = House::new();
        let store = house.open().await;
        let log = key("log", "l");
        let lines: Vec<&[u8]> = vec![b"x"; 12];
        apply(&store, [append(&log, &lines)]).await;
        let prune = Prune::Entries { stream: log.clone(), up_to: Seq(2) };
        store.prune(&PrunePlan { items: vec![prune] }, 100).await.unwrap();
        house.sql(&format!("DELETE FROM stream_entry WHERE ((id & 4294967295) - 2) {gone}")).await;
        for newest_first in [false, true] {
            for limit in [1, 2, 3, 100] {
                let query = StreamQuery { newest_first, ..StreamQuery::of(log.clone()) };
                let (entries, damages) = walk(&store, query, limit).await;
                assert_eq!((entries.len(), damages), (whole, holes), "{gone} {limit}");
                assert!(entries.is_sorted_by(|a, b| if newest_first { a > b } else { a < b }));
            }
        }
        let some = StreamQuery { from: Some(Seq(4)), to: Some(Seq(4)), ..StreamQuery::of(log) };
        assert_eq!(store.read(&some).await.unwrap().items.len(), 1);
    }
}

/// All places of a stream, and how many damages stand between them.
async fn walk(store: &Sqlite, mut query: StreamQuery, limit: u32) -> (Vec<u64>, usize) {
    let (mut entries, mut damages) = (Vec::new(), 0);
    query.page = Page::first(limit);
    loop {
        let page = store.read(&query).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        for item in page.items {
            match item {
                Ok(entry) => entries.push(entry.seq.0),
                Err(_) => damages += 1,
            }
        }
        let Some(next) = page.next else { return (entries, damages) };
        query.page = query.page.after(next);
    }
}

#[tokio::test]
async fn nothing_is_appended_behind_a_damaged_end() {
    for sql in [
        "UPDATE stream SET last_seq = last_seq - 1",
        "UPDATE stream SET last_seq = last_seq + 1",
        "DELETE FROM stream_entry WHERE id & 4294967295 = 3",
    ] {
        let house = House::new();
        let store = house.open().await;
        let log = key("log", "l");
        apply(&store, [append(&log, &[b"1", b"2", b"3"])]).await;
        store.close().await.unwrap();
        house.sql(sql).await;
        let store = house.open().await;
        let refused = send(&store, &batch([append(&log, &[b"4"])])).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{sql}");
    }
}

#[tokio::test]
async fn streams_with_holes_are_found() {
    let house = House::new();
    let store = house.open().await;
    let log = key("log", "l");
    apply(&store, [append(&log, &[b"1", b"2", b"3"])]).await;
    house.sql("DELETE FROM stream_entry WHERE id & 4294967295 = 2").await;
    let found = damages(&store).await;
    assert!(found.iter().any(|damage| damage.contains("log/l")), "{found:?}");
}
