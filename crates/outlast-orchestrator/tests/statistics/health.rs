//! What is wrong is found, and nothing else.

use std::time::Duration;

use outlast_core::{
    Agent, AgentStatus, Command, CommandStatus, OpSpec, Timestamp, Window, WindowStatus,
};
use outlast_orchestrator::statistics::{Health, HealthLimits, Severity, health};
use outlast_store::Store;
use serde_json::json;

use crate::opened::BACKENDS;
use crate::{now, still};

async fn look(store: &Store) -> Health {
    health(store, &HealthLimits::default()).await
}

fn codes(health: &Health) -> Vec<&'static str> {
    health.problems.iter().map(|problem| problem.code).collect()
}

fn window(status: WindowStatus, end: Option<Timestamp>) -> Window {
    let window = json!({
        "status": status, "operation": "batch", "agent_name": "a", "subscription": "s",
        "subscription_index": 0, "fingerprint": "f", "items_collected": 1, "opened_at_seq": 1,
        "created_at": now(), "window_end": end,
    });
    serde_json::from_value(window).unwrap()
}

#[tokio::test]
async fn a_store_in_order_is_well() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = still(backend, &folder.path().join("state")).await;
        store.kind::<Agent>().create("a", &Agent::new("m", "t", now())).await.unwrap();
        let health = look(&store).await;
        assert!(health.is_well(), "{backend}: {health:?}");
        assert_eq!(health.worst(), None);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn deadlines_that_nobody_minds_are_critical() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let (store, clock) = still(backend, &folder.path().join("state")).await;
        let mut agent = Agent::new("m", "t", now());
        agent.status = AgentStatus::Retrying;
        agent.next_retry_at = Some(now());
        store.kind::<Agent>().create("a", &agent).await.unwrap();
        let waiting = window(WindowStatus::Waiting, Some(now().plus(Duration::from_hours(1))));
        store.kind::<Window>().create("w", &waiting).await.unwrap();
        clock.advance(Duration::from_secs(59));
        assert!(look(&store).await.is_well(), "{backend}: the engine may be about to");
        clock.advance(Duration::from_secs(1));
        let health = look(&store).await;
        assert_eq!((codes(&health), health.worst()), (vec!["overdue"], Some(Severity::Critical)));
        assert!(health.problems[0].message.contains("1 entities of kind agent"), "{health:?}");
        clock.advance(Duration::from_hours(2));
        assert_eq!(codes(&look(&store).await), ["overdue", "overdue"], "{backend}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_waits_for_somebody_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = still("memory", folder.path()).await;
    let command = Command::new("h", OpSpec::new("pull"), now());
    let command = Command { status: CommandStatus::TimeoutPending, ..command };
    store.kind::<Command>().create("c", &command).await.unwrap();
    for (id, status) in [("o", WindowStatus::Orphaned), ("d", WindowStatus::DeadLetter)] {
        store.kind::<Window>().create(id, &window(status, None)).await.unwrap();
    }
    let health = look(&store).await;
    assert_eq!(codes(&health), ["waiting", "orphaned", "dead_letter"]);
    assert_eq!(health.worst(), Some(Severity::Warning));
}

#[tokio::test]
async fn a_store_that_was_closed_is_critical() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = still(backend, &folder.path().join("state")).await;
        store.close().await.unwrap();
        let health = look(&store).await;
        assert_eq!(health.worst(), Some(Severity::Critical), "{backend}");
        assert!(codes(&health).contains(&"stopped"), "{backend}: {health:?}");
        let json = serde_json::to_value(&health).unwrap();
        assert_eq!(json["problems"][0]["severity"], "critical");
    }
}

#[cfg(feature = "recovery")]
#[tokio::test]
async fn trouble_of_the_last_recovery_is_a_warning_and_its_figures_are_told() {
    use outlast_core::{AttrName, AttrValue, Attributes};
    use outlast_orchestrator::recovery::LastRecovery;
    use outlast_orchestrator::statistics::gather;

    let folder = tempfile::tempdir().unwrap();
    let (store, _) = still("memory", folder.path()).await;
    let records = store.kind::<LastRecovery>();
    let record = LastRecovery { started_at: now(), changed: 3, ..LastRecovery::default() };
    let stored = records.create("last", &record).await.unwrap();
    assert!(look(&store).await.is_well());
    let trouble = LastRecovery { error_count: 1, quarantined: 2, ..record };
    records.replace(&stored, trouble).await.unwrap();
    let ran = (AttrName::new("duration_ms").unwrap(), AttrValue::Int(40));
    records.touch("last", Attributes::from([ran])).await.unwrap();
    let health = look(&store).await;
    assert_eq!(codes(&health), ["recovery"]);
    assert!(health.problems[0].message.contains("1 errors and 2 entities"), "{health:?}");
    let last = gather(&store).await.unwrap().last_recovery.unwrap();
    assert_eq!((last.at, last.duration_ms, last.changed), (now(), 40, 3));
}
