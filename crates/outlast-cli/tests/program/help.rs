//! What the program says of itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bench::Bench;
use crate::world::world;

const COMMANDS: &str = "run ps show logs history swarms agents sessions hosts commands pipelines \
                        windows events audit stats verify checkpoints rollback recover schema \
                        export import prune copy migrate";

/// Fields whose content is the user's own, or described elsewhere.
const OPAQUE: &str = "command env process by_status state attributes metadata transient required \
                      collected agents_by_status subject changes before after";

#[test]
fn help_names_every_command_setting_and_exit_code() {
    let bench = Bench::new();
    let ran = bench.run(&["--help"]);
    assert_eq!(ran.code, 0);
    for command in COMMANDS.split_whitespace() {
        assert!(ran.out.contains(&format!("\n  {command}")), "{command}: {}", ran.out);
        let help = bench.run(&[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        assert!(help.out.contains("--json"), "{command}: {}", help.out);
    }
    for text in ["OUTLAST_DB", "OUTLAST_RETENTION_TASKS", "retention.tasks", "max_concurrent"] {
        assert!(ran.out.contains(text), "{text}");
    }
    for code in 0..=6 {
        assert!(ran.out.contains(&format!("\n  {code}  ")), "{code}");
    }
    assert!(bench.run(&["-h"]).out.contains("Exit codes:"));
}

/// Every name in a JSON document, but those of what users or the library shape.
pub(crate) fn names(json: &Value, found: &mut BTreeSet<String>) {
    match json {
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                found.insert(name.clone());
                if OPAQUE.split_whitespace().all(|opaque| opaque != name) {
                    names(value, found);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn help_names_every_field_of_the_json() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", world);
    bench.write("jobs.toml", "[[task]]\nname = 'a'\ncommand = 'true'\n");
    let table: [&[&str]; 32] = [
        &["ps"],
        &["swarms"],
        &["agents"],
        &["sessions"],
        &["hosts"],
        &["commands"],
        &["pipelines"],
        &["windows", "--all"],
        &["events"],
        &["audit", "--full"],
        &["checkpoints", "create", "swarm", "s-1", "--reason", "r"],
        &["checkpoints", "list"],
        &["rollback", "swarm", "s-1", "1", "--reason", "r"],
        &["recover", "--dry-run", "--policy", "agent.running=keep"],
        &["recover"],
        &["recover"],
        &["show", "s-1"],
        &["show", "h-1"],
        &["show", "c-1"],
        &["show", "p-1"],
        &["show", "w-1"],
        &["show", "build"],
        &["logs", "build"],
        &["history", "task", "build"],
        &["stats"],
        &["verify"],
        &["schema", "status"],
        &["schema", "upgrade"],
        &["export", "state.jsonl"],
        &["import", "state.jsonl"],
        &["prune", "--dry-run"],
        &["run", "jobs.toml"],
    ];
    for args in table {
        let ran = bench.run(&[args, &["--json"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        let mut help = bench.run(&[args[0], "--help"]).out;
        if help.contains("as in ps") {
            help += &bench.run(&["ps", "--help"]).out;
        }
        let mut found = BTreeSet::new();
        for line in ran.out.lines() {
            let mut json: Value = serde_json::from_str(line).unwrap();
            // By kind.
            match args[0] {
                "recover" => json["outcomes"] = Value::Null,
                "prune" => json["removed"] = Value::Null,
                _ => {}
            }
            names(&json, &mut found);
        }
        assert!(!found.is_empty(), "{args:?}");
        for name in found {
            assert!(help.contains(&format!("\"{name}\"")), "{name} is not in {help}");
        }
    }
}

/// What the names of the settings of retention begin with.
const RETENTION: &str = "OUTLAST_RETENTION_";

/// Those in the table of the readme and those of the program are the same.
#[test]
fn the_readme_lists_every_setting_and_exit_code() {
    let readme = include_str!("../../../../README.md");
    let help = Bench::new().run(&["--help"]).out;
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_'));
        words.filter(|word| word.starts_with("OUTLAST_")).map(str::to_owned).collect()
    };
    let (retention, others): (BTreeSet<_>, BTreeSet<_>) =
        words(&help).into_iter().partition(|name| name.starts_with(RETENTION));
    assert_eq!(&words(readme) - &BTreeSet::from([RETENTION.to_owned()]), others);
    let flat = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = |variable: &str, default: &str| {
        let after = flat.split(&format!("{variable} ")).nth(1).unwrap();
        let told = after.split("[default: ").nth(1).unwrap();
        assert!(told.starts_with(&format!("{default}]")), "{variable} {default}");
    };
    let row = |line: &str| line.starts_with("| `") && line.contains("OUTLAST_");
    for line in readme.lines().filter(|line| row(line)) {
        let default = line.split('|').nth(3).unwrap().trim().trim_matches('`');
        told(line.split('`').nth(3).unwrap(), default);
    }
    // Several names, then the default of them, if it is written as it is set.
    let ages = readme.split("or `never`:").nth(1).unwrap().split("\n\n").next().unwrap();
    let (mut named, mut listed) = (Vec::new(), BTreeSet::new());
    for word in ages.split('`').skip(1).step_by(2) {
        if word.starts_with(|letter: char| letter.is_ascii_digit()) {
            named.drain(..).for_each(|name: String| told(&name, word));
        } else {
            named.push(format!("{RETENTION}{}", word.to_uppercase()));
            listed.extend(named.last().cloned());
        }
    }
    assert_eq!(listed, retention);
    let codes = (0..=9).filter(|code| help.contains(&format!("\n  {code}  ")));
    let listed = (0..=9).filter(|code| readme.contains(&format!("\n| {code} | ")));
    assert!(codes.eq(listed));
}

#[test]
fn help_can_be_asked_for_in_every_way() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["help"]).out, bench.run(&["--help"]).out);
    for command in COMMANDS.split_whitespace() {
        let help = bench.run(&["help", command]);
        assert_eq!(help.code, 0, "{help:?}");
        assert_eq!(help.out, bench.run(&[command, "--help"]).out);
    }
}

#[test]
fn a_version_is_told() {
    assert_eq!(Bench::new().run(&["--version"]).out, "outlast 0.1.0\n");
}

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let bench = Bench::new();
    let table: [&[&str]; 7] = [
        &[],
        &["frobnicate"],
        &["ps", "--frobnicate"],
        &["ps", "extra"],
        &["ps", "--all", "--run", "x"],
        &["logs"],
        &["logs", "x", "--tail", "-1"],
    ];
    for args in table {
        let ran = bench.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert_eq!(ran.out, "", "{args:?}");
        assert_ne!(ran.err, "", "{args:?}");
        let ran = bench.run(&[args, &["--json"]].concat());
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, &error["error"]["kind"]), (2, &"invalid".into()), "{args:?}");
    }
    assert_eq!(bench.listing().len(), 0);
}
