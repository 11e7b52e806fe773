//! Swarms, agents, sessions, checkpoints and the audit.

use std::sync::Arc;

use outlast_core::{
    Actor, Agent, AgentStatus, Backend, Cause, Checkpoint, Key, Session, Swarm, SwarmStatus,
};
use outlast_store::{Store, StoreOptions};
use serde_json::json;

use super::{NOW, assert_row, create, now, over, store};
use crate::house::{House, apply, attrs, key, put, put_with};
use crate::views::table;

pub(super) fn swarm() -> Swarm {
    let config = json!({
        "name": "builders",
        "task": "build it",
        "initial_agents": 2,
        "max_agents": 5,
        "strategy": "map_reduce",
        "model": "large",
    });
    let budget = json!({
        "allocated": 100, "consumed": 130, "currency": "EUR", "warning_percent": 80,
    });
    let mut swarm = Swarm::new(serde_json::from_value(config).unwrap(), now());
    swarm.budget = serde_json::from_value(budget).unwrap();
    swarm
}

pub(super) fn agent(swarm: Option<&str>) -> Agent {
    Agent { swarm_id: swarm.map(str::to_owned), ..Agent::new("large", "dig", now()) }
}

#[tokio::test]
async fn a_swarm_shows_its_budget_and_its_agents() {
    let house = House::new();
    let store = store(&house).await;
    create(&store, "s1", &swarm()).await;
    for (id, group) in [("b", Some("s1")), ("a", Some("s1")), ("c", None)] {
        create(&store, id, &agent(group)).await;
    }
    store.kind::<Swarm>().transition("s1", SwarmStatus::Active).await.unwrap();
    let expected = [
        ("id", "s1"),
        ("status", "active"),
        ("version", "2"),
        ("name", "builders"),
        ("task", "build it"),
        ("strategy", "map_reduce"),
        ("model", "large"),
        ("initial_agents", "2"),
        ("max_agents", "5"),
        ("target_agents", "NULL"),
        ("agents", "[\"a\",\"b\"]"),
        ("budget_allocated", "100"),
        ("budget_consumed", "130"),
        ("budget_remaining", "0"),
        ("budget_currency", "EUR"),
        ("budget_warning_percent", "80"),
        ("budget_critical_percent", "NULL"),
        ("total_agents", "0"),
        ("needs_reconcile", "0"),
        ("created_at", NOW),
        ("completed_at", "NULL"),
        ("updated_at", NOW),
        ("space", "0"),
    ];
    assert_row(&house, "swarm_states", &expected).await;
}

#[tokio::test]
async fn a_deleted_entity_is_not_shown() {
    let house = House::new();
    let store = store(&house).await;
    create(&store, "s1", &swarm()).await;
    let agents = store.kind::<Agent>();
    let gone = agents.create("a", &agent(Some("s1"))).await.unwrap();
    agents.delete(&gone).await.unwrap();
    assert!(table(&house, "SELECT 1 FROM agent_states").await.is_empty());
    assert_row(&house, "swarm_states", &[("agents", "[]")]).await;
}

#[tokio::test]
async fn an_agent_shows_its_life() {
    let house = House::new();
    let store = store(&house).await;
    let mut agent = agent(Some("s1"));
    agent.session_id = Some("t1".into());
    agent.fallback_models = vec!["small".into()];
    agent.metadata = Some(json!({ "label": "digger" }));
    create(&store, "a1", &agent).await;
    assert_row(&house, "agent_states", &[("status", "pending"), ("lifecycle_state", "idle")]).await;
    let agents = store.kind::<Agent>();
    agents.transition("a1", AgentStatus::Running).await.unwrap();
    let retry = |agent: &mut Agent| {
        agent.status = AgentStatus::Retrying;
        agent.retry_count = 1;
        agent.next_retry_at = Some(now());
        agent.last_error = Some("out of luck".into());
        agent.started_at = Some(now());
        agent.runtime_ms = Some(7);
        Ok(())
    };
    agents.update("a1", retry).await.unwrap();
    let expected = [
        ("id", "a1"),
        ("status", "retrying"),
        ("lifecycle_state", "retrying"),
        ("version", "3"),
        ("swarm_id", "s1"),
        ("session_id", "t1"),
        ("parent_id", "NULL"),
        ("model", "large"),
        ("fallback_models", "[\"small\"]"),
        ("task", "dig"),
        ("retry_count", "1"),
        ("max_retries", "3"),
        ("next_retry_at", NOW),
        ("last_error", "out of luck"),
        ("started_at", NOW),
        ("completed_at", "NULL"),
        ("runtime_ms", "7"),
        ("metadata", "{\"label\":\"digger\"}"),
    ];
    assert_row(&house, "agent_states", &expected).await;
}

