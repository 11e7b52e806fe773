//! State that moves while tasks run.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::bench::{Bench, Ran};
use crate::help::names;

/// Tasks that go on until they are told to end.
const JOBS: &str = "
[[task]]
name = 'ticker'
recovery = 'restart'
command = 'while [ ! -e stop ]; do echo tick; sleep 0.02; done'
[[task]]
name = 'short'
command = 'echo done'
";

const DB: [&str; 2] = ["--db", "sqlite:state.db"];

/// A run in memory beside a database, under way.
pub(crate) struct Live<'a> {
    bench: &'a Bench,
    child: Child,
}

impl<'a> Live<'a> {
    pub(crate) fn start(bench: &'a Bench) -> Self {
        Self::with(bench, &[])
    }

    fn with(bench: &'a Bench, env: &[(&str, &str)]) -> Self {
        bench.write("jobs.toml", JOBS);
        let run = ["run", "jobs.toml", "--db", "memory:", "--migrate-to", "sqlite:state.db"];
        let mut command = bench.command(&run);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let live = Self { bench, child };
        // Until the first task is known, there is nothing to move.
        for _ in 0..600 {
            if bench.path(".outlast/control.sock").exists()
                && let ran = bench.run(&["migrate", "state", "status", "--json"])
                && ran.out.contains("\"task\"")
                && ran.out.contains("\"log\"")
            {
                return live;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let ran = Ran::of(&live.kill());
        panic!("the run did not begin: {ran:?}");
    }

    pub(crate) fn end(self) -> Ran {
        self.bench.write("stop", "");
        Ran::of(&self.child.wait_with_output().unwrap())
    }

    fn kill(mut self) -> std::process::Output {
        self.child.kill().unwrap();
        self.child.wait_with_output().unwrap()
    }
}

fn state(bench: &Bench, args: &[&str]) -> Value {
    bench.json(&[&["migrate", "state"], args].concat())
}

/// The phases of all kinds.
fn phases(status: &Value) -> BTreeSet<&str> {
    status["kinds"].as_array().unwrap().iter().map(|kind| kind["phase"].as_str().unwrap()).collect()
}

fn ticks(bench: &Bench) -> usize {
    let ran = bench.run(&[&["logs", "ticker"], &DB[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.matches("tick").count()
}

#[test]
fn kinds_move_to_a_database_and_back_while_tasks_run() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    assert_eq!(phases(&state(&bench, &["status"])), BTreeSet::from(["memory"]));
    let moved = state(&bench, &["advance"]);
    assert!(moved["moves"].as_array().unwrap().len() >= 12, "{moved}");
    let status = state(&bench, &["status"]);
    assert_eq!(phases(&status), BTreeSet::from(["live"]), "{status}");
    assert_eq!(status["behind"], 0);

    let before = ticks(&bench);
    let back = state(&bench, &["rollback", "log"]);
    assert_eq!(back["moves"][0]["to"], "shadow", "{back}");
    let compared = state(&bench, &["diff"]);
    assert!(
        compared["compared"].as_array().unwrap().iter().all(|kind| kind["clean"] == true),
        "{compared}"
    );
    state(&bench, &["advance", "log"]);
    assert!(ticks(&bench) > before, "output goes on");

    let ran = live.end();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!bench.path(".outlast/control.sock").exists());
    let ps = bench.run(&[&["ps"], &DB[..]].concat());
    assert_eq!(ps.out.matches("completed").count(), 2, "{ps:?}");
    // Nobody has it any more.
    let status = state(&bench, &[&["status"], &DB[..]].concat());
    assert_eq!(phases(&status), BTreeSet::from(["live"]), "{status}");
    assert_eq!(bench.run(&[&["verify"], &DB[..]].concat()).code, 0);
}

#[test]
fn a_database_whose_kinds_have_a_live_owner_can_be_read_and_not_written() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    state(&bench, &["advance", "--to", "shadow"]);
    for args in [&["prune"][..], &["recover"], &["swarms", "pause", "s"], &["run", "--resume"]] {
        let ran = bench.run(&[args, &DB[..]].concat());
        ran.refused(4, "control.sock");
        assert!(ran.err.contains(&live.child.id().to_string()), "{ran:?}");
    }
    assert_eq!(bench.run(&[&["ps", "--json"], &DB[..]].concat()).code, 0);
    assert_eq!(bench.run(&[&["export", "state.jsonl"], &DB[..]].concat()).code, 0);
    // Also to move it, it has to be asked.
    let other = ["--control", ".outlast/other.sock"];
    bench.run(&[&["migrate", "state", "status"], &other[..], &DB].concat()).refused(5, "nobody");
    live.end();
    assert_eq!(bench.run(&[&["prune"], &DB[..]].concat()).code, 0);
}

#[test]
fn what_was_live_when_it_was_killed_goes_on() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    state(&bench, &["advance"]);
    while ticks(&bench) < 20 {}
    live.kill();
    let before = ticks(&bench);
    assert!(bench.path(".outlast/control.sock").exists(), "a killed process leaves it");
    bench.write("stop", "");
    let resume = ["run", "--resume", "--db", "memory:", "--migrate-to", "sqlite:state.db"];
    let ran = bench.run(&resume);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(before >= 20);
    assert_eq!(bench.run(&[&["verify"], &DB[..]].concat()).code, 0);
}

#[test]
fn kinds_that_are_wished_for_begin_in_the_database() {
    let bench = Bench::new();
    let live = Live::with(&bench, &[("OUTLAST_USE_DATABASE", "tasks,runs")]);
    let status = state(&bench, &["status"]);
    for kind in status["kinds"].as_array().unwrap() {
        let wished = ["task", "run"].contains(&kind["kind"].as_str().unwrap());
        assert_eq!(kind["phase"], if wished { "live" } else { "memory" }, "{kind}");
    }
    live.end();
    let run = ["run", "jobs.toml", "--db", "memory:"];
    bench.run(&run).refused(4, "beyond memory");
    let mut off = bench.command(&[&run[..], &["--migrate-to", "sqlite:state.db"]].concat());
    let off = Ran::of(&off.env("OUTLAST_PERSISTENCE", "false").output().unwrap());
    off.refused(4, "beyond memory");
    let other = Bench::new();
    other.write("jobs.toml", JOBS);
    let mut wish = other.command(&run);
    let wish = Ran::of(&wish.env("OUTLAST_USE_DATABASE", "all").output().unwrap());
    wish.refused(2, "--migrate-to");
}

#[test]
fn the_database_is_left_only_if_that_is_meant() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    state(&bench, &["advance"]);
    let leave = ["migrate", "state", "rollback", "--to", "memory"];
    bench.run(&leave).refused(2, "--drop-durability");
    bench.run(&[&leave[..], &["--drop-durability"]].concat()).refused(2, "--export FILE");
    let left = state(&bench, &["rollback", "--drop-durability", "--export", "left.jsonl"]);
    let tasks = left["unreachable"].as_array().unwrap().iter().find(|kind| kind["kind"] == "task");
    assert_eq!(tasks.unwrap()["entities"], 2, "{left}");
    assert_eq!(phases(&state(&bench, &["status"])), BTreeSet::from(["memory"]));
    let set_aside = state(&bench, &["quarantine", "list"]);
    assert!(!set_aside["quarantined"].as_array().unwrap().is_empty(), "{set_aside}");
    let import = ["import", "left.jsonl", "--db", "sqlite:again.db"];
    assert_eq!(bench.run(&import).code, 0);
    let ps = bench.run(&["ps", "--json", "--db", "sqlite:again.db"]);
    assert!(ps.out.contains("ticker"), "{ps:?}");
    // What the ledger calls gone is not served, and a new lineage is read by its ledger.
    let gone = bench.run(&[&["stats", "--json"], &DB[..]].concat());
    assert!(!gone.out.contains("\"task\""), "{gone:?}");
    state(&bench, &["advance", "--to", "shadow"]);
    let ps = bench.run(&[&["ps", "--json"], &DB[..]].concat());
    assert!(ps.out.contains("ticker"), "{ps:?}");
    let purged = state(&bench, &["quarantine", "purge", "task", "0"]);
    assert_eq!(purged["done"], 2, "{purged}");
    live.end();
}

