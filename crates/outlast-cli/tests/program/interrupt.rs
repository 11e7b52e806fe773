//! Signals in the middle of commands that take long.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use outlast::process::identify_self;
use outlast::{Store, TaskStatus};

use crate::bench::{Bench, Ran, add_output, add_run, add_task, hold};

const RUNS: usize = 40;
const ROUNDS: usize = 6;

/// Many finished runs with output.
async fn many_runs(store: &Store) {
    for n in 0..RUNS {
        let (run, task) = (format!("run-{n:03}"), format!("task-{n:03}"));
        add_run(store, &run, 1).await;
        add_task(store, &task, &run, "work", &[TaskStatus::Running, TaskStatus::Completed]).await;
        add_output(store, &task, &[("stdout", &[b'x'; 2000][..]); 20]).await;
    }
}

/// The state of the random numbers: a run is repeated with `OUTLAST_TEST_SEED`.
fn random() -> fastrand::Rng {
    let seed = std::env::var("OUTLAST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("replay with OUTLAST_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Runs a command and sends it a signal after a random time within about that of a whole run.
fn interrupt(bench: &Bench, args: &[&str], random: &mut fastrand::Rng, within: Duration) -> Ran {
    let mut command = bench.command(args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(within.mul_f64(random.f64()));
    let signal = random.choice(["INT", "TERM", "HUP"]).unwrap();
    // It may be over already.
    let _ = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    if ran.code != -1 {
        // Before it listens, a signal ends it as it ends any program.
        assert!(matches!(ran.code, 0 | 3), "{args:?}: {ran:?}");
        assert_eq!(ran.code == 3, ran.err.contains("outlast: interrupted: "), "{ran:?}");
    }
    ran
}

/// How long a command takes that nobody interrupts.
fn duration(bench: &Bench, args: &[&str]) -> Duration {
    use outlast::{Clock as _, SystemClock};

    let clock = SystemClock::default();
    let start = clock.monotonic();
    assert_eq!(bench.run(args).code, 0);
    clock.monotonic().saturating_sub(start)
}

/// What there is to read, without the line that names the store.
fn content(bench: &Bench, url: &str) -> String {
    let ran = bench.run(&["export", "--db", url]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn an_export_that_is_interrupted_leaves_what_was_there() {
    let (bench, mut random) = (Bench::new(), random());
    bench.fill("sqlite:outlast.db", many_runs);
    let within = duration(&bench, &["export", "whole.jsonl"]);
    let whole = content(&bench, "sqlite:outlast.db");
    let (before, old) = (bench.listing(), "what was there\n");
    let mut interrupted = 0;
    for _ in 0..ROUNDS {
        fs::write(bench.path("whole.jsonl"), old).unwrap();
        let ran = interrupt(&bench, &["export", "whole.jsonl"], &mut random, within);
        interrupted += i32::from(ran.code == 3);
        let found = fs::read_to_string(bench.path("whole.jsonl")).unwrap();
        let is_whole = found.split_once('\n').is_some_and(|(_, found)| found == whole);
        assert!(is_whole || (found == old && ran.code != 0), "{ran:?}");
        if ran.code != -1 {
            let after = bench.listing();
            assert!(after.keys().eq(before.keys()), "{ran:?}: {:?}", after.keys());
        }
    }
    println!("{interrupted} of {ROUNDS} exports were interrupted");
}

#[test]
fn an_import_that_is_interrupted_is_completed_by_the_next() {
    let (bench, mut random) = (Bench::new(), random());
    bench.fill("sqlite:outlast.db", many_runs);
    let whole = content(&bench, "sqlite:outlast.db");
    assert_eq!(bench.run(&["export", "state.jsonl"]).code, 0);
    for scheme in ["sqlite", "sled"] {
        let import = |url: &str| ["import", "state.jsonl", "--db", url].map(str::to_owned);
        let args = import(&format!("{scheme}:first-{scheme}"));
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let within = duration(&bench, &args);
        let mut interrupted = 0;
        for round in 0..ROUNDS {
            let url = format!("{scheme}:{scheme}-{round}");
            let args = import(&url);
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            let ran = interrupt(&bench, &args, &mut random, within);
            interrupted += i32::from(ran.code == 3);
            if bench.path(&format!("{scheme}-{round}")).exists() {
                assert_eq!(damaged(&bench, &url), 0, "{ran:?}");
            }
            let again = bench.run(&args);
            assert_eq!(again.code, 0, "{ran:?}: {again:?}");
            assert!(content(&bench, &url) == whole, "{ran:?}");
        }
        println!("{interrupted} of {ROUNDS} imports into {scheme} were interrupted");
    }
}

/// How much is damaged. What was half done may well refer to what is not there yet, or any more.
fn damaged(bench: &Bench, url: &str) -> u64 {
    let verified = bench.run(&["verify", "--json", "--db", url]);
    let json: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
    json["damaged"].as_u64().unwrap()
}

#[test]
fn a_prune_that_is_interrupted_is_completed_by_the_next() {
    let (bench, mut random) = (Bench::new(), random());
    for scheme in ["sqlite", "sled"] {
        bench.fill(&format!("{scheme}:first-{scheme}"), many_runs);
        let first = format!("{scheme}:first-{scheme}");
        assert_eq!(bench.run(&["export", "state.jsonl", "--db", &first]).code, 0);
        let within = duration(&bench, &["prune", "--older-than", "0s", "--db", &first]);
        let empty = content(&bench, &first);
        let mut interrupted = 0;
        for round in 0..ROUNDS {
            let url = format!("{scheme}:{scheme}-{round}");
            assert_eq!(bench.run(&["import", "state.jsonl", "--db", &url]).code, 0);
            let args = ["prune", "--older-than", "0s", "--db", &url];
            let ran = interrupt(&bench, &args, &mut random, within);
            interrupted += i32::from(ran.code == 3);
            assert_eq!(damaged(&bench, &url), 0, "{ran:?}");
            assert_eq!(bench.run(&args).code, 0);
            assert_eq!(bench.run(&["verify", "--db", &url]).code, 0);
            let tasks = bench.json(&["ps", "--all", "--db", &url]);
            assert_eq!(tasks["tasks"].as_array().unwrap().len(), 0, "{ran:?}");
            let left = content(&bench, &url);
            assert_eq!(left.contains("xxxx"), empty.contains("xxxx"), "{ran:?}");
        }
        println!("{interrupted} of {ROUNDS} prunes of {scheme} were interrupted");
    }
}

/// Sends a signal to a command that would wait for ever, once it listens.
fn interrupt_waiting(bench: &Bench, args: &[&str]) -> Ran {
    let mut wait = Duration::from_millis(200);
    loop {
        let mut command = bench.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Held open, so that whoever reads it waits.
        let input = child.stdin.take();
        std::thread::sleep(wait);
        let sent = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let ran = Ran::of(&child.wait_with_output().unwrap());
        drop(input);
        if ran.code != -1 || wait > Duration::from_secs(10) {
            return ran;
        }
        wait *= 2;
    }
}

#[test]
fn a_signal_ends_what_waits_for_ever() {
    let bench = Bench::new();
    let ran = interrupt_waiting(&bench, &["import", "-", "--db", "sqlite:copy.db"]);
    ran.refused(3, "nothing was imported");
    assert_eq!(bench.listing().len(), 0, "{:?}", bench.listing().keys());

    bench.fill("sqlite:outlast.db", async |store| {
        add_run(store, "r", 1).await;
        add_task(store, "t", "r", "slow", &[TaskStatus::Running]).await;
        hold(store, identify_self().unwrap()).await;
    });
    interrupt_waiting(&bench, &["logs", "slow", "--follow"]).refused(3, "the task itself");
}
