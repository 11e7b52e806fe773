//! Pipelines that are not to be resumed, and records that cannot be read.

use std::sync::Arc;

use outlast_core::{
    CommandStatus, ErrorKind, Key, Page, PipelineStatus, StageOutcome, StageStatus,
};
use outlast_orchestrator::Shutdown;
use outlast_orchestrator::fleet::Completion;
use outlast_orchestrator::fleet::pipeline::{ConductorOptions, Pipelines};
use outlast_store::{Store, StoreOptions};

use crate::hooked::Hooked;
use crate::opened::memory;
use crate::support::{
    assert_tidy, commands, conductor, deploy, drive, everywhere, lose_driver, register, resumable,
    table, told,
};
use crate::world::{Act, World};

/// Drives a pipeline up to its second stage on `a`, and drops it there.
async fn leave(store: &Store, world: &World, id: &str) {
    world.tell("switch", "a", Act::Hold);
    world.tell("switch", "b", Act::Hold);
    world.tell("switch", "c", Act::Hold);
    let conductor = conductor(store, world, ConductorOptions::default()).await;
    let until_held = async {
        for host in ["a", "b", "c"] {
            world.has_begun("switch", host).await;
        }
    };
    tokio::select! {
        state = drive(&conductor, id) => panic!("{state:?}"),
        () = until_held => {}
    }
    lose_driver(store).await;
}

