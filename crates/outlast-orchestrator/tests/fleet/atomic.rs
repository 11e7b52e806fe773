//! One change, one commit: the command, its claim and its event are never apart.

use outlast_core::{CommandStatus, ErrorKind, Event, Revision};
use outlast_orchestrator::Instance;
use outlast_orchestrator::fleet::{Completion, Fleet, KillSignal};

use crate::support::{BACKENDS, Scene, op};

/// The keys and streams of each commit since the beginning.
async fn commits(scene: &Scene) -> Vec<Vec<String>> {
    let changes = scene.store.changes(Revision::ZERO, 1000).await.unwrap().items;
    let written = |change: &outlast_core::Change| {
        let versions = change.versions.iter().map(|version| version.as_ref().unwrap());
        let keys = versions.map(|version| {
            let gone = if version.is_live() { "" } else { "-" };
            format!("{gone}{}", version.key.kind)
        });
        let streams = change.appended.iter().map(|(stream, ..)| stream.kind.to_string());
        let mut names: Vec<_> = keys.chain(streams).collect();
        names.sort();
        names
    };
    changes.iter().map(written).collect()
}

#[tokio::test]
async fn each_change_is_one_commit_with_its_claim_and_its_event() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let commands = scene.commands();
        let command = commands.begin("h1", op("pull")).await.unwrap();
        commands.validate(command.id()).await.unwrap();
        commands.execute(command.id(), None).await.unwrap();
        commands.kill(command.id(), KillSignal::Term).await.unwrap();
        commands.finish(command.id(), &Completion::signalled(15)).await.unwrap();
        let expected = [
            vec!["claim", "event", "host"],
            vec!["claim", "command", "event"],
            vec!["command"],
            vec!["command", "event"],
            vec!["command", "event"],
            vec!["-claim", "command", "event"],
        ];
        assert_eq!(commits(&scene).await, expected, "{name}");
        let log = Event::log().unwrap();
        assert_eq!(log.kind.as_str(), "event");
    }
}

/// A driver that lost its right writes nothing at all, no event either.
#[tokio::test]
async fn a_commit_that_fails_leaves_no_event_and_no_claim() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let instance = Instance::acquire(&scene.store, false).await.unwrap();
        let driven = Fleet::driven_by(&instance);
        let command = driven.commands().begin("h1", op("pull")).await.unwrap();
        instance.release().await.unwrap();
        let before = (commits(&scene).await, scene.events().await);

        let refused = [
            driven.commands().validate(command.id()).await.map(drop),
            driven.commands().cancel(command.id(), "too late").await.map(drop),
            driven.commands().kill(command.id(), KillSignal::Kill).await.map(drop),
            driven.hosts().rename("h1", "other").await.map(drop),
            driven.hosts().disconnect("h1").await.map(drop),
        ];
        for (n, refused) in refused.into_iter().enumerate() {
            let kind = refused.unwrap_err().kind();
            // That one may not kill what was not sent is found out before anything is written.
            let expected = if n == 2 { ErrorKind::IllegalTransition } else { ErrorKind::Fenced };
            assert_eq!(kind, expected, "{name}");
        }
        assert_eq!((commits(&scene).await, scene.events().await), before, "{name}");
        assert_eq!(scene.claim("h1").await.as_deref(), Some(command.id()), "{name}");
        let cancelled = scene.commands().cancel(command.id(), "by somebody else").await.unwrap();
        assert_eq!(cancelled.status, CommandStatus::Cancelled, "{name}");
    }
}

#[tokio::test]
async fn what_is_refused_leaves_no_event() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let command = scene.commands().begin("h1", op("pull")).await.unwrap();
        let before = commits(&scene).await;
        scene.commands().begin("h1", op("switch")).await.unwrap_err();
        scene.commands().finish(command.id(), &Completion::exited(0)).await.unwrap_err();
        scene.commands().begin("nowhere", op("switch")).await.unwrap_err();
        assert_eq!(commits(&scene).await, before, "{name}");
    }
}

/// An event that is refused takes what it reports with it.
#[tokio::test]
async fn without_its_event_there_is_no_change() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let long = outlast_core::Host::new("x".repeat(Event::MAX_BYTES), scene.now());
        let error = scene.hosts().register("h1", long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(commits(&scene).await.is_empty(), "{name}");
    }
}
