//! What was acknowledged survives the end of the process at any moment.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use outlast_core::{Admin, Backend, Key, Page, Revision, Slot, StreamQuery};

use super::{append, apply, batch, key, open, put};

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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_missing_after_a_kill_and_nothing_is_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..10 {
        let store = path.clone();
        let while_ms = rng.u64(1..150);
        let acknowledged = tokio::task::spawn_blocking(move || run_and_kill(&store, while_ms));
        let acknowledged = acknowledged.await.unwrap();
        assert!(acknowledged > 0, "round {round} acknowledged nothing");
        let store = open(&path).await;
        let stream = Key::new("log", "a").unwrap();
        let query = StreamQuery { page: Page::first(10_000), ..StreamQuery::of(stream) };
        let lines = store.read(&query).await.unwrap().items;
        let written = lines.len() as u64;
        assert!(
            written >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {written} kept"
        );
        for (line, n) in lines.into_iter().zip(1..) {
            assert_eq!(line.unwrap().data, u64::to_string(&n).as_bytes());
        }
        let slots = store.get(&[key("a"), key(&written.to_string())]).await.unwrap();
        for slot in &slots {
            let Slot::Live(record) = slot else { panic!("{slot:?}") };
            assert_eq!(record.state.decode::<String>().unwrap(), written.to_string());
        }
        let after = store.get(&[key(&(written + 1).to_string())]).await.unwrap();
        assert_eq!(after, [Slot::Vacant]);
        assert_eq!(store.verify().await.unwrap().damages, []);
        drop(store);
    }
}