#[tokio::test]
async fn one_that_is_not_to_be_resumed_is_orphaned_with_its_commands() {
    everywhere(async |site| {
        let id = site.pipelines().create(&deploy()).await.unwrap().id().to_owned();
        leave(&site.store, &site.world, &id).await;
        let begun = site.world.begun().len();
        let state = drive(&site.conductor().await, &id).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Orphaned);
        assert_eq!(table(&state), "sss fff ccc");
        assert_eq!(site.world.begun().len(), begun, "something was begun again");
        let orphans = commands(&site.store).await.into_iter();
        let orphans = orphans.filter(|command| command.status == CommandStatus::Orphaned);
        assert_eq!(orphans.count(), 3);
        assert_eq!(told(&site.store).await.last().unwrap(), "pipeline deploy ended: orphaned");
        assert!(state.is_over());
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_is_to_be_resumed_begins_only_what_was_under_way() {
    everywhere(async |site| {
        let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
        leave(&site.store, &site.world, &id).await;
        for host in ["a", "b", "c"] {
            site.world.tell("switch", host, Act::Exit(0));
        }
        let state = drive(&site.conductor().await, &id).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
        for (op, times) in [("pull", 1), ("switch", 2), ("test", 1)] {
            for host in ["a", "b", "c"] {
                assert_eq!(site.world.times(op, host), times, "{op} on {host}");
            }
        }
        let outcome = state.outcome(1, "a").unwrap();
        let newest = site.store.kind().get(outcome.command_id.as_ref().unwrap()).await.unwrap();
        let newest: &outlast_core::Command = &newest;
        assert_eq!(newest.status, CommandStatus::Success, "the outcome names the newest command");
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_was_called_off_and_left_is_tidied_up() {
    everywhere(async |site| {
        let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
        leave(&site.store, &site.world, &id).await;
        site.pipelines().cancel(&id).await.unwrap();
        assert!(!site.pipelines().state(&id).await.unwrap().is_over());
        let state = drive(&site.conductor().await, &id).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Cancelled);
        assert_eq!((table(&state).as_str(), state.is_over()), ("sss fff ccc", true));
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn commands_that_recovery_orphaned_before_are_begun_anew() {
    everywhere(async |site| {
        let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
        leave(&site.store, &site.world, &id).await;
        // As one that knows of commands but not of pipelines does.
        let kind = site.store.kind::<outlast_core::Command>();
        let state = site.pipelines().state(&id).await.unwrap();
        for host in ["a", "b", "c"] {
            let outcome = state.outcome(1, host).unwrap();
            assert_eq!(outcome.status, StageStatus::Running);
            let orphan = |command: &mut outlast_core::Command| {
                command.status = CommandStatus::Orphaned;
                Ok(())
            };
            kind.update(outcome.command_id.as_ref().unwrap(), orphan).await.unwrap();
            let claims = site.store.kind::<outlast_core::Claim>();
            claims.delete(&claims.get(&format!("host/{host}")).await.unwrap()).await.unwrap();
            site.world.tell("switch", host, Act::Exit(0));
        }
        let state = drive(&site.conductor().await, &id).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
        assert_eq!(site.world.times("switch", "a"), 2);
    })
    .await;
}

#[tokio::test]
async fn an_outcome_that_cannot_be_read_is_named_and_nothing_is_begun() {
    let hooked = Hooked::new((memory().backend().clone(), None), |_| Ok(()));
    let store = Store::open(Arc::new(hooked.clone()), StoreOptions::default());
    register(&store).await;
    let world = World::default();
    let pipeline = Pipelines::of(&store).create(&deploy()).await.unwrap();
    let damaged = StageOutcome::id_of(pipeline.id(), 1, "b");
    hooked.damage(Key::new("stage_outcome", &damaged).unwrap());
    let conductor = conductor(&store, &world, ConductorOptions::default()).await;
    let error = conductor.drive(pipeline.id(), &Shutdown::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&damaged), "{error}");
    assert!(world.begun().is_empty());
}

#[tokio::test]
async fn calling_off_races_with_giving_up_and_nothing_is_begun() {
    for delay in 0..40 {
        let store = memory();
        register(&store).await;
        let (world, pipelines) = (World::default(), Pipelines::of(&store));
        let id = pipelines.create(&deploy()).await.unwrap().id().to_owned();
        leave(&store, &world, &id).await;
        let begun = world.begun().len();
        let conductor = conductor(&store, &world, ConductorOptions::default()).await;
        let calling_off = async {
            for _ in 0..delay {
                tokio::task::yield_now().await;
            }
            pipelines.cancel(&id).await.map(drop)
        };
        let (state, cancelled) = tokio::join!(drive(&conductor, &id), calling_off);
        let expected = match cancelled {
            Ok(()) => PipelineStatus::Cancelled,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}");
                PipelineStatus::Orphaned
            }
        };
        assert_eq!(state.pipeline.status, expected, "delay {delay}");
        assert_eq!((table(&state).as_str(), world.begun().len()), ("sss fff ccc", begun));
        assert_tidy(&store).await;
    }
}

#[tokio::test]
async fn what_is_not_finished_is_listed_until_it_is() {
    everywhere(async |site| {
        let listed = async || {
            let page = site.pipelines().unfinished(Page::first(10)).await.unwrap();
            page.items.into_iter().map(|one| one.unwrap().id().to_owned()).collect::<Vec<_>>()
        };
        assert!(listed().await.is_empty());
        let id = site.pipelines().create(&deploy()).await.unwrap().id().to_owned();
        assert_eq!(listed().await, [id.as_str()]);
        leave(&site.store, &site.world, &id).await;
        assert_eq!(listed().await, [id.as_str()]);
        drive(&site.conductor().await, &id).await;
        assert!(listed().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_the_right_to_drive_writes_nothing_more() {
    everywhere(async |site| {
        site.world.tell("switch", "b", Act::Hold);
        let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
        let first = site.conductor().await;
        let taking_over = async {
            site.world.has_begun("switch", "b").await;
            lose_driver(&site.store).await;
            let second = site.conductor().await;
            site.world.let_go("switch", "b", Completion::exited(0));
            second
        };
        let shutdown = Shutdown::default();
        let (driven, second) = tokio::join!(first.drive(&id, &shutdown), taking_over);
        assert_eq!(driven.unwrap_err().kind(), ErrorKind::Fenced);
        let left = site.pipelines().state(&id).await.unwrap();
        assert_eq!(left.outcome(1, "b").unwrap().status, StageStatus::Running);
        site.world.tell("switch", "b", Act::Exit(0));
        let state = drive(&second, &id).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
        assert_eq!(site.world.times("pull", "b"), 1);
        assert_tidy(&site.store).await;
    })
    .await;
}
