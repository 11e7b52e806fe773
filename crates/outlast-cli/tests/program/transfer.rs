//! `outlast export` and `outlast import`.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bench::{Bench, OUTPUT, Ran, add_run, two_runs};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", two_runs);
    bench
}

/// The lines of an export but the first, which names the store it came from.
fn content(text: &str) -> Vec<&str> {
    text.lines().skip(1).collect()
}

#[test]
fn everything_goes_from_one_backend_to_another_and_back() {
    let bench = bench();
    let exported = bench.json(&["export", "state.jsonl"]);
    assert_eq!((&exported["entities"], &exported["entries"]), (&json!(6), &json!(5)));
    assert_eq!(exported["file"], "state.jsonl");
    for (file, url) in [("state.jsonl", "sled:copy"), ("state.jsonl", "sqlite:copy.db")] {
        let imported = bench.json(&["import", file, "--db", url]);
        assert_eq!(imported["diverged"], 0);
        assert_eq!((&imported["entities"], &imported["entries"]), (&json!(6), &json!(5)));
        let logs = bench.command(&["logs", "build", "--db", url]).output().unwrap().stdout;
        let written = OUTPUT.iter().filter(|(stream, _)| *stream != "system");
        let written: Vec<u8> = written.flat_map(|(_, data)| data.iter().copied()).collect();
        assert_eq!(logs, written);
        let again = bench.run(&["export", "--db", url]);
        let original = fs::read_to_string(bench.path("state.jsonl")).unwrap();
        assert_eq!(content(&again.out), content(&original));
        // Importing the same again changes nothing.
        let again = bench.json(&["import", file, "--db", url]);
        assert_eq!((&again["entries"], &again["diverged"]), (&json!(0), &json!(0)));
    }
}

/// Imports what is written to the standard input of the program.
fn import_pipe(bench: &Bench, text: &str, args: &[&str]) -> Ran {
    fs::create_dir_all(bench.path("spool")).unwrap();
    let mut command = bench.command(&[&["import", "-"], args].concat());
    command.env("TMPDIR", bench.path("spool"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    let spooled = fs::read_dir(bench.path("spool")).unwrap().count();
    assert_eq!(spooled, 0, "what was spooled is left: {ran:?}");
    ran
}

#[test]
fn standard_output_and_input_will_do_as_files() {
    let bench = bench();
    let exported = bench.run(&["export"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let ran = import_pipe(&bench, &exported.out, &["--db", "sqlite:copy.db", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let imported: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(imported["entities"], 6);
}

#[test]
fn an_export_that_nobody_reads_to_its_end_stops_quietly() {
    let bench = Bench::new();
    bench.fill("sqlite:outlast.db", async |store| {
        for n in 0..2000 {
            add_run(store, &format!("run-{n:04}"), 1).await;
        }
    });
    let mut command = bench.command(&["export"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn an_export_never_takes_the_place_of_its_store() {
    let bench = bench();
    let before = bench.listing();
    bench.run(&["export", "outlast.db"]).refused(2, "the store itself");
    bench.run(&["export", "./outlast.db"]).refused(2, "the store itself");
    bench.run(&["export", "no/such/folder/x.jsonl"]).refused(5, "no/such/folder");
    assert!(bench.listing() == before);
}

#[test]
fn what_is_no_whole_export_is_refused_and_no_store_is_made() {
    let bench = bench();
    let whole = bench.run(&["export"]).out;
    fs::remove_file(bench.path("outlast.db")).unwrap();
    let cut: String = whole.split_inclusive('\n').take(5).collect();
    let edited = whole.replace("echo build", "echo bulid");
    let lines: Vec<_> = whole.lines().collect();
    let missing = [&lines[..3], &lines[4..]].concat().join("\n") + "\n";
    bench.write("empty.jsonl", "");
    bench.write("junk.jsonl", "junk\n");
    bench.write("binary.jsonl", [0xff, 0xfe, 0x00, b'\n']);
    bench.write("cut.jsonl", cut);
    bench.write("torn.jsonl", &whole[..whole.len() - 10]);
    bench.write("edited.jsonl", edited);
    bench.write("missing.jsonl", missing);
    fs::create_dir(bench.path("folder.jsonl")).unwrap();
    fs::create_dir(bench.path("spool")).unwrap();
    let before = bench.listing();
    let names = ["absent", "folder", "empty", "junk", "binary", "cut", "torn", "edited", "missing"];
    for name in names {
        let file = format!("{name}.jsonl");
        for url in ["sqlite:outlast.db", "sled:state"] {
            let ran = bench.run(&["import", &file, "--db", url]);
            ran.refused(2, &file);
            assert!(bench.listing() == before, "{file}: {ran:?}");
            if let Ok(text) = fs::read_to_string(bench.path(&file)) {
                let ran = import_pipe(&bench, &text, &["--db", url]);
                ran.refused(2, "standard input");
                assert!(bench.listing() == before, "{file}: {ran:?}");
            }
        }
    }
}

#[test]
fn a_store_is_not_made_in_a_folder_that_is_not_there() {
    let bench = bench();
    bench.json(&["export", "state.jsonl"]);
    bench.write("jobs.toml", "[[task]]\nname = 'a'\ncommand = 'true'\n");
    let before = bench.listing();
    for url in ["sqlite:no/such/state.db", "sled:no/such/state"] {
        for args in [&["import", "state.jsonl"][..], &["run", "jobs.toml"]] {
            let ran = bench.run(&[args, &["--db", url]].concat());
            ran.refused(5, "no/such for the store");
            assert!(ran.err.contains("does not exist; create it"), "{ran:?}");
            assert!(bench.listing() == before, "{ran:?}");
        }
    }
    let ran = bench.run(&["export", "no/such/state.jsonl"]);
    ran.refused(5, "no/such");
}

#[test]
fn memory_is_no_place_to_import_to() {
    bench().run(&["import", "state.jsonl", "--db", "memory:"]).refused(2, "memory");
}

#[test]
fn other_content_under_the_same_version_is_named_and_left() {
    let bench = bench();
    bench.json(&["export", "state.jsonl"]);
    bench.fill("sqlite:other.db", async |store| add_run(store, "run-1", 7).await);
    let ran = bench.run(&["import", "state.jsonl", "--db", "sqlite:other.db"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.out.contains("differs: run/run-1"), "{ran:?}");
    let run = bench.json(&["history", "run", "run-1", "--db", "sqlite:other.db"]);
    assert_eq!(run["versions"][0]["state"]["task_count"], 7);
}
