//! Taking a run up again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlast_core::{
    Actor, Backend, ErrorKind, HistoryQuery, IdSource, Key, Lease, ManualClock, Revision, Run,
    Scope, TaskStatus, Timestamp,
};
use outlast_orchestrator::process::{Life, identify, life};
use outlast_orchestrator::tasks::{
    Outcome, RunState, Runner, RunnerOptions, Shutdown, Stats, TaskFile,
};
use outlast_store::{Store, StoreOptions};

use crate::backend;
use crate::support::{file, one, only, output, run, shell, states, store, within};

async fn runner(store: &Store) -> Runner {
    Runner::acquire(store, RunnerOptions::default()).await.unwrap()
}

async fn drive(runner: &Runner, run: &outlast_store::Stored<Run>) -> RunState {
    within(runner.drive(run, &Shutdown::default())).await.unwrap()
}

async fn revision(store: &Store) -> Option<Revision> {
    let changes = store.changes(Revision(0), 10_000).await.unwrap().items;
    changes.last().map(|change| change.revision)
}

fn two() -> TaskFile {
    file(vec![shell("a", "echo a"), shell("b", "echo b")])
}

#[tokio::test]
async fn waiting_tasks_are_carried_on_with() {
    let store = store().await;
    let runner = runner(&store).await;
    let run = runner.start(&two()).await.unwrap();
    let before = revision(&store).await;
    let resumed = runner.resume(None, &[]).await.unwrap();
    assert_eq!(resumed.run.id(), run.id());
    assert!(resumed.recovered.iter().all(|task| task.outcome == Outcome::Requeued));
    assert_eq!(revision(&store).await, before, "nothing was to be changed");
    assert_eq!(drive(&runner, &resumed.run).await.stats().completed, 2);
}

#[tokio::test]
async fn a_finished_run_is_reported_and_not_changed() {
    let store = store().await;
    let finished = run(&store, &two(), RunnerOptions::default()).await;
    let runner = runner(&store).await;
    let before = revision(&store).await;
    let changed = file(vec![shell("a", "echo other"), shell("c", "echo c")]);
    let resumed = runner.resume(Some(&changed), &[]).await.unwrap();
    assert_eq!(resumed.run.id(), finished.run.id());
    assert!(resumed.recovered.iter().all(|task| task.outcome == Outcome::Unchanged));
    assert!(resumed.added.is_empty());
    assert_eq!(drive(&runner, &resumed.run).await.stats().completed, 2);
    assert_eq!(revision(&store).await, before);
}

