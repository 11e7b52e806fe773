//! What is heard of hosts, and what silence comes to.

use std::time::Duration;

use outlast_core::{ErrorKind, HistoryQuery, HostStatus, Scope};
use outlast_orchestrator::fleet::{HEARTBEAT, last_seen, stale_after};

use crate::support::{BACKENDS, MINUTE, SECOND, Scene, op};

#[test]
fn silence_is_too_long_after_120_heartbeats_but_not_before_5_minutes() {
    assert_eq!(stale_after(HEARTBEAT), MINUTE * 10);
    assert_eq!(stale_after(SECOND), MINUTE * 5);
    assert_eq!(stale_after(Duration::ZERO), MINUTE * 5);
}

#[tokio::test]
async fn a_heartbeat_leaves_no_version_and_a_change_of_status_one() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let registered = scene.host("h1").await;
        let hosts = scene.hosts();
        assert_eq!(last_seen(&registered), None);
        for _ in 0..5 {
            scene.clock.advance(HEARTBEAT);
            hosts.heartbeat("h1", HostStatus::Online).await.unwrap();
        }
        let host = hosts.get("h1").await.unwrap();
        assert_eq!(last_seen(&host), Some(scene.now()), "{name}");
        assert_eq!((host.status, host.version.n), (HostStatus::Online, 2), "{name}");
        let scope = Scope::Entity(host.key.clone());
        let history = scene.store.history(&HistoryQuery::of(scope)).await.unwrap();
        assert_eq!(history.items.len(), 2, "{name}");
        let told: Vec<_> = scene.events().await.into_iter().map(|event| event.action).collect();
        let told: Vec<_> = told.iter().map(|action| action.as_deref().unwrap()).collect();
        assert_eq!(told, ["connect", "host:register"], "{name}");
        hosts.heartbeat("h1", HostStatus::Running).await.unwrap();
        hosts.disconnect("h1").await.unwrap();
        hosts.disconnect("h1").await.unwrap();
        assert_eq!(hosts.get("h1").await.unwrap().version.n, 4, "{name}");
        assert_eq!(scene.events().await[0].action.as_deref(), Some("disconnect"));
    }
}

#[tokio::test]
async fn who_is_heard_is_not_offline() {
    let scene = Scene::new("memory").await;
    scene.host("h1").await;
    for status in [HostStatus::Offline, HostStatus::Unknown] {
        let error = scene.hosts().heartbeat("h1", status).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let error = scene.hosts().heartbeat("nobody", HostStatus::Online).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_silent_host_is_offline_and_one_that_is_heard_is_not() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        for id in ["silent", "heard", "new"] {
            scene.host(id).await;
        }
        let hosts = scene.hosts();
        hosts.heartbeat("silent", HostStatus::Online).await.unwrap();
        let since = scene.now();
        scene.clock.advance(MINUTE * 9);
        hosts.heartbeat("heard", HostStatus::Error).await.unwrap();
        let sweep = hosts.sweep(MINUTE * 10).await.unwrap();
        assert_eq!((sweep.lost.len(), sweep.next), (0, since.plus(MINUTE * 10)), "{name}");
        scene.clock.advance(MINUTE);
        let sweep = hosts.sweep(MINUTE * 10).await.unwrap();
        assert_eq!(sweep.lost, ["silent"], "{name}");
        assert_eq!(sweep.next, since.plus(MINUTE * 19), "{name}: when the other may be");
        assert_eq!(hosts.get("silent").await.unwrap().status, HostStatus::Offline, "{name}");
        assert_eq!(hosts.get("heard").await.unwrap().status, HostStatus::Error, "{name}");
        // One that never was heard is not lost.
        assert_eq!(hosts.get("new").await.unwrap().status, HostStatus::Unknown, "{name}");
        let sweep = hosts.sweep(MINUTE * 10).await.unwrap();
        assert!(sweep.lost.is_empty(), "{name}: once");
        hosts.heartbeat("silent", HostStatus::Online).await.unwrap();
        assert_eq!(hosts.get("silent").await.unwrap().status, HostStatus::Online, "{name}");
    }
}

#[tokio::test]
async fn a_silent_host_that_runs_a_command_is_left_to_its_deadlines() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let hosts = scene.hosts();
        hosts.heartbeat("h1", HostStatus::Running).await.unwrap();
        let command = scene.commands().begin("h1", op("switch")).await.unwrap();
        scene.clock.advance(MINUTE * 60);
        let sweep = hosts.sweep(MINUTE * 10).await.unwrap();
        assert!(sweep.lost.is_empty(), "{name}");
        assert_eq!(hosts.get("h1").await.unwrap().status, HostStatus::Running, "{name}");
        scene.commands().cancel(command.id(), "no use").await.unwrap();
        assert_eq!(hosts.sweep(MINUTE * 10).await.unwrap().lost, ["h1"], "{name}");
    }
}

/// A host that came without a heartbeat of its own counts from when it came.
#[tokio::test]
async fn a_host_is_given_its_time_from_when_it_came() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let mut host = outlast_core::Host::new("attic", scene.now());
        host.status = HostStatus::Online;
        scene.hosts().register("h1", host).await.unwrap();
        scene.clock.advance(MINUTE * 9);
        assert!(scene.hosts().sweep(MINUTE * 10).await.unwrap().lost.is_empty(), "{name}");
        scene.clock.advance(MINUTE);
        assert_eq!(scene.hosts().sweep(MINUTE * 10).await.unwrap().lost, ["h1"], "{name}");
    }
}
