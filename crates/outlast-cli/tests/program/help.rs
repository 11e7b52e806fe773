//! What the program says of itself.

use crate::bench::Bench;

const COMMANDS: [&str; 11] = [
    "run", "ps", "show", "logs", "history", "stats", "verify", "schema", "export", "import",
    "prune",
];

#[test]
fn help_names_every_command_setting_and_exit_code() {
    let bench = Bench::new();
    let ran = bench.run(&["--help"]);
    assert_eq!(ran.code, 0);
    for command in COMMANDS {
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
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, &error["error"]["kind"]), (2, &"invalid".into()), "{args:?}");
    }
    assert_eq!(bench.listing().len(), 0);
}
