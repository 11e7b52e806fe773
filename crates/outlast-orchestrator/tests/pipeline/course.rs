//! Pipelines that run to their end.

use outlast_core::{Host, OpSpec, PipelineStatus, Status as _};
use outlast_orchestrator::fleet::pipeline::{ConductorOptions, Definition, Progress};
use outlast_orchestrator::fleet::{Completion, Fleet};
use tokio::sync::mpsc;

use crate::support::{
    STAGES, assert_tidy, commands, deploy, drive, everywhere, table, told, within,
};
use crate::world::Act;

#[tokio::test]
async fn every_stage_is_done_once_on_every_host() {
    everywhere(async |site| {
        let state = site.drive(&deploy()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
        assert_eq!((table(&state).as_str(), &state.pipeline.error), ("sss sss sss", &None));
        assert!(state.pipeline.finished_at.is_some() && state.is_over());
        for op in STAGES {
            for host in ["a", "b", "c"] {
                assert_eq!(site.world.times(op, host), 1, "{op} on {host}");
            }
        }
        let of_pipeline = |id: &Option<String>| id.as_deref() == Some(state.pipeline.id());
        let commands = commands(&site.store).await;
        assert_eq!(commands.iter().filter(|one| of_pipeline(&one.pipeline_id)).count(), 9);
        assert_eq!(
            told(&site.store).await,
            [
                "pipeline deploy began: 3 stages, 3 hosts",
                "stage 1 of pipeline deploy, pull, is over: successful on 3 of 3 hosts",
                "stage 2 of pipeline deploy, switch, is over: successful on 3 of 3 hosts",
                "stage 3 of pipeline deploy, test, is over: successful on 3 of 3 hosts",
                "pipeline deploy ended: complete",
            ]
        );
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn no_stage_begins_before_the_one_before_is_over_everywhere() {
    everywhere(async |site| {
        site.world.tell("pull", "c", Act::Hold);
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let conductor = site.conductor().await;
        let driving = drive(&conductor, pipeline.id());
        let letting_go = async {
            site.world.has_begun("pull", "c").await;
            // The others have nothing left to wait for but the barrier.
            let id = pipeline.id();
            let is_settled = |state: &str| state.starts_with("ssr");
            while !is_settled(&table(&site.pipelines().state(id).await.unwrap())) {
                tokio::task::yield_now().await;
            }
            assert!(site.world.begun().iter().all(|(op, _)| op == "pull"));
            site.world.let_go("pull", "c", Completion::exited(0));
        };
        let (state, ()) = within(async { tokio::join!(driving, letting_go) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
        let order: Vec<_> = site.world.begun().into_iter().map(|(op, _)| op).collect();
        assert_eq!(
            order,
            ["pull", "pull", "pull", "switch", "switch", "switch", "test", "test", "test"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_host_that_fails_drops_out_and_the_others_go_on() {
    everywhere(async |site| {
        site.world.tell("switch", "b", Act::Exit(3));
        let state = site.drive(&deploy()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Partial);
        assert_eq!(table(&state), "sss sfs sks");
        let failed = state.outcome(1, "b").unwrap();
        assert_eq!((failed.exit_code, failed.error.as_deref()), (Some(3), Some("exit code 3")));
        assert_eq!(site.world.times("test", "b"), 0);
        let error = state.pipeline.error.as_deref();
        assert_eq!(error, Some("every stage was successful on 2 of 3 hosts"));
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_without_hosts_left_has_failed() {
    everywhere(async |site| {
        site.world.tell("pull", "a", Act::Exit(1));
        site.world.tell("switch", "b", Act::Refuse);
        site.world.tell("switch", "c", Act::Exit(2));
        let state = site.drive(&deploy()).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Failed);
        assert_eq!(table(&state), "fss kff kkk");
        assert!(site.world.begun().iter().all(|(op, _)| op != "test"));
        assert_eq!(told(&site.store).await.last().unwrap(), "pipeline deploy ended: failed");
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn a_host_that_is_taken_between_two_stages_fails_and_its_command_is_left_alone() {
    everywhere(async |site| {
        site.world.tell("pull", "c", Act::Hold);
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let conductor = site.conductor().await;
        let meanwhile = async {
            site.world.has_begun("pull", "c").await;
            let commands = Fleet::new(&site.store).commands();
            let taken = loop {
                match commands.begin("a", OpSpec::new("status")).await {
                    Ok(command) => break command,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            // It may have been quicker than the stage itself.
            site.world.let_go("pull", "c", Completion::exited(0));
            taken
        };
        let (state, taken) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), meanwhile) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Partial);
        let error = state.outcomes().find_map(|outcome| outcome.error.clone()).unwrap();
        assert!(error.contains(taken.id()), "{error}");
        let taken = Fleet::new(&site.store).commands().get(taken.id()).await.unwrap();
        assert_eq!(taken.status.as_str(), "pending");
    })
    .await;
}

#[tokio::test]
async fn a_host_that_is_removed_in_the_middle_fails() {
    everywhere(async |site| {
        site.world.tell("pull", "c", Act::Hold);
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let conductor = site.conductor().await;
        let meanwhile = async {
            site.world.has_begun("pull", "c").await;
            let hosts = site.store.kind::<Host>();
            hosts.delete(&hosts.get("c").await.unwrap()).await.unwrap();
            site.world.let_go("pull", "c", Completion::exited(0));
        };
        let (state, ()) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), meanwhile) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Partial);
        assert_eq!(table(&state), "sss ssf ssk");
        assert_tidy(&site.store).await;
    })
    .await;
}

#[tokio::test]
async fn no_more_hosts_work_at_once_than_is_allowed() {
    everywhere(async |site| {
        site.world.tell("pull", "a", Act::Hold);
        let options = ConductorOptions { max_concurrent: 1, ..ConductorOptions::default() };
        let conductor = site.conductor_with(options).await;
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let letting_go = async {
            site.world.has_begun("pull", "a").await;
            let state = site.pipelines().state(pipeline.id()).await.unwrap();
            assert_eq!(table(&state), "rpp ppp ppp");
            site.world.let_go("pull", "a", Completion::exited(0));
        };
        let (state, ()) =
            within(async { tokio::join!(drive(&conductor, pipeline.id()), letting_go) }).await;
        assert_eq!(state.pipeline.status, PipelineStatus::Complete);
    })
    .await;
}

#[tokio::test]
async fn what_moves_is_told_in_order() {
    everywhere(async |site| {
        let (sender, mut progress) = mpsc::channel(100);
        let options = ConductorOptions { progress: Some(sender), ..ConductorOptions::default() };
        let conductor = site.conductor_with(options).await;
        let one = Definition::new("one", ["a"], [OpSpec::new("pull")]).unwrap();
        let pipeline = site.pipelines().create(&one).await.unwrap();
        drive(&conductor, pipeline.id()).await;
        let mut told = Vec::new();
        while let Ok(one) = progress.try_recv() {
            told.push(match one {
                Progress::Stage { status, .. } => format!("stage {}", status.as_str()),
                Progress::Pipeline { status, .. } => format!("pipeline {}", status.as_str()),
            });
        }
        let expected = ["pipeline running", "stage running", "stage success", "pipeline complete"];
        assert_eq!((told, conductor.unsent()), (expected.map(str::to_owned).to_vec(), 0));
    })
    .await;
}

#[tokio::test]
async fn a_pipeline_can_be_driven_on_a_task_of_its_own() {
    everywhere(async |site| {
        let pipeline = site.pipelines().create(&deploy()).await.unwrap();
        let (conductor, id) = (site.conductor().await, pipeline.id().to_owned());
        let driven = tokio::spawn(async move { drive(&conductor, &id).await.pipeline.status });
        assert_eq!(within(driven).await.unwrap(), PipelineStatus::Complete);
    })
    .await;
}
