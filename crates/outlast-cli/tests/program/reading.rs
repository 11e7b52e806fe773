//! The commands that look at a store, on each backend.

use serde_json::{Value, json};

use crate::bench::{Bench, two_runs};

const STORES: [&str; 2] = ["sqlite:state.db", "sled:state"];

fn on_each(check: impl Fn(&Bench, &dyn Fn(&[&str]) -> Value)) {
    for url in STORES {
        let bench = Bench::new();
        bench.fill(url, two_runs);
        bench.write("outlast.toml", format!("db = \"{url}\"\n"));
        check(&bench, &|args| bench.json(args));
    }
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn ps_lists_the_newest_run_unless_told_otherwise() {
    on_each(|bench, json| {
        let newest = json(&["ps"]);
        assert_eq!(newest["run"], "run-2");
        assert_eq!(newest["more"], false);
        assert_eq!(ids(&newest["tasks"]), ["bbb-1", "bbb-2", "bbb-3"]);
        let task = &newest["tasks"][0];
        assert_eq!((&task["name"], &task["status"]), (&json!("build"), &json!("completed")));
        assert_eq!((&task["exit_code"], &task["version"]), (&json!(0), &json!(3)));

        assert_eq!(ids(&json(&["ps", "--all"])["tasks"]), ["aaa-1", "bbb-1", "bbb-2", "bbb-3"]);
        assert_eq!(ids(&json(&["ps", "--run", "run-1"])["tasks"]), ["aaa-1"]);
        assert_eq!(ids(&json(&["ps", "--status", "failed"])["tasks"]), ["bbb-3"]);
        let cut = json(&["ps", "--limit", "2"]);
        assert_eq!((ids(&cut["tasks"]).len(), &cut["more"]), (2, &json!(true)));

        bench.run(&["ps", "--run", "absent"]).refused(4, "run/absent does not exist");
        assert_eq!(bench.run(&["ps", "--status", "asleep"]).code, 2);

        let text = bench.run(&["ps"]).out;
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[0].starts_with("ID     NAME   STATUS"), "{text}");
        assert!(lines[1].starts_with("bbb-1  build  completed    1"), "{text}");
        assert!(lines[1].ends_with("1m01s"), "{text}");
    });
}

#[test]
fn a_task_is_found_by_id_name_or_the_beginning_of_its_id() {
    on_each(|bench, json| {
        let found = |text: &str| json(&["show", text])["task"]["id"].clone();
        assert_eq!(found("bbb-1"), "bbb-1");
        assert_eq!(found("build"), "bbb-1");
        assert_eq!(found("test"), "bbb-3", "a name is its newest attempt");
        assert_eq!(found("aa"), "aaa-1");
        bench.run(&["show", "bb"]).refused(2, "bbb-1, bbb-2, bbb-3");
        bench.run(&["show", "old"]).refused(4, "no task");
        bench.run(&["show", "zzz"]).refused(4, "no task");
        bench.run(&["show", ""]).refused(2, "id");
    });
}

#[test]
fn show_tells_attempts_transitions_and_the_size_of_the_output() {
    on_each(|bench, json| {
        let shown = json(&["show", "bbb-3"]);
        assert_eq!(shown["task"]["retry_of"], "bbb-2");
        assert_eq!(ids(&shown["attempts"]), ["bbb-2", "bbb-3"]);
        let moves: Vec<_> = shown["transitions"].as_array().unwrap().iter().collect();
        let moves: Vec<_> = moves.iter().map(|step| (&step["from"], &step["to"])).collect();
        let (created, running) = (json!("created"), json!("running"));
        let expected =
            [(&Value::Null, &created), (&created, &running), (&running, &json!("failed"))];
        assert_eq!(moves, expected);
        assert_eq!(shown["log"]["entries"], 0);

        let log = json(&["show", "build"])["log"].clone();
        let (stdout, stderr) = (8 + 5 + 9, 20);
        let expected = json!({"entries": 5, "stdout_bytes": stdout, "stderr_bytes": stderr, "system_bytes": 7});
        let measured =
            crate::bench::OUTPUT.iter().fold((0, 0), |(out, err), piece| match piece.0 {
                "stdout" => (out + piece.1.len(), err),
                "stderr" => (out, err + piece.1.len()),
                _ => (out, err),
            });
        assert_eq!(log["stdout_bytes"], measured.0);
        assert_eq!(log["stderr_bytes"], measured.1);
        assert_eq!(log["system_bytes"], expected["system_bytes"]);
        let text = bench.run(&["show", "test"]).out;
        assert!(text.contains("status    failed"), "{text}");
    });
}

