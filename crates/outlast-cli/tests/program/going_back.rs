//! `outlast checkpoints`, `outlast rollback` and `outlast audit`.

use serde_json::{Value, json};

use crate::bench::{Bench, Ran};
use crate::world::{on_each, world};

fn state(bench: &Bench, id: &str) -> Value {
    bench.json(&["swarms", id])
}

fn rollback<'a>(id: &'a str, version: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["rollback", "swarm", id, version, "--reason", "a mistake"], more].concat()
}

#[test]
fn a_rollback_makes_a_new_version_and_saves_what_was_there() {
    on_each(|bench| {
        let before = state(bench, "s-2");
        assert_eq!((&before["version"], &before["state"]["status"]), (&json!(3), &json!("paused")));
        let done = bench.json(&rollback("s-2", "2", &[]));
        assert_eq!(
            (&done["kind"], &done["id"], &done["version"]),
            (&json!("swarm"), &json!("s-2"), &json!(4))
        );
        let after = state(bench, "s-2");
        assert_eq!((&after["version"], &after["state"]["status"]), (&json!(4), &json!("active")));

        let saved = done["checkpoint"].as_str().unwrap();
        let shown = bench.json(&["checkpoints", "show", saved]);
        assert_eq!(shown["state"]["data"], before["state"]);
        assert_eq!(shown["state"]["reason"], "pre_rollback");
        let newest = &bench.json(&["history", "swarm", "s-2"])["versions"][0];
        assert_eq!(
            (&newest["action"], &newest["reason"]),
            (&json!("rollback"), &json!("a mistake"))
        );
        assert_eq!(newest["actor"], "system");

        let back = bench.json(&["checkpoints", "restore", saved, "--reason", "it was none"]);
        assert_eq!(back["version"], 5);
        assert_eq!(state(bench, "s-2")["state"], before["state"]);
        let text = bench.run(&rollback("s-2", "1", &[])).out;
        assert!(
            text.starts_with("swarm/s-2 has the content of version 1 again, as version 6\n"),
            "{text}"
        );
        assert!(text.contains("what was there before is checkpoint "), "{text}");
    });
}

#[test]
fn a_rollback_that_is_refused_writes_nothing() {
    on_each(|bench| {
        // The first line of an export says when it was made.
        let whole = || bench.run(&["export"]).out.split_once('\n').unwrap().1.to_owned();
        let before = whole();
        let refused = |args: &[&str], code, what| bench.run(args).refused(code, what);
        refused(&rollback("s-2", "9", &[]), 4, "has no version 9");
        refused(&rollback("absent", "1", &[]), 4, "swarm/absent does not exist");
        refused(&rollback("s-2", "1", &["--expect", "2"]), 4, "is at version 3, not at 2");
        for (kind, id) in [
            ("task", "bbb-1"),
            ("command", "c-1"),
            ("host", "h-1"),
            ("pipeline", "p-1"),
            ("window", "w-1"),
            ("artifact", "r-1"),
            ("run", "run-1"),
        ] {
            let args = ["rollback", kind, id, "1", "--reason", "r"];
            refused(&args, 2, "cannot be rolled back: a ");
        }
        refused(&["checkpoints", "create", "swarm", "absent", "--reason", "r"], 4, "swarm/absent");
        refused(&["checkpoints", "restore", "absent", "--reason", "r"], 4, "checkpoint/absent");
        let usage: [&[&str]; 6] = [
            &["rollback", "swarm", "s-2", "1"],
            &["rollback", "swarm", "s-2", "1", "--reason", ""],
            &["rollback", "swarm", "s-2", "0", "--reason", "r"],
            &["rollback", "swarm", "s-2", "one", "--reason", "r"],
            &["rollback", "No Kind", "s-2", "1", "--reason", "r"],
            &["checkpoints", "create", "swarm", "s-2"],
        ];
        for args in usage {
            assert_eq!(bench.run(args).code, 2, "{args:?}");
        }
        assert!(whole() == before);
        assert_eq!(bench.json(&rollback("s-2", "1", &["--expect", "3"]))["version"], 4);
    });
}

#[test]
fn a_kind_of_ones_own_goes_back_too() {
    on_each(|bench| {
        let saved = bench.json(&["checkpoints", "create", "note", "n-1", "--reason", "for later"]);
        assert_eq!((&saved["kind"], &saved["entity_id"]), (&json!("note"), &json!("n-1")));
        assert_eq!((&saved["version"], &saved["reason"]), (&json!(1), &json!("for later")));
        let id = saved["id"].as_str().unwrap();
        let back = bench.json(&["checkpoints", "restore", id, "--reason", "now"]);
        assert_eq!(back["version"], 2);
        assert_eq!(bench.json(&["rollback", "note", "n-1", "1", "--reason", "r"])["version"], 3);
    });
}

