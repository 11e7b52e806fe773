//! Rows that cannot be read, or are in a state that there is none of.

use outlast_core::{
    AttrName, AttrValue, Attributes, Clock, Command, CommandStatus, Entity, Expect, Json, Key, Op,
    Put, Swarm, SwarmStatus,
};
use outlast_orchestrator::recovery::{Outcome, RecoveryOptions, recover};
use outlast_store::Store;

use crate::support::{BACKENDS, IT, acquire, agent, command, create, place, site, swarm, versions};

async fn put(store: &Store, key: Key, attrs: Attributes, schema: u32, state: &str) {
    let state = Json::parse(state).unwrap();
    let mut draft = store.draft();
    draft.op(Op::Put(Put { key, expect: Expect::Any, schema, attrs, state }));
    draft.commit().await.unwrap();
}

fn state(text: &str) -> Attributes {
    Attributes::from([(AttrName::status(), AttrValue::from(text))])
}

#[tokio::test]
async fn what_cannot_be_read_is_reported_lies_untouched_and_keeps_no_other_from_recovery() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let store = &site.store;
        place(&site, "command", "executing").await;
        let key = |id: &str| Key::new("command", id).unwrap();
        put(store, key("a-shape"), state("executing"), 1, "[1]").await;
        put(store, key("newer"), state("executing"), Command::SCHEMA + 1, "{}").await;
        put(store, key("no-state"), Attributes::new(), 1, "{}").await;
        let number = Attributes::from([(AttrName::status(), AttrValue::Int(7))]);
        put(store, key("number"), number, 1, "{}").await;
        put(store, key("unknown"), state("levitating"), 1, r#"{"status":"levitating"}"#).await;
        put(store, key("z-over"), state("success"), 1, "[]").await;
        let before = versions(store).await;

        let instance = acquire(store).await;
        let report = recover(&instance, &RecoveryOptions::default()).await.unwrap();
        let mut found: Vec<_> = report.quarantined.iter().map(|one| one.id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ["a-shape", "newer", "no-state", "number", "unknown"], "{backend}");
        assert_eq!(report.count("command", Outcome::Quarantined), 5);
        assert_eq!(report.count("command", Outcome::MarkedOrphaned), 1);
        assert!(!report.is_clean());
        let unknown = report.quarantined.iter().find(|one| one.id == "unknown").unwrap();
        assert!(unknown.reason.contains("levitating"), "{unknown:?}");
        let after = versions(store).await;
        assert_eq!(after[..before.len()], before, "{backend}");
        assert!(after[before.len()..].iter().all(|version| !found.contains(&version.key.id())));

        let again = recover(&instance, &RecoveryOptions::default()).await.unwrap();
        assert_eq!((again.changed, again.quarantined.len()), (0, 5));
        assert_eq!(versions(store).await.len(), after.len(), "{backend}: it is no news");
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_swarm_that_cannot_be_read_keeps_no_agent_from_recovery() {
    let site = site("memory").await;
    place(&site, "agent", "running").await;
    let key = Key::new("swarm", "owner").unwrap();
    put(&site.store, key, state("active"), 1, "[]").await;
    let report = recover(&acquire(&site.store).await, &RecoveryOptions::default()).await.unwrap();
    assert_eq!(report.count("agent", Outcome::MarkedFailed), 1);
    assert_eq!(report.count("swarm", Outcome::Quarantined), 1);
    assert_eq!((report.errors.len(), report.errors[0].id.as_str()), (1, IT));
}

#[tokio::test]
async fn bytes_that_were_damaged_on_disk_are_quarantined() {
    use sqlx::{ConnectOptions, Connection};

    let site = site("sqlite").await;
    place(&site, "command", "executing").await;
    create(&site.store, "sound", &command(CommandStatus::Killing, site.clock.now())).await;
    create(&site.store, "s", &swarm(SwarmStatus::Scaling, site.clock.now())).await;
    create(&site.store, "a", &agent(outlast_core::AgentStatus::Paused, site.clock.now())).await;
    site.store.close().await.unwrap();
    let path = site.folder.path().join("store");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    let damaged = sqlx::query(
        "UPDATE history SET state = replace(state, 'pull', 'push') \
         WHERE entity = (SELECT no FROM entity WHERE kind = 'command' AND id = 'it')",
    );
    let damaged = damaged.execute(&mut connection).await.unwrap();
    assert_eq!(damaged.rows_affected(), 1);
    connection.close().await.unwrap();

    let store = crate::support::open("sqlite", &site.folder, &site.clock).await;
    let report = recover(&acquire(&store).await, &RecoveryOptions::default()).await.unwrap();
    assert_eq!(report.quarantined.len(), 1, "{report:?}");
    assert_eq!(
        (report.quarantined[0].kind.as_str(), report.quarantined[0].id.as_str()),
        ("command", IT)
    );
    assert_eq!(report.count("command", Outcome::MarkedOrphaned), 1);
    assert_eq!(store.kind::<Swarm>().get("s").await.unwrap().status, SwarmStatus::Active);
    store.close().await.unwrap();
}
