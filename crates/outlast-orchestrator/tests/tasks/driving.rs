//! A run from its start to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use outlast_core::{CommandLine, Error, ErrorKind, Task, TaskStatus};
use outlast_orchestrator::tasks::{Runner, RunnerOptions, Shutdown, Stats, TaskFile, Transitions};
use tempfile::tempdir;

use crate::support::{
    count_to, counted_to, file, has_status, hooked, one, only, output, run, shell, states, store,
    within,
};

#[tokio::test]
async fn a_task_goes_through_its_states_in_order_and_leaves_its_output() {
    let store = store().await;
    let state = run(&store, &one("echo out; echo err >&2"), RunnerOptions::default()).await;
    let task = only(&state);
    assert_eq!(task.status, TaskStatus::Completed);
    assert_eq!((task.exit_code, task.signal, &task.error), (Some(0), None, &None));
    assert!(task.created_at <= task.started_at.unwrap());
    assert!(task.started_at <= task.finished_at);
    assert_eq!(states(&store, task.id()).await, ["created", "running", "completed"]);
    assert_eq!(output(&store, task.id(), "stdout").await, b"out\n");
    assert_eq!(output(&store, task.id(), "stderr").await, b"err\n");
    assert!(state.is_finished());
}

#[tokio::test]
async fn failures_say_how_they_ended_and_do_not_stop_the_others() {
    let store = store().await;
    let mut absent = shell("absent", "");
    absent.command = CommandLine::Direct(vec!["/no/such/program".into()]);
    let tasks =
        vec![shell("code", "exit 3"), shell("signal", "kill -9 $$"), absent, shell("good", ":")];
    let state = run(&store, &file(tasks), RunnerOptions::default()).await;
    let expected = Stats { total: 4, completed: 1, failed: 3, ..Stats::default() };
    assert_eq!(state.stats(), expected);
    let ended = |place: usize| {
        let task: &Task = &state.tasks[place];
        (task.exit_code, task.signal, task.error.clone().unwrap_or_default())
    };
    assert_eq!(ended(0), (Some(3), None, "exit code 3".into()));
    assert_eq!(ended(1), (None, Some(9), "ended by signal 9".into()));
    assert!(ended(2).2.contains("/no/such/program"), "{:?}", ended(2));
    assert_eq!(states(&store, state.tasks[2].id()).await, ["created", "failed"]);
}

#[tokio::test]
async fn nothing_runs_before_its_process_is_recorded() {
    for transitions in [Transitions::Strict, Transitions::Enqueued] {
        let dir = tempdir().unwrap();
        let mark = dir.path().join("ran");
        let (looked, seen) = (Arc::new(AtomicBool::new(false)), mark.clone());
        let hook = looked.clone();
        let store = hooked(move |set| {
            if has_status(set, "running") {
                std::thread::sleep(std::time::Duration::from_millis(200));
                hook.store(true, Ordering::SeqCst);
                assert!(!seen.exists());
            }
            Ok(())
        })
        .await;
        let options = RunnerOptions { transitions, ..RunnerOptions::default() };
        let state = run(&store, &one(&format!("touch {}", mark.display())), options).await;
        assert_eq!(only(&state).status, TaskStatus::Completed);
        assert!(looked.load(Ordering::SeqCst) && mark.exists());
    }
}

