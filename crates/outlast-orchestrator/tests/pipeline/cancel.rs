//! Calling a pipeline off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use outlast_core::{Actor, Cause, Error, ErrorKind, Id, PipelineStatus, Result, WriteSet};
use outlast_orchestrator::fleet::Completion;
use outlast_orchestrator::fleet::pipeline::{ConductorOptions, Pipelines};
use outlast_store::{Store, StoreOptions};

use crate::hooked::Hooked;
use crate::opened::memory;
use crate::support::{
    assert_tidy, conductor, deploy, drive, everywhere, register, table, told, within,
};
use crate::world::{Act, World};

#[tokio::test]
async fn what_runs_goes_on_to_its_end_and_the_rest_never_begins() {
    everywhere(async |site| {
        site.world.tell("switch", "a", Act::Hold);
        site.world.tell("switch", "b", Act::Hold);
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let conductor = site.conductor().await;
        let calling_off = async {
            site.world.has_begun("switch", "a").await;
            site.world.has_begun("switch", "b").await;
            let ann = Cause::by(Actor::User(Id::new("ann").unwrap())).because("wrong branch");
            let cancelled = site.pipelines().with_cause(ann).cancel(pipeline.id()).await.unwrap();
            assert_eq!(cancelled.status, PipelineStatus::Cancelled);
            assert_eq!(cancelled.error.as_deref(), Some("wrong branch"));
            site.world.let_go("switch", "a", Completion::exited(0));
            site.world.let_go("switch", "b", Completion::exited(1));
        };
        let (state, ()) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), calling_off) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Cancelled);
        let [first, second, third]: [&str; 3] =
            table(&state).leak().split(' ').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((first, third), ("sss", "ccc"));
        // Host c may have been done, or about to begin.
        assert!(["sfs", "sfc"].contains(&second), "{second}");
        assert!(site.world.begun().iter().all(|(op, _)| op != "test"));
        assert_eq!(told(&site.store).await.last().unwrap(), "pipeline deploy ended: cancelled");
        assert!(state.is_over());
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn one_that_has_not_begun_never_does() {
    everywhere(async |site| {
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        site.pipelines().cancel(pipeline.id()).await.unwrap();
        let state = drive(&site.conductor().await, pipeline.id()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Cancelled);
        assert_eq!((table(&state).as_str(), site.world.begun().len()), ("ccc ccc ccc", 0));
    })
    .await;
}

#[tokio::test]
async fn an_end_that_came_first_stays() {
    everywhere(async |site| {
        let state = site.drive(&deploy()).await;
        let error = site.pipelines().cancel(state.pipeline.id()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalTransition);
        let unknown = site.pipelines().cancel("nothing").await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
        let after = site.pipelines().state(state.pipeline.id()).await.unwrap();
        assert_eq!(after.pipeline.version, state.pipeline.version);
    })
    .await;
}

#[tokio::test]
async fn calling_off_races_with_every_step_and_nothing_begins_after_it() {
    // Called off after so many looks at the clock of the runtime: wherever the drive is by then.
    for delay in 0..60 {
        let store = memory();
        register(&store).await;
        let world = World::default();
        let pipelines = Pipelines::of(&store);
        let pipeline = pipelines.create(&deploy()).await.unwrap();
        let conductor = conductor(&store, &world, ConductorOptions::default()).await;
        let calling_off = async {
            for _ in 0..delay {
                tokio::task::yield_now().await;
            }
            pipelines.cancel(pipeline.id()).await
        };
        let (state, cancelled) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), calling_off) }).await;
        let expected = match cancelled {
            Ok(_) => PipelineStatus::Cancelled,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::IllegalTransition, "{error}");
                PipelineStatus::Complete
            }
        };
        assert_eq!(state.pipeline.status, expected, "delay {delay}");
        assert!(state.is_over(), "delay {delay}: {}", table(&state));
        let done = table(&state).matches('s').count();
        assert_eq!(done, world.begun().len(), "delay {delay}: {}", table(&state));
        assert_tidy(&store).await;
    }
}

/// While it is broken, no outcome can be written.
fn refuse_outcomes(broken: &Arc<AtomicBool>) -> impl Fn(&WriteSet) -> Result<()> + use<> {
    let broken = broken.clone();
    move |set| {
        let mut versions = set.commits.iter().flat_map(|commit| &commit.versions);
        let is_outcome = versions.any(|one| one.key.kind.as_str() == "stage_outcome");
        if broken.load(Ordering::Relaxed) && is_outcome {
            return Err(Error::unavailable("a test"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_cancellation_that_was_cut_off_is_completed_by_the_next_or_by_the_drive() {
    for by_drive in [false, true] {
        let backend = memory().backend().clone();
        let broken = Arc::new(AtomicBool::new(false));
        let hook = refuse_outcomes(&broken);
        let hooked = Hooked::new((backend, None), hook);
        let store = Store::open(Arc::new(hooked), StoreOptions::default());
        register(&store).await;
        let pipelines = Pipelines::of(&store);
        let pipeline = pipelines.create(&deploy()).await.unwrap();
        broken.store(true, Ordering::Relaxed);
        pipelines.cancel(pipeline.id()).await.unwrap_err();
        broken.store(false, Ordering::Relaxed);
        let cut_off = pipelines.state(pipeline.id()).await.unwrap();
        assert_eq!(cut_off.pipeline.status, PipelineStatus::Cancelled);
        assert_eq!((table(&cut_off).as_str(), cut_off.is_over()), ("ppp ppp ppp", false));
        if by_drive {
            let conductor = conductor(&store, &World::default(), ConductorOptions::default()).await;
            drive(&conductor, pipeline.id()).await;
        } else {
            pipelines.cancel(pipeline.id()).await.unwrap();
        }
        let state = pipelines.state(pipeline.id()).await.unwrap();
        assert_eq!((table(&state).as_str(), state.is_over()), ("ccc ccc ccc", true));
    }
}

#[tokio::test]
async fn a_cancellation_that_was_cut_off_is_completed_by_a_drive_that_is_under_way() {
    let broken = Arc::new(AtomicBool::new(false));
    let hook = refuse_outcomes(&broken);
    let hooked = Hooked::new((memory().backend().clone(), None), hook);
    let store = Store::open(Arc::new(hooked), StoreOptions::default());
    register(&store).await;
    let (world, pipelines) = (World::default(), Pipelines::of(&store));
    world.tell("pull", "a", Act::Hold);
    let pipeline = pipelines.create(&deploy()).await.unwrap();
    let options = ConductorOptions { max_concurrent: 1, ..ConductorOptions::default() };
    let conductor = conductor(&store, &world, options).await;
    let calling_off = async {
        world.has_begun("pull", "a").await;
        broken.store(true, Ordering::Relaxed);
        pipelines.cancel(pipeline.id()).await.unwrap_err();
        broken.store(false, Ordering::Relaxed);
        world.let_go("pull", "a", Completion::exited(0));
    };
    let (state, ()) =
        within(async { tokio::join!(drive(&conductor, pipeline.id()), calling_off) }).await;
    assert_eq!(state.pipeline.status, PipelineStatus::Cancelled);
    assert_eq!((table(&state).as_str(), world.begun().len()), ("scc ccc ccc", 1));
}
