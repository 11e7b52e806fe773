//! Windows with what they hold, and the snapshot that is put together of both.

use outlast_core::{Window, WindowItem, WindowKind, WindowStatus};
use outlast_store::Store;
use serde_json::{Value, json};

use super::{NOW, assert_row, create, now, row, store};
use crate::house::House;
use crate::views::table;

/// Written as JSON, so that a field more in the model is no concern of the views.
pub(super) fn window(operation: WindowKind) -> Window {
    let is_join = operation == WindowKind::Join;
    let mut window = json!({
        "status": "waiting",
        "operation": operation,
        "agent_name": "doctor",
        "subscription": "scans",
        "subscription_index": 2,
        "fingerprint": "f00d",
        "collected": { "xray": 2 },
        "items_collected": 2,
        "window_ms": 1000,
        "opened_at_seq": 5,
        "created_at": NOW,
        "window_end": NOW,
    });
    if is_join {
        window["correlation_key"] = "\"p7\"".into();
        window["required"] = json!({ "xray": 2, "lab": 1 });
    } else {
        window["items_target"] = 10.into();
    }
    serde_json::from_value(window).unwrap()
}

pub(super) async fn add_item(store: &Store, window: &str, place: u64, artifacts: &[&str]) {
    let item = json!({
        "window_id": window,
        "place": place,
        "artifact_ids": artifacts,
        "type_name": "xray",
        "added_at": NOW,
    });
    let item: WindowItem = serde_json::from_value(item).unwrap();
    create(store, &format!("{window}/{place}"), &item).await;
}

#[tokio::test]
async fn a_join_shows_what_it_waits_for() {
    let house = House::new();
    let store = store(&house).await;
    create(&store, "w1", &window(WindowKind::Join)).await;
    let expected = [
        ("id", "w1"),
        ("agent_name", "doctor"),
        ("subscription_index", "2"),
        ("operation_type", "join"),
        ("correlation_key", "\"p7\""),
        ("created_at", NOW),
        ("window_end", NOW),
        ("deadline", NOW),
        ("collected_types", "[\"xray\"]"),
        ("required_types", "[\"lab\",\"xray\"]"),
        ("collected_counts", "{\"xray\":2}"),
        ("required_counts", "{\"lab\":1,\"xray\":2}"),
        ("items_collected", "2"),
        ("items_target", "NULL"),
        ("status", "waiting"),
        ("version", "1"),
        ("subscription", "scans"),
        ("fingerprint", "f00d"),
        ("artifact_ids", "[]"),
        ("opened_at_seq", "5"),
        ("completed_at", "NULL"),
        ("updated_at", NOW),
    ];
    assert_row(&house, "logic_operation_state", &expected).await;
}

#[tokio::test]
async fn a_batch_shows_how_it_was_handed_over() {
    let house = House::new();
    let store = store(&house).await;
    create(&store, "b1", &window(WindowKind::Batch)).await;
    let hand_over = |window: &mut Window| {
        window.status = WindowStatus::Dispatching;
        let dispatch = json!({
            "id": "d1", "attempts": 2, "reason": "timeout", "dispatched_at": NOW,
            "next_attempt_at": "2026-03-14T02:00:00.000000Z",
        });
        window.dispatch = Some(serde_json::from_value(dispatch).unwrap());
        Ok(())
    };
    store.kind::<Window>().update("b1", hand_over).await.unwrap();
    let next = [("status", "dispatching"), ("deadline", "2026-03-14T02:00:00.000000Z")];
    assert_row(&house, "logic_operation_state", &next).await;
    let end = |window: &mut Window| {
        window.status = WindowStatus::Flushed;
        window.finished_at = Some(now());
        Ok(())
    };
    store.kind::<Window>().update("b1", end).await.unwrap();
    let expected = [
        ("operation_type", "batch"),
        ("correlation_key", "NULL"),
        ("required_types", "NULL"),
        ("items_target", "10"),
        ("status", "flushed"),
        ("window_end", NOW),
        ("deadline", "NULL"),
        ("dispatch_id", "d1"),
        ("dispatch_attempts", "2"),
        ("dispatch_reason", "timeout"),
        ("dispatched_at", NOW),
        ("completed_at", NOW),
        ("version", "3"),
    ];
    assert_row(&house, "logic_operation_state", &expected).await;
}

#[tokio::test]
async fn the_snapshot_holds_the_window_and_its_items_in_the_order_of_arrival() {
    let house = House::new();
    let store = store(&house).await;
    create(&store, "w1", &window(WindowKind::Join)).await;
    // Ids sort otherwise than places: w1/10 is before w1/2.
    for (place, artifacts) in [(10, vec!["a5"]), (2, vec!["a9", "a1"]), (1, vec!["a3"])] {
        add_item(&store, "w1", place, &artifacts).await;
    }
    add_item(&store, "w2", 1, &["foreign"]).await;
    assert_row(
        &house,
        "logic_operation_state",
        &[("artifact_ids", "[\"a3\",\"a9\",\"a1\",\"a5\"]")],
    )
    .await;
    let text = row(&house, "logic_operation_state", &["state_snapshot"]).await.remove(0);
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = snapshot.as_object().unwrap().keys().collect();
    assert_eq!(names, ["format", "id", "items", "version", "window"]);
    assert_eq!((&snapshot["format"], &snapshot["version"]), (&1.into(), &1.into()));
    assert_eq!(snapshot["id"], "w1");
    let restored: Window = serde_json::from_value(snapshot["window"].clone()).unwrap();
    assert_eq!(restored, window(WindowKind::Join));
    let items: Vec<WindowItem> = serde_json::from_value(snapshot["items"].clone()).unwrap();
    let places: Vec<u64> = items.iter().map(|item| item.place).collect();
    assert_eq!(places, [1, 2, 10]);
    assert_eq!(items[1].artifact_ids, ["a9", "a1"]);
}

#[tokio::test]
async fn damage_spoils_its_own_row_only() {
    let house = House::new();
    let store = store(&house).await;
    for id in ["w1", "w2"] {
        create(&store, id, &window(WindowKind::Join)).await;
        add_item(&store, id, 1, &["a1"]).await;
        add_item(&store, id, 2, &["a2"]).await;
    }
    let broken = "(SELECT no FROM entity WHERE id IN ('w1', 'w2/1'))";
    for text in ["'{\"x'", "CAST(x'ff7b' AS TEXT)", "'[1]'", "'7'", "NULL"] {
        let sql =
            format!("UPDATE history SET state = {text}, attrs = {text} WHERE entity IN {broken}");
        house.sql(&sql).await;
        let sql = "SELECT id, status, artifact_ids, json_valid(state_snapshot) \
                   FROM logic_operation_state ORDER BY id";
        let expected = [["w1", "NULL", "[\"a1\",\"a2\"]", "1"], ["w2", "waiting", "[\"a2\"]", "1"]];
        assert_eq!(table(&house, sql).await, expected, "{text}");
    }
}
