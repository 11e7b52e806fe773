//! The commands that list and show what there is, on each backend.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::world::{on_each, world};

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// The ids that a command lists.
#[track_caller]
fn listed(bench: &Bench, args: &[&str]) -> String {
    let json = bench.json(args);
    assert_eq!(json["more"], false, "{json}");
    ids(&json[args[0]]).join(" ")
}

#[test]
fn each_kind_is_listed_the_newest_first_and_by_what_it_belongs_to() {
    let table: [(&[&str], &str); 22] = [
        (&["swarms"], "s-2 s-1"),
        (&["swarms", "--status", "paused"], "s-2"),
        (&["swarms", "--status", "failed"], ""),
        (&["agents"], "a-3 a-2 a-1"),
        (&["agents", "--swarm", "s-1"], "a-2 a-1"),
        (&["agents", "--swarm", "s-1", "--status", "failed"], "a-2"),
        (&["agents", "--session", "e-1"], ""),
        (&["sessions"], "e-1"),
        (&["sessions", "--swarm", "s-1", "--tree", "tree-1", "--status", "open"], "e-1"),
        (&["sessions", "--tree", "tree-2"], ""),
        (&["hosts"], "h-2 h-1"),
        (&["hosts", "--status", "online"], "h-1"),
        (&["commands"], "c-3 c-2 c-1"),
        (&["commands", "--host", "h-1"], "c-2 c-1"),
        (&["commands", "--host", "web"], "c-2 c-1"),
        (&["commands", "--pipeline", "p-1", "--status", "success"], "c-1"),
        (&["commands", "--orphaned"], "c-3"),
        (&["pipelines", "--status", "running"], "p-1"),
        (&["windows"], "w-1"),
        (&["windows", "--all"], "w-2 w-1"),
        (&["windows", "--status", "flushed"], "w-2"),
        (&["windows", "--agent", "nobody"], ""),
    ];
    on_each(|bench| {
        for (args, expected) in table {
            assert_eq!(listed(bench, args), expected, "{args:?}");
        }
    });
}

#[test]
fn a_list_can_be_taken_a_page_at_a_time() {
    let table: [(&[&str], &str); 4] =
        [(&["swarms"], "s"), (&["agents"], "a"), (&["commands"], "c"), (&["hosts"], "h")];
    on_each(|bench| {
        for (args, _) in table {
            let whole = bench.json(args)[args[0]].clone();
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let mut command = vec![args[0], "--limit", "1"];
                command.extend(after.iter().flat_map(|id: &String| ["--after", id]));
                let page = bench.json(&command);
                let items = page[args[0]].as_array().unwrap();
                assert_eq!(items.len(), 1, "{page}");
                pages.push(items[0].clone());
                after = items[0]["id"].as_str().map(str::to_owned);
                if page["more"] == false {
                    break;
                }
            }
            assert_eq!(Value::from(pages), whole, "{args:?}");
        }
        let ran = bench.run(&["agents", "--limit", "2"]);
        assert!(ran.err.contains("--after a-2 goes on"), "{ran:?}");
        bench.run(&["agents", "--after", "zzz"]).refused(4, "agent/zzz");
    });
}

#[test]
fn each_kind_is_a_table_for_people() {
    let table: [(&str, &str, &[&str]); 7] = [
        ("swarms", "ID   STATUS", &["crew", "1 of 2", "250 of 1000 EUR", "2023-11-14T22:13:21Z"]),
        ("agents", "ID   STATUS", &["small", "0 of 3", "task 1", "s-1"]),
        ("sessions", "ID   STATUS", &["tree-1", "main", "s-1"]),
        ("hosts", "ID   STATUS", &["web", "2023-11-14T22:13:25Z", "offline"]),
        ("commands", "ID   STATUS", &["h-1", "pull", "1m01s", "p-1"]),
        ("pipelines", "ID   STATUS", &["deploy", "2 of 2"]),
        (
            "windows",
            "ID   STATUS",
            &["packer", "join", "order 1 of 2", "when complete", "2182-04-25T07:06:40Z"],
        ),
    ];
    on_each(|bench| {
        for (command, heading, parts) in table {
            let ran = bench.run(&[command]);
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command}");
            assert!(ran.out.starts_with(heading), "{}", ran.out);
            for part in parts {
                assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
            }
        }
    });
}

