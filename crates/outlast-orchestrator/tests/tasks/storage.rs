//! Stores that fail, and supervisors that fall.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use outlast_core::{Error, ErrorKind, IdSource, RandomIds, Status, TaskStatus};
use outlast_orchestrator::process::{Life, life};
use outlast_orchestrator::tasks::{RunState, Runner, RunnerOptions, Shutdown, Transitions};
use outlast_store::{Store, StoreOptions};

use crate::backend;
use crate::hooked::Hooked;
use crate::support::{
    count_to, counted_to, eventually, file, has_status, hooked, output, run, shell, states, within,
};

/// Runs tasks over a store that fails from the moment that all of them are heard of.
async fn fail_midway(lines: &[&str], transitions: Transitions) {
    let gone = Arc::new(AtomicBool::new(false));
    let seen = gone.clone();
    let store = hooked(move |_| {
        if seen.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the disk is gone"));
        }
        Ok(())
    })
    .await;
    let tasks = lines.iter().map(|line| shell(line, line)).collect();
    let options = RunnerOptions { transitions, ..RunnerOptions::default() };
    let runner = Runner::acquire(&store, options).await.unwrap();
    let run = runner.start(&file(tasks)).await.unwrap();
    let before = RunState::read(&store, run.clone()).await.unwrap();
    let shutdown = Shutdown::default();
    let (driven, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            for task in &before.tasks {
                eventually("up", async || !output(&store, task.id(), "stdout").await.is_empty())
                    .await;
            }
            gone.store(true, Ordering::SeqCst);
        })
    })
    .await;
    assert_eq!(driven.unwrap_err().kind(), ErrorKind::Unavailable);
    for task in RunState::read(&store, run).await.unwrap().tasks {
        assert_eq!(life(task.process.as_ref().unwrap()), Life::Dead, "{task:?}");
        assert!(!task.status.is_settled(), "an end that was never recorded: {task:?}");
    }
}

#[tokio::test]
async fn a_store_that_fails_midway_leaves_no_process_running() {
    let endless = "trap '' TERM PIPE; while echo up; do sleep 0.05; done; sleep 1000";
    let quiet = "echo up; exec sleep 1000";
    fail_midway(&[endless, quiet], Transitions::Strict).await;
    fail_midway(&[endless, quiet], Transitions::Enqueued).await;
}

#[tokio::test]
async fn an_end_that_cannot_be_recorded_is_an_error_of_the_run() {
    fail_midway(&["echo up; sleep 0.5"], Transitions::Strict).await;
    fail_midway(&["echo up; sleep 0.5"], Transitions::Enqueued).await;
}

#[tokio::test]
async fn silence_that_cannot_be_recorded_stops_the_task() {
    let store = hooked(|set| {
        if has_status(set, "idle") {
            return Err(Error::unavailable("the disk is gone"));
        }
        Ok(())
    })
    .await;
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    let mut task = shell("quiet", "sleep 1000");
    task.idle_threshold_ms = 100;
    let run = runner.start(&file(vec![task])).await.unwrap();
    let error = within(runner.drive(&run, &Shutdown::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let state = RunState::read(&store, run).await.unwrap();
    assert_eq!(state.tasks[0].status, TaskStatus::Running);
    assert_eq!(life(state.tasks[0].process.as_ref().unwrap()), Life::Dead);
}

#[tokio::test]
async fn a_store_that_is_busy_for_a_moment_is_waited_for() {
    let left = Arc::new(AtomicI64::new(0));
    let seen = left.clone();
    let store = hooked(move |_| {
        if seen.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Err(Error::busy("somebody else holds the store"));
        }
        Ok(())
    })
    .await;
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    let run = runner.start(&file(vec![shell("one", "echo out")])).await.unwrap();
    left.store(2, Ordering::SeqCst);
    let state = within(runner.drive(&run, &Shutdown::default())).await.unwrap();
    assert_eq!(state.tasks[0].status, TaskStatus::Completed);
}

/// Panics instead of giving the id that `until` counts down to.
#[derive(Debug)]
struct Trap {
    until: AtomicI64,
}

impl IdSource for Trap {
    fn uuid(&self) -> uuid::Uuid {
        assert!(self.until.fetch_sub(1, Ordering::SeqCst) != 1, "the trap snaps");
        RandomIds.uuid()
    }
}

#[tokio::test]
async fn a_panic_in_one_task_fails_that_task_only() {
    for (ids, expected) in
        [(1, vec!["created", "failed"]), (2, vec!["created", "running", "failed"])]
    {
        let trap = Arc::new(Trap { until: AtomicI64::new(0) });
        let options = StoreOptions { ids: trap.clone(), ..StoreOptions::default() };
        let store = Store::open(Arc::new(Hooked::new(backend().await, |_| Ok(()))), options);
        let options = RunnerOptions { max_concurrent: 1, ..RunnerOptions::default() };
        let runner = Runner::acquire(&store, options).await.unwrap();
        let tasks = vec![shell("falls", "echo up; sleep 1000"), shell("goes on", ":")];
        let run = runner.start(&file(tasks)).await.unwrap();
        trap.until.store(ids, Ordering::SeqCst);
        let state = within(runner.drive(&run, &Shutdown::default())).await.unwrap();
        let task = &state.tasks[0];
        assert_eq!(states(&store, task.id()).await, expected);
        assert!(task.error.as_ref().unwrap().contains("panicked"), "{task:?}");
        assert_eq!(state.tasks[1].status, TaskStatus::Completed);
        if let Some(process) = &task.process {
            eventually("dead", async || life(process) == Life::Dead).await;
        }
    }
}

#[tokio::test]
async fn a_slow_store_slows_the_task_down_and_loses_nothing() {
    let store = hooked(|set| {
        if set.commits.iter().any(|commit| !commit.entries.is_empty()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    })
    .await;
    let task = shell("loud", &count_to(500_000));
    let state = run(&store, &file(vec![task]), RunnerOptions::default()).await;
    let output = output(&store, state.tasks[0].id(), "stdout").await;
    assert!(output == counted_to(500_000).as_bytes());
}
