//! Tasks that are stopped from outside.

use std::time::Duration;

use outlast_core::{ErrorKind, Run, Task, TaskStatus};
use outlast_orchestrator::process::{Life, identify, life};
use outlast_orchestrator::tasks::{RunState, Runner, RunnerOptions, Shutdown, Stats, TaskFile};
use outlast_store::{Store, Stored};

use crate::support::{eventually, file, one, only, output, shell, states, store, within};

async fn started(store: &Store, file: &TaskFile, options: RunnerOptions) -> (Runner, Stored<Run>) {
    let runner = Runner::acquire(store, options).await.unwrap();
    let run = runner.start(file).await.unwrap();
    (runner, run)
}

async fn task(store: &Store, run: &Stored<Run>, place: usize) -> Stored<Task> {
    RunState::read(store, run.clone()).await.unwrap().tasks[place].clone()
}

/// Waits until a task has printed something, so it is past whatever it does first.
async fn heard(store: &Store, run: &Stored<Run>, place: usize) {
    let id = task(store, run, place).await.id().to_owned();
    eventually("output", async || !output(store, &id, "stdout").await.is_empty()).await;
}

#[tokio::test]
async fn an_interrupted_task_ends_interrupted_and_the_others_go_on() {
    let store = store().await;
    let tasks = vec![shell("stuck", "echo up; sleep 1000"), shell("other", "sleep 0.5")];
    let (runner, run) = started(&store, &file(tasks), RunnerOptions::default()).await;
    let id = task(&store, &run, 0).await.id().to_owned();
    let shutdown = Shutdown::default();
    let (state, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            heard(&store, &run, 0).await;
            runner.interrupt(&id).await.unwrap();
        })
    })
    .await;
    let state = state.unwrap();
    assert_eq!(state.tasks[0].status, TaskStatus::Interrupted);
    assert_eq!(state.tasks[0].error.as_deref(), Some("on request"));
    assert_eq!(state.tasks[0].signal, Some(15));
    assert_eq!(state.tasks[1].status, TaskStatus::Completed);
    runner.interrupt(&id).await.unwrap();
    let done = runner.interrupt(state.tasks[1].id()).await.unwrap_err();
    assert_eq!(done.kind(), ErrorKind::IllegalTransition);
    assert_eq!(runner.interrupt("nobody").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_waiting_task_that_is_interrupted_never_runs() {
    let store = store().await;
    let tasks = vec![shell("first", "echo up; sleep 1"), shell("second", ":")];
    let options = RunnerOptions { max_concurrent: 1, ..RunnerOptions::default() };
    let (runner, run) = started(&store, &file(tasks), options).await;
    let shutdown = Shutdown::default();
    let (state, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            heard(&store, &run, 0).await;
            runner.interrupt(task(&store, &run, 1).await.id()).await.unwrap();
        })
    })
    .await;
    let state = state.unwrap();
    assert_eq!(states(&store, state.tasks[1].id()).await, ["created", "interrupted"]);
    assert_eq!(state.tasks[0].status, TaskStatus::Completed);
}

#[tokio::test]
async fn shutdown_stops_what_runs_keeps_its_output_and_leaves_the_rest_waiting() {
    let store = store().await;
    let stubborn = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let tasks = vec![shell("stubborn", stubborn), shell("polite", polite), shell("late", ":")];
    let options = RunnerOptions {
        max_concurrent: 2,
        grace: Duration::from_millis(500),
        ..RunnerOptions::default()
    };
    let (runner, run) = started(&store, &file(tasks), options).await;
    let shutdown = Shutdown::default();
    let (state, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            heard(&store, &run, 0).await;
            heard(&store, &run, 1).await;
            shutdown.begin();
        })
    })
    .await;
    let state = state.unwrap();
    let expected = Stats { total: 3, created: 1, interrupted: 2, ..Stats::default() };
    assert_eq!(state.stats(), expected);
    assert_eq!(state.tasks[0].signal, Some(9));
    assert_eq!(state.tasks[1].exit_code, Some(0));
    assert_eq!(output(&store, state.tasks[1].id(), "stdout").await, b"up\nbye\n");
    for task in &state.tasks[..2] {
        assert_eq!(life(task.process.as_ref().unwrap()), Life::Dead);
        assert!(task.error.as_ref().unwrap().contains("shut down"));
    }
    assert!(!state.is_finished());
}

