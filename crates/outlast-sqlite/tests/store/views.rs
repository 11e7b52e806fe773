//! The views show what happened, as text that people read.

use outlast_core::{AttrValue, Expect, NewEntry, Op, Timestamp};
use outlast_sqlite::Sqlite;
use sqlx::Row;

use crate::house::{House, append, apply, attrs, key, put, put_with};

pub(crate) async fn table(house: &House, sql: &str) -> Vec<Vec<String>> {
    let rows = house.sql(sql).await;
    let text = |row: &sqlx::sqlite::SqliteRow, column: usize| {
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).unwrap();
        bytes.map_or("NULL".to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    rows.iter().map(|row| (0..row.len()).map(|column| text(row, column)).collect()).collect()
}

async fn set_status(store: &Sqlite, id: &str, status: &str, state: &str) {
    let attrs = attrs(&[("status", status.into()), ("group", "r1".into())]);
    apply(store, [put_with(&key("task", id), state, attrs)]).await;
}

const TASK: &str = r#"{"run_id":"r1","name":"build","command":["cargo","build"],"cwd":"/src",
    "created_at":"2026-03-14T01:00:00.000000Z","started_at":"2026-03-14T01:00:01.000000Z",
    "finished_at":"2026-03-14T01:00:09.000000Z",
    "process":{"pid":42,"start_ticks":777,"boot_id":"b00t"},"exit_code":0,"error":null,
    "idle_threshold_ms":30000,"attempt":1,"recovery":"interrupt","retry_of":null}"#;

#[tokio::test]
async fn tasks_are_shown_with_their_columns() {
    let house = House::new();
    let store = house.open().await;
    set_status(&store, "t1", "created", "{\"name\":\"build\",\"command\":\"make\"}").await;
    set_status(&store, "t1", "running", TASK).await;
    let task = key("task", "t1");
    let beat = attrs(&[("last_activity_at", AttrValue::Int(-1))]);
    apply(&store, [Op::Touch { key: task, attrs: beat }]).await;
    set_status(&store, "t2", "created", "{\"name\":\"gone\"}").await;
    apply(&store, [Op::Delete { key: key("task", "t2"), expect: Expect::Live }]).await;
    apply(&store, [put(&key("other", "t3"), "{}")]).await;
    let found = table(
        &house,
        "SELECT id, run_id, name, command, cwd, state, created_at, started_at, finished_at, pid, \
         process_start_token, exit_code, error, idle_threshold_ms, attempt, recovery_policy, \
         retry_of, owner_instance, last_activity_at, version FROM tasks",
    )
    .await;
    let expected = [
        "t1",
        "r1",
        "build",
        "[\"cargo\",\"build\"]",
        "/src",
        "running",
        "2026-03-14T01:00:00.000000Z",
        "2026-03-14T01:00:01.000000Z",
        "2026-03-14T01:00:09.000000Z",
        "42",
        "b00t:777",
        "0",
        "NULL",
        "30000",
        "1",
        "interrupt",
        "NULL",
        "NULL",
        "1969-12-31T23:59:59.999999Z",
        "2",
    ];
    assert_eq!(found, [expected]);
}

#[tokio::test]
async fn every_status_change_is_one_row() {
    let house = House::new();
    let store = house.open().await;
    let walk = ["created", "running", "running", "idle", "running", "completed"];
    for status in walk {
        set_status(&store, "t1", status, "{}").await;
    }
    set_status(&store, "t2", "created", "{}").await;
    set_status(&store, "t2", "failed", "{}").await;
    let sql = "SELECT task_id, seq, from_state, to_state, event, actor FROM task_states \
               ORDER BY task_id, seq";
    let row = |cells: [&str; 6]| cells.map(str::to_owned).to_vec();
    let expected = [
        row(["t1", "1", "NULL", "created", "create", "system"]),
        row(["t1", "2", "created", "running", "start", "system"]),
        row(["t1", "3", "running", "idle", "detect_silence", "system"]),
        row(["t1", "4", "idle", "running", "detect_activity", "system"]),
        row(["t1", "5", "running", "completed", "finish", "system"]),
        row(["t2", "1", "NULL", "created", "create", "system"]),
        row(["t2", "2", "created", "failed", "fail", "system"]),
    ];
    assert_eq!(table(&house, sql).await, expected);
    let quoted = "SELECT \"from\", \"to\" FROM task_states WHERE task_id = 't2' AND seq = 2";
    assert_eq!(table(&house, quoted).await, [["created", "failed"]]);
    let at = table(&house, "SELECT at FROM task_states").await;
    assert!(at.iter().all(|at| at[0].parse::<Timestamp>().unwrap().to_string() == at[0]));
}