#[test]
fn an_entity_of_any_kind_can_be_shown() {
    let table = [
        ("claim", "host/h-1", "state.holder", json!("c-2")),
        ("swarm", "s-1", "state.config.name", json!("crew")),
        ("swarm", "s-1", "agents_by_status", json!({"failed": 1, "running": 1})),
        ("swarm", "s-1", "transitions.1.actor", json!("user:ann")),
        ("agent", "a-2", "state.status", json!("failed")),
        ("session", "e-1", "attributes.group", json!("s-1")),
        ("host", "h-1", "transient.last_seen", json!(1_700_000_005_000_000_i64)),
        ("host", "h-1", "busy_with", json!("c-2")),
        ("host", "h-2", "transitions.0.to", json!("offline")),
        ("command", "c-1", "log.stdout_bytes", json!(7)),
        ("pipeline", "p-1", "outcomes.1.exit_code", json!(7)),
        ("window", "w-1", "items.0.artifact_ids", json!(["r-1"])),
        ("artifact", "r-1", "state.payload.id", json!(7)),
        ("window_item", "w-1/1", "state.place", json!(1)),
        ("stage_outcome", "p-1/0/h-1", "state.status", json!("success")),
        ("run", "run-2", "state.task_count", json!(2)),
        ("note", "n-1", "state.text", json!("one")),
    ];
    on_each(|bench| {
        assert_eq!(bench.json(&["show", "h-2"]).get("busy_with"), None);
        for (kind, id, path, expected) in &table {
            let shown = bench.json(&["show", id]);
            assert_eq!((&shown["kind"], &shown["id"]), (&json!(kind), &json!(id)));
            let found = shown.pointer(&format!("/{}", path.replace('.', "/")));
            assert_eq!(found, Some(expected), "{path} of {shown}");
            let same = bench.json(&["show", id, "--kind", kind]);
            assert_eq!(same, shown);
        }
        assert_eq!(bench.json(&["show", "bbb-1"])["task"]["name"], "build");
    });
}

#[test]
fn a_list_with_an_id_shows_that_one() {
    let table = [
        (["swarms", "s-1"], "swarm"),
        (["agents", "a-1"], "agent"),
        (["sessions", "e"], "session"),
        (["hosts", "h-1"], "host"),
        (["hosts", "web"], "host"),
        (["commands", "c-2"], "command"),
        (["pipelines", "p"], "pipeline"),
        (["windows", "w-1"], "window"),
    ];
    on_each(|bench| {
        for (args, kind) in table {
            assert_eq!(bench.json(&args)["kind"], kind, "{args:?}");
        }
        bench.run(&["swarms", "c-1"]).refused(4, "no swarm has the id");
        assert_eq!(bench.run(&["swarms", "s-1", "--status", "paused"]).code, 2);
        let text = bench.run(&["pipelines", "p-1"]).out;
        let grid: Vec<_> = text.lines().rev().take(3).collect();
        assert_eq!(
            grid,
            ["h-2   failed (7)  skipped", "h-1   success     running", "HOST  pull        switch"]
        );
        assert!(text.contains("\nname          deploy\n"), "{text}");
    });
}

#[test]
fn an_id_of_several_kinds_has_to_be_chosen_from() {
    on_each(|bench| {
        let ran = bench.run(&["show", "a-1"]);
        ran.refused(2, "several kinds: agent and note; choose one with --kind note");
        assert_eq!(bench.json(&["show", "a-1", "--kind", "note"])["state"]["text"], "two");
        assert_eq!(bench.json(&["show", "a-1", "--kind", "agent"])["kind"], "agent");
        bench.run(&["show", "s-"]).refused(2, "s-1, s-2; write more of it");
        bench.run(&["show", "a-"]).refused(2, "agent a-1, agent a-2, agent a-3, note a-1");
        bench.run(&["show", "zzz"]).refused(4, "nothing has the id");
        bench.run(&["show", "s-1", "--kind", "agent"]).refused(4, "no agent has");
        bench.run(&["show", "s-1", "--kind", "frobnicate"]).refused(4, "no frobnicate has");
        assert_eq!(bench.run(&["show", "s-1", "--kind", "No Kind"]).code, 2);
    });
}

