//! `outlast run`, with real tasks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

#[allow(dead_code)]
#[path = "program/bench.rs"]
mod bench;

use bench::{Bench, Ran};

/// A task that hangs until it is tried again.
const STUCK: &str = "test -e again || { touch again; touch up; exec sleep 1000; }";

fn jobs(lines: &[&str]) -> Bench {
    let bench = Bench::new();
    let tasks = lines.iter().enumerate();
    let tasks = tasks.map(|(n, line)| format!("[[task]]\nname = 't{n}'\ncommand = '''{line}'''\n"));
    bench.write("jobs.toml", tasks.collect::<String>());
    bench
}

/// Starts the program, and waits until a task says that it is up.
fn start(bench: &Bench, mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    for _ in 0..6000 {
        if bench.path("up").exists() {
            return child;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("the task never came up");
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

fn end(child: Child) -> Ran {
    Ran::of(&child.wait_with_output().unwrap())
}

fn statuses(bench: &Bench) -> Vec<String> {
    let ps = bench.json(&["ps"]);
    let tasks = ps["tasks"].as_array().unwrap().iter();
    tasks.map(|task| task["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_exit_code_says_what_became_of_the_tasks() {
    let bench = jobs(&[":", "exit 3"]);
    let ran = bench.run(&["run", "jobs.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("1 completed, 1 failed") && ran.out.contains("t1 is failed"));
    assert!(ran.err.contains("task t0 is completed"), "{ran:?}");
    let again = bench.run(&["run", "--resume"]);
    assert_eq!((again.code, &again.out), (1, &ran.out), "the report of a finished run");
    assert_eq!(statuses(&bench), ["completed", "failed"]);
    assert_eq!(jobs(&[":"]).run(&["run", "jobs.toml"]).code, 0);
}

#[test]
fn json_is_one_object_per_line_and_the_summary_is_last() {
    let bench = jobs(&["echo a", "exit 1"]);
    let ran = bench.run(&["run", "jobs.toml", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["run", "task", "task", "task", "task", "summary"]);
    let summary = &lines[5];
    assert_eq!(summary["exit_code"], 1);
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(
        (&summary["tasks"]["completed"], &summary["tasks"]["total"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn a_file_that_cannot_be_run_leaves_no_store_behind() {
    let bench = Bench::new();
    bench.write("jobs.toml", "[[task]]\nname = 'a'\n");
    let before = bench.listing();
    for file in ["jobs.toml", "none.toml", "."] {
        for args in [vec!["run", file], vec!["run", "--resume", file]] {
            let ran = bench.run(&args);
            assert_eq!(ran.code, 2, "{ran:?}");
            assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
            assert!(ran.err.contains(file), "{ran:?}");
        }
    }
    assert_eq!(bench.listing(), before);
}

#[test]
fn without_persistence_nothing_is_written() {
    let bench = jobs(&[":"]);
    let before = bench.listing();
    assert_eq!(bench.run(&["run", "jobs.toml", "--no-persist"]).code, 0);
    assert_eq!(bench.listing(), before);
}

#[test]
fn a_signal_leaves_work_that_a_resume_completes() {
    for name in ["INT", "TERM", "HUP"] {
        let bench = jobs(&[STUCK, "touch late"]);
        let child = start(&bench, bench.command(&["run", "jobs.toml", "--max-concurrent", "1"]));
        signal(&child, name);
        let ran = end(child);
        assert_eq!(ran.code, 3, "{name}: {ran:?}");
        assert_eq!(statuses(&bench), ["interrupted", "created"]);
        assert!(!bench.path("late").exists());
        let refused = bench.run(&["run", "jobs.toml"]);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("--resume"));
        let resumed = bench.run(&["run", "--resume"]);
        assert_eq!(resumed.code, 3, "an interruption is only undone when asked: {resumed:?}");
        let retried = bench.run(&["run", "--resume", "--retry", "interrupted"]);
        assert_eq!(retried.code, 0, "{retried:?}");
        assert_eq!(statuses(&bench), ["interrupted", "completed", "completed"]);
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    let bench = jobs(&["trap '' TERM; touch up; while :; do sleep 0.05; done"]);
    let mut command = bench.command(&["run", "jobs.toml"]);
    command.env("OUTLAST_GRACE", "1h");
    let child = start(&bench, command);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(100));
    signal(&child, "INT");
    assert_eq!(end(child).code, 3);
    assert_eq!(bench.json(&["ps"])["tasks"][0]["signal"], 9);
}

#[test]
fn a_hangup_that_is_to_be_ignored_is() {
    let bench = jobs(&["touch up; sleep 0.5"]);
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_outlast");
    command.args(["-c", "trap '' HUP; exec \"$0\" run jobs.toml", program]);
    command.current_dir(bench.path("")).env_clear().env("PATH", "/usr/bin:/bin");
    let child = start(&bench, command);
    signal(&child, "HUP");
    let ran = end(child);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_second_run_beside_the_first_is_refused_and_told_by_whom() {
    let bench = jobs(&[STUCK]);
    let child = start(&bench, bench.command(&["run", "jobs.toml"]));
    for args in [vec!["run", "jobs.toml"], vec!["run", "--resume"]] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.err.contains(&format!("process {} ", child.id())), "{ran:?}");
    }
    signal(&child, "TERM");
    assert_eq!(end(child).code, 3);
}

#[test]
fn a_reader_that_goes_away_changes_neither_the_work_nor_the_exit_code() {
    for (last, code) in [("true", 0), ("exit 3", 1)] {
        for args in [vec!["run", "jobs.toml"], vec!["run", "jobs.toml", "--json"]] {
            let bench = jobs(&["touch up; sleep 0.3; touch done", last]);
            let mut child = start(&bench, bench.command(&args));
            drop(child.stdout.take());
            drop(child.stderr.take());
            assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
            assert!(bench.path("done").exists());
        }
    }
}

#[test]
fn what_became_of_the_work_goes_before_what_became_of_the_output() {
    for (line, code) in [("exit 3", 1), (":", 5)] {
        let bench = jobs(&[line]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = bench.command(&["run", "jobs.toml"]).stdout(full).output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{line}");
    }
}

#[test]
fn a_signal_is_heeded_although_nobody_reads_what_is_said() {
    let mut lines = vec!["true # so that much is said"; 600];
    lines.push("trap 'touch asked; exit' TERM; touch up; while :; do sleep 0.05; done");
    let bench = jobs(&lines);
    let names: String = "x".repeat(200);
    let text = std::fs::read_to_string(bench.path("jobs.toml")).unwrap();
    bench.write("jobs.toml", text.replace("name = 't", &format!("name = '{names}")));
    let child = start(&bench, bench.command(&["run", "jobs.toml"]));
    // Its standard error is a pipe that has long been full.
    signal(&child, "TERM");
    for _ in 0..6000 {
        if bench.path("asked").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(bench.path("asked").exists());
    assert_eq!(end(child).code, 3);
}

#[test]
fn a_pipe_is_no_file_of_tasks_and_is_not_waited_for() {
    let bench = Bench::new();
    assert!(Command::new("mkfifo").arg(bench.path("jobs.toml")).status().unwrap().success());
    let ran = bench.run(&["run", "jobs.toml"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("pipe"), "{ran:?}");
}

#[test]
fn a_refused_run_writes_nothing() {
    let bench = jobs(&[STUCK, ":"]);
    let child = start(&bench, bench.command(&["run", "jobs.toml", "--max-concurrent", "1"]));
    signal(&child, "INT");
    assert_eq!(end(child).code, 3);
    bench.write("changed.toml", "[[task]]\nname = 't1'\ncommand = 'false'\n");
    bench.write("other.toml", "[[task]]\nname = 'other'\ncommand = ':'\n");
    let before = bench.listing();
    for (args, what) in [
        (vec!["run", "jobs.toml"], "--resume"),
        (vec!["run", "--resume", "changed.toml"], "command of task \"t1\""),
        (vec!["run", "--resume", "other.toml"], "no task in common"),
    ] {
        bench.run(&args).refused(4, what);
        assert_eq!(bench.listing(), before, "{args:?}");
    }
}

#[test]
fn a_signal_ends_a_recovery_that_waits() {
    let bench = jobs(&["trap '' TERM; touch up; while :; do sleep 0.05; done", ":"]);
    let args = ["run", "jobs.toml", "--max-concurrent", "1"];
    let mut child = start(&bench, bench.command(&args));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut command = bench.command(&["run", "--resume"]);
    command.env("OUTLAST_GRACE", "1h");
    let child = start(&bench, command);
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    let ran = end(child);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("--resume goes on"), "{ran:?}");
    assert_eq!(statuses(&bench)[0], "running", "it is not known to have ended");
    let mut command = bench.command(&["run", "--resume"]);
    command.env("OUTLAST_GRACE", "10ms");
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(statuses(&bench), ["interrupted", "completed"]);
}

#[test]
fn more_tasks_than_file_descriptors_take_their_turns() {
    let bench = jobs(&["sleep 0.1"; 60]);
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_outlast");
    let line = "ulimit -n 128; exec \"$0\" run jobs.toml --max-concurrent 200";
    command.args(["-c", line, program]);
    command.current_dir(bench.path("")).env_clear().env("PATH", "/usr/bin:/bin");
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
}
