//! Starting and stopping.

use std::time::Duration;

use outlast_core::{Checkpoint, Clock, Command, CommandLine, CommandStatus, Swarm, SwarmStatus};
use outlast_orchestrator::driver;
use outlast_orchestrator::process::{Gated, Life, Spec, life};
use outlast_orchestrator::recovery::{
    Handlers, Outcome, RecoveryOptions, StartOptions, preview, recover, start, stop,
};

use crate::support::{
    BACKENDS, IT, acquire, claim, command, create, found, place, site, swarm, versions,
};

#[tokio::test]
async fn starting_recovers_and_stopping_saves_every_swarm_that_is_not_over() {
    for backend in BACKENDS {
        let site = site(backend).await;
        let now = site.clock.now();
        for status in [SwarmStatus::Creating, SwarmStatus::Paused, SwarmStatus::Destroyed] {
            create(&site.store, outlast_core::Status::as_str(status), &swarm(status, now)).await;
        }
        let started = start(&site.store, &StartOptions::default()).await.unwrap();
        assert_eq!(started.report.totals.swarms_recovered, 2);
        assert_eq!(started.report.count("swarm", Outcome::Resumed), 1);
        assert!(driver(&site.store).await.unwrap().is_some());

        let stopped = stop(&started.instance).await.unwrap();
        assert_eq!((stopped.saved, stopped.failed), (2, 0));
        assert!(driver(&site.store).await.unwrap().is_none());
        let checkpoints = site.store.kind::<Checkpoint>();
        let saved = checkpoints.list(&checkpoints.query().unwrap()).await.unwrap().items;
        let saved: Vec<_> = saved.into_iter().map(Result::unwrap).collect();
        assert!(saved.iter().all(|saved| saved.reason == Checkpoint::STOP));
        let made = saved.iter().find(|saved| saved.of.id() == "creating").unwrap();
        let present = site.store.kind::<Swarm>().get("creating").await.unwrap();
        assert_eq!((**made).version, present.version);
        assert_eq!(made.data.decode::<Swarm>().unwrap(), *present, "{backend}");
        site.store.close().await.unwrap();
    }
}

#[tokio::test]
async fn recovery_can_be_left_out() {
    let site = site("memory").await;
    place(&site, "command", "executing").await;
    let options = StartOptions { enable_recovery: false, ..StartOptions::default() };
    let started = start(&site.store, &options).await.unwrap();
    assert_eq!(started.report.outcomes.len(), 0);
    assert_eq!(found(&site.store, "command").await, ("executing".to_owned(), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_fails_does_not_keep_the_orchestrator_from_starting() {
    let site = site("memory").await;
    place(&site, "command", "executing").await;
    // The right is lost in the middle: the handler of the first entity takes it away.
    create(&site.store, "a-swarm", &swarm(SwarmStatus::Active, site.clock.now())).await;
    let store = site.store.clone();
    let mut options = StartOptions::default();
    options.recovery.handlers = Handlers::default()
        .on("swarm", move |_| {
            let store = store.clone();
            let taken = std::thread::spawn(move || {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    let leases = store.kind::<outlast_core::Lease>();
                    let held = leases.get("run").await.unwrap();
                    leases.replace(&held, (*held).clone()).await.unwrap();
                });
            });
            taken.join().unwrap();
            Ok(())
        })
        .unwrap();
    let started = tokio::spawn(async move { start(&site.store, &options).await });
    let started = started.await.unwrap().unwrap();
    let report = started.report;
    assert_eq!((report.error_count, report.totals.swarms_recovered), (1, 1));
    assert_eq!(report.errors[0].kind, "recovery");
    assert_eq!(report.count("command", Outcome::MarkedOrphaned), 0);
}

#[tokio::test]
async fn a_process_that_survived_its_orchestrator_is_stopped_before_its_command_is_settled() {
    let site = site("memory").await;
    let spec = Spec::new(IT, CommandLine::Direct(vec!["sleep".to_owned(), "600".to_owned()]));
    let gated = Gated::spawn(&spec).unwrap();
    let mut executing = command(CommandStatus::Executing, site.clock.now());
    executing.process = Some(gated.identity().clone());
    create(&site.store, IT, &executing).await;
    claim(&site.store, "host/h1", IT).await;
    let (running, _pipes) = gated.release().unwrap();
    let identity = executing.process.unwrap();

    let options = RecoveryOptions { grace: Duration::from_secs(30), ..RecoveryOptions::default() };
    let seen = preview(&site.store, &options).await.unwrap();
    assert_eq!((life(&identity), seen.changed), (Life::Alive, 1), "a preview stops nothing");
    let report = recover(&acquire(&site.store).await, &options).await.unwrap();
    assert_eq!(report.count("command", Outcome::MarkedOrphaned), 1, "{report:?}");
    assert_eq!(life(&identity), Life::Dead);
    let settled = site.store.kind::<Command>().get(IT).await.unwrap();
    assert!(settled.error.as_deref().unwrap().contains("survived"), "{:?}", settled.error);
    drop(running);
}

#[tokio::test]
async fn the_report_can_be_written_as_json() {
    let site = site("memory").await;
    place(&site, "command", "executing").await;
    let report = recover(&acquire(&site.store).await, &RecoveryOptions::default()).await.unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["outcomes"]["command"]["marked_orphaned"], 1);
    for total in ["swarms", "agents", "sessions", "pipelines", "tasks", "windows"] {
        assert_eq!(json[format!("{total}_recovered")], 0, "{total}");
    }
    assert_eq!(json["commands_recovered"], 1);
    assert!(versions(&site.store).await.len() > 2);
}
