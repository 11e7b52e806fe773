//! Commands that wait for a host which is not there.

use outlast_core::{CommandStatus, ErrorKind, HostStatus, OpSpec, Page};
use outlast_orchestrator::fleet::{Completion, HostBusy};
use tokio::task::JoinSet;

use crate::support::{BACKENDS, DURABLE, MINUTE, Scene, ids, op, soon};

/// An offline host with three commands that wait for it, in the order they were asked for.
async fn waiting(scene: &Scene) -> Vec<String> {
    scene.host("h1").await;
    scene.hosts().disconnect("h1").await.unwrap();
    let mut queued = Vec::new();
    for name in ["first", "second", "third"] {
        let command = scene.commands().begin_or_queue("h1", op(name)).await.unwrap();
        assert_eq!(command.status, CommandStatus::Queued);
        queued.push(command.id().to_owned());
    }
    queued
}

async fn online(scene: &Scene) {
    scene.hosts().heartbeat("h1", HostStatus::Online).await.unwrap();
}

/// Takes the next one out of the queue and carries it out.
async fn carry_out(scene: &Scene) -> Option<String> {
    let commands = scene.commands();
    let next = commands.next_queued("h1").await.unwrap()?;
    assert_eq!(next.status, CommandStatus::Pending);
    commands.validate(next.id()).await.unwrap();
    commands.execute(next.id(), None).await.unwrap();
    commands.finish(next.id(), &Completion::exited(0)).await.unwrap();
    Some(next.id().to_owned())
}

#[tokio::test]
async fn they_wait_without_taking_the_host_and_go_in_order_once_it_is_back() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let queued = waiting(&scene).await;
        assert_eq!(scene.claim("h1").await, None, "{name}");
        assert_eq!(carry_out(&scene).await, None, "{name}: it is not there");
        let listed = ids(scene.commands().queued_on("h1", Page::default()).await.unwrap());
        assert_eq!(listed, queued, "{name}");
        online(&scene).await;
        let first = scene.commands().next_queued("h1").await.unwrap().unwrap();
        assert_eq!(first.id(), queued[0], "{name}");
        let next = scene.commands().next_queued("h1").await.unwrap();
        assert!(next.is_none(), "{name}: one at a time");
        scene.commands().cancel(first.id(), "not this one").await.unwrap();
        for id in &queued[1..] {
            assert_eq!(carry_out(&scene).await.as_ref(), Some(id), "{name}");
        }
        assert_eq!(carry_out(&scene).await, None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_is_taken_once_however_many_ask() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let queued = waiting(&scene).await;
        online(&scene).await;
        let mut takers = JoinSet::new();
        for _ in 0..8 {
            let store = scene.other();
            takers.spawn(async move {
                let commands = outlast_orchestrator::fleet::Fleet::new(&store).commands();
                commands.next_queued("h1").await.unwrap()
            });
        }
        let mut taken = Vec::new();
        while let Some(next) = soon("a taker", takers.join_next()).await {
            taken.extend(next.unwrap().map(|command| command.id().to_owned()));
        }
        assert_eq!(taken, queued[..1], "{name}");
    }
}

#[tokio::test]
async fn they_wait_through_a_restart_in_order_and_run_once() {
    for name in DURABLE {
        let scene = Scene::new(name).await;
        let queued = waiting(&scene).await;
        let scene = scene.reopened().await;
        online(&scene).await;
        assert_eq!(carry_out(&scene).await.as_ref(), Some(&queued[0]), "{name}");
        let scene = scene.reopened().await;
        let later = scene.commands().begin_or_queue("h1", op("fourth")).await.unwrap();
        assert_eq!(later.status, CommandStatus::Queued, "{name}: behind those that wait");
        for id in queued[1..].iter().map(String::as_str).chain([later.id()]) {
            assert_eq!(carry_out(&scene).await.as_deref(), Some(id), "{name}");
        }
        assert_eq!(carry_out(&scene).await, None, "{name}");
    }
}

