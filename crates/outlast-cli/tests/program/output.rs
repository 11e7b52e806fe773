//! `outlast logs`, and how output reaches whoever reads it.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use outlast::process::{identify, identify_self};
use outlast::{Actor, Cause, OpenOptions, Run, StoreOptions, Task, TaskStatus};
use serde_json::Value;

use crate::bench::{Bench, OUTPUT, add_output, add_run, add_task, hold, two_runs};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", two_runs);
    bench
}

fn bytes(bench: &Bench, args: &[&str]) -> Vec<u8> {
    let output = bench.command(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    output.stdout
}

fn written(streams: &[&str]) -> Vec<u8> {
    let pieces = OUTPUT.iter().filter(|(stream, _)| streams.contains(stream));
    pieces.flat_map(|(_, data)| data.iter().copied()).collect()
}

#[test]
fn logs_are_byte_exact_when_no_terminal_shows_them() {
    let bench = bench();
    assert_eq!(bytes(&bench, &["logs", "build"]), written(&["stdout", "stderr"]));
    for stream in ["stdout", "stderr", "system"] {
        assert_eq!(bytes(&bench, &["logs", "build", "--stream", stream]), written(&[stream]));
    }
    assert_eq!(bytes(&bench, &["logs", "test"]), b"");
    assert!(bench.run(&["logs", "build"]).err.contains("a note"));
}

#[test]
fn a_terminal_is_shown_control_sequences_and_does_not_obey_them() {
    let bench = bench();
    // util-linux' script gives the program a terminal.
    let shown = |args: &str| {
        let program = env!("CARGO_BIN_EXE_outlast");
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &format!("{program} logs build {args}"), "/dev/null"]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", bench.path("home"));
        command.current_dir(bench.path("")).stdin(Stdio::null());
        command.output().ok().map(|output| output.stdout)
    };
    let Some(clean) = shown("") else {
        println!("NOT RUN: the script program of util-linux is not installed");
        return;
    };
    let text = String::from_utf8(clean).unwrap();
    assert!(text.contains("warning \\u{1b}[31mred\\u{1b}[0m"), "{text:?}");
    assert!(text.contains("thr\u{20ac}\u{fffd}ee"), "{text:?}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let raw = shown("--raw").unwrap();
    assert!(raw.windows(5).any(|window| window == b"\x1b[31m"), "{raw:?}");
}

#[test]
fn tail_begins_with_the_last_lines() {
    let bench = bench();
    let tail = |lines: &str| bytes(&bench, &["logs", "build", "--tail", lines]);
    assert_eq!(tail("0"), b"");
    assert_eq!(tail("1"), b"four");
    assert_eq!(tail("2"), b"thr\xe2\x82\xac\xffee\nfour");
    assert_eq!(tail("4"), b"two\nwarning \x1b[31mred\x1b[0m\nthr\xe2\x82\xac\xffee\nfour");
    assert_eq!(tail("100"), written(&["stdout", "stderr"]));
    let one = bytes(&bench, &["logs", "build", "--stream", "stderr", "--tail", "1"]);
    assert_eq!(one, written(&["stderr"]));
    assert_eq!(bytes(&bench, &["logs", "test", "--tail", "3"]), b"");
}

#[test]
fn logs_as_json_lose_no_byte() {
    let bench = bench();
    let text = String::from_utf8(bytes(&bench, &["logs", "build", "--json"])).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), OUTPUT.len());
    assert_eq!(lines[0]["text"], "one\ntwo\n");
    assert_eq!(lines[2]["base64"], "dGhy4oI=");
    assert_eq!(lines[4]["byte_offset"], 13);
    assert_eq!(lines[3]["stream"], "system");
}

#[test]
fn columns_are_aligned_whatever_the_names_are_written_in() {
    use unicode_width::UnicodeWidthStr as _;

    let bench = Bench::new();
    let names = ["plain", "\u{65e5}\u{672c}\u{8a9e}", "\u{1f469}\u{200d}\u{1f680}", "e\u{301}", ""];
    bench.fill("sqlite:outlast.db", async |store| {
        add_run(store, "r", 4).await;
        for (n, name) in names.iter().enumerate() {
            let name = format!("{name}|");
            add_task(store, &format!("t{n}"), "r", &name, &[]).await;
        }
    });
    let text = bench.run(&["ps"]).out;
    let column = |line: &str| line.find("created").map(|at| line[..at].width());
    let columns: Vec<_> = text.lines().skip(1).map(column).collect();
    assert_eq!(columns, [columns[0]; 5], "{text}");
    assert!(columns[0].is_some());
}

