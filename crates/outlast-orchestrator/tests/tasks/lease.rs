//! One runner at a time.

use outlast_core::{
    Cause, ErrorKind, Event, EventCategory, EventLevel, Lease, ProcessIdentity, TaskStatus,
    Timestamp,
};
use outlast_orchestrator::Instance;
use outlast_orchestrator::process::{Life, identify_self, life};
use outlast_orchestrator::tasks::{RunState, Runner, RunnerOptions, Shutdown};
use outlast_store::{Store, StoreOptions};

use crate::backend;
use crate::support::{eventually, one, output, store, within};

async fn hold(store: &Store, change: impl FnOnce(&mut ProcessIdentity)) {
    let mut holder = identify_self().unwrap();
    change(&mut holder);
    let lease = Lease { holder, acquired_at: Timestamp::from_micros(1_000_000) };
    store.kind::<Lease>().create("run", &lease).await.unwrap();
}

#[tokio::test]
async fn a_second_runner_is_refused_and_told_who_has_the_right() {
    let store = store().await;
    hold(&store, |_| ()).await;
    let error = Runner::acquire(&store, RunnerOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let text = error.to_string();
    let pid = std::process::id().to_string();
    assert!(text.contains(&pid) && text.contains("1970-01-01T00:00:01"), "{text}");
    let options = RunnerOptions { take_over: true, ..RunnerOptions::default() };
    let error = Runner::acquire(&store, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "a living holder is never overruled");
}

#[tokio::test]
async fn the_lease_of_a_dead_holder_is_taken_at_once() {
    let changes: [fn(&mut ProcessIdentity); 2] =
        [|holder| holder.start_ticks += 1, |holder| holder.boot_id = "another boot".into()];
    for change in changes {
        let store = store().await;
        hold(&store, change).await;
        Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
        let lease = store.kind::<Lease>().get("run").await.unwrap();
        assert_eq!((&lease.holder, lease.version.n), (&identify_self().unwrap(), 2));
    }
}

#[tokio::test]
async fn a_holder_that_cannot_be_judged_holds_until_it_is_overruled() {
    let store = store().await;
    hold(&store, |holder| holder.pid_namespace = "pid:[1]".into()).await;
    let error = Runner::acquire(&store, RunnerOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("--take-over"), "{error}");
    let options = RunnerOptions { take_over: true, ..RunnerOptions::default() };
    Runner::acquire(&store, options).await.unwrap();
}

#[tokio::test]
async fn a_released_lease_can_be_taken_again() {
    let store = store().await;
    for _ in 0..3 {
        let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
        runner.release().await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_lease_is_nobodys_to_write_under_or_give_up_with_the_locking_off() {
    let options = StoreOptions { locking: false, ..StoreOptions::default() };
    let (backend, _dir) = backend().await;
    let store = Store::open(backend, options);
    let instance = Instance::acquire(&store, false).await.unwrap();
    let leases = store.kind::<Lease>();
    let lease = leases.get("run").await.unwrap();
    let taken = leases.replace(&lease, (*lease).clone()).await.unwrap();
    let mut draft = instance.draft(Cause::default());
    draft.report(&Event::new(EventCategory::Ops, EventLevel::Info, "still here")).unwrap();
    assert_eq!(instance.commit(&draft).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(instance.release().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(leases.get("run").await.unwrap().version, taken.version);
}

#[tokio::test]
async fn a_runner_that_lost_its_lease_writes_nothing_more_and_stops_its_tasks() {
    let store = store().await;
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    let run = runner.start(&one("echo up; sleep 0.5; echo more; sleep 1000")).await.unwrap();
    let id = RunState::read(&store, run.clone()).await.unwrap().tasks[0].id().to_owned();
    let leases = store.kind::<Lease>();
    let shutdown = Shutdown::default();
    let (driven, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            eventually("output", async || !output(&store, &id, "stdout").await.is_empty()).await;
            let lease = leases.get("run").await.unwrap();
            leases.replace(&lease, (*lease).clone()).await.unwrap();
        })
    })
    .await;
    let error = driven.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error:?}");
    let task = RunState::read(&store, run).await.unwrap().tasks[0].clone();
    assert_eq!((task.status, task.version.n), (TaskStatus::Running, 2));
    assert_eq!(output(&store, &id, "stdout").await, b"up\n");
    assert_eq!(life(task.process.as_ref().unwrap()), Life::Dead);
    assert_eq!(runner.release().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert!(leases.find("run").await.unwrap().is_some());
}
