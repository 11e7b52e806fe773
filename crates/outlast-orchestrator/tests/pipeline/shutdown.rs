//! The sign to stop, and what is over its time.

use outlast_core::{CommandStatus, ErrorKind, OpSpec, PipelineRecovery, PipelineStatus};
use outlast_orchestrator::Shutdown;
use outlast_orchestrator::fleet::pipeline::{ConductorOptions, Definition, OnTimeout};

use crate::support::{
    STAGES, assert_tidy, commands, deploy, drive, everywhere, lose_driver, resumable, table, within,
};
use crate::world::Act;

#[tokio::test]
async fn what_runs_is_asked_to_end_and_the_pipeline_can_be_driven_again() {
    everywhere(async |site| {
        site.world.tell("switch", "b", Act::Hold);
        let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
        let conductor = site.conductor().await;
        let shutdown = Shutdown::default();
        let stopping = async {
            site.world.has_begun("switch", "b").await;
            shutdown.begin();
        };
        let (state, ()) =
            within(async { tokio::join!(conductor.drive(&id, &shutdown), stopping) }).await;
        let state = state.unwrap();
        assert_eq!(state.pipeline.status, PipelineStatus::Running);
        assert_eq!(state.pipeline.current_stage, 1);
        assert!(table(&state).starts_with("sss "), "{}", table(&state));
        assert!(!table(&state).contains(['r', 'f']), "{}", table(&state));
        assert_tidy(&site.store).await;
        let killed = commands(&site.store).await.into_iter();
        let mut killed = killed.filter(|command| command.status == CommandStatus::Killed);
        assert_eq!(killed.next().unwrap().code.as_deref(), Some("shutdown"));

        site.world.tell("switch", "b", Act::Exit(0));
        let state = drive(&conductor, &id).await;
        assert_eq!((table(&state).as_str(), site.world.times("pull", "b")), ("sss sss sss", 1));
        assert_eq!(site.world.times("switch", "b"), 2);
    })
    .await;
}

#[tokio::test]
async fn one_that_is_shut_down_before_it_begins_is_left_as_it_was() {
    everywhere(async |site| {
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let shutdown = Shutdown::default();
        shutdown.begin();
        let conductor = site.conductor().await;
        let state = within(conductor.drive(pipeline.id(), &shutdown)).await.unwrap();
        assert_eq!(state.pipeline.version, pipeline.version);
        assert!(site.world.begun().is_empty());
        let state = drive(&conductor, pipeline.id()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
    })
    .await;
}

#[tokio::test]
async fn shutting_down_at_any_moment_loses_and_repeats_nothing() {
    everywhere(async |site| {
        for delay in 0..15 {
            lose_driver(&site.store).await;
            let before = STAGES.map(|op| site.world.times(op, "a"));
            let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
            let conductor = site.conductor().await;
            let shutdown = Shutdown::default();
            let stopping = async {
                for _ in 0..delay * 8 {
                    tokio::task::yield_now().await;
                }
                shutdown.begin();
            };
            let (state, ()) =
                within(async { tokio::join!(conductor.drive(&id, &shutdown), stopping) }).await;
            let state = state.unwrap();
            assert!(!table(&state).contains(['r', 'f']), "{}", table(&state));
            assert_tidy(&site.store).await;
            let state = drive(&conductor, &id).await;
            assert_eq!(table(&state), "sss sss sss", "delay {delay}");
            // What was held nowhere came to its end, so it was recorded and not begun again.
            let after = STAGES.map(|op| site.world.times(op, "a"));
            assert_eq!(after, before.map(|times| times + 1), "delay {delay}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_over_its_time_is_killed_if_that_was_asked_for() {
    everywhere(async |site| {
        site.world.tell("pull", "a", Act::Hold);
        let hasty = OpSpec { warning_ms: 1, timeout_ms: 2, ..OpSpec::new("pull") };
        let one = Definition::new("one", ["a", "b"], [hasty]).unwrap();
        let one = one.recovery(PipelineRecovery::Resume);
        let options =
            ConductorOptions { on_timeout: OnTimeout::Kill, ..ConductorOptions::default() };
        let conductor = site.conductor_with(options).await;
        let pipeline = site.pipelines().create(&one).await.unwrap();
        let state = drive(&conductor, pipeline.id()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Partial);
        assert_eq!(table(&state), "fs");
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn an_executor_that_panics_ends_the_drive_and_not_the_pipeline() {
    everywhere(async |site| {
        site.world.tell("switch", "a", Act::Panic);
        site.world.tell("switch", "b", Act::Hold);
        let id = site.pipelines().create(&resumable()).await.unwrap().id().to_owned();
        let conductor = site.conductor().await;
        let error = within(conductor.drive(&id, &Shutdown::default())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        site.world.tell("switch", "a", Act::Exit(0));
        site.world.tell("switch", "b", Act::Exit(0));
        let state = drive(&conductor, &id).await;
        assert_eq!((table(&state).as_str(), site.world.times("pull", "a")), ("sss sss sss", 1));
        assert_tidy(&site.store).await;
    })
    .await;
}
