//! What was acknowledged survives the end of the process at any moment.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use outlast_core::{Admin, Backend, Key, Page, Revision, Slot, StreamQuery};

use super::{append, apply, batch, key, open, put, seed};

const STORE: &str = "OUTLAST_SLED_KILLED_STORE";

/// The process that is killed: it commits until then, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn commit_until_killed() {
    let Some(path) = std::env::var_os(STORE).map(PathBuf::from) else { return };
    let store = open(&path).await;
    let mut next = store.changes(Revision::ZERO, 10_000).await.unwrap().items.len() + 1;
    loop {
        let text = next.to_string();
        let batch = batch().with(put("a", &text, "x", 0)).with(put(&text, &text, "x", 0));
        let receipt = apply(&store, batch.with(append("a", &[&text]))).await;
        println!("acknowledged {}", receipt.revision.0);
        next += 1;
    }
}

fn spawn(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::commit_until_killed", "--nocapture"])
        .env(STORE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a process that commits after a while; the last revision it saw acknowledged.
fn run_and_kill(path: &Path, while_ms: u64) -> u64 {
    let mut child = spawn(path);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut acknowledged, mut killed) = (0, false);
    for line in lines {
        let Ok(line) = line else { break };
        let Some((_, revision)) = line.split_once("acknowledged ") else { continue };
        // The last line may have been cut off in the middle of its number.
        acknowledged = revision.parse().unwrap_or(acknowledged).max(acknowledged);
        if !killed && acknowledged > 0 {
            std::thread::sleep(Duration::from_millis(while_ms));
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    acknowledged
}

/// Opens what a killed process left; how many commits there are, all of them whole.
async fn check_left(path: &Path, acknowledged: u64) -> u64 {
    let store = open(path).await;
    let stream = Key::new("log", "a").unwrap();
    let query = StreamQuery { page: Page::first(10_000), ..StreamQuery::of(stream) };
    let lines = store.read(&query).await.unwrap().items;
    let written = lines.len() as u64;
    assert!(written >= acknowledged, "{acknowledged} acknowledged, {written} kept");
    for (line, n) in lines.into_iter().zip(1..) {
        assert_eq!(line.unwrap().data, u64::to_string(&n).as_bytes());
    }
    let last = [key("a"), key(&written.to_string()), key(&(written + 1).to_string())];
    let slots = store.get(&last).await.unwrap();
    assert_eq!(slots[2], Slot::Vacant);
    for slot in slots.iter().take(if written == 0 { 0 } else { 2 }) {
        let Slot::Live(record) = slot else { panic!("{slot:?}") };
        assert_eq!(record.state.decode::<String>().unwrap(), written.to_string());
    }
    assert_eq!(store.verify().await.unwrap().damages, []);
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_missing_after_a_kill_and_nothing_is_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut rng = fastrand::Rng::with_seed(seed());
    for _ in 0..10 {
        let store = path.clone();
        let while_ms = rng.u64(1..150);
        let run = tokio::task::spawn_blocking(move || run_and_kill(&store, while_ms));
        let acknowledged = run.await.unwrap();
        assert!(acknowledged > 0, "nothing was acknowledged");
        check_left(&path, acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_may_be_killed_while_it_makes_or_opens_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut rng = fastrand::Rng::with_seed(seed());
    let mut written = 0;
    for round in 0..30 {
        let mut child = spawn(&path);
        std::thread::sleep(Duration::from_millis(rng.u64(0..60)));
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 3 == 2 {
            written = check_left(&path, written).await;
        }
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(left <= 2, "{left} things lie there, which is more than the store and a last attempt");
}