#[test]
fn nothing_stored_can_reprogram_a_terminal() {
    let evil = "x\u{1b}]0;t\u{7}\r\u{9b}1m\u{202e}";
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        let run = Run { file: evil.into(), created_at: crate::bench::at(0), task_count: 1 };
        store.kind::<Run>().create("r", &run).await.unwrap();
        add_task(store, "t", "r", evil, &[TaskStatus::Running]).await;
        let cause = Cause::by(Actor::System).because(evil);
        let tasks = store.kind::<Task>().with_cause(cause);
        let fail = |task: &mut Task| {
            task.status = TaskStatus::Failed;
            task.error = Some(evil.to_owned());
            Ok(())
        };
        tasks.update("t", fail).await.unwrap();
    });
    bench.write(evil, "");
    let table: [&[&str]; 12] = [
        &["ps"],
        &["show", "t"],
        &["history", "task", "t"],
        &["stats"],
        &["run", "--resume"],
        &["show", evil],
        &["history", "run", evil],
        &["history", evil, "t"],
        &["ps", "--run", evil],
        &["run", evil],
        &["import", evil],
        &["ps", "--config", evil],
    ];
    for args in table {
        let ran = bench.run(args);
        let obeyed = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
        assert!(!ran.out.contains(obeyed) && !ran.err.contains(obeyed), "{args:?}: {ran:?}");
        assert!(ran.out.contains("\\u{1b}") || ran.err.contains("\\u{1b}"), "{args:?}: {ran:?}");
    }
    let help = bench.run(&["ps", evil]);
    assert!(!help.err.contains('\u{1b}'), "{help:?}");
}

#[test]
fn a_name_cannot_reprogram_a_terminal() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        add_run(store, "r", 1).await;
        add_task(store, "t", "r", "evil\u{1b}]0;title\u{7}\nnext", &[]).await;
    });
    let ran = bench.run(&["ps"]);
    assert!(ran.out.contains("evil\\u{1b}]0;title\\u{7}\\nnext"), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 2);
    let ran = bench.run(&["show", "evil\u{1b}[2J"]);
    assert!(!ran.err.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn follow_goes_on_until_the_task_is_settled() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        add_run(store, "r", 1).await;
        add_task(store, "t", "r", "slow", &[TaskStatus::Running]).await;
        add_output(store, "t", &[("stdout", b"first\n")]).await;
        hold(store, identify_self().unwrap()).await;
    });
    let mut command = bench.command(&["logs", "slow", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut seen = [0; 6];
    out.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"first\n");

    let url = format!("sqlite:{}", bench.path("outlast.db").display());
    let mut rest = String::new();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let open = OpenOptions::existing();
        let store = outlast::open_with(&url, open, StoreOptions::default()).await.unwrap();
        add_output(&store, "t", &[("stdout", b"second\n")]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(child.try_wait().unwrap().is_none(), "it ended before the task did");
        add_output(&store, "t", &[("stdout", b"third\n")]).await;
        store.kind::<Task>().transition("t", TaskStatus::Completed).await.unwrap();
        store.close().await.unwrap();
    });
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "second\nthird\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn follow_ends_when_nobody_runs_the_task_any_more() {
    let gone = {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let identity = identify(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        identity
    };
    for holder in [None, Some(gone)] {
        let bench = Bench::new();
        bench.fill("sqlite:outlast.db", async |store| {
            add_run(store, "r", 1).await;
            add_task(store, "t", "r", "slow", &[TaskStatus::Running]).await;
            add_output(store, "t", &[("stdout", b"first\n")]).await;
            if let Some(holder) = &holder {
                hold(store, holder.clone()).await;
            }
        });
        let ran = bench.run(&["logs", "slow", "--follow"]);
        assert_eq!((ran.code, ran.out.as_str()), (3, "first\n"));
        assert!(ran.err.contains("nobody runs task slow any more"), "{ran:?}");
        assert!(ran.err.contains("--resume"), "{ran:?}");
        let ran = bench.run(&["logs", "slow", "--follow", "--json"]);
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, &error["error"]["kind"]), (3, &"interrupted".into()));
        assert_eq!(bench.run(&["logs", "slow"]).code, 0);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        add_run(store, "r", 1).await;
        add_task(store, "t", "r", "big", &[TaskStatus::Running, TaskStatus::Completed]).await;
        let line = vec![b'x'; 64 * 1024];
        for _ in 0..4 {
            add_output(store, "t", &[("stdout", &line[..]); 16]).await;
        }
    });
    for args in [&["logs", "big"][..], &["logs", "big", "--json"]] {
        let mut command = bench.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 10]).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let bench = bench();
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        println!("NOT RUN: there is no /dev/full");
        return;
    };
    let output = bench.command(&["ps"]).stdout(full).output().unwrap();
    crate::bench::Ran::of(&output).refused(5, "standard output");
}

#[test]
fn follow_goes_on_until_a_command_is_settled() {
    use crate::world::{output_of, world};
    use outlast::{Command, CommandStatus};

    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        world(store).await;
        output_of(store, "c-2", b"first\n").await;
        hold(store, identify_self().unwrap()).await;
    });
    let mut command = bench.command(&["logs", "c-2", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut seen = [0; 6];
    out.read_exact(&mut seen).unwrap();
    assert_eq!(&seen, b"first\n");

    let url = format!("sqlite:{}", bench.path("outlast.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let open = OpenOptions::existing();
        let store = outlast::open_with(&url, open, StoreOptions::default()).await.unwrap();
        output_of(&store, "c-2", b"second\n").await;
        store.kind::<Command>().transition("c-2", CommandStatus::Success).await.unwrap();
        store.close().await.unwrap();
    });
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "second\n");
    assert!(child.wait().unwrap().success());
}
