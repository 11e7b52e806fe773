//! What the engine counts.

use outlast_orchestrator::tasks::{RunnerOptions, Transitions};
use outlast_orchestrator::telemetry;

use crate::recorder::counting;
use crate::support::{file, run, shell, store};

#[test]
fn every_task_that_is_settled_is_counted_once() {
    for transitions in [Transitions::Strict, Transitions::Enqueued] {
        counting(|counted| async move {
            let store = store().await;
            let tasks = vec![shell("good", ":"), shell("bad", "exit 3"), shell("other", ":")];
            let options = RunnerOptions { transitions, ..RunnerOptions::default() };
            run(&store, &file(tasks), options).await;
            assert_eq!(counted.value(telemetry::TASKS_SETTLED), 3, "{transitions:?}");
        });
    }
}
