//! Recovery and the engines together: what is settled by one is not settled again by the other.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use outlast_core::{
    Artifact, BatchSpec, Claim, Clock, Command, CommandLine, CommandStatus, Host, JoinWithin,
    OpSpec, Pipeline, PipelineRecovery, PipelineStatus, RecoveryPolicy, Result, Run, StageOutcome,
    StageStatus, Subscription, Task, TaskStatus,
};
use outlast_orchestrator::fleet::pipeline::{Conductor, ConductorOptions, Definition, Pipelines};
use outlast_orchestrator::fleet::{Fleet, LocalExecutor};
use outlast_orchestrator::recovery::{Outcome, RecoveryOptions, recover};
use outlast_orchestrator::tasks::{Outcome as Settled, Runner, RunnerOptions, Shutdown};
use outlast_orchestrator::windows::{Delivery, Handler, WindowOptions, Windows};
use outlast_orchestrator::{Instance, references};
use outlast_store::Store;

use crate::support::{BACKENDS, HOUR, acquire, claim, create, site, task};

#[tokio::test]
async fn a_run_is_settled_once_whether_recovery_or_resuming_comes_first() {
    for backend in BACKENDS {
        for recovery_first in [false, true] {
            let site = site(backend).await;
            let (store, now) = (&site.store, site.clock.now());
            let run = Run { file: "jobs.toml".to_owned(), created_at: now, task_count: 1 };
            create(store, "run", &run).await;
            create(store, "t1", &task(TaskStatus::Running, RecoveryPolicy::Restart, now)).await;
            let instance = acquire(store).await;
            let runner = Runner::under(instance.clone(), RunnerOptions::default()).unwrap();
            let options = RecoveryOptions::default();
            if recovery_first {
                let report = recover(&instance, &options).await.unwrap();
                assert_eq!(report.count("task", Outcome::Restarted), 1);
                let resumed = runner.resume(None, &[]).await.unwrap();
                assert_eq!(resumed.recovered[0].outcome, Settled::Requeued, "{backend}");
            } else {
                let resumed = runner.resume(None, &[]).await.unwrap();
                assert_eq!(resumed.recovered[0].outcome, Settled::Restarted, "{backend}");
                assert_eq!(recover(&instance, &options).await.unwrap().changed, 0);
            }
            let tasks = store.kind::<Task>();
            let all = tasks.count(&tasks.query().unwrap(), &[]).await.unwrap();
            assert_eq!(all.total, 2, "{backend}: one new attempt");
            let run = store.kind().get("run").await.unwrap();
            let state = runner.drive(&run, &Shutdown::default()).await.unwrap();
            assert_eq!(state.stats().completed, 1, "{backend}");
            store.close().await.unwrap();
        }
    }
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<(String, usize)>>);

#[async_trait]
impl Handler for Recorder {
    async fn deliver(&self, delivery: Delivery) -> Result<()> {
        let count = delivery.artifacts().count();
        self.0.lock().unwrap().push((delivery.dispatch_id.clone(), count));
        Ok(())
    }
}

fn subscriptions() -> Vec<Subscription> {
    let timeout_ms = Some(60_000);
    let batch = Subscription::new("reviewer", "many", ["order"]);
    let join = Subscription::new("reviewer", "pair", ["order", "payment"]);
    vec![
        batch.in_batches(BatchSpec { size: None, timeout_ms }),
        join.join_by("id", JoinWithin::Time(60_000)),
    ]
}

async fn windows(instance: &Instance, recorder: &Arc<Recorder>) -> Windows {
    let options = WindowOptions { most_attempts: 1, ..WindowOptions::default() };
    Windows::start(instance, subscriptions(), recorder.clone(), options).await.unwrap()
}

