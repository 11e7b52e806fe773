//! Loss of power at any moment: whatever of what was not synced is there, in whatever order and
//! torn wherever, everything acknowledged is there and no commit is there in part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use outlast_core::OpenOptions;
use outlast_store::StoreOptions;
use outlast_tests::lab::images::{Crash, lay_out, replay};
use outlast_tests::lab::report::Report;
use outlast_tests::lab::trace::{self, Event};
use outlast_tests::lab::{Kept, number, process, seed};
use outlast_tests::ledger;
use tokio::runtime::Runtime;

/// What a process did to its store, from the first to the last call.
struct Recording {
    _folder: tempfile::TempDir,
    root: PathBuf,
    events: Vec<Event>,
    fault: String,
}

#[test]
fn acknowledged_commits_survive_power_loss_on_sqlite() {
    lose_power(Kept::Sqlite, "OUTLAST_SQLITE_IMAGES", 1000);
}

#[test]
fn acknowledged_commits_survive_power_loss_on_sled() {
    lose_power(Kept::Sled, "OUTLAST_SLED_IMAGES", 150);
}

/// A sync that failed may have lost what it should have kept, and a later one that works brings
/// none of it back: nothing may be acknowledged on the strength of that.
#[test]
fn what_a_failed_sync_lost_was_not_acknowledged_on_sqlite() {
    fail_syncs(Kept::Sqlite);
}

#[test]
fn what_a_failed_sync_lost_was_not_acknowledged_on_sled() {
    fail_syncs(Kept::Sled);
}

fn lose_power(kept: Kept, variable: &str, images: u64) {
    let limit = number(variable).unwrap_or(images);
    let seed = seed();
    println!(
        "{limit} images, seed {seed}; again with OUTLAST_SEED={seed} {variable}={limit} cargo test \
         -p outlast-tests --test power {}",
        kept.name()
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P2", kept.name(), Some(seed));
    // Several recordings, so that none needs more images than it has.
    let each = 500;
    let mut looked_at = 0;
    while looked_at < limit {
        let recording = record(kept, &["3", "4", "3"], None);
        let limit = each.min(limit - looked_at);
        let found = check_all(kept, &recording, limit, &mut random, &mut report);
        assert!(found > 0, "no image was found");
        looked_at += found;
    }
    report.pass();
}

fn fail_syncs(kept: Kept) {
    let most = number("OUTLAST_FAULTS").unwrap_or(10);
    let seed = seed();
    println!("seed {seed}; again with OUTLAST_SEED={seed} cargo test --test power failed_sync");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P5", kept.name(), Some(seed));
    let (_, syncs, _) = trace::calls(&record(kept, &["2", "3", "1"], None).events);
    for n in 1..=syncs.min(most) {
        let fault = format!("sync:{n}:eio");
        report.round(&fault);
        let recording = record(kept, &["2", "3", "1"], Some(&fault));
        for event in &recording.events {
            if let Event::Said(line) = event {
                assert!(!line.starts_with("wrote after"), "{fault}: {line}");
                assert!(!line.starts_with("lied"), "{fault}: {line}");
            }
        }
        check_all(kept, &recording, 12, &mut random, &mut report);
    }
    report.pass();
}

fn record(kept: Kept, shift: &[&str], fault: Option<&str>) -> Recording {
    let folder = process::quick_folder();
    let root = folder.path().canonicalize().unwrap().join("store");
    std::fs::create_dir(&root).unwrap();
    let notes = folder.path().join("notes");
    let mut teller = Command::new(env!("CARGO_BIN_EXE_teller"));
    teller.arg(kept.url(&root)).args(shift);
    process::watch(&mut teller, &root, Some(&notes), fault);
    let ended = process::run(&mut teller);
    let about = format!("{fault:?}: {:?} {:?} {}", ended.status, ended.said, ended.complained);
    assert!(ended.status.is_some_and(|status| status.success()), "{about}");
    if fault.is_none() {
        assert_eq!(ended.said.last().map(String::as_str), Some("end"), "{about}");
    }
    let fault = fault.unwrap_or("no fault").to_owned();
    Recording { root, events: trace::read(&notes), fault, _folder: folder }
}

fn check_all(
    kept: Kept,
    recording: &Recording,
    limit: u64,
    random: &mut fastrand::Rng,
    report: &mut Report,
) -> u64 {
    let runtime = Runtime::new().unwrap();
    let mut last = String::new();
    replay(&recording.root, &recording.events, limit, random, &mut |crash| {
        report.round(&crash.what);
        last.clone_from(&crash.what);
        let wrong = check(&runtime, kept, &recording.root, &crash);
        let fault = &recording.fault;
        assert!(wrong.is_empty(), "{}, {fault}, {}: {wrong:?}", kept.name(), crash.what);
    })
}

/// Opens an image and says what is wrong with it.
fn check(runtime: &Runtime, kept: Kept, root: &Path, crash: &Crash<'_>) -> Vec<String> {
    let folder = process::quick_folder();
    lay_out(&crash.image, root, folder.path());
    let founded = crash.said.iter().any(|line| line == "founded");
    let told = told(crash.said);
    let url = kept.url(folder.path());
    let options = if founded { OpenOptions::existing() } else { OpenOptions::default() };
    runtime.block_on(async {
        let store = match outlast::open_with(&url, options, StoreOptions::default()).await {
            Ok(store) => store,
            Err(error) => return vec![format!("it cannot be opened: {error:?}")],
        };
        let audited = match ledger::sum(&store).await {
            // The accounts were not acknowledged yet, and are all there or none is.
            Ok(0) if !founded => Ok(Vec::new()),
            Ok(_) => ledger::audit(&store, &told).await,
            Err(error) => Err(error),
        };
        let closed = store.close().await;
        let wrong = audited.and_then(|wrong| closed.map(|()| wrong));
        wrong.unwrap_or_else(|error| vec![format!("it cannot be read: {error:?}")])
    })
}

/// What each clerk was told last.
fn told(said: &[String]) -> BTreeMap<u64, u64> {
    let pair = |line: &String| {
        let (clerk, made) = line.split_once(' ')?;
        Some((clerk.parse().ok()?, made.parse().ok()?))
    };
    said.iter().filter_map(pair).collect()
}
