//! What time does to commands, also while nobody looks.

use std::time::Duration;

use outlast_core::{Command, CommandStatus, ErrorKind, EventLevel, OpSpec};
use outlast_orchestrator::fleet::Completion;
use outlast_store::Stored;

use crate::support::{BACKENDS, DURABLE, MINUTE, SECOND, Scene, op};

async fn executing(scene: &Scene, spec: OpSpec) -> Stored<Command> {
    let commands = scene.commands();
    let command = commands.begin("h1", spec).await.unwrap();
    commands.validate(command.id()).await.unwrap();
    commands.execute(command.id(), None).await.unwrap()
}

async fn status(scene: &Scene, id: &str) -> CommandStatus {
    scene.commands().get(id).await.unwrap().status
}

/// Lets time pass and does what is due.
async fn after(scene: &Scene, time: Duration) -> outlast_orchestrator::fleet::Due {
    scene.clock.advance(time);
    let due = scene.commands().all_due().await.unwrap();
    assert!(due.problems.is_empty(), "{:?}", due.problems);
    due
}

#[tokio::test]
async fn a_warning_and_then_the_end_of_the_time_which_somebody_has_to_decide_about() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let sent = executing(&scene, op("pull")).await;
        let id = sent.id();
        assert_eq!(after(&scene, MINUTE).await.next, sent.warning_at, "{name}");
        assert_eq!(status(&scene, id).await, CommandStatus::Executing);
        let due = after(&scene, MINUTE * 4).await;
        assert_eq!((due.commands, due.next), (1, sent.timeout_at), "{name}: at the very moment");
        assert_eq!(status(&scene, id).await, CommandStatus::RunningWarning);
        assert_eq!(scene.events().await[0].level, EventLevel::Warn);
        let due = after(&scene, MINUTE * 10).await;
        assert_eq!((due.commands, due.next), (1, None), "{name}");
        assert_eq!(status(&scene, id).await, CommandStatus::TimeoutPending);
        // It is not ended by itself, and its host is taken.
        assert_eq!(after(&scene, MINUTE * 1000).await.commands, 0);
        assert_eq!(status(&scene, id).await, CommandStatus::TimeoutPending);
        assert_eq!(scene.claim("h1").await.as_deref(), Some(id), "{name}");
        let done = scene.commands().finish(id, &Completion::exited(0)).await.unwrap();
        assert_eq!(done.status, CommandStatus::Success, "{name}: late, and still");
    }
}

#[tokio::test]
async fn an_extension_counts_from_the_original_start_and_not_from_now() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let sent = executing(&scene, op("pull")).await;
        let started_at = sent.started_at.unwrap();
        scene.clock.advance(MINUTE * 3);
        let once = scene.commands().extend(sent.id(), 5).await.unwrap();
        assert_eq!(once.timeout_at, Some(started_at.plus(MINUTE * 20)), "{name}");
        assert_eq!(once.warning_at, Some(started_at.plus(MINUTE * 10)), "{name}");
        let twice = scene.commands().extend(sent.id(), 7).await.unwrap();
        assert_eq!(twice.timeout_at, Some(started_at.plus(MINUTE * 27)), "{name}");
        assert_eq!(twice.started_at, Some(started_at));
        let told = &scene.events().await[0].message;
        assert!(told.contains("7 more minutes"), "the number is told as one: {told}");
    }
}