#[tokio::test]
async fn one_that_is_called_off_is_not_run() {
    for name in DURABLE {
        let scene = Scene::new(name).await;
        let queued = waiting(&scene).await;
        let gone = scene.commands().cancel(&queued[0], "changed our mind").await.unwrap();
        assert_eq!(gone.status, CommandStatus::Cancelled, "{name}");
        let scene = scene.reopened().await;
        let gone = scene.commands().cancel(&queued[1], "this one too").await.unwrap();
        assert_eq!(gone.error.as_deref(), Some("this one too"), "{name}");
        online(&scene).await;
        assert_eq!(carry_out(&scene).await.as_ref(), Some(&queued[2]), "{name}");
        let error = scene.commands().dequeue(&queued[0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}");
    }
}

#[tokio::test]
async fn one_that_waited_too_long_is_not_run_also_if_nobody_looked() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.hosts().disconnect("h1").await.unwrap();
        let spec = OpSpec { queue_ms: Some(60_000), ..op("short") };
        let short = scene.commands().begin_or_queue("h1", spec).await.unwrap();
        assert_eq!(short.deadline(), Some(scene.now().plus(MINUTE)), "{name}");
        let patient = scene.commands().begin_or_queue("h1", op("patient")).await.unwrap();
        assert_eq!(patient.deadline(), None);
        scene.clock.advance(MINUTE);
        online(&scene).await;
        // Nobody did what was due: taking the next one does.
        assert_eq!(carry_out(&scene).await.as_deref(), Some(patient.id()), "{name}");
        let over = scene.commands().get(short.id()).await.unwrap();
        assert_eq!(over.status, CommandStatus::Timeout, "{name}");
        assert_eq!(over.code.as_deref(), Some("queue_expired"));
    }
}

#[tokio::test]
async fn a_host_that_is_there_and_at_work_is_busy_for_those_that_may_wait_too() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        online(&scene).await;
        let running = scene.commands().begin_or_queue("h1", op("pull")).await.unwrap();
        assert_eq!(running.status, CommandStatus::Pending, "{name}");
        let error = scene.commands().begin_or_queue("h1", op("pull")).await.unwrap_err();
        assert_eq!(HostBusy::of(&error).unwrap().command_id, running.id(), "{name}");
        let waits = {
            scene.hosts().disconnect("h1").await.unwrap();
            scene.commands().begin_or_queue("h1", op("pull")).await.unwrap()
        };
        online(&scene).await;
        let error = scene.commands().dequeue(waits.id()).await.unwrap_err();
        assert_eq!(HostBusy::of(&error).unwrap().command_id, running.id(), "{name}");
        assert!(scene.commands().next_queued("h1").await.unwrap().is_none(), "{name}");
    }
}

#[tokio::test]
async fn only_what_may_be_repeated_and_is_its_own_goes_back_into_the_queue() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let spec = OpSpec { retryable: true, queue_ms: Some(60_000), ..op("pull") };
        let command = commands.begin("h1", spec).await.unwrap();
        scene.clock.advance(MINUTE);
        let back = commands.requeue(command.id(), "restarted before it was sent").await.unwrap();
        assert_eq!(back.status, CommandStatus::Queued, "{name}");
        assert_eq!(back.queued_until, Some(scene.now().plus(MINUTE)), "{name}");
        assert_eq!(scene.claim("h1").await, None, "{name}");
        let again = commands.next_queued("h1").await.unwrap().unwrap();
        assert_eq!((again.id(), again.queued_until), (command.id(), None), "{name}");
        commands.cancel(again.id(), "enough").await.unwrap();

        let once = commands.begin("h1", op("reboot")).await.unwrap();
        let error = commands.requeue(once.id(), "restarted").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(scene.claim("h1").await.as_deref(), Some(once.id()), "{name}");
    }
}

#[tokio::test]
async fn what_waits_for_a_removed_host_is_cancelled() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let queued = waiting(&scene).await;
        scene.hosts().remove("h1").await.unwrap();
        for id in &queued {
            let gone = scene.commands().get(id).await.unwrap();
            assert_eq!(gone.status, CommandStatus::Cancelled, "{name}");
            assert_eq!(gone.code.as_deref(), Some("host_removed"), "{name}");
        }
    }
}

/// A record that cannot be read does not keep those behind it waiting.
#[tokio::test]
async fn one_that_cannot_be_read_is_passed_over() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let queued = waiting(&scene).await;
        let first = scene.commands().get(&queued[0]).await.unwrap();
        scene.spoil(&first).await;
        online(&scene).await;
        for id in &queued[1..] {
            assert_eq!(carry_out(&scene).await.as_ref(), Some(id), "{name}");
        }
        assert_eq!(carry_out(&scene).await, None, "{name}");
    }
}
