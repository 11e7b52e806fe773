//! Ends that come late, twice, or for nothing that is there.

use outlast_core::{Command, CommandStatus, ErrorKind, Page, Status};
use outlast_orchestrator::fleet::{Completion, KillSignal, Reconnection, Refusal};
use outlast_store::Stored;
use tokio::task::JoinSet;

use crate::support::{BACKENDS, Scene, ids, op, soon};

async fn executing(scene: &Scene) -> Stored<Command> {
    let commands = scene.commands();
    let command = commands.begin("h1", op("pull")).await.unwrap();
    commands.validate(command.id()).await.unwrap();
    commands.execute(command.id(), None).await.unwrap()
}

#[tokio::test]
async fn the_same_completion_again_changes_nothing() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        for completion in [Completion::exited(0), Completion::exited(3), Completion::signalled(9)] {
            let command = executing(&scene).await;
            let commands = scene.commands();
            let first = commands.finish(command.id(), &completion).await.unwrap();
            let told = scene.told().await;
            scene.clock.advance(crate::support::MINUTE);
            let again = commands.finish(command.id(), &completion).await.unwrap();
            assert_eq!((again.version, &*again), (first.version, &*first), "{name}");
            assert_eq!(scene.told().await, told, "{name}");
        }
    }
}

#[tokio::test]
async fn another_completion_is_refused_and_changes_nothing() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let command = executing(&scene).await;
        let commands = scene.commands();
        let first = commands.finish(command.id(), &Completion::exited(3)).await.unwrap();
        for late in [Completion::exited(0), Completion::exited(4), Completion::default()] {
            let error = commands.finish(command.id(), &late).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}");
        }
        let after = commands.get(command.id()).await.unwrap();
        assert_eq!((after.version, &*after), (first.version, &*first), "{name}");
    }
}

/// A late end of one command does not touch the next one on the same host.
#[tokio::test]
async fn a_late_completion_does_not_free_the_host_of_another() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let first = executing(&scene).await;
        commands.skip(first.id(), "nobody waits for it").await.unwrap();
        let second = executing(&scene).await;
        let error = commands.finish(first.id(), &Completion::exited(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalTransition);
        assert_eq!(scene.claim("h1").await.as_deref(), Some(second.id()), "{name}");
        assert_eq!(commands.get(first.id()).await.unwrap().status, CommandStatus::Skipped);
    }
}

/// Told at the same time by many, it is recorded once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_completions_at_once_one_is_recorded() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let command = executing(&scene).await;
        let told = scene.told().await;
        let mut racers = JoinSet::new();
        for code in 0..8 {
            let (commands, id) = (scene.commands(), command.id().to_owned());
            racers.spawn(async move { commands.finish(&id, &Completion::exited(code)).await });
        }
        let mut won = 0;
        while let Some(finished) = soon("a racer", racers.join_next()).await {
            match finished.unwrap() {
                Ok(_) => won += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}"),
            }
        }
        assert_eq!((won, scene.told().await - told), (1, 1), "{name}");
        assert_eq!(scene.commands().get(command.id()).await.unwrap().version.n, 4, "{name}");
    }
}

#[tokio::test]
async fn what_is_known_is_never_overwritten_with_nothing() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let command = executing(&scene).await;
        commands.await_reconnect(command.id(), Some(0)).await.unwrap();
        let done = commands.reconnected(command.id(), Reconnection::Unchanged).await.unwrap();
        assert_eq!((done.status, done.exit_code), (CommandStatus::StaleBinary, Some(0)));

        let lost = executing(&scene).await;
        let orphan = commands.orphan(lost.id(), "the machine went down").await.unwrap();
        let orphaned_at = orphan.finished_at;
        scene.clock.advance(crate::support::MINUTE);
        let known = commands.reconcile(lost.id(), &Completion::exited(0)).await.unwrap();
        assert_eq!(known.status, CommandStatus::Success);
        assert_eq!(known.error.as_deref(), Some("the machine went down"));
        assert_eq!((known.exit_code, known.finished_at), (Some(0), orphaned_at));
    }
}

#[tokio::test]
async fn an_orphan_is_changed_by_reconciliation_alone() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let command = executing(&scene).await;
        commands.orphan(command.id(), "restarted while running").await.unwrap();
        let late = Completion::exited(0);
        let error = commands.finish(command.id(), &late).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}");
        assert_eq!(ids(commands.orphans(Page::default()).await.unwrap()), [command.id()]);
        let done = commands.reconcile(command.id(), &late).await.unwrap();
        assert_eq!(done.status, CommandStatus::Success);
        assert!(ids(commands.orphans(Page::default()).await.unwrap()).is_empty());
        // Told again the same, nothing; told otherwise, refused.
        let again = commands.reconcile(command.id(), &late).await.unwrap();
        assert_eq!(again.version, done.version);
        let error = commands.reconcile(command.id(), &Completion::exited(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let commands = scene.commands();
        let refusal = Refusal::new("some_code", "for a reason");
        let outcomes = [
            commands.validate("nobody").await,
            commands.execute("nobody", None).await,
            commands.extend("nobody", 1).await,
            commands.kill("nobody", KillSignal::Term).await,
            commands.finish("nobody", &Completion::exited(0)).await,
            commands.block("nobody", &refusal).await,
            commands.orphan("nobody", "for a reason").await,
            commands.due("nobody").await,
            commands.settled("nobody").await,
        ];
        for outcome in outcomes {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        }
    }
}

/// Every state that is settled by the table is over for every list, and no other is.
#[tokio::test]
async fn the_lists_and_the_table_agree_on_what_is_over() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let mut open = Vec::new();
        for status in CommandStatus::ALL {
            scene.host(status.as_str()).await;
            let command = scene.in_state(status.as_str(), *status).await;
            if !status.is_settled() {
                open.push(command.id().to_owned());
            }
        }
        open.reverse();
        let commands = scene.commands();
        assert_eq!(ids(commands.pending(Page::default()).await.unwrap()), open, "{name}");
        assert_eq!(open.len(), 8);
        for status in CommandStatus::ALL {
            let host_id = status.as_str();
            let of_host = ids(commands.of_host(host_id, Page::default()).await.unwrap());
            let pending = ids(commands.pending_on(host_id, Page::default()).await.unwrap());
            assert_eq!(of_host.len(), 1, "{name} {host_id}");
            assert_eq!(pending.is_empty(), status.is_settled(), "{name} {host_id}");
        }
    }
}

#[tokio::test]
async fn a_long_error_is_cut_and_not_refused() {
    let scene = Scene::new("memory").await;
    scene.host("h1").await;
    let command = executing(&scene).await;
    let long = Refusal::new("ö".repeat(500), "ä".repeat(100_000));
    let failed = scene.commands().fail(command.id(), &long).await.unwrap();
    assert_eq!(failed.status, CommandStatus::Error);
    assert_eq!(failed.error.as_ref().map(String::len), Some(4096));
    let again = scene.commands().fail(command.id(), &long).await.unwrap();
    assert_eq!(again.version, failed.version);
}
