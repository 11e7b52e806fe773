//! `outlast prune`.

use serde_json::json;

use crate::bench::{Bench, OUTPUT, add_run, add_task, two_runs};

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
        let expected = json!({
            "dry_run": true, "runs": 2, "tasks": 4, "log_entries": 5, "log_bytes": bytes,
            "unreadable": 0,
        });
        assert_eq!(would, expected, "{url}");
        assert_eq!(bench.json(&["stats"])["kinds"][1]["total"], 5, "{url}");

        let did = bench.json(&["prune", "--older-than", "0s"]);
        assert_eq!((&did["runs"], &did["tasks"]), (&json!(2), &json!(4)));
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
        let json: serde_json::Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
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