#[tokio::test]
async fn without_any_run_the_file_is_started() {
    let store = store().await;
    let runner = runner(&store).await;
    let error = runner.resume(None, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let resumed = runner.resume(Some(&two()), &[]).await.unwrap();
    assert_eq!(resumed.added, ["a", "b"]);
    assert_eq!(drive(&runner, &resumed.run).await.stats().completed, 2);
}

#[tokio::test]
async fn tasks_the_file_gained_are_added_and_those_it_lost_are_kept() {
    let store = store().await;
    let runner = runner(&store).await;
    runner.start(&two()).await.unwrap();
    let other = file(vec![shell("b", "echo b"), shell("c", "echo c")]);
    let resumed = runner.resume(Some(&other), &[]).await.unwrap();
    assert_eq!((&resumed.added, &resumed.unnamed), (&vec!["c".into()], &vec!["a".into()]));
    let state = drive(&runner, &resumed.run).await;
    let expected = Stats { total: 3, completed: 3, ..Stats::default() };
    assert_eq!((state.stats(), state.run.task_count, state.is_finished()), (expected, 3, true));
}

#[tokio::test]
async fn a_run_recorded_in_part_is_unfinished_until_its_file_completes_it() {
    let store = store().await;
    let runner = runner(&store).await;
    let run = runner.start(&two()).await.unwrap();
    drive(&runner, &run).await;
    let runs = store.kind::<Run>();
    // As if the runner had died between two batches of its start.
    let cut_short = Run { task_count: 3, ..(**runs.get(run.id()).await.as_ref().unwrap()).clone() };
    runs.update(run.id(), |run| {
        *run = cut_short.clone();
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(runner.start(&two()).await.unwrap_err().kind(), ErrorKind::Exists);
    let error = runner.resume(None, &[]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("jobs.toml"));
    let whole = file(vec![shell("a", "echo a"), shell("b", "echo b"), shell("c", "echo c")]);
    let resumed = runner.resume(Some(&whole), &[]).await.unwrap();
    assert_eq!(resumed.added, ["c"]);
    let state = drive(&runner, &resumed.run).await;
    assert!(state.is_finished());
    assert_eq!(states(&store, state.tasks[0].id()).await.len(), 3, "what is done is not run again");
}

#[tokio::test]
async fn a_task_that_is_asked_to_do_something_else_is_refused() {
    let store = store().await;
    let runner = runner(&store).await;
    runner.start(&two()).await.unwrap();
    let before = revision(&store).await;
    let mut elsewhere = shell("a", "echo a");
    elsewhere.cwd = Some("/tmp".into());
    let mut otherwise = shell("a", "echo a");
    otherwise.env.insert("A".into(), "1".into());
    for (task, what) in [(shell("a", "echo x"), "command"), (elsewhere, "cwd"), (otherwise, "env")]
    {
        let error = runner.resume(Some(&file(vec![task])), &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains(what) && text.contains("\"a\""), "{text}");
    }
    let error = runner.resume(Some(&one(":")), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "a file of something else altogether");
    assert_eq!(revision(&store).await, before);
}

#[tokio::test]
async fn a_policy_that_the_file_changed_counts_from_then_on() {
    let store = store().await;
    let runner = runner(&store).await;
    runner.start(&one("echo a")).await.unwrap();
    let mut task = shell("one", "echo a");
    task.idle_threshold_ms = 5;
    let resumed = runner.resume(Some(&file(vec![task])), &[]).await.unwrap();
    let before = revision(&store).await;
    let state = RunState::read(&store, resumed.run).await.unwrap();
    assert_eq!(only(&state).spec.idle_threshold_ms, 5);
    let mut task = shell("one", "echo a");
    task.idle_threshold_ms = 5;
    runner.resume(Some(&file(vec![task])), &[]).await.unwrap();
    assert_eq!(revision(&store).await, before);
}

#[tokio::test]
async fn a_retry_makes_linked_attempts_at_what_ended_so() {
    let store = store().await;
    let tasks = vec![shell("bad", "exit 1"), shell("good", ":")];
    let first = run(&store, &file(tasks), RunnerOptions::default()).await;
    let runner = runner(&store).await;
    let resumed = runner.resume(None, &[TaskStatus::Failed]).await.unwrap();
    let outcomes: Vec<_> = resumed.recovered.iter().map(|task| task.outcome).collect();
    assert_eq!(outcomes, [Outcome::Restarted, Outcome::Unchanged]);
    let state = drive(&runner, &resumed.run).await;
    let again = &state.tasks[0];
    assert_eq!((again.attempt, again.status), (2, TaskStatus::Failed));
    assert_eq!(again.retry_of.as_deref(), Some(first.tasks[0].id()));
    assert_eq!(states(&store, first.tasks[0].id()).await, ["created", "running", "failed"]);
    assert_eq!(state.stats(), Stats { total: 2, completed: 1, failed: 1, ..Stats::default() });
}

#[tokio::test]
async fn what_a_shutdown_interrupted_is_tried_again_when_asked() {
    let store = store().await;
    let runner = runner(&store).await;
    let run = runner.start(&one("sleep 0.2")).await.unwrap();
    let shutdown = Shutdown::default();
    let (state, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            shutdown.begin();
        })
    })
    .await;
    assert_eq!(only(&state.unwrap()).status, TaskStatus::Interrupted);
    let resumed = runner.resume(None, &[TaskStatus::Interrupted]).await.unwrap();
    assert_eq!(drive(&runner, &resumed.run).await.stats().completed, 1);
}