#[test]
fn a_plan_and_a_check_do_nothing_and_a_hold_keeps_back() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    let plan = state(&bench, &["plan", "task"]);
    assert_eq!(plan["plans"][0]["steps"].as_array().unwrap().len(), 4, "{plan}");
    assert_eq!(plan["plans"][0]["ready"], true, "{plan}");
    assert_eq!(bench.run(&["migrate", "state", "check", "task"]).code, 0);
    assert_eq!(phases(&state(&bench, &["status"])), BTreeSet::from(["memory"]));
    state(&bench, &["hold", "task", "--reason", "not on a Friday"]);
    bench.run(&["migrate", "state", "advance", "task"]).refused(4, "held");
    assert_eq!(bench.run(&["migrate", "state", "check", "task"]).code, 4);
    state(&bench, &["resume", "task"]);
    state(&bench, &["advance", "task", "--to", "mirror"]);
    bench.run(&["migrate", "state", "advance", "tusk"]).refused(4, "no");
    live.end();
}

#[test]
fn each_command_says_what_is_next_and_names_its_fields() {
    let bench = Bench::new();
    let live = Live::start(&bench);
    let help = |args: &[&str]| bench.run(&[&["migrate", "state"], args, &["--help"]].concat()).out;
    let common = help(&[]) + &help(&["advance"]);
    let table: [&[&str]; 11] = [
        &["status"],
        &["plan"],
        &["check"],
        &["advance"],
        &["rollback"],
        &["hold", "task", "--reason", "r"],
        &["resume", "task"],
        &["diff"],
        &["rehearse"],
        &["quarantine", "list"],
        &["doctor"],
    ];
    for args in table {
        let text = bench.run(&[&["migrate", "state"], args].concat());
        let is_next = text.out.contains("next") || text.out.contains("NEXT");
        assert!(text.code == 0 && is_next, "{args:?}: {text:?}");
        let mut found = BTreeSet::new();
        names(&state(&bench, args), &mut found);
        let known = help(&args[..1]) + &help(&args[..args.len().min(2)]) + &common;
        for name in found {
            assert!(known.contains(&format!("\"{name}\"")), "{name} of {args:?} is not in {known}");
        }
    }
    live.end();
}
