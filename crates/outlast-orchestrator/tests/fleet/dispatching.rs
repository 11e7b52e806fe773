//! What a fleet does by itself.

use std::sync::Arc;

use outlast_core::{CommandStatus, ErrorKind, HostStatus, OpSpec, Status};
use outlast_orchestrator::Instance;
use outlast_orchestrator::fleet::{Dispatcher, DispatcherOptions, Fleet, LocalExecutor};
use outlast_store::Store;

use crate::support::{BACKENDS, DURABLE, MINUTE, Scene, driving, op, output, shell, soon};

fn dispatcher(store: &Store, instance: &Instance) -> Dispatcher {
    Dispatcher::new(instance, Arc::new(LocalExecutor::new(store.clock().clone())))
}

async fn queued(scene: &Scene, host: &str, line: &str) -> String {
    let command = scene.commands().begin_or_queue(host, shell(line)).await.unwrap();
    assert_eq!(command.status, CommandStatus::Queued);
    command.id().to_owned()
}

#[tokio::test]
async fn what_is_queued_runs_in_order_once_its_host_is_back() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.hosts().disconnect("h1").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("order");
        let mut ids = Vec::new();
        for n in 0..4 {
            ids.push(queued(&scene, "h1", &format!("echo {n} >> {}", file.display())).await);
        }
        let (instance, shutdown) = driving(&scene).await;
        let dispatcher = dispatcher(&scene.store, &instance);
        let act = async {
            scene.hosts().heartbeat("h1", HostStatus::Online).await.unwrap();
            for id in &ids {
                let done = scene.commands().settled(id).await.unwrap();
                assert_eq!(done.status, CommandStatus::Success, "{name}");
            }
            shutdown.begin();
        };
        let (ran, ()) =
            soon("the dispatcher", async { tokio::join!(dispatcher.run(&shutdown), act) }).await;
        ran.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "0\n1\n2\n3\n", "{name}: each once");
    }
}

/// The queue outlives the process, and so does what was taken out of it: it is not run again.
#[tokio::test]
async fn what_is_queued_runs_after_a_restart_and_what_ran_does_not_again() {
    for name in DURABLE {
        let mut scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.hosts().disconnect("h1").await.unwrap();
        let ids = [queued(&scene, "h1", "echo a").await, queued(&scene, "h1", "echo b").await];
        scene.hosts().heartbeat("h1", HostStatus::Online).await.unwrap();
        for done in &ids {
            let (instance, shutdown) = driving(&scene).await;
            // The first life runs one of them and then no more.
            let next = scene.commands().next_queued("h1").await.unwrap().unwrap();
            assert_eq!(next.id(), done, "{name}");
            let driver = crate::running::local(&scene, &instance);
            soon("the command", driver.run(done, &shutdown)).await.unwrap();
            instance.release().await.unwrap();
            scene = scene.reopened().await;
        }
        let (instance, shutdown) = driving(&scene).await;
        let ran = dispatcher(&scene.store, &instance).run_queue("h1", &shutdown).await.unwrap();
        assert_eq!(ran, 0, "{name}");
        for (id, text) in ids.iter().zip(["a\n", "b\n"]) {
            assert_eq!(output(&scene.store, id, "stdout").await, text.as_bytes(), "{name}");
        }
    }
}

#[tokio::test]
async fn one_look_does_all_that_is_due_and_says_when_to_look_again() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        for host in ["h1", "h2", "h3"] {
            scene.host(host).await;
            scene.hosts().heartbeat(host, HostStatus::Online).await.unwrap();
        }
        let sent = scene.in_state("h1", CommandStatus::Executing).await;
        scene.hosts().disconnect("h2").await.unwrap();
        let spec = OpSpec { queue_ms: Some(120_000), ..op("pull") };
        let short = scene.commands().begin_or_queue("h2", spec).await.unwrap();
        let (instance, _) = driving(&scene).await;
        let dispatcher = dispatcher(&scene.store, &instance);
        let start = scene.now();
        let mut looks = Vec::new();
        // As a loop does that sleeps until then.
        for _ in 0..4 {
            let look = dispatcher.look().await.unwrap();
            let next = look.next();
            looks.push((look.due.commands, look.sweep.lost.len(), next.since(start)));
            scene.clock.advance(next.since(scene.now()));
        }
        let expected = [
            (0, 0, MINUTE * 2),
            (1, 0, MINUTE * 5),
            (1, 0, MINUTE * 10),
            // The host that runs a command is left to its deadlines.
            (0, 1, MINUTE * 15),
        ];
        assert_eq!(looks, expected, "{name}");
        let states = [(sent.id(), "running_warning"), (short.id(), "timeout")];
        for (id, status) in states {
            assert_eq!(scene.commands().get(id).await.unwrap().status.as_str(), status, "{name}");
        }
        assert_eq!(scene.hosts().get("h3").await.unwrap().status, HostStatus::Offline, "{name}");
        assert_eq!(scene.hosts().get("h1").await.unwrap().status, HostStatus::Online, "{name}");
    }
}