#[test]
fn history_lists_every_version_the_newest_first() {
    on_each(|bench, json| {
        let history = json(&["history", "task", "build"]);
        assert_eq!((&history["kind"], &history["id"]), (&json!("task"), &json!("bbb-1")));
        let versions = history["versions"].as_array().unwrap();
        let numbers: Vec<_> = versions.iter().map(|version| &version["version"]).collect();
        assert_eq!(numbers, [3, 2, 1]);
        assert_eq!(versions[0]["state"]["status"], "completed");
        assert_eq!(versions[0]["action"], "status_change");
        assert_eq!(versions[2]["action"], "create");
        assert_eq!(versions[0]["actor"], "system");

        assert_eq!(json(&["history", "run", "run-1"])["versions"][0]["state"]["task_count"], 1);
        assert_eq!(json(&["history", "task", "build", "--limit", "1"])["more"], true);
        bench.run(&["history", "task", "absent"]).refused(4, "task/absent");
        bench.run(&["history", "swarm", "absent"]).refused(4, "swarm/absent");
        bench.run(&["history", "No Kind", "x"]).refused(2, "kind");
    });
}

#[test]
fn stats_count_what_there_is() {
    on_each(|bench, json| {
        let stats = json(&["stats"]);
        let kinds = stats["kinds"].as_array().unwrap();
        let task = kinds.iter().find(|kind| kind["kind"] == "task").unwrap();
        assert_eq!(task["total"], 4);
        let counts = json!({"completed": 2, "failed": 1, "interrupted": 1});
        assert_eq!(task["by_status"], counts);
        assert_eq!(stats["backlog"], 0);
        assert_eq!(stats["streams"], json!(["log"]));
        assert_eq!(stats["last_run"]["id"], "run-2");
        assert_eq!(stats["last_run"]["outcome"], "failed");
        assert!(stats["bytes"].as_u64().unwrap() > 0);
        assert!(stats["schema_version"].as_u64().unwrap() > 0);
        assert!(bench.run(&["stats"]).out.contains("2 completed, 1 failed, 1 interrupted"));
    });
}

#[test]
fn verify_reads_everything() {
    on_each(|bench, json| {
        let found = json(&["verify"]);
        assert_eq!((&found["entities"], &found["entries"]), (&json!(6), &json!(5)));
        assert_eq!((&found["damaged"], &found["damages"]), (&json!(0), &json!([])));
        let ran = bench.run(&["verify"]);
        assert!(ran.out.contains("all are whole"), "{ran:?}");
    });
}

#[test]
fn a_damaged_record_is_named_and_hides_no_other() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", two_runs);
    let path = bench.path("outlast.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // One letter of the command, in every version of one task.
    let needle = b"echo build";
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
    // Pages that were split keep what they held, besides.
    assert!(places.len() >= 3, "{places:?}");
    for at in places {
        bytes[at + 5] ^= 1;
    }
    std::fs::write(&path, bytes).unwrap();

    let ran = bench.run(&["verify"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.out.contains("damaged: task/bbb-1"), "{ran:?}");
    let json: Value = serde_json::from_str(&bench.run(&["verify", "--json"]).out).unwrap();
    assert!(json["damaged"].as_u64().unwrap() > 0);
    assert!(json["damages"][0]["place"].as_str().unwrap().contains("outlast.db"), "{json}");

    let ran = bench.run(&["ps"]);
    ran.refused(6, "task/bbb-1");
    assert!(ran.out.contains("bbb-2") && ran.out.contains("bbb-3"), "{ran:?}");
    bench.run(&["show", "bbb-1"]).refused(6, "task/bbb-1");
    assert_eq!(bench.run(&["show", "bbb-3"]).code, 0);
}

#[test]
fn schema_tells_the_layout_and_upgrading_the_latest_changes_nothing() {
    on_each(|_, json| {
        let status = json(&["schema", "status"]);
        assert_eq!(status["current"], status["latest"]);
        assert_eq!(status["pending"], json!([]));
        assert_eq!(json(&["schema", "upgrade"]), status);
    });
}