#[tokio::test]
async fn a_session_and_a_checkpoint_show_whose_they_are() {
    let house = House::new();
    let store = store(&house).await;
    let mut session = Session::new("tree", "main", now());
    session.swarm_id = Some("s1".into());
    session.entry_count = 4;
    create(&store, "t1", &session).await;
    let expected = [
        ("id", "t1"),
        ("status", "open"),
        ("version", "1"),
        ("session_tree_id", "tree"),
        ("swarm_id", "s1"),
        ("branch_name", "main"),
        ("entry_count", "4"),
        ("last_entry_id", "NULL"),
        ("closed_at", "NULL"),
    ];
    assert_row(&house, "session_states", &expected).await;
    let checkpoint = json!({
        "of": Key::new("swarm", "s1").unwrap(),
        "version": { "epoch": 1, "n": 3 },
        "schema": 1,
        "data": { "status": "active" },
        "reason": Checkpoint::STOP,
        "created_at": NOW,
    });
    let checkpoint: Checkpoint = serde_json::from_str(&checkpoint.to_string()).unwrap();
    create(&store, "c1", &checkpoint).await;
    let expected = [
        ("id", "c1"),
        ("timestamp", NOW),
        ("entity_type", "swarm"),
        ("entity_id", "s1"),
        ("data", "{\"status\":\"active\"}"),
        ("reason", "orchestrator_stop"),
        ("entity_version", "3"),
        ("schema", "1"),
    ];
    assert_row(&house, "recovery_checkpoints", &expected).await;
}

#[tokio::test]
async fn the_audit_shows_what_was_audited_and_nothing_else() {
    let house = House::new();
    let backend: Arc<dyn Backend> = Arc::new(house.open().await);
    let options = StoreOptions { audit: false, ..StoreOptions::default() };
    let silent = Store::open(backend.clone(), options);
    create(&silent, "a1", &agent(None)).await;
    let agents = over(backend).kind::<Agent>();
    let ann = Cause::by(Actor::User(outlast_core::Id::new("ann").unwrap())).because("to try");
    agents.with_cause(ann).transition("a1", AgentStatus::Running).await.unwrap();
    silent.kind::<Agent>().transition("a1", AgentStatus::Killed).await.unwrap();
    let sql = "SELECT entity_type, entity_id, action, triggered_by, reason, version, \
               previous_state ->> '$.status', new_state ->> '$.status', timestamp \
               FROM state_audit_log";
    let expected =
        ["agent", "a1", "status_change", "user:ann", "to try", "2", "pending", "running", NOW];
    assert_eq!(table(&house, sql).await, [expected]);
    let version = table(&house, "SELECT id, version FROM state_version").await;
    assert_eq!(version, [["1", "3"]], "what is not audited is counted all the same");
}

#[tokio::test]
async fn secret_states_are_not_shown_in_the_audit() {
    let house = House::new();
    let store = house.open().await;
    let secret = attrs(&[("redacted", 1.into())]);
    apply(&store, [put_with(&key("vault", "v"), "1", secret.clone())]).await;
    apply(&store, [put(&key("vault", "v"), "2")]).await;
    apply(&store, [put_with(&key("vault", "v"), "3", secret.clone())]).await;
    let sql = "SELECT action, previous_state, new_state FROM state_audit_log ORDER BY id";
    let expected = [["create", "NULL", "NULL"], ["update", "NULL", "2"], ["update", "2", "NULL"]];
    assert_eq!(table(&house, sql).await, expected);
    apply(&store, [put_with(&key("checkpoint", "c"), "{\"data\":3}", secret)]).await;
    let copied = "{\"data\":3,\"attrs\":{\"redacted\":1}}";
    apply(&store, [put(&key("checkpoint", "d"), copied)]).await;
    apply(&store, [put(&key("checkpoint", "e"), "{\"data\":3}")]).await;
    let sql = "SELECT id, data FROM recovery_checkpoints ORDER BY id";
    assert_eq!(table(&house, sql).await, [["c", "NULL"], ["d", "NULL"], ["e", "3"]]);
}
