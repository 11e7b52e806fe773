//! What is not there, not ours or not whole is refused with its exit code, and nothing is written.

use std::fs;
use std::process::Command;

use crate::bench::{Bench, Ran, two_runs};
use crate::world::world;

/// The commands that only look, with what they need.
const READERS: [&[&str]; 21] = [
    &["ps"],
    &["swarms"],
    &["agents", "--swarm", "s-1"],
    &["sessions"],
    &["hosts", "--status", "online"],
    &["commands", "--orphaned"],
    &["pipelines"],
    &["windows", "--all"],
    &["events"],
    &["audit", "swarm"],
    &["checkpoints", "list"],
    &["recover", "--dry-run"],
    &["show", "s-1"],
    &["pipelines", "p-1"],
    &["logs", "c-1"],
    &["show", "build"],
    &["logs", "build"],
    &["history", "task", "build"],
    &["stats"],
    &["verify"],
    &["schema", "status"],
];

/// Every reading command is refused like this, as text and as JSON, and leaves all as it was.
#[track_caller]
fn all_refused(bench: &Bench, url: &str, code: i32, what: &str) {
    let before = bench.listing();
    for args in READERS {
        let args = [args, &["--db", url]].concat();
        bench.run(&args).refused(code, what);
        let ran = bench.run(&[&args, &["--json"][..]].concat());
        let json: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}");
        assert_eq!(json["error"]["exit_code"], code);
        assert!(json["error"]["message"].as_str().unwrap().contains(what), "{json}");
        let after = bench.listing();
        assert!(after == before, "{args:?} left {:?}", after.keys());
    }
}

#[test]
fn a_location_that_is_none_is_a_usage_error() {
    let bench = Bench::new();
    for url in ["state.db", "", "postgres://localhost/x", "sqlite:", "sled:", "sqlite:a?mode=ro"] {
        all_refused(&bench, url, 2, "");
    }
    all_refused(&bench, "memory:", 2, "memory");
    let ran = bench.run(&["ps", "--db", "postgres://me:hunter2@host/x"]);
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
}

#[test]
fn a_missing_store_is_not_made() {
    let bench = Bench::new();
    let what = "absent: outlast run makes one, and --db names another";
    all_refused(&bench, "sqlite:absent", 5, what);
    all_refused(&bench, "sqlite:no/such/folder/absent", 5, what);
    all_refused(&bench, "sled:absent", 5, what);
    assert_eq!(bench.listing().len(), 0);
}

#[test]
fn an_empty_file_is_no_store() {
    let bench = Bench::new();
    bench.write("empty.db", "");
    all_refused(&bench, "sqlite:empty.db", 5, "empty.db");
}

#[test]
fn a_file_of_something_else_is_no_store() {
    let bench = Bench::new();
    bench.write("junk.db", "this is not a database\n".repeat(1000));
    all_refused(&bench, "sqlite:junk.db", 6, "junk.db");
    bench.write("junk/letter.txt", "dear reader");
    all_refused(&bench, "sled:junk", 5, "junk");
}

#[test]
fn a_folder_is_no_sqlite_store_and_a_file_no_sled_store() {
    let bench = Bench::new();
    fs::create_dir(bench.path("folder")).unwrap();
    all_refused(&bench, "sqlite:folder", 5, "folder");
    bench.write("file", "x");
    all_refused(&bench, "sled:file", 5, "file");
}

/// Runs SQL with the `sqlite3` program; false if there is none.
fn sqlite3(bench: &Bench, file: &str, sql: &str) -> bool {
    let Ok(output) = Command::new("sqlite3").arg(bench.path(file)).arg(sql).output() else {
        println!("NOT RUN: the sqlite3 program is not installed");
        return false;
    };
    assert!(output.status.success(), "{output:?}");
    true
}

#[test]
fn a_database_of_another_program_is_refused() {
    let bench = Bench::new();
    if sqlite3(&bench, "other.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1);") {
        all_refused(&bench, "sqlite:other.db", 5, "another program");
    }
}

#[test]
fn a_store_of_a_newer_program_is_refused_untouched() {
    let bench = Bench::new();
    bench.fill("sqlite:state.db", two_runs);
    if sqlite3(&bench, "state.db", "PRAGMA user_version = 99;") {
        for name in ["state.db-wal", "state.db-shm"] {
            let _ = fs::remove_file(bench.path(name));
        }
        all_refused(&bench, "sqlite:state.db", 5, "99");
    }
}

#[test]
fn reading_leaves_a_closed_store_as_it_was() {
    let bench = Bench::new();
    bench.fill("sqlite:state.db", world);
    let before = bench.listing();
    for args in READERS {
        let ran = bench.run(&[args, &["--db", "sqlite:state.db"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        let after = bench.listing();
        assert!(after == before, "{args:?} left {:?}", after.keys());
    }
}

/// Root may write anywhere, so the program is run as nobody, with `setpriv`.
#[test]
fn a_store_in_a_folder_that_cannot_be_written_can_be_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let bench = Bench::new();
    bench.fill("sqlite:state.db", two_runs);
    fs::set_permissions(bench.path("state.db"), fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o555)).unwrap();
    let before = bench.listing();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_outlast"));
    command.args(["ps", "--db", "sqlite:state.db"]).current_dir(bench.path("")).env_clear();
    let output = command.env("PATH", "/usr/bin:/bin").output();
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    match output {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("setpriv:") => {
            let ran = Ran::of(&output);
            assert_eq!(ran.code, 0, "{ran:?}");
            assert!(bench.listing() == before);
        }
        other => println!("NOT RUN: no way to run the program as somebody else: {other:?}"),
    }
}

#[test]
fn a_sled_store_that_another_process_holds_is_busy() {
    let bench = Bench::new();
    bench.fill("sled:state", async |_| {
        let ran = bench.run(&["ps", "--db", "sled:state"]);
        ran.refused(5, &format!("in use by process {}", std::process::id()));
        assert!(ran.err.contains("one process at a time"), "{ran:?}");
    });
    assert_eq!(bench.run(&["ps", "--db", "sled:state"]).code, 0);
}
