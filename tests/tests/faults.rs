//! A disk that refuses a call, once, at every place there is: what was answered is true, the store
//! goes on as soon as it may, and a process that dies there leaves a whole store behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use outlast_core::OpenOptions;
use outlast_store::StoreOptions;
use outlast_tests::lab::process::Ended;
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, trace};
use outlast_tests::ledger;
use tokio::runtime::Runtime;

/// Sessions, transfers in each, clerks at once: one, so that the calls come in the same order.
const SHIFT: [&str; 3] = ["2", "3", "1"];
/// The transfers of a clerk whose disk does nothing worse than to refuse once.
const MADE: u64 = 6;

#[test]
fn a_write_that_fails_is_refused_and_the_next_works_on_sqlite() {
    fail_each(Kept::Sqlite, "P4", "write", &["enospc", "eio", "short"]);
}

#[test]
fn a_write_that_fails_is_refused_and_the_next_works_on_sled() {
    fail_each(Kept::Sled, "P4", "write", &["enospc", "eio", "short"]);
}

#[test]
fn a_name_that_cannot_be_made_is_refused_and_the_next_works_on_sqlite() {
    fail_each(Kept::Sqlite, "P4", "name", &["enospc", "eio"]);
}

#[test]
fn a_name_that_cannot_be_made_is_refused_and_the_next_works_on_sled() {
    fail_each(Kept::Sled, "P4", "name", &["enospc", "eio"]);
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_reopened_on_sqlite() {
    fail_each(Kept::Sqlite, "P5", "sync", &["eio", "enospc"]);
}

#[test]
fn after_a_failed_sync_nothing_is_written_until_reopened_on_sled() {
    fail_each(Kept::Sled, "P5", "sync", &["eio", "enospc"]);
}

#[test]
fn a_process_killed_at_any_call_leaves_a_whole_store_on_sqlite() {
    kill_at_each(Kept::Sqlite);
}

#[test]
fn a_process_killed_at_any_call_leaves_a_whole_store_on_sled() {
    kill_at_each(Kept::Sled);
}

fn fail_each(kept: Kept, promise: &'static str, class: &str, ways: &[&str]) {
    let most = number("OUTLAST_FAULTS").unwrap_or(25);
    let (writes, syncs, names) = calls(kept);
    let calls = match class {
        "write" => writes,
        "sync" => syncs,
        _ => names,
    };
    let mut report = Report::new(promise, kept.name(), None);
    let mut felt = 0;
    for n in places(calls, most) {
        for way in ways {
            let fault = match *way {
                // Half of it is written, and then there is no room for a while.
                "short" => format!("{class}:{n}:short:3"),
                way => format!("{class}:{n}:{way}"),
            };
            report.round(format!("{} {fault}", kept.name()));
            let (ended, folder) = run(kept, Some(&fault));
            felt += u64::from(ended.said.iter().any(|line| line.starts_with("refused")));
            judge(kept, &fault, &ended, folder.path());
        }
    }
    assert!(felt > 0, "no fault was felt: nothing was tested");
    report.pass();
}

/// Checks what a process said and left behind whose disk refused something.
fn judge(kept: Kept, fault: &str, ended: &Ended, folder: &Path) {
    let about = format!("{} {fault}: {:?}\n{}", kept.name(), ended.said, ended.complained);
    assert!(ended.status.is_some(), "it hangs: {about}");
    assert!(ended.status.is_some_and(|status| status.success()), "it ended badly: {about}");
    for line in &ended.said {
        assert!(!line.starts_with("lied"), "{about}");
        // A full disk leaves open what became of one commit, and nothing beyond it.
        let may_go_on = !fault.starts_with("sync") && line == "wrote after Indeterminate";
        assert!(!line.starts_with("wrote after") || may_go_on, "{about}");
    }
    assert_eq!(ended.said.last().map(String::as_str), Some("end"), "it gave up: {about}");
    let told = told(&ended.said);
    assert!(told.get(&0).is_some_and(|made| *made >= MADE), "transfers were given up: {about}");
    let wrong = audit(kept, folder, &told, OpenOptions::existing());
    assert!(wrong.is_empty(), "{wrong:?}: {about}");
}

fn kill_at_each(kept: Kept) {
    let most = number("OUTLAST_FAULTS").unwrap_or(25);
    let (writes, syncs, names) = calls(kept);
    let mut report = Report::new("P1", kept.name(), None);
    for n in places(writes + syncs + names, most) {
        for way in ["kill-before", "kill-after"] {
            let fault = format!("any:{n}:{way}");
            report.round(format!("{} {fault}", kept.name()));
            let (ended, folder) = run(kept, Some(&fault));
            let status = ended.status.expect("it does not hang");
            assert_eq!(status.code(), None, "{fault}: it was not killed: {:?}", ended.said);
            let founded = ended.said.iter().any(|line| line == "founded");
            let options = if founded { OpenOptions::existing() } else { OpenOptions::default() };
            let wrong = audit(kept, folder.path(), &told(&ended.said), options);
            assert!(wrong.is_empty(), "{} {fault}: {wrong:?}, {:?}", kept.name(), ended.said);
        }
    }
    report.pass();
}

/// Every place, or so many of them, evenly spread, the first and the last among them.
fn places(calls: u64, most: u64) -> Vec<u64> {
    assert!(calls > 0, "it makes no such call");
    if calls <= most {
        return (1..=calls).collect();
    }
    (0..most).map(|n| 1 + n * (calls - 1) / (most - 1).max(1)).collect()
}

/// How many writes, syncs and changes of names a run makes whose disk is sound.
fn calls(kept: Kept) -> (u64, u64, u64) {
    let (ended, folder) = run(kept, None);
    assert_eq!(ended.said.last().map(String::as_str), Some("end"), "{ended:?}");
    trace::calls(&trace::read(&folder.path().join("notes")))
}

fn run(kept: Kept, fault: Option<&str>) -> (Ended, tempfile::TempDir) {
    let folder = process::quick_folder();
    let root: PathBuf = folder.path().canonicalize().unwrap().join("store");
    std::fs::create_dir(&root).unwrap();
    let mut teller = Command::new(env!("CARGO_BIN_EXE_teller"));
    teller.arg(kept.url(&root)).args(SHIFT);
    process::watch(&mut teller, &root, Some(&folder.path().join("notes")), fault);
    (process::run(&mut teller), folder)
}

fn audit(
    kept: Kept,
    folder: &Path,
    told: &BTreeMap<u64, u64>,
    options: OpenOptions,
) -> Vec<String> {
    let url = kept.url(&folder.join("store"));
    let found = Runtime::new().unwrap().block_on(async {
        let store = outlast::open_with(&url, options, StoreOptions::default()).await?;
        if ledger::sum(&store).await? == 0 && told.is_empty() {
            return store.close().await.map(|()| Vec::new());
        }
        let mut wrong = ledger::audit(&store, told).await?;
        let verified = store.verify().await?;
        wrong.extend(verified.damages.iter().map(|damage| format!("{damage:?}")));
        store.close().await.map(|()| wrong)
    });
    found.unwrap_or_else(|error| vec![format!("{error:?}")])
}

fn told(said: &[String]) -> BTreeMap<u64, u64> {
    let pair = |line: &String| {
        let (clerk, made) = line.split_once(' ')?;
        Some((clerk.parse().ok()?, made.parse().ok()?))
    };
    said.iter().filter_map(pair).collect()
}
