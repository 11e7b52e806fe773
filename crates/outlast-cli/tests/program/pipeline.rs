//! `outlast run` of a pipeline: to its end, into its refusals, through signals and kill -9.
//!
//! Each stage notes where it begins and where it ends, so "never again" can be counted; and takes a
//! file lock that the kernel releases with its last process, so "twice at once" is seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use outlast::fleet::pipeline::PipelineState;
use outlast::{Claim, PipelineStatus, StageStatus, Store};
use serde_json::Value;

use crate::bench::{Bench, Ran};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const STAGES: [&str; 3] = ["collect", "compress", "verify"];
const ROUNDS: usize = 10;

/// A pipeline over three folders. `work` is what the second stage does.
fn file(head: &str, work: &str) -> String {
    let mut file = format!("name = 'archive'\n{head}\n");
    for host in HOSTS {
        write!(file, "[[host]]\nname = '{host}'\ncwd = 'hosts/{host}'\ncreate = true\n").unwrap();
    }
    let work = ["seq 2000 > numbers", work, "gzip -dc numbers.gz | cmp - numbers"].into_iter();
    for (stage, work) in STAGES.iter().zip(work) {
        let script = format!(
            "exec 9> lock; flock -n 9 || echo $OUTLAST_HOST_ID >> ../../twice\n\
             echo {stage} >> begun\n{work} || exit 1\necho {stage} >> ended\n"
        );
        write!(file, "[[stage]]\nname = '{stage}'\ncommand = '''\n{script}'''\n").unwrap();
    }
    file
}

const QUICK: &str = "gzip -c numbers > numbers.gz";
/// So slow that there is time for signals, and deaf to what nobody reads.
const SLOW: &str = "trap '' PIPE; for n in $(seq 30); do echo $n; sleep 0.01 9>&-; done; \
                    gzip -c numbers > numbers.gz";

