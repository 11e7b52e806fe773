//! kill -9 at random moments: nothing acknowledged is missing, and no part of a commit is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use outlast_core::OpenOptions;
use outlast_store::{Store, StoreOptions};
use outlast_tests::ledger;

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

fn kill_rounds(backend: &str, url: impl Fn(&Path) -> String) {
    let rounds = number("OUTLAST_CRASH_ROUNDS").map_or(ROUNDS, |n| u32::try_from(n).unwrap());
    let seed = number("OUTLAST_SEED").unwrap_or_else(|| fastrand::u64(..));
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
    for round in 1..=rounds {
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

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}