#[tokio::test]
async fn a_task_whose_start_cannot_be_recorded_never_runs() {
    let dir = tempdir().unwrap();
    let mark = dir.path().join("ran");
    let store = hooked(|set| {
        if has_status(set, "running") {
            return Err(Error::unavailable("the disk is gone"));
        }
        Ok(())
    })
    .await;
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    let run = runner.start(&one(&format!("touch {}", mark.display()))).await.unwrap();
    let error = within(runner.drive(&run, &Shutdown::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!mark.exists());
}

#[tokio::test]
async fn no_more_run_at_once_than_allowed_and_they_begin_in_order() {
    let dir = tempdir().unwrap();
    let line =
        format!("mkdir {0}/$$; ls {0} | wc -l; sleep 0.05; rmdir {0}/$$", dir.path().display());
    let tasks = (0..20).map(|n| shell(&format!("task {n}"), &line)).collect();
    let store = store().await;
    let options = RunnerOptions { max_concurrent: 3, ..RunnerOptions::default() };
    let state = run(&store, &file(tasks), options).await;
    let mut most = 0;
    for task in &state.tasks {
        assert_eq!(task.status, TaskStatus::Completed, "{task:?}");
        let count = String::from_utf8(output(&store, task.id(), "stdout").await).unwrap();
        most = most.max(count.trim().parse::<u32>().unwrap());
    }
    assert!((2..=3).contains(&most), "{most}");
    assert!(state.tasks.is_sorted_by_key(|task| task.created_at));
    let names: Vec<_> = state.tasks.iter().map(|task| task.spec.name.clone()).collect();
    assert_eq!(names, (0..20).map(|n| format!("task {n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_at_a_time_begins_in_the_order_of_the_file() {
    let store = store().await;
    let tasks = (0..10).map(|n| shell(&format!("task {n}"), ":")).collect();
    let options = RunnerOptions { max_concurrent: 1, ..RunnerOptions::default() };
    let state = run(&store, &file(tasks), options).await;
    assert!(state.tasks.windows(2).all(|pair| pair[0].finished_at <= pair[1].started_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_short_tasks_all_complete() {
    let store = store().await;
    let tasks = (0..500).map(|n| shell(&format!("task {n}"), &format!("echo {n}"))).collect();
    let options = RunnerOptions { max_concurrent: 16, ..RunnerOptions::default() };
    let state = run(&store, &file(tasks), options).await;
    let expected = Stats { total: 500, completed: 500, ..Stats::default() };
    assert_eq!(state.stats(), expected);
    for (task, n) in state.tasks.iter().zip(0..) {
        assert_eq!(output(&store, task.id(), "stdout").await, format!("{n}\n").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_megabytes_of_output_are_kept_byte_for_byte() {
    let store = store().await;
    let state = run(&store, &one(&count_to(2_500_000)), RunnerOptions::default()).await;
    let task = only(&state);
    assert_eq!(task.status, TaskStatus::Completed);
    assert!(output(&store, task.id(), "stdout").await == counted_to(2_500_000).as_bytes());
}

#[tokio::test]
async fn a_task_can_tell_which_it_is() {
    let store = store().await;
    let mut task = shell("one", "echo $OUTLAST_TASK_ID $OUTLAST_RUN_ID $OUTLAST_ATTEMPT $OWN");
    task.env.insert("OWN".into(), "1".into());
    task.env.insert("OUTLAST_RUN_ID".into(), "forged".into());
    let state = run(&store, &file(vec![task]), RunnerOptions::default()).await;
    let expected = format!("{} {} 1 1\n", only(&state).id(), state.run.id());
    assert_eq!(output(&store, only(&state).id(), "stdout").await, expected.as_bytes());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_too() {
    let store = store().await;
    let state = run(&store, &one(r"printf '\377\000\n\303'"), RunnerOptions::default()).await;
    assert_eq!(output(&store, only(&state).id(), "stdout").await, b"\xff\x00\n\xc3");
}

#[tokio::test]
async fn enqueued_transitions_end_in_the_same_states() {
    let store = store().await;
    let options = RunnerOptions { transitions: Transitions::Enqueued, ..RunnerOptions::default() };
    let state = run(&store, &one("echo out"), options).await;
    let task = only(&state);
    assert_eq!(states(&store, task.id()).await, ["created", "running", "completed"]);
    assert_eq!(output(&store, task.id(), "stdout").await, b"out\n");
}

#[tokio::test]
async fn the_end_is_never_recorded_before_the_output() {
    let log: Arc<Mutex<Vec<&str>>> = Arc::default();
    let seen = log.clone();
    let store = hooked(move |set| {
        let mut log = seen.lock().unwrap();
        if set.commits.iter().any(|commit| !commit.entries.is_empty()) {
            log.push("output");
        }
        if has_status(set, "completed") {
            log.push("end");
        }
        Ok(())
    })
    .await;
    let line = "for i in 1 2 3; do echo $i; sleep 0.3; done; echo last";
    let state = run(&store, &one(line), RunnerOptions::default()).await;
    assert_eq!(output(&store, only(&state).id(), "stdout").await, b"1\n2\n3\nlast\n");
    let log = log.lock().unwrap();
    assert_eq!(log.iter().position(|what| *what == "end"), Some(log.len() - 1), "{log:?}");
    assert!(log.len() > 2, "output is recorded while the task runs: {log:?}");
}

#[tokio::test]
async fn an_unfinished_run_is_not_started_over() {
    let store = store().await;
    let runner = Runner::acquire(&store, RunnerOptions::default()).await.unwrap();
    let run = runner.start(&one(":")).await.unwrap();
    let error = runner.start(&one(":")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists);
    let text = error.to_string();
    assert!(text.contains(run.id()) && text.contains("--resume"), "{text}");
    within(runner.drive(&run, &Shutdown::default())).await.unwrap();
    runner.start(&one(":")).await.unwrap();
}

#[test]
fn a_file_of_tasks_is_checked() {
    let check = |tasks, message: &str| {
        let error = TaskFile::new("jobs.toml", tasks).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(message), "{error}");
    };
    check(vec![], "names no task");
    check(vec![shell(" ", ":")], "empty name");
    check(vec![shell("a", ":"), shell("a", ":")], "\"a\" twice");
    check(vec![shell("a", " ")], "command is empty");
    check(vec![shell("a", "echo \0")], "NUL");
    check(vec![shell(&"a".repeat(257), ":")], "longer than 256");
    check(vec![shell("a", &"x".repeat(2 << 20))], "put them into files");
    let mut task = shell("a", ":");
    task.cwd = Some("/a\0b".into());
    check(vec![task.clone()], "NUL");
    (task.cwd, task.env) = (None, [("A=B".to_owned(), "1".to_owned())].into());
    check(vec![task], "no name");
    let mut task = shell("a", ":");
    task.idle_threshold_ms = 0;
    check(vec![task.clone()], "idle_threshold_ms");
    (task.idle_threshold_ms, task.max_attempts) = (1, Some(0));
    check(vec![task], "max_attempts");
}

#[tokio::test]
async fn options_under_which_nothing_could_run_are_refused() {
    let options = RunnerOptions { max_concurrent: 0, ..RunnerOptions::default() };
    let error = Runner::acquire(&store().await, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_listener_that_does_not_listen_holds_nothing_up() {
    let (events, mut told) = tokio::sync::mpsc::channel(2);
    let store = store().await;
    let options = RunnerOptions { events: Some(events), ..RunnerOptions::default() };
    let runner = Runner::acquire(&store, options).await.unwrap();
    let run = runner.start(&file(vec![shell("a", ":"), shell("b", ":")])).await.unwrap();
    within(runner.drive(&run, &Shutdown::default())).await.unwrap();
    assert_eq!(runner.unsent_events(), 2);
    assert_eq!(told.recv().await.unwrap().status, TaskStatus::Running);
}
