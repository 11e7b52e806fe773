//! kill -9 at random moments: nothing acknowledged is missing, and no part of a commit is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::similar_names)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use outlast_core::OpenOptions;
use outlast_store::{Store, StoreOptions};
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, seed};
use outlast_tests::ledger;
use tokio::task::JoinSet;

/// Rounds in the ordinary test run. `OUTLAST_CRASH_ROUNDS` asks for more.
const ROUNDS: u32 = 150;

#[test]
fn acknowledged_commits_survive_kill_on_sqlite() {
    kill_rounds("sqlite", |dir| format!("sqlite:{}", dir.join("ledger.db").display()));
}

#[test]
fn acknowledged_commits_survive_kill_on_sled() {
    kill_rounds("sled", |dir| format!("sled:{}", dir.join("ledger.sled").display()));
}

fn kill_rounds(backend: &'static str, url: impl Fn(&Path) -> String) {
    let rounds = number("OUTLAST_CRASH_ROUNDS").map_or(ROUNDS, |n| u32::try_from(n).unwrap());
    let seed = seed();
    println!(
        "{backend}: {rounds} rounds, seed {seed}; again with OUTLAST_SEED={seed} \
         cargo test -p outlast-tests --test crash {backend}"
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut told = BTreeMap::new();
    let mut acknowledged = 0_u64;
    let mut report = Report::new("P1", backend, Some(seed));
    for round in 1..=rounds {
        report.round(format!("round {round}"));
        acknowledged += one_round(&url, random.u64(0..40), &mut told, backend == "sqlite");
        let wrong = runtime.block_on(async {
            let store = open(&url, OpenOptions::existing()).await;
            let wrong = ledger::audit(&store, &told).await.unwrap();
            store.close().await.unwrap();
            wrong
        });
        assert!(wrong.is_empty(), "{backend}, round {round}, seed {seed}: {wrong:?}");
    }
    let verified = runtime.block_on(async {
        let store = open(&url, OpenOptions::existing()).await;
        let verified = store.verify().await.unwrap();
        store.close().await.unwrap();
        verified
    });
    assert_eq!(verified.damaged, 0, "{:?}", verified.damages);
    assert!(acknowledged > u64::from(rounds), "only {acknowledged} commits: nothing was tested");
    println!("{backend}: {acknowledged} acknowledged commits, none missing");
    report.pass();
}

#[test]
fn no_part_of_a_commit_is_visible_in_memory() {
    look_along("memory", &["memory:"]);
}

/// One reader comes through a handle of its own, as another process would.
#[test]
fn no_part_of_a_commit_is_visible_on_sqlite() {
    let folder = process::quick_folder();
    let url = Kept::Sqlite.url(folder.path());
    look_along("sqlite", &[&url, &url]);
}

#[test]
fn no_part_of_a_commit_is_visible_on_sled() {
    let folder = process::quick_folder();
    look_along("sled", &[&Kept::Sled.url(folder.path())]);
}

/// Clerks at work, and readers that never see a cent missing.
fn look_along(backend: &'static str, urls: &[&str]) {
    let transfers = number("OUTLAST_TRANSFERS").unwrap_or(400);
    let mut report = Report::new("P3", backend, None);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut stores = Vec::new();
        for url in urls {
            stores.push(open(url, OpenOptions::default()).await);
        }
        ledger::found(&stores[0]).await.unwrap();
        let mut clerks = JoinSet::new();
        for clerk in 0..ledger::CLERKS {
            let store = stores[0].clone();
            clerks.spawn(async move {
                for _ in 0..transfers / ledger::CLERKS {
                    ledger::transfer(&store, clerk).await.unwrap();
                }
            });
        }
        let mut looks = 0;
        while !clerks.is_empty() {
            for store in &stores {
                report.round(format!("look {looks}"));
                assert_eq!(ledger::sum(store).await.unwrap(), ledger::TOTAL, "part of a commit");
                looks += 1;
            }
            while let Some(ended) = clerks.try_join_next() {
                ended.unwrap();
            }
        }
        assert!(looks > 10, "only {looks} looks: nothing was tested");
        for store in stores {
            assert!(ledger::audit(&store, &BTreeMap::new()).await.unwrap().is_empty());
            store.close().await.unwrap();
        }
    });
    report.pass();
}

async fn open(url: &str, options: OpenOptions) -> Store {
    outlast::open_with(url, options, StoreOptions::default()).await.unwrap()
}

/// Lets the worker run until some time after its first acknowledgement, kills it, and notes what
/// each clerk was told last. A second process reads along where the store can be shared.
fn one_round(url: &str, after_ms: u64, told: &mut BTreeMap<u64, u64>, shared: bool) -> u64 {
    let mut worker =
        Command::new(env!("CARGO_BIN_EXE_ledger")).arg(url).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    let first = lines.next().and_then(Result::ok);
    let reader = shared.then(|| {
        std::thread::spawn({
            let url = url.to_owned();
            move || read_along(&url)
        })
    });
    std::thread::sleep(Duration::from_millis(after_ms));
    worker.kill().unwrap();
    let status = worker.wait().unwrap();
    assert_eq!(status.code(), None, "the worker ended by itself: {status}, {first:?}");
    if let Some(reader) = reader {
        reader.join().unwrap();
    }
    let mut count = 0;
    for line in first.into_iter().chain(lines.map_while(Result::ok)) {
        let (clerk, made) = line.split_once(' ').unwrap();
        told.insert(clerk.parse().unwrap(), made.parse().unwrap());
        count += 1;
    }
    count
}

fn read_along(url: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open(url, OpenOptions::read_only()).await;
        for _ in 0..20 {
            assert_eq!(ledger::sum(&store).await.unwrap(), ledger::TOTAL, "part of a commit");
        }
        store.close().await.unwrap();
    });
}