#[tokio::test]
async fn a_window_that_time_ended_meanwhile_ends_once_and_is_handed_over_once() {
    for backend in BACKENDS {
        for recovery_first in [false, true] {
            let site = site(backend).await;
            let instance = acquire(&site.store).await;
            let recorder = Arc::new(Recorder::default());
            let before = windows(&instance, &recorder).await;
            let payload = serde_json::json!({ "id": 7 });
            before.publish(Artifact::new("order", payload, site.clock.now())).await.unwrap();
            drop(before);
            site.clock.advance(HOUR);
            if recovery_first {
                let report = recover(&instance, &RecoveryOptions::default()).await.unwrap();
                assert_eq!(report.count("batch", Outcome::Flushed), 1, "{backend}: {report:?}");
                assert_eq!(report.count("join", Outcome::Expired), 1, "{backend}");
            }
            let after = windows(&instance, &recorder).await;
            after.tick().await.unwrap();
            after.tick().await.unwrap();
            let report = recover(&instance, &RecoveryOptions::default()).await.unwrap();
            assert_eq!(report.changed, 0, "{backend}: {report:?}");
            let delivered = recorder.0.lock().unwrap().clone();
            assert_eq!(delivered.len(), 1, "{backend} {recovery_first}: {delivered:?}");
            assert_eq!(delivered[0].1, 1);
            let claims = site.store.kind::<Claim>();
            let claims = claims.count(&claims.query().unwrap(), &[]).await.unwrap();
            assert_eq!(claims.total, 0, "{backend}");
            after.shutdown().await.unwrap();
            site.store.close().await.unwrap();
        }
    }
}

/// A pipeline in its first stage, whose command ran when its orchestrator ended.
async fn left(store: &Store) -> String {
    let host = Host::new("h1", store.clock().now());
    Fleet::new(store).hosts().register("h1", host).await.unwrap();
    let stages = ["first", "second"]
        .map(|op| OpSpec { run: Some(CommandLine::Shell("true".to_owned())), ..OpSpec::new(op) });
    let definition = Definition::new("deploy", ["h1"], stages).unwrap();
    let definition = definition.recovery(PipelineRecovery::Resume);
    let pipeline = Pipelines::of(store).create(&definition).await.unwrap();
    let id = pipeline.id().to_owned();
    let running = Pipeline { status: PipelineStatus::Running, ..(*pipeline).clone() };
    store.kind().replace(&pipeline, running).await.unwrap();
    let now = store.clock().now();
    let spec = pipeline.stages[0].clone();
    let command = Command {
        status: CommandStatus::Executing,
        pipeline_id: Some(id.clone()),
        stage: Some(0),
        ..Command::new("h1", spec, now)
    };
    create(store, "c1", &command).await;
    claim(store, "host/h1", "c1").await;
    let outcomes = store.kind::<StageOutcome>();
    let first = outcomes.get(&StageOutcome::id_of(&id, 0, "h1")).await.unwrap();
    let running = StageOutcome {
        status: StageStatus::Running,
        command_id: Some("c1".to_owned()),
        ..(*first).clone()
    };
    outcomes.replace(&first, running).await.unwrap();
    id
}

#[tokio::test]
async fn a_pipeline_that_asks_for_it_goes_on_after_recovery() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let id = left(&site.store).await;
        let instance = acquire(&site.store).await;
        let report = recover(&instance, &RecoveryOptions::default()).await.unwrap();
        assert_eq!(report.count("command", Outcome::MarkedOrphaned), 1, "{report:?}");
        assert_eq!(report.count("pipeline", Outcome::Resumed), 1, "{report:?}");
        let dangling = references::check(&site.store).await.unwrap().examples;
        assert_eq!(dangling, [], "{backend}");

        let executor = Arc::new(LocalExecutor::new(site.store.clock().clone()));
        let conductor = Conductor::new(&instance, executor, ConductorOptions::default()).unwrap();
        let state = conductor.drive(&id, &Shutdown::default()).await.unwrap();
        assert_eq!(state.pipeline.status, PipelineStatus::Complete, "{backend}");
        assert!(state.outcomes().all(|outcome| outcome.status == StageStatus::Success));
        assert_eq!(recover(&instance, &RecoveryOptions::default()).await.unwrap().changed, 0);
        site.store.close().await.unwrap();
    }
}
