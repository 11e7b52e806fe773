//! `outlast recover`.

use serde_json::{Value, json};

use outlast::process::identify_self;

use crate::bench::{Bench, hold};
use crate::world::{on_each, world};

fn status(bench: &Bench, kind: &str, id: &str) -> Value {
    bench.json(&["show", id, "--kind", kind])["state"]["status"].clone()
}

#[test]
fn what_was_left_unfinished_is_settled_and_a_dry_run_says_what_would_be() {
    on_each(|bench| {
        let would = bench.json(&["recover", "--dry-run"]);
        assert_eq!(would["dry_run"], true);
        assert_eq!(would["outcomes"]["agent"], json!({"marked_failed": 1, "unchanged": 1}));
        assert_eq!(would["outcomes"]["command"], json!({"marked_orphaned": 1}));
        assert_eq!(would["outcomes"]["pipeline"], json!({"marked_orphaned": 1}));
        assert_eq!(status(bench, "agent", "a-1"), "running", "a dry run writes nothing");

        let did = bench.json(&["recover"]);
        assert_eq!((&did["outcomes"], &did["changed"]), (&would["outcomes"], &would["changed"]));
        assert_eq!(status(bench, "agent", "a-1"), "failed");
        assert_eq!(status(bench, "command", "c-2"), "orphaned");
        let audit = bench.json(&["audit", "agent", "a-1"]);
        assert_eq!(audit["audit"][0]["actor"], "recovery");
        assert_eq!(bench.json(&["recover"])["changed"], 0, "once is enough");
        let text = bench.run(&["recover"]).out;
        assert!(text.starts_with("KIND") && text.contains("0 were changed"), "{text}");
    });
}

#[test]
fn what_is_done_about_a_state_can_be_configured() {
    let agent = |config: &str, env: Option<&str>, args: &[&str]| {
        let bench = Bench::new();
        bench.fill("sqlite:outlast.db", world);
        bench.write("outlast.toml", config);
        let mut command = bench.command(&[&["recover"], args].concat());
        let output = command.envs(env.map(|value| ("OUTLAST_RECOVER", value))).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        status(&bench, "agent", "a-1")
    };
    let keep = "recover = 'agent.running = keep'";
    assert_eq!(agent("grace = '1s'\n", None, &[]), "failed");
    assert_eq!(agent(keep, None, &[]), "running");
    assert_eq!(agent(keep, Some("none"), &[]), "failed");
    assert_eq!(agent("grace = '1s'\n", Some("agent.running=keep"), &[]), "running");
    assert_eq!(agent(keep, None, &["--policy", "agent.running=fail"]), "failed");
    let args = ["--policy", "agent.running=keep,command.executing=orphan"];
    assert_eq!(agent("grace = '1s'\n", None, &args), "running");
    let bench = Bench::new();
    for (policy, what) in [
        ("agent.running", "KIND.STATE=POLICY"),
        ("agent.asleep=keep", "no state \"asleep\""),
        ("robot.running=keep", "no kind \"robot\""),
        ("agent.running=orphan", "it can be keep, fail"),
        ("agent.running=sing", "not one of"),
    ] {
        bench.run(&["recover", "--policy", policy]).refused(2, what);
    }
}

#[test]
fn nobody_recovers_what_another_process_drives() {
    on_each(|bench| {
        let url = std::fs::read_to_string(bench.path("outlast.toml")).unwrap();
        let url = url.split('"').nth(1).unwrap();
        bench.fill(url, async |store| hold(store, identify_self().unwrap()).await);
        bench.run(&["recover"]).refused(4, "drives the runs of this store");
        assert_eq!(status(bench, "agent", "a-1"), "running");
        assert_eq!(bench.run(&["recover", "--dry-run"]).code, 0);
    });
}

#[test]
fn a_missing_store_is_not_made_to_be_recovered() {
    let bench = Bench::new();
    bench.run(&["recover"]).refused(5, "outlast.db");
    bench.run(&["rollback", "swarm", "s", "1", "--reason", "r"]).refused(5, "outlast.db");
    bench.run(&["checkpoints", "list"]).refused(5, "outlast.db");
    bench.run(&["checkpoints", "create", "swarm", "s", "--reason", "r"]).refused(5, "outlast.db");
    assert_eq!(bench.listing().len(), 0);
}

#[test]
fn what_cannot_be_read_is_named_and_hides_no_other() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", world);
    let path = bench.path("outlast.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let needle = b"\"task 1\"";
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + 1] ^= 1;
    }
    std::fs::write(&path, bytes).unwrap();
    for args in [&["recover", "--dry-run"][..], &["recover"]] {
        let ran = bench.run(&[args, &["--json"]].concat());
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, &report["quarantined"][0]["kind"]), (6, &json!("agent")), "{ran:?}");
    }
    assert_eq!(status(&bench, "command", "c-2"), "orphaned");
    let text = bench.run(&["recover"]).out;
    assert!(text.contains("unreadable: agent "), "{text}");
}
