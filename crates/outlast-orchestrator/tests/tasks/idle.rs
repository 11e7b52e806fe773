//! Silence and what follows from it.

use std::time::Duration;

use outlast_core::{OnIdle, TaskStatus};
use outlast_orchestrator::process::FlushPolicy;
use outlast_orchestrator::tasks::RunnerOptions;

use crate::support::{file, only, run, shell, states, store};

fn soon() -> RunnerOptions {
    let flush = FlushPolicy { interval: Duration::from_millis(5), ..FlushPolicy::default() };
    RunnerOptions { flush, ..RunnerOptions::default() }
}

#[tokio::test]
async fn silence_and_its_end_are_transitions() {
    let store = store().await;
    let mut task = shell("quiet", "sleep 1; echo back; sleep 0.2");
    task.idle_threshold_ms = 400;
    let state = run(&store, &file(vec![task]), soon()).await;
    let path = states(&store, only(&state).id()).await;
    assert!(path.starts_with(&["created", "running", "idle", "running"]), "{path:?}");
    assert_eq!(path.last(), Some(&"completed"));
}

#[tokio::test]
async fn a_task_that_is_heard_in_time_is_never_idle() {
    let store = store().await;
    let mut task = shell("chatty", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done");
    task.idle_threshold_ms = 600;
    let state = run(&store, &file(vec![task]), soon()).await;
    assert_eq!(states(&store, only(&state).id()).await, ["created", "running", "completed"]);
}

#[tokio::test]
async fn a_silent_task_is_interrupted_if_that_was_asked_for() {
    let store = store().await;
    let mut task = shell("stuck", "sleep 1000");
    (task.idle_threshold_ms, task.on_idle) = (100, OnIdle::Interrupt);
    let state = run(&store, &file(vec![task]), soon()).await;
    let task = only(&state);
    assert_eq!(task.status, TaskStatus::Interrupted);
    assert!(task.error.as_ref().unwrap().contains("wrote nothing"), "{:?}", task.error);
    assert_eq!(states(&store, task.id()).await, ["created", "running", "idle", "interrupted"]);
}

#[tokio::test]
async fn waiting_for_a_turn_is_not_silence() {
    let store = store().await;
    let tasks = (0..4).map(|n| {
        let mut task = shell(&format!("task {n}"), "sleep 0.3");
        (task.idle_threshold_ms, task.on_idle) = (900, OnIdle::Interrupt);
        task
    });
    let options = RunnerOptions { max_concurrent: 1, ..soon() };
    let state = run(&store, &file(tasks.collect()), options).await;
    assert_eq!(state.stats().completed, 4, "{:?}", state.stats());
}

#[tokio::test]
async fn the_time_of_the_last_output_is_noted_without_a_version() {
    let store = store().await;
    let state =
        run(&store, &file(vec![shell("chatty", "echo a; sleep 0.2; echo b")]), soon()).await;
    let task = only(&state);
    let noted = task.transient.iter().find(|(name, _)| name.as_str() == "last_activity_at");
    let outlast_core::AttrValue::Int(noted) = noted.unwrap().1 else { panic!("{noted:?}") };
    let began = task.started_at.unwrap().as_micros();
    assert!((began..=task.finished_at.unwrap().as_micros()).contains(noted));
    assert_eq!(task.version.n, 3);
}
