//! Ten thousand rows: the views find by indexes, and nothing is walked for each row.

use outlast_core::{Expect, Op, Put};

use crate::house::{House, append, apply, attrs, key};
use crate::views::table;

const ROWS: i64 = 10_000;

/// Rows of several kinds, as many of each, in few commits.
async fn fill(house: &House) {
    let store = house.open().await;
    for from in (0..ROWS).step_by(250) {
        let ops = (from..from + 250).flat_map(|n| {
            let put = |kind: &str, group: String| {
                let id = key(kind, &format!("{kind}{n}"));
                let attrs = attrs(&[
                    ("status", "waiting".into()),
                    ("group", group.as_str().into()),
                    ("place", n.into()),
                ]);
                let state = outlast_core::Json::parse("{\"place\":1,\"artifact_ids\":[\"a\"]}");
                let state = state.unwrap();
                Op::Put(Put { key: id, expect: Expect::Any, schema: 1, attrs, state })
            };
            let item = put("window_item", format!("window{}", n % 1000));
            [put("window", "g".into()), item, put("agent", format!("swarm{}", n % 10))]
        });
        let ops: Vec<Op> = ops.collect();
        apply(&store, ops).await;
    }
    let event = b"{\"category\":\"ops\",\"level\":\"info\",\"message\":\"m\"}".as_slice();
    let events = vec![event; 1000];
    for _ in 0..10 {
        apply(&store, [append(&key("event", "log"), &events)]).await;
    }
}

/// The steps of a plan that walk something other than what the view has put together itself.
async fn walks(house: &House, sql: &str) -> Vec<String> {
    let plan = table(house, &format!("EXPLAIN QUERY PLAN {sql}")).await;
    let steps = plan.into_iter().map(|mut step| step.remove(3));
    let own = ["step", "json_each", "c", "r", "i", "a", "m", "lineages"];
    let walks = |step: &String| {
        let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
        table.is_some_and(|table| !own.contains(&table))
    };
    steps.filter(walks).collect()
}

#[tokio::test]
async fn no_view_walks_a_whole_table_but_the_audit() {
    let house = House::new();
    fill(&house).await;
    for view in [
        "agent_states",
        "commands",
        "current_states",
        "event_log",
        "hosts",
        "logic_operation_state",
        "pipelines",
        "recovery_checkpoints",
        "session_states",
        "state_version",
        "swarm_states",
        "window_items",
    ] {
        let found = walks(&house, &format!("SELECT * FROM {view}")).await;
        assert!(found.is_empty(), "{view}: {found:?}");
    }
    let found = table(
        &house,
        "SELECT count(*), sum(length(state_snapshot)) > 0 FROM logic_operation_state",
    )
    .await;
    assert_eq!(found, [[ROWS.to_string(), "1".to_owned()]]);
    let found = table(&house, "SELECT count(*), count(message) FROM event_log").await;
    assert_eq!(found, [[ROWS.to_string(), ROWS.to_string()]]);
}

#[tokio::test]
async fn one_row_is_found_by_its_name() {
    let house = House::new();
    fill(&house).await;
    for (view, column, place) in [
        ("agent_states", "id", "(space=? AND kind=? AND id=?)"),
        ("logic_operation_state", "id", "(space=? AND kind=? AND id=?)"),
        ("current_states", "entity_type = 'agent' AND entity_id", "(space=? AND kind=? AND id=?)"),
        ("window_items", "window_id", "(space=? AND kind=? AND name=? AND value=?)"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE {column} = 'x'");
        let plan = table(&house, &sql).await;
        assert!(plan[0][3].ends_with(place), "{view}: {plan:?}");
    }
    let sql = "SELECT id, json_array_length(artifact_ids) FROM logic_operation_state \
               WHERE id = 'window7'";
    assert_eq!(table(&house, sql).await, [["window7", "10"]]);
}
