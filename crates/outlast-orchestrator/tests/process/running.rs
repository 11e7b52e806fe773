//! How a run ends, and what is left when it has.

use std::time::Duration;

use outlast_orchestrator::process::{Exit, Stragglers};

use crate::support::{
    DRAIN, Text, direct, eventually, identity, is_alive, kill, run, shell, start, within,
};

#[tokio::test]
async fn code_and_signal_are_reported() {
    let code = |code| Exit { code: Some(code), signal: None };
    let signal = |signal| Exit { code: None, signal: Some(signal) };
    for (line, expected) in [
        ("true", code(0)),
        ("exit 7", code(7)),
        ("exit 255", code(255)),
        ("kill -9 $$", signal(9)),
        ("kill -15 $$", signal(15)),
        ("no-such-command-anywhere 2>&-", code(127)),
    ] {
        assert_eq!(run(&shell(line)).await.0, expected, "{line}");
    }
}

#[tokio::test]
async fn waiting_can_be_given_up_repeated_and_shared() {
    let mut started = start(&shell("echo $$; exec sleep 1000"));
    let pid = started.running.identity().pid;
    assert_eq!(started.output.lines(1).await.pids(), [pid]);
    let running = &started.running;
    for _ in 0..20 {
        assert!(tokio::time::timeout(Duration::from_millis(1), running.wait()).await.is_err());
    }
    let both = async { tokio::join!(running.wait(), running.wait(), async { kill(pid) }) };
    let (one, other, ()) = within(both).await;
    assert_eq!(one.unwrap().signal, Some(9));
    assert_eq!(other.unwrap().signal, Some(9));
    assert_eq!(within(running.wait()).await.unwrap().signal, Some(9));
}

#[tokio::test]
async fn an_ended_leader_is_dead_before_it_is_reaped() {
    let started = start(&shell("true"));
    let identity = started.running.identity().clone();
    within(started.running.wait()).await.unwrap();
    assert!(!is_alive(&identity));
    assert_eq!(started.running.members().unwrap(), Vec::<u32>::new());
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", identity.pid)).unwrap();
    assert!(stat.contains(") Z "), "the pid is free for others: {stat}");
    drop(started);
    eventually("the pid is given back", || {
        !std::path::Path::new(&format!("/proc/{}", identity.pid)).exists()
    })
    .await;
}

#[tokio::test]
async fn stragglers_in_the_group_are_killed_and_hold_nobody_up() {
    // The leader exits at once; what it leaves holds both streams open and never ends.
    let started = start(&shell("trap '' TERM; sleep 1000 & echo $!"));
    let (exit, text) = started.finish(Duration::from_millis(20)).await;
    assert!(exit.is_success());
    let [straggler] = text.pids()[..] else { panic!("{text:?}") };
    assert!(
        outlast_orchestrator::process::identify(straggler)
            .map_or(true, |identity| !is_alive(&identity))
    );
    assert_eq!(text.system, b"", "killing them ended the streams, so nothing was cut");
}

#[tokio::test]
async fn stragglers_may_be_left_alone() {
    let mut spec = shell("sleep 1000 & echo $!");
    spec.stragglers = Stragglers::Leave;
    let (exit, text) = start(&spec).finish(Duration::from_millis(20)).await;
    assert!(exit.is_success());
    let [straggler] = text.pids()[..] else { panic!("{text:?}") };
    let straggler = identity(straggler);
    assert!(is_alive(&straggler));
    let note = text.note();
    assert!(note.contains("stdout was still held open"), "{note}");
    assert!(note.contains("stderr was still held open"), "{note}");
    kill(straggler.pid);
}

#[tokio::test]
async fn a_filter_that_outlives_the_leader_finishes_its_work() {
    // Like `exec > >(filter)`: the filter sees the end of its input only when the leader exits.
    let folder = tempfile::tempdir().unwrap();
    let mut spec = shell("mkfifo in; { cat in; echo late; } & exec 3>in; echo early");
    spec.cwd = Some(folder.path().into());
    let (exit, text) = start(&spec).finish(DRAIN).await;
    assert!(exit.is_success());
    assert_eq!(text, Text::of("early\nlate\n"));
}

#[tokio::test]
async fn a_daemon_outside_the_group_is_cut_off_but_the_leaders_output_is_whole() {
    // It holds the output open and is not in the group, so only the cut can end the capture.
    let folder = tempfile::tempdir().unwrap();
    let mut spec = shell(
        "setsid sh -c 'echo $$ > pid; exec sleep 1000' & \
         while [ ! -s pid ]; do sleep 0.01; done; cat pid; head -c 60000 /dev/zero",
    );
    spec.cwd = Some(folder.path().into());
    let (exit, text) = start(&spec).finish(Duration::ZERO).await;
    assert!(exit.is_success());
    let end = text.stdout.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(text.stdout.len() - end, 60_000);
    let note = text.note();
    assert!(note.contains("held open"), "{note}");
    let daemon = String::from_utf8_lossy(&text.stdout[..end - 1]).parse().unwrap();
    kill(daemon);
}

#[tokio::test]
async fn dropping_a_running_task_kills_its_group() {
    let mut started = start(&shell("trap '' TERM; sleep 1000 & echo $!; wait"));
    let leader = started.running.identity().clone();
    let child = identity(started.output.lines(1).await.pids()[0]);
    assert!(is_alive(&leader) && is_alive(&child));
    drop(started.running);
    eventually("the group is gone", || !is_alive(&leader) && !is_alive(&child)).await;
}

#[tokio::test]
async fn direct_programs_run_without_a_shell() {
    let (exit, text) = run(&direct(&["printf", "%s|", "a b", "$HOME", "*", ";", ""])).await;
    assert!(exit.is_success());
    assert_eq!(text, Text::of("a b|$HOME|*|;||"));
}