#[tokio::test]
async fn what_is_over_its_time_executes_again_once_extended() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let sent = executing(&scene, op("pull")).await;
        after(&scene, MINUTE * 20).await;
        let commands = scene.commands();
        assert_eq!(status(&scene, sent.id()).await, CommandStatus::TimeoutPending);
        // It ended five minutes ago: five more are none.
        for too_few in [0, 1, 5] {
            let error = commands.extend(sent.id(), too_few).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains("at least 6"), "{error}");
        }
        let extended = commands.extend(sent.id(), 6).await.unwrap();
        assert_eq!(extended.status, CommandStatus::Executing, "{name}");
        assert_eq!(after(&scene, SECOND * 59).await.next, extended.timeout_at, "{name}");
        after(&scene, SECOND).await;
        assert_eq!(status(&scene, sent.id()).await, CommandStatus::TimeoutPending, "{name}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_come_back_ends_the_command() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let spec = OpSpec { reconnect_ms: Some(90_000), ..op("switch") };
        let sent = executing(&scene, spec).await;
        scene.clock.advance(MINUTE);
        let waits = scene.commands().await_reconnect(sent.id(), Some(0)).await.unwrap();
        let by = scene.now().plus(SECOND * 90);
        assert_eq!((waits.reconnect_by, waits.deadline()), (Some(by), Some(by)), "{name}");
        after(&scene, SECOND * 89).await;
        assert_eq!(status(&scene, sent.id()).await, CommandStatus::AwaitingReconnect);
        after(&scene, SECOND).await;
        let over = scene.commands().get(sent.id()).await.unwrap();
        assert_eq!(over.status, CommandStatus::Timeout, "{name}");
        assert_eq!(over.code.as_deref(), Some("reconnect_timeout"));
        assert_eq!((over.exit_code, over.finished_at), (Some(0), Some(by)), "{name}");
        assert_eq!(scene.claim("h1").await, None, "{name}");
    }
}

/// The moments are recorded, so what passed while nothing ran is due at once, each once.
#[tokio::test]
async fn deadlines_outlive_a_restart_and_pass_while_nothing_runs() {
    for name in DURABLE {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let sent = executing(&scene, op("pull")).await;
        scene.clock.advance(MINUTE * 4);
        let scene = scene.reopened().await;
        let due = after(&scene, SECOND * 59).await;
        assert_eq!((due.commands, due.next), (0, sent.warning_at), "{name}: not begun anew");
        scene.clock.advance(MINUTE * 30);
        let scene = scene.reopened().await;
        let told = scene.told().await;
        let due = scene.commands().all_due().await.unwrap();
        assert_eq!((due.commands, due.next), (1, None), "{name}");
        assert_eq!(status(&scene, sent.id()).await, CommandStatus::TimeoutPending, "{name}");
        let told = scene.told().await - told;
        assert_eq!(told, 2, "{name}: the warning and the end of the time");
        let scene = scene.reopened().await;
        assert_eq!(scene.commands().all_due().await.unwrap().commands, 0, "{name}: once");
    }
}

#[tokio::test]
async fn waits_that_ran_out_while_nothing_ran_are_over() {
    for name in DURABLE {
        let scene = Scene::new(name).await;
        for host in ["h1", "h2"] {
            scene.host(host).await;
        }
        scene.hosts().disconnect("h2").await.unwrap();
        let sent = executing(&scene, op("switch")).await;
        scene.commands().await_reconnect(sent.id(), None).await.unwrap();
        let spec = OpSpec { queue_ms: Some(60_000), ..op("pull") };
        let queued = scene.commands().begin_or_queue("h2", spec).await.unwrap();
        scene.clock.advance(MINUTE * 60);
        let scene = scene.reopened().await;
        assert_eq!(scene.commands().all_due().await.unwrap().commands, 2, "{name}");
        for id in [sent.id(), queued.id()] {
            assert_eq!(status(&scene, id).await, CommandStatus::Timeout, "{name}");
        }
        assert_eq!(scene.claim("h1").await, None, "{name}");
    }
}

/// Two who look at the same time do it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_due_is_done_once_however_many_look() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let sent = executing(&scene, op("pull")).await;
        scene.clock.advance(MINUTE * 6);
        let told = scene.told().await;
        let mut looks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let commands = scene.commands();
            looks.spawn(async move { commands.all_due().await.map(drop) });
        }
        while let Some(look) = looks.join_next().await {
            look.unwrap().unwrap();
        }
        assert_eq!(scene.told().await - told, 1, "{name}");
        assert_eq!(status(&scene, sent.id()).await, CommandStatus::RunningWarning, "{name}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_does_not_keep_the_others_waiting() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.host("h2").await;
        let bad = scene.in_state("h2", CommandStatus::Executing).await;
        let sent = executing(&scene, op("pull")).await;
        scene.spoil(&bad).await;
        scene.clock.advance(MINUTE * 6);
        let due = scene.commands().all_due().await.unwrap();
        assert_eq!((due.commands, due.problems.len()), (1, 1), "{name}");
        assert_eq!(due.next, sent.timeout_at, "{name}: what cannot be read is not due for ever");
        assert_eq!(status(&scene, sent.id()).await, CommandStatus::RunningWarning, "{name}");
    }
}
