//! What is counted.

use std::time::Duration;

use outlast_core::{
    Agent, AgentStatus, Entity, Session, SessionStatus, Space, Status, Swarm, SwarmConfig,
    SwarmStatus,
};
use outlast_orchestrator::statistics::{MOST_AUDIT_ENTRIES, gather};
use outlast_store::{Backlog, Store, StoreOptions};
use serde_json::{Value, json};

use crate::opened::{BACKENDS, open_with};
use crate::{now, still};

fn swarm(status: SwarmStatus) -> Swarm {
    let config = json!({ "name": "n", "task": "t", "initial_agents": 1, "max_agents": 1 });
    let config: SwarmConfig = serde_json::from_value(config).unwrap();
    Swarm { status, ..Swarm::new(config, now()) }
}

fn agent(status: AgentStatus) -> Agent {
    Agent { status, ..Agent::new("m", "t", now()) }
}

async fn create<T: Entity>(store: &Store, id: usize, value: &T) {
    store.kind::<T>().create(&id.to_string(), value).await.unwrap();
}

#[tokio::test]
async fn the_four_figures_count_what_they_say() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = still(backend, &folder.path().join("state")).await;
        for (id, status) in SwarmStatus::ALL.iter().enumerate() {
            create(&store, id, &swarm(*status)).await;
        }
        for (id, status) in AgentStatus::ALL.iter().enumerate() {
            create(&store, id, &agent(*status)).await;
        }
        for id in 0..3 {
            create(&store, id, &Session::new("tree", "main", now())).await;
        }
        let sessions = store.kind::<Session>();
        sessions.transition("0", SessionStatus::Closed).await.unwrap();
        let gone = sessions.get("1").await.unwrap();
        sessions.delete(&gone).await.unwrap();
        let found = gather(&store).await.unwrap();
        assert_eq!(found.active_swarms, 4, "{backend}: creating, active, scaling, paused");
        assert_eq!(found.active_agents, 6, "{backend}: all but completed, failed, killed");
        assert_eq!(found.total_sessions, 2, "{backend}");
        assert_eq!(found.recent_audit_entries, 7 + 9 + 5, "{backend}");
        assert_eq!(found.count("session", "open"), 1, "{backend}");
        assert_eq!(found.count("session", "closed"), 1, "{backend}");
        assert_eq!(found.count("session", "bent"), 0, "{backend}");
        let agents = found.kinds.iter().find(|count| count.kind.as_str() == "agent").unwrap();
        assert_eq!((agents.space, agents.total, agents.by_status.len()), (Space(0), 9, 9));
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_last_hour_is_an_hour_to_the_microsecond() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let (store, clock) = still(backend, &folder.path().join("state")).await;
        create(&store, 1, &agent(AgentStatus::Pending)).await;
        clock.advance(Duration::from_micros(1));
        create(&store, 2, &agent(AgentStatus::Pending)).await;
        let audited = gather(&store).await.unwrap().recent_audit_entries;
        assert_eq!(audited, 2, "{backend}");
        clock.advance(Duration::from_hours(1));
        let audited = gather(&store).await.unwrap().recent_audit_entries;
        assert_eq!(audited, 1, "{backend}: the first is of an hour and a microsecond ago");
        clock.advance(Duration::from_micros(1));
        let audited = gather(&store).await.unwrap().recent_audit_entries;
        assert_eq!(audited, 0, "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_audited_is_not_counted_as_audit() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { audit: false, ..StoreOptions::default() };
    let store = open_with("memory", folder.path(), options).await;
    create(&store, 1, &agent(AgentStatus::Pending)).await;
    let found = gather(&store).await.unwrap();
    assert_eq!((found.active_agents, found.recent_audit_entries), (1, 0));
}

#[tokio::test]
async fn counting_the_audit_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = still("memory", folder.path()).await;
    let most = usize::try_from(MOST_AUDIT_ENTRIES).unwrap();
    for from in (0..most + 1000).step_by(500) {
        let mut draft = store.draft();
        for id in from..from + 500 {
            draft.create(&id.to_string(), &agent(AgentStatus::Pending)).unwrap();
        }
        draft.commit().await.unwrap();
    }
    let found = gather(&store).await.unwrap();
    assert_eq!(found.recent_audit_entries, MOST_AUDIT_ENTRIES);
    assert_eq!(found.active_agents, MOST_AUDIT_ENTRIES + 1000, "the rest is not bounded");
}

#[tokio::test]
async fn they_say_of_what_store_and_of_which_moment_they_are() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = still(backend, &folder.path().join("state")).await;
        create(&store, 1, &agent(AgentStatus::Pending)).await;
        let found = gather(&store).await.unwrap();
        assert!(found.is_of_one_moment(), "{backend}");
        assert_eq!((found.from.0, found.at), (1, now()), "{backend}");
        assert_eq!(found.backend, backend);
        assert_eq!(found.schema_version, store.info().schema_version);
        assert!(found.bytes > 0, "{backend}");
        assert_eq!(found.divergence, None);
        assert_eq!(found.backlog, Backlog::default());
        let json = serde_json::to_value(&found).unwrap();
        for (name, expected) in [
            ("active_swarms", json!(0)),
            ("active_agents", json!(1)),
            ("total_sessions", json!(0)),
            ("recent_audit_entries", json!(1)),
            ("divergence", Value::Null),
            ("backlog", json!({ "batches": 0, "bytes": 0, "lag_ms": 0 })),
            ("last_recovery", Value::Null),
            ("at", json!("2023-11-14T22:13:20.000000Z")),
        ] {
            assert_eq!(json[name], expected, "{backend}: {name}");
        }
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_one_moment_fit_together_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = still("memory", folder.path()).await;
    create(&store, 0, &agent(AgentStatus::Pending)).await;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            // An agent and a session at a time: there are as many of the one as of the other.
            for id in 1..300 {
                let mut draft = store.draft();
                draft.create(&id.to_string(), &agent(AgentStatus::Pending)).unwrap();
                let session = Session::new("tree", "main", now());
                draft.create(&id.to_string(), &session).unwrap();
                draft.commit().await.unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let found = gather(&store).await.unwrap();
        assert!(found.from <= found.to);
        if found.is_of_one_moment() {
            assert_eq!(found.active_agents, found.total_sessions + 1);
        }
    }
    writer.await.unwrap();
    let found = gather(&store).await.unwrap();
    assert!(found.is_of_one_moment());
    assert_eq!((found.active_agents, found.total_sessions), (300, 299));
}
