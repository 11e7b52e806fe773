//! Asking a task to end, and ending it.

use std::time::Duration;

use outlast_orchestrator::process::{Spec, Stragglers};
use rustix::process::Signal;

use crate::support::{
    STUCK, Started, Text, eventually, identity, is_alive, kill, shell, signal, start, within,
};

/// Long enough that a test which needs it is stuck.
const PATIENT: Duration = STUCK;
/// Short, for processes that will not end by themselves.
const SHORT: Duration = Duration::from_millis(50);

async fn interrupted(started: Started, grace: Duration) -> (Option<i32>, Option<i32>, Text) {
    let Started { running, capture, output } = started;
    let (exit, finished, text) = within(async {
        tokio::join!(running.interrupt(grace), running.finish(&capture, PATIENT), output.rest())
    })
    .await;
    let exit = exit.unwrap();
    assert_eq!(finished.unwrap(), exit);
    assert_eq!(running.members().unwrap(), Vec::<u32>::new());
    (exit.code, exit.signal, text)
}

#[tokio::test]
async fn a_task_may_end_in_its_own_way() {
    let mut started =
        start(&shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done"));
    started.output.lines(1).await;
    let (code, signal, text) = interrupted(started, PATIENT).await;
    assert_eq!((code, signal), (Some(7), None));
    assert_eq!(text.stdout, b"ready\nbye\n");
}

#[tokio::test]
async fn a_task_without_a_trap_ends_by_the_signal() {
    let mut started = start(&shell("echo ready; exec sleep 1000"));
    started.output.lines(1).await;
    let (code, signal, _) = interrupted(started, PATIENT).await;
    assert_eq!((code, signal), (None, Some(15)));
}

#[tokio::test]
async fn a_task_that_ignores_the_request_is_killed_after_the_grace() {
    let mut started = start(&shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"));
    started.output.lines(1).await;
    let (code, signal, _) = interrupted(started, SHORT).await;
    assert_eq!((code, signal), (None, Some(9)));
}

#[tokio::test]
async fn a_stopped_task_is_asked_too() {
    let mut started = start(&shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"));
    started.output.lines(1).await;
    let pid = started.running.identity().pid;
    signal(pid, Signal::STOP);
    eventually("it is stopped", || {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ")
    })
    .await;
    assert_eq!(interrupted(started, PATIENT).await.0, Some(7));
}

#[tokio::test]
async fn the_whole_group_is_interrupted() {
    let line = "sleep 1000 & echo $!; \
                sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.01; done' & wait";
    for stragglers in [Stragglers::Kill, Stragglers::Leave] {
        let mut started = start(&Spec { stragglers, ..shell(line) });
        let children: Vec<_> =
            started.output.lines(2).await.pids().into_iter().map(identity).collect();
        assert!(children.len() == 2 && children.iter().all(is_alive));
        let Started { running, .. } = started;
        let exit = within(running.interrupt(SHORT)).await.unwrap();
        assert_eq!(exit.signal, Some(15));
        assert!(!children.iter().any(is_alive));
        assert_eq!(running.members().unwrap(), Vec::<u32>::new());
    }
}

#[tokio::test]
async fn output_written_while_ending_is_captured() {
    let line =
        "trap 'head -c 1000000 /dev/zero; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut started = start(&shell(line));
    started.output.lines(1).await;
    let (code, _, text) = interrupted(started, PATIENT).await;
    assert_eq!(code, Some(0));
    assert_eq!(text.stdout.len(), "ready\n".len() + 1_000_000);
}

#[tokio::test]
async fn interrupting_what_has_ended_tells_how_it_ended() {
    let started = start(&shell("exit 3"));
    within(started.running.wait()).await.unwrap();
    assert_eq!(within(started.running.interrupt(PATIENT)).await.unwrap().code, Some(3));
}

#[tokio::test]
async fn a_process_outside_the_group_is_not_touched() {
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let started = start(&shell("sleep 1000"));
    within(started.running.interrupt(SHORT)).await.unwrap();
    drop(started);
    assert!(is_alive(&identity(stranger.id())));
    kill(stranger.id());
    stranger.wait().unwrap();
}
