//! `outlast prune`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use outlast::retention::LastSweep;
use outlast::{AttrName, AttrValue, Attributes};

use crate::bench::{Bench, OUTPUT, add_run, add_task, at, two_runs};
use crate::world::{on_each, world};

const STORES: [&str; 2] = ["sqlite:state.db", "sled:state"];

fn bench(url: &str) -> Bench {
    let bench = Bench::new();
    bench.fill(url, async |store| {
        two_runs(store).await;
        add_run(store, "run-3", 2).await;
        add_task(store, "ccc-1", "run-3", "waits", &[]).await;
    });
    bench.write("outlast.toml", format!("db = \"{url}\"\n"));
    bench
}

#[test]
fn what_is_over_and_old_goes_and_a_dry_run_says_what_would() {
    for url in STORES {
        let bench = bench(url);
        let would = bench.json(&["prune", "--older-than", "0s", "--dry-run"]);
        let bytes: usize = OUTPUT.iter().map(|(_, data)| data.len()).sum();
        let bytes = u64::try_from(bytes).unwrap();
        let numbers = |report: &Value| {
            ["runs", "tasks", "log_entries", "log_bytes", "unreadable"]
                .map(|name| report[name].as_u64().unwrap())
        };
        assert_eq!(numbers(&would), [2, 4, 5, bytes, 0], "{url}");
        assert_eq!((&would["dry_run"], &would["held_back"]), (&json!(true), &Value::Null));
        assert_eq!(would["removed"]["run"]["count"], 2);
        assert_eq!(bench.json(&["stats"])["kinds"][1]["total"], 5, "{url}");

        let did = bench.json(&["prune", "--older-than", "0s"]);
        assert_eq!(numbers(&did), numbers(&would));
        assert_eq!((&did["dry_run"], &did["removed"]), (&json!(false), &would["removed"]));
        let left = bench.json(&["ps", "--all"]);
        assert_eq!(left["tasks"].as_array().unwrap().len(), 1, "an unfinished run stays: {left}");
        bench.run(&["logs", "bbb-1"]).refused(4, "bbb-1");
        assert_eq!(bench.json(&["prune", "--older-than", "0s"])["runs"], 0);
        assert_eq!(bench.json(&["verify"])["damaged"], 0);
    }
}

#[test]
fn the_age_is_taken_from_the_settings_unless_given() {
    let bench = bench("sqlite:state.db");
    let count = |age: Option<&str>, args: &[&str]| {
        let mut command = bench.command(&[&["prune", "--dry-run", "--json"], args].concat());
        let output = command.envs(age.map(|age| ("OUTLAST_RETENTION_TASKS", age))).output();
        let json: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        json["runs"].as_u64().unwrap()
    };
    // One of them ended in 2023, the other just now.
    assert_eq!(count(None, &[]), 1);
    assert_eq!(count(Some("5200w"), &[]), 0);
    assert_eq!(count(Some("5200w"), &["--older-than", "1d"]), 1);
    assert_eq!(bench.run(&["prune", "--older-than", "30"]).code, 2);
    assert_eq!(bench.run(&["prune", "--older-than", "-1d"]).code, 2);
}

#[test]
fn a_missing_store_is_not_made_to_be_pruned() {
    let bench = Bench::new();
    bench.run(&["prune"]).refused(5, "outlast.db");
    bench.run(&["prune", "--dry-run"]).refused(5, "outlast.db");
    bench.run(&["prune", "--db", "memory:"]).refused(2, "memory");
    assert_eq!(bench.listing().len(), 0);
}

/// The world is of 2023, but what counts is often when it was last written: a moment ago.
#[test]
fn every_kind_goes_by_an_age_of_its_own() {
    on_each(|bench| {
        let would = |args: &[&str]| {
            let report = bench.json(&[&["prune", "--dry-run"], args].concat());
            let removed = report["removed"].as_object().unwrap().clone().into_iter();
            let counts = removed.map(|(kind, tally)| (kind, tally["count"].as_u64().unwrap()));
            counts.collect::<BTreeMap<_, _>>()
        };
        let count = |what: &str| bench.json(&[what])[what].as_array().unwrap().len() as u64;
        let all = would(&["--older-than", "0s"]);
        assert_eq!((all.get("event"), all.get("window")), (Some(&3), Some(&1)), "{all:?}");
        for kind in ["swarm", "session", "pipeline", "command"] {
            assert_eq!(all.get(kind), None, "what is not over stays, and what it names: {all:?}");
        }
        assert_eq!(all.get("note"), None, "what is nobody's stays: {all:?}");
        let events = would(&["--older-than", "0s", "--kind", "event"]);
        assert_eq!(events, BTreeMap::from([("event".to_owned(), 3)]));
        bench.run(&["prune", "--kind", "swan"]).refused(2, "\"swan\" is none of");

        // Then the pipeline is over, and its commands are.
        assert_eq!(bench.run(&["recover"]).code, 0);
        let events = count("events");
        let did = bench.json(&["prune", "--older-than", "0s", "--kind", "event,command"]);
        assert_eq!(did["removed"]["event"]["count"], events);
        assert_eq!(did["removed"]["command"]["count"], 3);
        assert!(did["removed"]["command"]["bytes"].as_u64().unwrap() > 0, "{did}");
        assert_eq!(did["removed"].get("window"), None);
        // One more says what was removed.
        assert!(count("events") <= 1);
        assert_eq!((count("commands"), count("pipelines")), (0, 1));
        bench.run(&["logs", "c-1"]).refused(4, "no task or command");
    });
}

#[test]
fn what_is_kept_for_ever_goes_only_by_its_name() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", world);
    bench.write("outlast.toml", "[retention]\nevents = \"never\"\nwindows = \"0s\"\n");
    let would =
        |args: &[&str]| bench.json(&[&["prune", "--dry-run"], args].concat())["removed"].clone();
    assert_eq!(would(&[]).get("event"), None);
    assert_eq!(would(&[])["window"]["count"], 1);
    assert_eq!(would(&["--older-than", "0s"]).get("event"), None);
    assert_eq!(would(&["--older-than", "0s", "--kind", "event"])["event"]["count"], 3);
    let text = bench.run(&["prune", "--dry-run"]).out;
    assert!(text.starts_with("KIND") && text.contains("would be removed"), "{text}");
}

#[test]
fn nothing_is_removed_when_the_clock_cannot_be_trusted_unless_forced() {
    for args in [&[][..], &["--force"]] {
        let bench = Bench::new();
        bench.fill("sqlite:outlast.db", async |store| {
            world(store).await;
            // As if it had last run in 2023.
            let records = store.kind::<LastSweep>();
            records.create("last", &LastSweep {}).await.unwrap();
            let then = Attributes::from([(AttrName::new("at").unwrap(), AttrValue::from(at(0)))]);
            records.touch("last", then).await.unwrap();
        });
        let prune = [&["prune", "--older-than", "0s", "--kind", "event"], args].concat();
        let ran = bench.run(&prune);
        let left = bench.json(&["events"])["events"].as_array().unwrap().len();
        if args.is_empty() {
            assert_eq!((ran.code, left), (4, 3), "{ran:?}");
            assert!(ran.err.contains("nothing was removed: the clock shows"), "{ran:?}");
            assert!(ran.out.contains("would be removed"), "{ran:?}");
            let again = bench.run(&prune);
            assert_eq!(again.code, 0, "the second time it is steady: {again:?}");
        } else {
            assert_eq!(ran.code, 0, "{ran:?}");
            assert!(left <= 1, "one says what was removed");
        }
    }
}