#[tokio::test]
async fn output_is_shown_as_it_was_written() {
    let house = House::new();
    let store = house.open().await;
    let entry = |stream: &str, offset: i64, data: &[u8]| NewEntry {
        at: Some(Timestamp::from_micros(1_500_000)),
        attrs: attrs(&[
            ("stream", stream.into()),
            ("byte_offset", offset.into()),
            ("line_count", 1.into()),
        ]),
        data: data.to_vec(),
    };
    let entries = vec![entry("stdout", 0, b"hello\n"), entry("stderr", 6, b"")];
    apply(&store, [Op::Append { stream: key("log", "t1"), entries }]).await;
    apply(&store, [append(&key("events", "t1"), &[b"not a log"])]).await;
    let sql = "SELECT task_id, seq, stream, at, byte_offset, data, n_lines, codec \
               FROM log_fragments ORDER BY seq";
    let expected = [
        ["t1", "1", "stdout", "1970-01-01T00:00:01.500000Z", "0", "hello\n", "1", "NULL"],
        ["t1", "2", "stderr", "1970-01-01T00:00:01.500000Z", "6", "", "1", "NULL"],
    ];
    assert_eq!(table(&house, sql).await, expected);
}

#[tokio::test]
async fn versions_and_audit_are_shown_for_every_kind() {
    let house = House::new();
    let store = house.open().await;
    let item = key("item", "a");
    apply(&store, [put(&item, "1")]).await;
    apply(&store, [put(&item, "2")]).await;
    apply(&store, [Op::Delete { key: item, expect: Expect::Live }]).await;
    let sql = "SELECT entity_type, entity_id, version, deleted FROM state_versions";
    assert_eq!(table(&house, sql).await, [["item", "a", "3", "1"]]);
    let sql = "SELECT entity_type, entity_id, action, previous_state, new_state, triggered_by, \
               version FROM state_audit_log ORDER BY id";
    let expected = [
        ["item", "a", "create", "NULL", "1", "system", "1"],
        ["item", "a", "update", "1", "2", "system", "2"],
        ["item", "a", "delete", "2", "NULL", "system", "3"],
    ];
    assert_eq!(table(&house, sql).await, expected);
}

#[tokio::test]
async fn damaged_text_spoils_its_own_row_only() {
    let house = House::new();
    let store = house.open().await;
    for id in ["t1", "t2"] {
        set_status(&store, id, "created", TASK).await;
        set_status(&store, id, "running", TASK).await;
        apply(&store, [append(&key("log", id), &[b"line"])]).await;
    }
    for column in ["state", "attrs"] {
        house.sql(&format!("UPDATE history SET {column} = '{{\"x' WHERE entity = 1")).await;
        house.sql(&format!("UPDATE history SET {column} = CAST(x'ff7b' AS TEXT) WHERE entity = 1 AND version = 1")).await;
    }
    house.sql("UPDATE head SET transient = '{' WHERE entity = 1").await;
    house.sql("UPDATE stream_entry SET attrs = '{' WHERE id >> 32 = 1").await;
    let sql = "SELECT id, name FROM tasks ORDER BY id";
    assert_eq!(table(&house, sql).await, [["t1", "NULL"], ["t2", "build"]]);
    for view in ["task_states", "log_fragments", "state_audit_log", "state_versions"] {
        assert!(table(&house, &format!("SELECT * FROM {view}")).await.len() >= 2, "{view}");
    }
}
