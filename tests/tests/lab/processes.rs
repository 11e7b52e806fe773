//! Several processes at one store: the second writer waits and then is told, nothing is lost and
//! nothing damaged, also if one of them is killed or stopped in the middle.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use outlast_core::{ErrorKind, OpenOptions};
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, seed};
use outlast_tests::ledger;

use crate::support::open;

#[tokio::test(flavor = "multi_thread")]
async fn writers_survive_one_that_is_killed_on_sqlite() {
    let seed = seed();
    println!("seed {seed}: again with OUTLAST_SEED={seed} cargo test --test lab killed_on_sqlite");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P13", "sqlite", Some(seed));
    let folder = process::quick_folder();
    let url = Kept::Sqlite.url(folder.path());
    let store = open(&url, OpenOptions::default()).await.unwrap();
    ledger::found(&store).await.unwrap();
    let mut writers: Vec<Child> = (0..4).map(|_| writer(&url)).collect();
    // Each round kills or stops one of the four for a while and starts another.
    let rounds = number("OUTLAST_SECONDS").unwrap_or(4) * 4;
    for round in 0..rounds {
        let chosen = random.usize(..writers.len());
        let stops = round % 4 == 3;
        report.round(if stops { "one is stopped" } else { "one is killed" });
        tokio::time::sleep(Duration::from_millis(random.u64(50..250))).await;
        assert_eq!(ledger::sum(&store).await.unwrap(), ledger::TOTAL, "part of a commit");
        if stops {
            signal(&writers[chosen], "STOP");
            tokio::time::sleep(Duration::from_millis(200)).await;
            signal(&writers[chosen], "CONT");
        } else {
            let status = writers[chosen].try_wait().unwrap();
            assert_eq!(status, None, "a writer ended by itself");
            writers[chosen].kill().unwrap();
            writers[chosen].wait().unwrap();
            writers[chosen] = writer(&url);
        }
    }
    for mut writer in writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    let wrong = ledger::audit(&store, &std::collections::BTreeMap::new()).await.unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(store.verify().await.unwrap().damaged, 0);
    let made = ledger::made(&store, 0).await.unwrap();
    assert!(made > rounds, "only {made} transfers: nothing was tested");
    store.close().await.unwrap();
    report.pass();
}

/// A process that keeps the lock and is stopped: others are told that it is busy, and go on once
/// it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_holder_makes_others_busy_and_no_more_on_sled() {
    let mut report = Report::new("P13", "sled", None);
    let folder = process::quick_folder();
    let url = Kept::Sled.url(folder.path());
    for stopped in [false, true, false] {
        report.round(format!("the holder is stopped: {stopped}"));
        let mut holder = writer(&url);
        if stopped {
            signal(&holder, "STOP");
        }
        let busy_timeout = Duration::from_millis(100);
        let options = OpenOptions { busy_timeout, ..OpenOptions::existing() };
        let refused = open(&url, options).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Busy, "{refused:?}");
        let pid = holder.id().to_string();
        assert!(refused.to_string().contains(&pid), "{refused} does not name {pid}");
        holder.kill().unwrap();
        holder.wait().unwrap();
        let store = open(&url, OpenOptions::existing()).await.unwrap();
        assert_eq!(ledger::sum(&store).await.unwrap(), ledger::TOTAL);
        assert_eq!(store.verify().await.unwrap().damaged, 0);
        store.close().await.unwrap();
    }
    report.pass();
}

/// A clerk's process, once it has made a transfer.
fn writer(url: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_teller"));
    let mut child =
        command.arg(url).args(["1", "1000000", "4"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0];
    std::io::Read::read_exact(&mut out, &mut first).unwrap();
    // Somebody has to go on reading, or it waits for that.
    std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    child
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
