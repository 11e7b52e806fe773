//! The commands that change one entity.

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::world::{on_each, world};

fn status(bench: &Bench, kind: &str, id: &str) -> Value {
    bench.json(&["show", id, "--kind", kind])["state"]["status"].clone()
}

#[test]
fn an_act_changes_one_entity_and_says_what_it_is_now() {
    let table: [(&[&str], &str); 12] = [
        (&["swarms", "pause", "s-1"], "paused"),
        (&["swarms", "resume", "s-1"], "active"),
        (&["agents", "pause", "a-1"], "paused"),
        (&["agents", "resume", "a-1"], "running"),
        (&["agents", "retry", "a-2"], "retrying"),
        (&["agents", "kill", "a-1"], "killed"),
        (&["swarms", "destroy", "s-2"], "destroyed"),
        (&["commands", "kill", "c-2"], "killing"),
        (&["commands", "kill", "c-2", "--hard"], "killing"),
        (&["commands", "reconcile", "c-3", "--exit-code", "0"], "success"),
        (&["pipelines", "cancel", "p-1"], "cancelled"),
        (&["pipelines", "cancel", "p-1"], "cancelled"),
    ];
    on_each(|bench| {
        for (args, expected) in table {
            let json = bench.json(&[args, &["--reason", "it is late"]].concat());
            assert_eq!(json["status"], expected, "{args:?}: {json}");
            assert_eq!(json["id"], args[2]);
            let kind = args[0].strip_suffix('s').unwrap();
            assert_eq!(status(bench, kind, args[2]), expected);
        }
        let newest = &bench.json(&["audit", "agent", "a-2"])["audit"][0];
        assert_eq!(newest["reason"], "it is late", "{newest}");
        let text = bench.run(&["swarms", "destroy", "s-1"]).out;
        assert!(text.starts_with("swarm/s-1 is destroyed, as version "), "{text}");
    });
}

#[test]
fn an_act_that_does_not_fit_is_refused_and_changes_nothing() {
    on_each(|bench| {
        let before = bench.json(&["stats"])["kinds"].clone();
        let refused = |args: &[&str], code, what| bench.run(args).refused(code, what);
        refused(&["swarms", "pause", "absent"], 4, "swarm/absent");
        refused(&["swarms", "resume", "s-1"], 4, "s-1 cannot become active");
        refused(&["agents", "retry", "a-1"], 4, "a-1");
        refused(&["commands", "cancel", "c-1"], 4, "c-1");
        refused(&["commands", "reconcile", "c-2", "--exit-code", "1"], 4, "c-2");
        refused(&["pipelines", "cancel", "absent"], 4, "pipeline/absent");
        for args in [
            &["swarms", "pause"][..],
            &["commands", "extend", "c-2"],
            &["commands", "extend", "c-2", "--minutes", "0"],
            &["commands", "reconcile", "c-3"],
            &["swarms", "--status", "active", "pause", "s-1"],
            &["swarms", "s-1", "pause"],
        ] {
            assert_eq!(bench.run(args).code, 2, "{args:?}");
        }
        assert_eq!(bench.json(&["stats"])["kinds"], before);
    });
}

#[test]
fn options_of_every_command_may_stand_anywhere() {
    let bench = Bench::new();
    bench.fill("sqlite:other.db", world);
    let db = ["--db", "sqlite:other.db"];
    for args in [
        [&db[..], &["--json", "swarms", "pause", "s-1"]].concat(),
        [&["swarms"], &db[..], &["--json", "resume", "s-1"]].concat(),
        [&["swarms", "pause"], &db[..], &["--json", "s-1"]].concat(),
    ] {
        let ran = bench.run(&args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        let json: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(json["id"], json!("s-1"));
    }
}