#[test]
fn the_output_of_a_command_is_written_like_that_of_a_task() {
    on_each(|bench| {
        assert_eq!(bench.run(&["logs", "c-1"]).out, "pulled\n");
        assert_eq!(bench.json(&["logs", "c-1"])["text"], "pulled\n");
        assert_eq!(bench.run(&["logs", "c-1", "--kind", "command", "--tail", "1"]).out, "pulled\n");
        bench.run(&["logs", "c-1", "--kind", "task"]).refused(4, "no task");
        bench.run(&["logs", "zzz"]).refused(4, "no task or command");
        let ran = bench.run(&["logs", "c-2", "--follow"]);
        assert_eq!(ran.code, 3);
        assert!(ran.err.contains("nobody drives command c-2"), "{ran:?}");
    });
}

#[test]
fn events_are_listed_the_newest_first_and_narrowed_down() {
    let table: [(&[&str], &[u64]); 10] = [
        (&[], &[3, 2, 1]),
        (&["--category", "audit"], &[1]),
        (&["--level", "warn"], &[2]),
        (&["--category", "audit", "--level", "error"], &[]),
        (&["--host", "web"], &[3]),
        (&["--host", "h-2"], &[]),
        (&["--subject", "swarm/s-1"], &[2, 1]),
        (&["--since", "1h"], &[3, 2, 1]),
        (&["--until", "2020-01-01"], &[]),
        (&["--limit", "2"], &[3, 2]),
    ];
    let seqs = |json: &Value| -> Vec<u64> {
        let events = json["events"].as_array().unwrap().iter();
        events.map(|event| event["seq"].as_u64().unwrap()).collect()
    };
    on_each(|bench| {
        for (args, expected) in table {
            let json = bench.json(&[&["events"], args].concat());
            assert_eq!(seqs(&json), expected, "{args:?}");
        }
        let first = bench.json(&["events", "--limit", "1"]);
        assert_eq!(first["events"][0]["host_id"], "h-1");
        let next = first["next"].as_str().unwrap();
        let rest = bench.json(&["events", "--after", next]);
        assert_eq!((seqs(&rest), &rest["next"]), (vec![2, 1], &Value::Null));
        let ran = bench.run(&["events", "--limit", "2"]);
        assert!(ran.out.starts_with("SEQ  AT"), "{ran:?}");
        assert!(ran.out.contains("host web is gone") && ran.err.contains("--after "), "{ran:?}");
        bench.run(&["events", "--host", "nowhere"]).refused(4, "no host");
        bench.run(&["events", "--host", "web", "--limit", "201"]).refused(2, "200");
    });
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let table: [&[&str]; 18] = [
        &["swarms", "--status", "asleep"],
        &["agents", "--status", "open"],
        &["sessions", "--status", "running"],
        &["hosts", "--status", "gone"],
        &["commands", "--status", "done"],
        &["commands", "--orphaned", "--status", "success"],
        &["pipelines", "--status", "open"],
        &["windows", "--status", "open"],
        &["windows", "--all", "--status", "waiting"],
        &["agents", "--limit", "0"],
        &["agents", "--limit", "1001"],
        &["events", "--limit", "501"],
        &["events", "--category", "gossip"],
        &["events", "--subject", "s-1"],
        &["events", "--level", "loud"],
        &["events", "--since", "yesterday"],
        &["events", "--after", "xyz"],
        &["logs", "c-1", "--kind", "swarm"],
    ];
    let bench = Bench::new();
    for args in table {
        let ran = bench.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        let ran = bench.run(&[args, &["--json"]].concat());
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, &error["error"]["kind"]), (2, &json!("invalid")), "{args:?}");
    }
    let ran = bench.run(&["swarms", "--status", "asleep"]);
    assert!(ran.err.contains("creating, active"), "the states are named: {ran:?}");
    assert_eq!(bench.listing().len(), 0);
}