#[test]
fn checkpoints_are_listed_the_newest_first() {
    on_each(|bench| {
        assert_eq!(bench.json(&["checkpoints", "list"]), json!({"checkpoints": [], "more": false}));
        for (id, reason) in [("s-1", "one"), ("s-1", "two"), ("s-2", "three")] {
            let ran = bench.run(&["checkpoints", "create", "swarm", id, "--reason", reason]);
            assert!(ran.out.contains(&format!("of swarm/{id} is checkpoint ")), "{ran:?}");
        }
        let reasons = |args: &[&str]| {
            let json = bench.json(&[&["checkpoints", "list"], args].concat());
            let list = json["checkpoints"].as_array().unwrap().iter();
            list.map(|one| one["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&[]), ["three", "two", "one"]);
        assert_eq!(reasons(&["swarm", "s-1"]), ["two", "one"]);
        assert_eq!(reasons(&["swarm", "s-1", "--limit", "1"]), ["two"]);
        let ran = bench.run(&["checkpoints", "list", "--limit", "2"]);
        assert!(ran.out.contains("swarm/s-2") && ran.err.contains("--after"), "{ran:?}");
    });
}

#[test]
fn the_audit_says_who_changed_what_and_why() {
    on_each(|bench| {
        let all = bench.json(&["audit", "swarm", "s-2"]);
        let actions: Vec<_> =
            all["audit"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
        assert_eq!(actions, ["status_change", "status_change", "create"]);
        assert_eq!(all["next"], Value::Null);
        let (paused, active, made) = (&all["audit"][0], &all["audit"][1], &all["audit"][2]);
        assert_eq!(paused["changes"]["status"], json!({"before": "active", "after": "paused"}));
        assert_eq!((&active["actor"], &active["reason"]), (&json!("user:ann"), &json!("begin")));
        assert_eq!(
            (&made["was"], &made["is"], &made["changes"]),
            (&json!("absent"), &json!("shown"), &json!({}))
        );
        assert_eq!(paused.get("before"), None);
        let full = bench.json(&["audit", "swarm", "s-2", "--full"]);
        assert_eq!(full["audit"][0]["before"]["status"], "active");
        assert_eq!(full["audit"][0]["after"]["status"], "paused");

        let text = bench.run(&["audit", "swarm", "s-2"]).out;
        assert!(text.contains("status active > paused"), "{text}");
        let text = bench.run(&["audit", "swarm", "s-2", "--full"]).out;
        assert!(
            text.contains("swarm/s-2 version 2, status_change by user:ann: begin\n  before {"),
            "{text}"
        );
        assert!(text.contains("  before absent\n"), "{text}");
    });
}

#[test]
fn the_audit_is_narrowed_down_and_taken_a_page_at_a_time() {
    on_each(|bench| {
        let count = |args: &[&str]| {
            bench.json(&[&["audit"], args].concat())["audit"].as_array().unwrap().len()
        };
        assert_eq!(count(&["swarm"]), 5);
        assert_eq!(count(&["swarm", "--actor", "user:ann"]), 2);
        assert_eq!(count(&["--actor", "user:ann"]), 2);
        assert_eq!(count(&["swarm", "--action", "create"]), 2);
        assert_eq!(count(&["swarm", "--until", "2020-01-01"]), 0);
        assert_eq!(count(&["swarm", "--since", "1h", "--action", "status_change"]), 3);
        let whole = bench.json(&["audit", "swarm"])["audit"].clone();
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let mut args = vec!["audit", "swarm", "--limit", "2"];
            args.extend(after.iter().flat_map(|next: &String| ["--after", next]));
            let page = bench.json(&args);
            pages.extend(page["audit"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            after = Some(next.to_owned());
        }
        assert_eq!(Value::from(pages), whole);
        bench.run(&["audit", "swarm", "absent"]).refused(4, "swarm/absent does not exist");
        for args in [
            ["--actor", "ann"],
            ["--action", "No"],
            ["--since", "soon"],
            ["--limit", "501"],
            ["--limit", "0"],
            ["--after", "xyz"],
        ] {
            assert_eq!(bench.run(&[&["audit"], &args[..]].concat()).code, 2, "{args:?}");
        }
        bench.run(&["audit", "--after", "00"]).refused(2, "cursor");
    });
}

#[test]
fn who_asks_is_the_user_of_the_environment() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", world);
    let output = bench.command(&rollback("s-2", "1", &[])).env("USER", "eve").output().unwrap();
    assert_eq!(Ran::of(&output).code, 0);
    assert_eq!(bench.json(&["audit", "swarm", "s-2"])["audit"][0]["actor"], "user:eve");
}

#[test]
fn the_audit_can_be_switched_off() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", world);
    bench.write("outlast.toml", "audit = false\n");
    assert_eq!(bench.run(&rollback("s-2", "2", &[])).code, 0);
    let newest = bench.json(&["history", "swarm", "s-2"])["versions"][0].clone();
    assert_eq!(
        (&newest["action"], &newest["actor"], &newest["reason"]),
        (&json!("rollback"), &Value::Null, &Value::Null)
    );
    assert_eq!(bench.json(&["audit", "swarm", "s-2"])["audit"].as_array().unwrap().len(), 3);
    bench.write("outlast.toml", "audit = true\n");
    assert_eq!(bench.run(&rollback("s-2", "2", &[])).code, 0);
    assert_eq!(bench.json(&["audit", "swarm", "s-2"])["audit"].as_array().unwrap().len(), 4);
}
