//! Records that cannot be read.

use outlast_core::{ErrorKind, Key, TaskStatus};
use outlast_orchestrator::tasks::{Outcome, RunState, Runner, RunnerOptions, Shutdown};

use crate::backend;
use crate::hooked::Hooked;
use crate::support::{file, open, shell, states, within};

#[tokio::test]
async fn a_damaged_record_is_reported_and_neither_lost_nor_run_again_nor_in_the_way() {
    let backend = Hooked::new(backend().await, |_| Ok(()));
    let store = open(backend.clone());
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    let three = file(vec![shell("a", "echo a"), shell("b", "echo b"), shell("c", "echo c")]);
    let run = runner.start(&three).await.unwrap();
    let tasks = RunState::read(&store, run.clone()).await.unwrap().tasks;
    let damaged = Key::new("task", tasks[1].id()).unwrap();
    backend.damage(damaged.clone());
    let resumed = runner.resume(Some(&three), &[]).await.unwrap();
    assert_eq!(resumed.problems.len(), 1);
    assert_eq!(resumed.problems[0].kind(), ErrorKind::Corrupt);
    assert!(resumed.problems[0].to_string().contains(&damaged.to_string()));
    assert!(resumed.added.is_empty(), "it may be the damaged one");
    assert!(resumed.recovered.iter().all(|task| task.outcome == Outcome::Requeued));
    let state = within(runner.drive(&resumed.run, &Shutdown::default())).await.unwrap();
    assert_eq!((state.stats().completed, state.problems.len()), (2, 1));
    assert!(!state.is_finished());
    assert_eq!(runner.start(&three).await.unwrap_err().kind(), ErrorKind::Exists);
    runner.resume(None, &[]).await.unwrap();
    assert_eq!(states(&store, damaged.id()).await, ["created"], "the record is still there");
}

#[tokio::test]
async fn a_damaged_lease_is_an_error_and_not_overruled() {
    let backend = Hooked::new(backend().await, |_| Ok(()));
    let store = open(backend.clone());
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    backend.damage(Key::new("lease", "run").unwrap());
    let error = Runner::acquire(&store, RunnerOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    drop(runner);
}

#[tokio::test]
async fn a_task_that_turns_out_damaged_in_the_middle_fails_alone() {
    let backend = Hooked::new(backend().await, |_| Ok(()));
    let store = open(backend.clone());
    let options = RunnerOptions { max_concurrent: 1, ..RunnerOptions::default() };
    let runner = Runner::acquire(&store, options).await.unwrap();
    let run = runner.start(&file(vec![shell("a", "sleep 0.3"), shell("b", ":")])).await.unwrap();
    let tasks = RunState::read(&store, run.clone()).await.unwrap().tasks;
    let damaged = Key::new("task", tasks[0].id()).unwrap();
    let shutdown = Shutdown::default();
    let (state, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            backend.damage(damaged);
        })
    })
    .await;
    let state = state.unwrap();
    assert_eq!(state.problems.len(), 1);
    assert_eq!(state.tasks[0].status, TaskStatus::Completed, "the other one");
}