#[test]
fn a_damaged_record_hides_no_other() {
    let table: [(&[u8], &[&str], &str, &str); 3] = [
        (b"\"crew\"", &["swarms"], "swarm/s-1", "spare"),
        (b"agent was slow", &["events"], "event", "host web is gone"),
        (b"\"crew\"", &["audit", "swarm"], "swarm/s-1", "swarm/s-2"),
    ];
    for (needle, args, named, shown) in table {
        let bench = Bench::new();
        bench.fill("sqlite:outlast.db", world);
        let path = bench.path("outlast.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let places: Vec<_> =
            (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at + 2] ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
        let ran = bench.run(args);
        ran.refused(6, named);
        assert!(ran.out.contains(shown), "{ran:?}");
    }
}

#[test]
fn an_open_window_says_how_it_will_end() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        use outlast::{AttrName, AttrValue, Attributes, Subscription, Window, WindowStatus};

        let windows = store.kind::<Window>();
        let now = store.clock().now();
        let batch = Window { created_at: now, ..crate::world::window("batch", now) };
        let timed = Window { items_target: None, ..batch.clone() };
        let sized = Window { window_ms: None, window_end: None, ..batch.clone() };
        let mut counted = crate::world::window("join", now);
        (counted.window_ms, counted.window_end) = (None, None);
        counted.window_count = Some(10);
        let over = Window { status: WindowStatus::Expired, ..counted.clone() };
        let all = [("timed", timed), ("sized", sized), ("counted", counted), ("over", over)];
        for (id, window) in all {
            windows.create(id, &window).await.unwrap();
        }
        let subscription = Subscription::new("packer", "join", ["order"]);
        let subscriptions = store.kind::<Subscription>();
        subscriptions.create(&subscription.id(), &subscription).await.unwrap();
        let sequence = AttrName::new(Subscription::SEQUENCE).unwrap();
        let four = Attributes::from([(sequence, AttrValue::Int(4))]);
        subscriptions.touch(&subscription.id(), four).await.unwrap();
    });
    let list = bench.json(&["windows", "--all"]);
    let state = |id: &str| {
        let windows = list["windows"].as_array().unwrap();
        windows.iter().find(|window| window["id"] == id).unwrap()["state"].clone()
    };
    assert_eq!(state("timed")["will_flush"], "on_timeout");
    assert_eq!(state("sized")["will_flush"], "on_size");
    assert_eq!(state("sized")["items_remaining"], 2);
    // It was opened by the first, and four matched.
    assert_eq!(state("counted")["expires_in_artifacts"], 7);
    assert_eq!(state("counted")["waiting_for"], json!(["order"]));
    assert_eq!(state("over"), Value::Null);
    let text = bench.run(&["windows"]).out;
    for part in ["on timeout", "on size", "2 items", "7 artifacts", "safe"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn stats_count_every_kind_and_say_what_waits() {
    on_each(|bench| {
        let stats = bench.json(&["stats"]);
        assert_eq!((&stats["active_swarms"], &stats["active_agents"]), (&json!(2), &json!(2)));
        assert_eq!(stats["total_sessions"], 1);
        assert!(stats["recent_audit_entries"].as_u64().unwrap() > 10, "{stats}");
        let unsettled =
            json!({"tasks": 0, "agents": 2, "commands": 1, "pipelines": 1, "windows": 1});
        assert_eq!((&stats["unsettled"], &stats["backlog"]), (&unsettled, &json!(0)));
        assert_eq!((&stats["last_recovery"], &stats["problems"]), (&Value::Null, &json!([])));
        let kinds = stats["kinds"].as_array().unwrap();
        let command = kinds.iter().find(|kind| kind["kind"] == "command").unwrap();
        assert_eq!(command["by_status"], json!({"executing": 1, "orphaned": 1, "success": 1}));
        assert_eq!(stats["streams"], json!(["command_log", "event", "log"]));

        assert_eq!(bench.run(&["recover"]).code, 0);
        let stats = bench.json(&["stats"]);
        assert!(stats["last_recovery"]["changed"].as_u64().unwrap() > 0, "{stats}");
        let text = bench.run(&["stats"]).out;
        assert!(text.contains("activity  1 active swarms, 1 active agents, 1 sessions"), "{text}");
        assert!(text.contains("\nrecovery  2"), "{text}");
    });
}