#[tokio::test]
async fn a_dispatcher_that_lost_its_right_stops() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.in_state("h1", CommandStatus::Executing).await;
        let (instance, shutdown) = driving(&scene).await;
        let dispatcher = dispatcher(&scene.store, &instance);
        instance.release().await.unwrap();
        scene.clock.advance(MINUTE * 6);
        let error = soon("the dispatcher", dispatcher.run(&shutdown)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_what_runs() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.hosts().disconnect("h1").await.unwrap();
        let first = queued(&scene, "h1", "echo ready; exec sleep 1000").await;
        let second = queued(&scene, "h1", "true").await;
        scene.hosts().heartbeat("h1", HostStatus::Online).await.unwrap();
        let (instance, shutdown) = driving(&scene).await;
        let dispatcher = dispatcher(&scene.store, &instance);
        let stop = async {
            crate::running::until(&scene, &first, CommandStatus::Executing).await;
            shutdown.begin();
        };
        let (ran, ()) =
            soon("the dispatcher", async { tokio::join!(dispatcher.run(&shutdown), stop) }).await;
        ran.unwrap();
        let commands = scene.commands();
        assert_eq!(commands.get(&first).await.unwrap().status, CommandStatus::Killed, "{name}");
        assert_eq!(commands.get(&second).await.unwrap().status, CommandStatus::Queued, "{name}");
    }
}

/// What was left in the queue of a host that is gone is found and cancelled.
#[tokio::test]
async fn the_queue_of_a_host_that_is_gone_is_cleared() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let left = scene.in_state("gone", CommandStatus::Queued).await;
        let (instance, shutdown) = driving(&scene).await;
        let dispatcher = dispatcher(&scene.store, &instance);
        let act = async {
            let settled = scene.commands().settled(left.id()).await.unwrap();
            assert_eq!(settled.status, CommandStatus::Cancelled, "{name}");
            shutdown.begin();
        };
        let (ran, ()) =
            soon("the dispatcher", async { tokio::join!(dispatcher.run(&shutdown), act) }).await;
        ran.unwrap();
    }
}

/// What another process writes is noticed too.
#[tokio::test]
async fn what_others_queue_is_run() {
    let scene = Scene::new("sqlite").await;
    scene.host("h1").await;
    scene.hosts().disconnect("h1").await.unwrap();
    let (instance, shutdown) = driving(&scene).await;
    let dispatcher = dispatcher(&scene.store, &instance);
    let other = scene.other();
    let act = async {
        let fleet = Fleet::new(&other);
        let id = fleet.commands().begin_or_queue("h1", shell("echo hello")).await.unwrap();
        fleet.hosts().heartbeat("h1", HostStatus::Online).await.unwrap();
        let done = fleet.commands().settled(id.id()).await.unwrap();
        assert_eq!(done.status, CommandStatus::Success);
        shutdown.begin();
    };
    let looked: (_, ()) =
        soon("the dispatcher", async { tokio::join!(dispatcher.run(&shutdown), act) }).await;
    looked.0.unwrap();
}

/// A queue that cannot be run is not tried over and over, nor does it hold up the others.
#[tokio::test]
async fn a_queue_that_cannot_be_read_does_not_hold_up_the_others() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        for host in ["h1", "h2"] {
            scene.host(host).await;
            scene.hosts().disconnect(host).await.unwrap();
        }
        let bad = queued(&scene, "h1", "true").await;
        scene.spoil(&scene.commands().get(&bad).await.unwrap()).await;
        let good = queued(&scene, "h2", "true").await;
        let (instance, shutdown) = driving(&scene).await;
        let options = DispatcherOptions { hosts_at_once: 1, ..DispatcherOptions::default() };
        let dispatcher = dispatcher(&scene.store, &instance).with_options(options);
        for host in ["h1", "h2"] {
            scene.hosts().heartbeat(host, HostStatus::Online).await.unwrap();
        }
        let act = async {
            let done = scene.commands().settled(&good).await.unwrap();
            assert_eq!(done.status, CommandStatus::Success, "{name}");
            shutdown.begin();
        };
        let (ran, ()) =
            soon("the dispatcher", async { tokio::join!(dispatcher.run(&shutdown), act) }).await;
        ran.unwrap();
    }
}