/// How often each stage has begun, or ended, on a host.
fn noted(bench: &Bench, host: &str, what: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let notes = bench.path(&format!("hosts/{host}/{what}"));
    for line in fs::read_to_string(notes).unwrap_or_default().lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

fn once() -> BTreeMap<String, usize> {
    STAGES.map(|stage| (stage.to_owned(), 1)).into()
}

fn spawn(bench: &Bench, args: &[&str]) -> Child {
    let mut command = bench.command(args);
    command.env("OUTLAST_GRACE", "100ms").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn finish(child: Child) -> Ran {
    Ran::of(&child.wait_with_output().unwrap())
}

/// Waits until a stage has begun on a host.
fn wait_for(bench: &Bench, child: &mut Child, stage: &str, host: &str) {
    while !noted(bench, host, "begun").contains_key(stage) {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("it ended before {stage} began on {host}: {status}");
        }
        sleep(Duration::from_millis(2));
    }
}

fn newest(bench: &Bench, url: &str) -> PipelineState {
    let mut newest = None;
    bench.fill(url, async |store: &Store| {
        newest = PipelineState::newest(store).await.unwrap();
        let claims = store.kind::<Claim>();
        if newest.as_ref().unwrap().is_over() {
            for claim in claims.list(&claims.query().unwrap()).await.unwrap().items {
                let id = claim.unwrap().id().to_owned();
                assert!(!id.starts_with("host/"), "{id} is still claimed");
            }
        }
    });
    newest.unwrap()
}

const DB: &str = "sqlite:outlast.db";

#[test]
fn a_pipeline_runs_to_its_end_and_is_not_done_again() {
    let bench = Bench::new();
    bench.write("pipeline.toml", file("", QUICK));
    let ran = bench.run(&["run", "pipeline.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("(archive) is complete; 9 done"), "{ran:?}");
    for line in ["begins", "collect on a is running", "compress on b is done"] {
        assert!(ran.err.contains(line), "{line}: {ran:?}");
    }
    let ran = bench.run(&["run", "--resume", "pipeline.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("is complete already"), "{ran:?}");
    assert_eq!(bench.run(&["run", "--resume"]).code, 0);
    for host in HOSTS {
        assert_eq!((noted(&bench, host, "begun"), noted(&bench, host, "ended")), (once(), once()));
    }
    let first = newest(&bench, DB);
    assert_eq!(bench.run(&["run", "pipeline.toml"]).code, 0, "it can be begun anew");
    assert_ne!(newest(&bench, DB).pipeline.id(), first.pipeline.id());
    assert_eq!(noted(&bench, "a", "begun")["collect"], 2);
}

#[test]
fn as_json_each_move_is_a_line() {
    let bench = Bench::new();
    bench.write(
        "pipeline.toml",
        file("", "[ $OUTLAST_HOST_ID != b ] && gzip -c numbers > numbers.gz"),
    );
    let ran = bench.run(&["run", "pipeline.toml", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:?}");
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["event"], "run");
    assert_eq!(lines[0]["hosts"], serde_json::json!(HOSTS));
    let moves = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    // Eight that begin and end, and the last of b, which is skipped.
    assert_eq!((moves("stage"), moves("pipeline")), (17, 4));
    let failed = lines.iter().find(|line| line["status"] == "failed").unwrap();
    assert_eq!((&failed["op"], &failed["host_id"]), (&"compress".into(), &"b".into()));
    assert_eq!(failed["exit_code"], 1);
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"summary".into(), &"partial".into()));
    assert_eq!(
        (&last["outcomes"]["success"], &last["outcomes"]["skipped"]),
        (&7.into(), &1.into())
    );
    assert_eq!(last["exit_code"], 1);
}

#[test]
fn a_host_that_fails_is_named_and_the_others_go_on() {
    let bench = Bench::new();
    bench.write(
        "pipeline.toml",
        file("", "[ $OUTLAST_HOST_ID != b ] && gzip -c numbers > numbers.gz"),
    );
    let ran = bench.run(&["run", "pipeline.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("partial") && ran.out.contains("1 skipped"), "{ran:?}");
    assert!(ran.out.contains("  compress on b is failed: exit code 1"), "{ran:?}");
    assert_eq!(noted(&bench, "a", "ended"), once());
    assert!(!noted(&bench, "b", "begun").contains_key("verify"));
}

#[test]
fn a_stage_that_takes_too_long_is_ended() {
    let bench = Bench::new();
    let text = file("", "exec sleep 600").replacen(
        "name = 'compress'",
        "name = 'compress'\ntimeout_ms = 50",
        1,
    );
    bench.write("pipeline.toml", text);
    let ran = bench.run(&["run", "pipeline.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("is failed") && ran.out.contains("3 skipped"), "{ran:?}");
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_leaves_no_store() {
    let bench = Bench::new();
    let host = "[[host]]\nname = 'a'\ncwd = 'gone'\n";
    let stage = "[[stage]]\nname = 's'\ncommand = 'true'\n";
    let task = "[[task]]\nname = 't'\ncommand = 'true'\n";
    let table = [
        (format!("name = 'p'\n{host}{stage}"), "gone"),
        (format!("{host}{stage}"), "no name"),
        (format!("name = 'p'\nhosts = 3\n{host}{stage}"), "`host`"),
        (format!("name = 'p'\n{stage}"), "no [[host]]"),
        (format!("name = 'p'\n{host}create = true\n"), "no [[stage]]"),
        (format!("name = ''\n{host}create = true\n{stage}"), "is empty"),
        (format!("name = 'p'\n{host}create = true\n{host}create = true\n{stage}"), "twice"),
        (format!("name = 'p'\n{host}create = true\n{stage}{task}"), "two files"),
    ];
    for (text, what) in table {
        bench.write("pipeline.toml", text);
        let before = bench.listing();
        bench.run(&["run", "pipeline.toml"]).refused(2, what);
        assert!(bench.listing() == before, "{what}: something was written");
    }
    bench.write("pipeline.toml", file("", QUICK));
    let retry = ["run", "--resume", "--retry", "failed", "pipeline.toml"];
    bench.run(&retry).refused(2, "--retry is for tasks");
}

#[test]
fn nothing_has_to_be_kept() {
    let bench = Bench::new();
    bench.write("pipeline.toml", file("", QUICK));
    assert_eq!(bench.run(&["run", "--no-persist", "pipeline.toml"]).code, 0);
    assert!(!bench.path("outlast.db").exists());
    assert_eq!(noted(&bench, "c", "ended"), once());
}

/// Sends a signal to the program once the second stage is under way.
fn stopped(bench: &Bench, head: &str, signals: &[&str]) -> Ran {
    bench.write("pipeline.toml", file(head, SLOW));
    let mut child = spawn(bench, &["run", "pipeline.toml"]);
    wait_for(bench, &mut child, "compress", "b");
    for signal in signals {
        let pid = child.id().to_string();
        Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
    }
    finish(child)
}

#[test]
fn a_signal_ends_what_runs_and_leaves_the_rest_to_be_resumed() {
    for signal in ["INT", "TERM"] {
        let bench = Bench::new();
        let ran = stopped(&bench, "", &[signal]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.out.contains("(archive) is not finished"), "{ran:?}");
        assert!(ran.err.contains("outlast run --resume goes on with it"), "{ran:?}");
        let left = newest(&bench, DB);
        assert_eq!(left.pipeline.status, PipelineStatus::Running);
        assert_eq!((left.stats().running, left.stats().failed), (0, 0));
        // Everything has ended, so nobody writes any more.
        let before = noted(&bench, "b", "begun");

        bench.run(&["run", "pipeline.toml"]).refused(4, "--resume");
        bench.write("other.toml", file("", QUICK));
        bench.run(&["run", "--resume", "other.toml"]).refused(4, "stage \"compress\"");
        assert_eq!(noted(&bench, "b", "begun"), before);

        let ran = finish(spawn(&bench, &["run", "--resume"]));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.err.contains("is taken up again in stage 2"), "{ran:?}");
        for host in HOSTS {
            assert_eq!(noted(&bench, host, "ended"), once(), "{host}");
            assert_eq!(noted(&bench, host, "begun")["collect"], 1, "{host}");
        }
        assert!(!bench.path("twice").exists());
    }
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn one_that_is_not_to_be_resumed_is_orphaned_and_can_be_begun_anew() {
    let bench = Bench::new();
    bench.write("pipeline.toml", file("recovery = 'orphan'", SLOW));
    let mut child = spawn(&bench, &["run", "pipeline.toml"]);
    wait_for(&bench, &mut child, "compress", "b");
    kill(&mut child);
    let ran = finish(spawn(&bench, &["run", "--resume", "pipeline.toml"]));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("(archive) is orphaned"), "{ran:?}");
    let state = newest(&bench, DB);
    assert_eq!(state.pipeline.status, PipelineStatus::Orphaned);
    assert!(state.is_over());
    assert!(!noted(&bench, "a", "begun").contains_key("verify"));
    assert_eq!(finish(spawn(&bench, &["run", "pipeline.toml"])).code, 0);
    assert!(!bench.path("twice").exists());
}

fn random() -> fastrand::Rng {
    let seed = std::env::var("OUTLAST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("replay with OUTLAST_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// What is recorded as successful: host and stage.
fn successes(state: &PipelineState) -> Vec<(String, String)> {
    let done = state.outcomes().filter(|outcome| outcome.status == StageStatus::Success);
    done.map(|outcome| (outcome.host_id.clone(), outcome.op.clone())).collect()
}

/// kill -9 while the second stage is under way, as often as it takes, and on to the end.
fn survives_kills(url: &str) {
    let mut random = random();
    for round in 0..ROUNDS {
        let bench = Bench::new();
        bench.write("pipeline.toml", file("recovery = 'resume'", SLOW));
        let mut child = spawn(&bench, &["run", "pipeline.toml", "--db", url]);
        wait_for(&bench, &mut child, "compress", random.choice(HOSTS).unwrap());
        let mut settled = BTreeMap::new();
        let check = |settled: &BTreeMap<(String, String), usize>| {
            for ((host, stage), times) in settled {
                let now = noted(&bench, host, "begun")[stage];
                assert_eq!(now, *times, "{stage} was done on {host} again, round {round}");
            }
        };
        for _ in 0..random.usize(1..=2) {
            sleep(Duration::from_millis(random.u64(0..400)));
            kill(&mut child);
            check(&settled);
            for (host, stage) in successes(&newest(&bench, url)) {
                let times = noted(&bench, &host, "begun")[&stage];
                settled.insert((host, stage), times);
            }
            child = spawn(&bench, &["run", "--resume", "pipeline.toml", "--db", url]);
        }
        let ran = finish(child);
        assert_eq!(ran.code, 0, "round {round}: {ran:?}");
        check(&settled);
        assert_whole(&bench, url, round);
    }
}

fn assert_whole(bench: &Bench, url: &str, round: usize) {
    assert!(!bench.path("twice").exists(), "something ran twice at once, round {round}");
    let state = newest(bench, url);
    assert_eq!(state.pipeline.status, PipelineStatus::Complete, "round {round}");
    for host in HOSTS {
        let begun = noted(bench, host, "begun");
        assert_eq!(begun["collect"], 1, "{host}, round {round}");
        assert!(begun["compress"] <= 3, "{host}, round {round}");
        assert_eq!(noted(bench, host, "ended").len(), 3, "{host}, round {round}");
    }
}

#[test]
fn a_killed_pipeline_is_resumed_and_repeats_no_finished_stage_on_sqlite() {
    survives_kills("sqlite:outlast.db");
}

#[test]
fn a_killed_pipeline_is_resumed_and_repeats_no_finished_stage_on_sled() {
    survives_kills("sled:state");
}

#[test]
fn of_a_pipeline_and_a_run_the_unfinished_one_is_resumed() {
    let bench = Bench::new();
    assert_eq!(stopped(&bench, "", &["INT"]).code, 3);
    bench.write("jobs.toml", "[[task]]\nname = 'one'\ncommand = 'echo one'\n");
    assert_eq!(bench.run(&["run", "jobs.toml"]).code, 0);
    let ran = finish(spawn(&bench, &["run", "--resume"]));
    assert!(ran.code == 0 && ran.out.contains("(archive) is complete"), "{ran:?}");
}

#[test]
fn the_example_does_its_work_on_a_fresh_clone() {
    let bench = Bench::new();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = fs::read_to_string(repository.join("examples/pipeline.toml")).unwrap();
    // What is slow in it is slow for those who want to kill it.
    bench.write("examples/pipeline.toml", example.replace("sleep 1", "true"));
    std::os::unix::fs::symlink(repository.join("crates"), bench.path("crates")).unwrap();
    let ran = bench.run(&["run", "examples/pipeline.toml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(bench.path("target/archive/outlast-core/sources.tar.9.gz").exists());
    assert!(ran.out.contains("is complete; 12 done"), "{ran:?}");
}

#[test]
fn a_second_signal_kills_what_does_not_end() {
    let bench = Bench::new();
    bench.write("pipeline.toml", file("", "trap '' TERM; while :; do sleep 1; done"));
    let mut command = bench.command(&["run", "pipeline.toml"]);
    command.env("OUTLAST_GRACE", "1h").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    wait_for(&bench, &mut child, "compress", "b");
    let pid = child.id().to_string();
    while child.try_wait().unwrap().is_none() {
        Command::new("kill").args(["-s", "INT", &pid]).status().unwrap();
        sleep(Duration::from_millis(100));
    }
    let ran = finish(child);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("once more kills it"), "{ran:?}");
    let left = newest(&bench, DB);
    assert_eq!((left.pipeline.status, left.stats().running), (PipelineStatus::Running, 0));
}

#[test]
fn what_recover_has_settled_is_resumed() {
    let bench = Bench::new();
    bench.write("pipeline.toml", file("", SLOW));
    let mut child = spawn(&bench, &["run", "pipeline.toml"]);
    wait_for(&bench, &mut child, "compress", "b");
    kill(&mut child);
    let ran = finish(spawn(&bench, &["recover"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(newest(&bench, DB).pipeline.status, PipelineStatus::Running);
    let ran = finish(spawn(&bench, &["run", "--resume", "pipeline.toml"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_whole(&bench, DB, 0);
}
