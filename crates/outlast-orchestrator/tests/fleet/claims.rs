//! One command per host: the claim.

use std::collections::HashSet;

use outlast_core::{Claim, CommandStatus, ErrorKind, Host, HostStatus};
use outlast_orchestrator::fleet::{Completion, Fleet, HostBusy};
use outlast_store::Store;
use tokio::task::JoinSet;

use crate::support::{BACKENDS, Scene, op, soon};

const RACERS: usize = 16;

/// Lets racers begin on one host at the same time, and returns who won.
async fn race(stores: Vec<Store>) -> (Vec<String>, Vec<String>) {
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(stores.len()));
    let mut racers = JoinSet::new();
    for store in stores {
        let barrier = barrier.clone();
        racers.spawn(async move {
            let commands = Fleet::new(&store).commands();
            barrier.wait().await;
            commands.begin("h1", op("pull")).await
        });
    }
    let (mut won, mut named) = (Vec::new(), Vec::new());
    while let Some(begun) = racers.join_next().await {
        match begun.unwrap() {
            Ok(command) => won.push(command.id().to_owned()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
                let busy = HostBusy::of(&error).expect("the error says who has the host");
                assert_eq!(busy.host_id, "h1");
                assert!(error.to_string().contains(&busy.command_id), "{error}");
                named.push(busy.command_id.clone());
            }
        }
    }
    (won, named)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_that_begin_at_once_exactly_one_does() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let stores = (0..RACERS).map(|_| scene.store.clone()).collect();
        let (won, named) = soon("the race", race(stores)).await;
        assert_eq!((won.len(), named.len()), (1, RACERS - 1), "{name}");
        assert!(named.iter().all(|holder| *holder == won[0]), "{name}");
        assert_eq!(scene.claim("h1").await.as_ref(), won.first(), "{name}");
        let all = scene.commands().list(outlast_core::Page::default()).await.unwrap();
        assert_eq!(all.items.len(), 1, "{name}: those that lost left nothing");
    }
}

/// Handles that share no lock, as processes do.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_processes_exactly_one_begins() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let stores = (0..RACERS).map(|_| scene.other()).collect();
        let (won, named) = soon("the race", race(stores)).await;
        assert_eq!((won.len(), named.len()), (1, RACERS - 1), "{name}");
        assert!(named.iter().all(|holder| *holder == won[0]), "{name}");
    }
}

#[tokio::test]
async fn the_host_is_free_again_after_each_end() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let mut versions = HashSet::new();
        for exit_code in [0, 1] {
            let command = commands.begin("h1", op("pull")).await.unwrap();
            commands.validate(command.id()).await.unwrap();
            commands.execute(command.id(), None).await.unwrap();
            assert_eq!(scene.claim("h1").await.as_deref(), Some(command.id()));
            commands.finish(command.id(), &Completion::exited(exit_code)).await.unwrap();
            assert_eq!(scene.claim("h1").await, None);
            versions.insert(command.id().to_owned());
        }
        assert_eq!(versions.len(), 2);
    }
}

/// A claim that somebody else came to hold is not given back by a command that lost it.
#[tokio::test]
async fn a_command_gives_back_no_claim_but_its_own() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let command = scene.commands().begin("h1", op("pull")).await.unwrap();
        let claims = scene.store.kind::<Claim>();
        let other = |claim: &mut Claim| {
            claim.holder = "other".to_owned();
            Ok(())
        };
        claims.update("host/h1", other).await.unwrap();
        let skipped = scene.commands().skip(command.id(), "no matter").await.unwrap();
        assert_eq!(skipped.status, CommandStatus::Skipped);
        assert_eq!(scene.claim("h1").await.as_deref(), Some("other"), "{name}");
    }
}

/// A command that was settled past this engine leaves its claim; its host is free all the same.
#[tokio::test]
async fn a_claim_that_was_left_behind_holds_nothing() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let kind = scene.store.kind::<outlast_core::Command>();
        for (host, next) in [("h1", "begin"), ("h2", "dequeue"), ("h3", "remove")] {
            scene.host(host).await;
            let left = scene.commands().begin(host, op("pull")).await.unwrap();
            kind.transition(left.id(), CommandStatus::Cancelled).await.unwrap();
            assert_eq!(scene.claim(host).await.as_deref(), Some(left.id()));
            match next {
                "begin" => {
                    let begun = scene.commands().begin(host, op("pull")).await.unwrap();
                    assert_eq!(scene.claim(host).await.as_deref(), Some(begun.id()), "{name}");
                }
                "dequeue" => {
                    scene.hosts().disconnect(host).await.unwrap();
                    scene.commands().begin_or_queue(host, op("pull")).await.unwrap();
                    scene.hosts().heartbeat(host, HostStatus::Online).await.unwrap();
                    let taken = scene.commands().next_queued(host).await.unwrap().unwrap();
                    assert_eq!(scene.claim(host).await.as_deref(), Some(taken.id()), "{name}");
                }
                _ => {
                    scene.hosts().remove(host).await.unwrap();
                    assert_eq!(scene.claim(host).await, None, "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_cannot_be_taken() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let error = scene.commands().begin("h1", op("pull")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(scene.claim("h1").await, None);
        assert!(scene.events().await.is_empty());
    }
}

#[tokio::test]
async fn an_operation_has_a_name_and_a_host_an_id_that_can_be_claimed() {
    let scene = Scene::new("memory").await;
    scene.host("h1").await;
    for name in ["", "two\nlines"] {
        let error = scene.commands().begin("h1", op(name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    let host = Host::new("long", scene.now());
    let error = scene.hosts().register(&"h".repeat(510), host).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}