#[tokio::test]
async fn every_change_of_recovery_is_audited_as_such() {
    let store = store().await;
    let runner = runner(&store).await;
    let run = runner.start(&one(":")).await.unwrap();
    let tasks = store.kind::<outlast_core::Task>();
    let id = RunState::read(&store, run).await.unwrap().tasks[0].id().to_owned();
    tasks.transition(&id, TaskStatus::Running).await.unwrap();
    runner.resume(None, &[]).await.unwrap();
    let scope = Scope::Entity(Key::new("task", &id).unwrap());
    let last = store.history(&HistoryQuery::of(scope)).await.unwrap().items.pop().unwrap().unwrap();
    assert_eq!((last.actor, last.action.as_str()), (Some(Actor::Recovery), "recovery"));
    assert!(last.reason.unwrap().contains("runner ended"));
}

#[tokio::test]
async fn only_the_holder_of_the_lease_recovers() {
    let store = store().await;
    let runner = runner(&store).await;
    let run = runner.start(&one(":")).await.unwrap();
    let tasks = store.kind::<outlast_core::Task>();
    let id = RunState::read(&store, run).await.unwrap().tasks[0].id().to_owned();
    tasks.transition(&id, TaskStatus::Running).await.unwrap();
    let leases = store.kind::<Lease>();
    let lease = leases.get("run").await.unwrap();
    leases.replace(&lease, (*lease).clone()).await.unwrap();
    assert_eq!(runner.resume(None, &[]).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(tasks.get(&id).await.unwrap().status, TaskStatus::Running);
}

/// Ids that were made at one moment.
#[derive(Debug)]
struct Ids {
    millis: u64,
    given: AtomicU64,
}

impl IdSource for Ids {
    fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.given.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(self.millis, &bytes).into_uuid()
    }
}

/// The store as it is seen so many hours after 1970.
fn at_hour(backend: &Arc<dyn Backend>, hour: u64) -> Store {
    let now = Timestamp::default().plus(Duration::from_hours(hour));
    let ids = Ids { millis: hour * 3_600_000, given: AtomicU64::default() };
    let options = StoreOptions {
        clock: Arc::new(ManualClock::at(now)),
        ids: Arc::new(ids),
        ..StoreOptions::default()
    };
    Store::open(backend.clone(), options)
}

#[tokio::test]
async fn the_run_that_was_recorded_last_is_resumed_although_the_clock_went_back() {
    let (backend, _folder) = backend().await;
    run(&at_hour(&backend, 9000), &two(), RunnerOptions::default()).await;
    for hour in [5000, 4000] {
        let earlier = at_hour(&backend, hour);
        let runner = runner(&earlier).await;
        let last = runner.start(&two()).await.unwrap();
        let resumed = runner.resume(None, &[]).await.unwrap();
        assert_eq!(resumed.run.id(), last.id());
        assert_eq!(runner.start(&two()).await.unwrap_err().kind(), ErrorKind::Exists);
        assert_eq!(drive(&runner, &resumed.run).await.stats().completed, 2);
        runner.release().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_settled_task_left_running_is_stopped_before_it_is_tried_again() {
    let store = store().await;
    let left = one("setsid sleep 1000 >/dev/null 2>&1 & sleep 0.3; echo $!; exit 1");
    let first = run(&store, &left, RunnerOptions::default()).await;
    let pid = output(&store, only(&first).id(), "stdout").await;
    let process = identify(String::from_utf8(pid).unwrap().trim().parse().unwrap()).unwrap();
    assert_eq!(life(&process), Life::Alive, "it has left the group of its task");
    let runner = runner(&store).await;
    let untouched = runner.resume(None, &[]).await.unwrap();
    assert!(untouched.recovered[0].stopped.is_empty());
    let resumed = within(runner.resume(None, &[TaskStatus::Failed])).await.unwrap();
    assert_eq!(resumed.recovered[0].stopped, [process.pid]);
    assert_eq!(life(&process), Life::Dead);
}
