//! Registering, naming and removing hosts.

use outlast_core::{Claim, ErrorKind, Host, HostStatus, Page};
use outlast_orchestrator::fleet::{Fleet, HostBusy};
use tokio::task::JoinSet;

use crate::support::{BACKENDS, DURABLE, Scene, op, soon};

async fn named(scene: &Scene, hostname: &str) -> Option<String> {
    let claims = scene.store.kind::<Claim>();
    let claim = claims.find(&format!("hostname/{hostname}")).await.unwrap();
    claim.map(|claim| claim.holder.clone())
}

#[tokio::test]
async fn a_name_is_one_hosts_only() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let hosts = scene.hosts();
        hosts.register("h1", Host::new("attic", scene.now())).await.unwrap();
        let told = scene.told().await;
        let error = hosts.register("h2", Host::new("attic", scene.now())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert!(error.to_string().contains("h1"), "{error}");
        assert_eq!(hosts.get("h2").await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        let error = hosts.register("h1", Host::new("cellar", scene.now())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert_eq!(named(&scene, "cellar").await, None, "{name}: all of it or nothing");
        assert_eq!(scene.told().await, told, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_take_one_name_at_once_one_has_it() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let mut racers = JoinSet::new();
        for n in 0..8 {
            let (store, now) = (scene.other(), scene.now());
            racers.spawn(async move {
                let hosts = Fleet::new(&store).hosts();
                hosts.register(&format!("h{n}"), Host::new("attic", now)).await
            });
        }
        let mut won = Vec::new();
        while let Some(registered) = soon("a racer", racers.join_next()).await {
            match registered.unwrap() {
                Ok(host) => won.push(host.id().to_owned()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Exists, "{error}"),
            }
        }
        assert_eq!(won.len(), 1, "{name}");
        assert_eq!(named(&scene, "attic").await.as_ref(), won.first(), "{name}");
        assert_eq!(scene.hosts().list(Page::default()).await.unwrap().items.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_new_name_frees_the_old_one() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        let hosts = scene.hosts();
        hosts.register("h1", Host::new("attic", scene.now())).await.unwrap();
        hosts.register("h2", Host::new("cellar", scene.now())).await.unwrap();
        let error = hosts.rename("h1", "cellar").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
        let renamed = hosts.rename("h1", "roof").await.unwrap();
        assert_eq!(renamed.hostname, "roof");
        assert_eq!(named(&scene, "attic").await, None, "{name}");
        assert_eq!(named(&scene, "roof").await.as_deref(), Some("h1"), "{name}");
        let same = hosts.rename("h1", "roof").await.unwrap();
        assert_eq!(same.version, renamed.version, "{name}: nothing to do");
        hosts.rename("h2", "attic").await.unwrap();
    }
}

#[tokio::test]
async fn what_is_known_may_change_but_not_the_name_or_the_status() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let hosts = scene.hosts();
        let described = hosts
            .update("h1", |host| {
                host.comment = Some("under the roof".to_owned());
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(described.comment.as_deref(), Some("under the roof"));
        let renamed = hosts
            .update("h1", |host| {
                host.hostname = "other".to_owned();
                Ok(())
            })
            .await;
        assert_eq!(renamed.unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        let moved = hosts
            .update("h1", |host| {
                host.status = HostStatus::Online;
                Ok(())
            })
            .await;
        assert_eq!(moved.unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        assert_eq!(hosts.get("h1").await.unwrap().version, described.version, "{name}");
    }
}

#[tokio::test]
async fn a_host_is_not_removed_under_a_command() {
    for name in BACKENDS {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        let running = scene.commands().begin("h1", op("pull")).await.unwrap();
        let error = scene.hosts().remove("h1").await.unwrap_err();
        assert_eq!(HostBusy::of(&error).unwrap().command_id, running.id(), "{name}");
        assert!(scene.hosts().get("h1").await.is_ok(), "{name}");
        scene.commands().cancel(running.id(), "it is to go").await.unwrap();
        scene.hosts().remove("h1").await.unwrap();
        assert_eq!(scene.hosts().get("h1").await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(named(&scene, "h1.example").await, None, "{name}");
        let error = scene.hosts().remove("h1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
    }
}

#[tokio::test]
async fn a_host_that_comes_again_counts_on_from_its_tombstone() {
    for name in DURABLE {
        let scene = Scene::new(name).await;
        scene.host("h1").await;
        scene.hosts().remove("h1").await.unwrap();
        let scene = scene.reopened().await;
        let again = scene.host("h1").await;
        assert_eq!(again.version.n, 3, "{name}: registered, removed, registered");
        let command = scene.commands().begin("h1", op("pull")).await.unwrap();
        assert_eq!(scene.claim("h1").await.as_deref(), Some(command.id()), "{name}");
    }
}

/// Whoever is first, no command is left on a host that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn removing_and_beginning_at_once_leaves_no_command_without_a_host() {
    for name in BACKENDS {
        for _ in 0..8 {
            let scene = Scene::new(name).await;
            scene.host("h1").await;
            let (one, other) = (scene.other(), scene.other());
            let begins =
                tokio::spawn(
                    async move { Fleet::new(&one).commands().begin("h1", op("pull")).await },
                );
            let leaves = tokio::spawn(async move { Fleet::new(&other).hosts().remove("h1").await });
            let (begun, removed) = (begins.await.unwrap(), leaves.await.unwrap());
            assert!(begun.is_ok() != removed.is_ok(), "{name}: {begun:?} and {removed:?}");
            assert_eq!(scene.claim("h1").await.is_some(), begun.is_ok(), "{name}");
        }
    }
}
