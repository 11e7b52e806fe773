//! Too little of everything: room, descriptors, and a disk that never answers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use outlast_core::{ErrorKind, Expect, OpenOptions};
use outlast_store::Store;
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, process, trace};

use crate::support::{batch, item, open, put};

/// A file system in memory of so many bytes.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).arg(folder.path());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status().unwrap();
        assert!(unmounted.success(), "{} stays mounted", self.0.path().display());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the disk cannot be taken away while SQLite files stay open"]
async fn a_tiny_disk_fills_up_and_is_used_again_on_sqlite() {
    fill_up(Kept::Sqlite, 1 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tiny_disk_fills_up_and_is_used_again_on_sled() {
    fill_up(Kept::Sled, 6 << 20).await;
}

async fn fill_up(kept: Kept, bytes: u64) {
    let mut report = Report::new("P4", kept.name(), None);
    let Some(disk) = Small::mount(bytes) else {
        return report.not_run("no tmpfs can be mounted: it takes root");
    };
    report.round(format!("a disk of {bytes} bytes"));
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; usize::try_from(bytes / 4).unwrap()]).unwrap();
    let store = open(&kept.url(disk.0.path()), OpenOptions::default()).await.unwrap();
    let written = write_until_full(&store).await;
    assert!(written > 0, "nothing fits");
    for _ in 0..3 {
        // It stays refused, and what was there is still read.
        assert_eq!(write(&store, 9999).await.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(versions(&store).await, written);
    }
    std::fs::remove_file(&ballast).unwrap();
    write(&store, written).await.unwrap();
    assert_eq!(versions(&store).await, written + 1, "it goes on in the same process");
    assert_eq!(store.verify().await.unwrap().damaged, 0);
    store.close().await.unwrap();
    report.pass();
}

async fn write(store: &Store, n: u64) -> outlast_core::Result<()> {
    let state = format!("\"{n} {}\"", "x".repeat(8000));
    let ops = vec![put(&item(usize::try_from(n % 7).unwrap()), Expect::Any, &state)];
    store.commit(batch(store, ops)).await.map(drop)
}

async fn write_until_full(store: &Store) -> u64 {
    for n in 0..10_000 {
        if let Err(error) = write(store, n).await {
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
            return n;
        }
    }
    panic!("the disk never fills up");
}

/// How many versions were written, by the numbers of the items.
async fn versions(store: &Store) -> u64 {
    let keys: Vec<_> = (0..7).map(item).collect();
    let slots = store.get(&keys).await.unwrap();
    slots.into_iter().filter_map(|slot| slot.live().unwrap()).map(|live| live.version.n).sum()
}

#[test]
fn few_descriptors_are_an_error_and_no_panic() {
    for kept in [Kept::Sqlite, Kept::Sled] {
        let mut worked = 0;
        for descriptors in [12, 14, 16, 20, 24, 64] {
            let folder = process::quick_folder();
            let mut shell = Command::new("sh");
            let line = format!("ulimit -n {descriptors}; exec \"$@\"");
            let teller = env!("CARGO_BIN_EXE_teller");
            shell.args(["-c", &line, "sh", teller, &kept.url(folder.path()), "1", "3", "1"]);
            let ended = process::run(&mut shell);
            let about = format!("{kept:?} with {descriptors}: {ended:?}");
            assert!(ended.status.is_some_and(|status| status.success()), "{about}");
            let whole = ended.said.last().is_some_and(|line| line == "end");
            let refused = ended.said.iter().any(|line| line.starts_with("refused"));
            assert!(whole || refused, "{about}");
            worked += u32::from(whole && !refused);
        }
        assert!(worked > 0, "{kept:?} never works");
    }
}

#[test]
fn a_disk_that_never_answers_is_an_answer_in_time_on_sqlite() {
    hang(Kept::Sqlite);
}

#[test]
#[ignore = "a write of sled is given up after a minute; cargo xtask soak --quick runs it"]
fn a_disk_that_never_answers_is_an_answer_in_time_on_sled() {
    hang(Kept::Sled);
}

fn hang(kept: Kept) {
    let mut report = Report::new("P4", kept.name(), None);
    let (_, syncs, _) = trace::calls(&trace::read(&run(kept, None).1.path().join("notes")));
    // The sync of a commit: opening a store has no deadline, and closing one comes last.
    let fault = format!("sync:{}:hang", syncs - 8);
    report.round(&fault);
    let (ended, _folder) = run(kept, Some(&fault));
    let about = format!("{kept:?} {fault}: {ended:?}");
    assert!(ended.status.is_some_and(|status| status.success()), "it hangs: {about}");
    assert!(!ended.said.iter().any(|line| line.starts_with("lied")), "{about}");
    assert!(ended.said.iter().any(|line| line.starts_with("refused Indeterminate")), "{about}");
    report.pass();
}

fn run(kept: Kept, fault: Option<&str>) -> (process::Ended, tempfile::TempDir) {
    let folder = process::quick_folder();
    let root = folder.path().canonicalize().unwrap().join("store");
    std::fs::create_dir(&root).unwrap();
    let mut teller = Command::new(env!("CARGO_BIN_EXE_teller"));
    teller.arg(kept.url(&root)).args(["1", "12", "1"]);
    teller.env("OUTLAST_DEADLINE_MS", Duration::from_millis(500).as_millis().to_string());
    let notes: &Path = &folder.path().join("notes");
    process::watch(&mut teller, &root, Some(notes), fault);
    (process::run(&mut teller), folder)
}