#[tokio::test]
async fn a_second_sign_kills_without_waiting_for_the_grace() {
    let store = store().await;
    let stubborn = one("trap '' TERM; echo up; while :; do sleep 0.05; done");
    let options = RunnerOptions { grace: Duration::from_hours(1), ..RunnerOptions::default() };
    let (runner, run) = started(&store, &stubborn, options).await;
    let shutdown = Shutdown::default();
    let (state, ()) = within(async {
        tokio::join!(runner.drive(&run, &shutdown), async {
            heard(&store, &run, 0).await;
            shutdown.begin();
            tokio::time::sleep(Duration::from_millis(50)).await;
            shutdown.kill();
        })
    })
    .await;
    let state = state.unwrap();
    assert_eq!((only(&state).status, only(&state).signal), (TaskStatus::Interrupted, Some(9)));
}

#[tokio::test]
async fn what_left_the_process_group_is_stopped_with_its_task() {
    let stray = "sh -c 'echo $$; exec sleep 1000'";
    for line in [format!("setsid {stray} & wait"), format!("env -i setsid {stray}")] {
        let store = store().await;
        let (runner, run) = started(&store, &one(&line), RunnerOptions::default()).await;
        let shutdown = Shutdown::default();
        let (state, process) = within(async {
            tokio::join!(runner.drive(&run, &shutdown), async {
                heard(&store, &run, 0).await;
                let pid = output(&store, task(&store, &run, 0).await.id(), "stdout").await;
                let pid = String::from_utf8(pid).unwrap().trim().parse().unwrap();
                let process = identify(pid).unwrap();
                shutdown.begin();
                process
            })
        })
        .await;
        assert_eq!(only(&state.unwrap()).status, TaskStatus::Interrupted);
        assert_eq!(life(&process), Life::Dead, "{line}");
    }
}

#[tokio::test]
async fn a_shutdown_before_the_start_runs_nothing() {
    let store = store().await;
    let (runner, run) = started(&store, &one(":"), RunnerOptions::default()).await;
    let shutdown = Shutdown::default();
    shutdown.begin();
    let state = within(runner.drive(&run, &shutdown)).await.unwrap();
    assert_eq!(states(&store, only(&state).id()).await, ["created"]);
}

#[tokio::test]
async fn of_an_end_and_an_interruption_exactly_one_is_recorded() {
    let seed = fastrand::u64(..);
    println!("seed {seed}: replay with fastrand::seed({seed})");
    fastrand::seed(seed);
    for _ in 0..40 {
        let store = store().await;
        let (runner, run) = started(&store, &one("sleep 0.02"), RunnerOptions::default()).await;
        let shutdown = Shutdown::default();
        let pause = Duration::from_micros(fastrand::u64(0..40_000));
        let (state, ()) = within(async {
            tokio::join!(runner.drive(&run, &shutdown), async {
                tokio::time::sleep(pause).await;
                runner.interrupt_all();
            })
        })
        .await;
        let state = state.unwrap();
        let path = states(&store, only(&state).id()).await;
        let legal: [&[&str]; 3] = [
            &["created", "running", "completed"],
            &["created", "running", "interrupted"],
            &["created", "interrupted"],
        ];
        assert!(legal.contains(&path.as_slice()), "after {pause:?}: {path:?}");
        assert!(state.is_finished());
    }
}

#[tokio::test]
async fn dropping_the_drive_kills_the_processes() {
    let store = store().await;
    let (runner, run) =
        started(&store, &one("echo up; sleep 1000"), RunnerOptions::default()).await;
    let shutdown = Shutdown::default();
    tokio::select! {
        state = runner.drive(&run, &shutdown) => panic!("{state:?}"),
        () = heard(&store, &run, 0) => {}
    }
    let process = task(&store, &run, 0).await.process.clone().unwrap();
    eventually("dead", async || life(&process) == Life::Dead).await;
}
