//! Failures in the middle: of the disk, of a sync, of a caller's patience, of the process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use outlast_core::{
    Backend, Batch, Error, ErrorKind, Key, Outcome, Result, Revision, Slot, StreamQuery,
};

use super::{append, apply, batch, commit, key, open, put, seed};
use crate::Sled;
use crate::engine::Nudge;
use crate::guard::Guard;

#[tokio::test]
async fn after_a_failed_sync_nothing_is_answered_until_the_store_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = open(&path).await;
    apply(&store, batch().with(put("a", "1", "x", 0))).await;
    // A file that cannot be synced.
    store.owner.lock().engine().disk.log = File::open("/dev/null").unwrap();
    let lost = batch().with(put("a", "2", "x", 0));
    let error = commit(&store, std::slice::from_ref(&lost)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    for _ in 0..2 {
        let error = store.write(&outlast_core::WriteSet::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error:?}");
        let error = store.get(&[key("a")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error:?}");
        assert_eq!(store.sync().await.unwrap_err().kind(), ErrorKind::Poisoned);
    }
    store.close().await.unwrap();
    let store = open(&path).await;
    let settled = commit(&store, &[lost]).await.unwrap().remove(0).unwrap();
    let (Outcome::Applied(receipt) | Outcome::Replayed(receipt)) = settled else {
        panic!("{settled:?}")
    };
    assert_eq!(receipt.revision, Revision(2));
}

#[tokio::test]
async fn a_write_that_never_comes_back_is_indeterminate_and_ends_the_waiting_of_all() {
    let guard = Guard::new(Duration::from_millis(50));
    let (release, hang) = mpsc::channel::<()>();
    let (wait, waits) = mpsc::channel::<()>();
    let reader = {
        let guard = guard.clone();
        tokio::spawn(async move { guard.reading(move || Ok(waits.recv())).await })
    };
    let hanging = guard.writing(move |begin| {
        begin.now(Nudge::default());
        Ok(hang.recv())
    });
    assert_eq!(hanging.await.unwrap_err().kind(), ErrorKind::Indeterminate);
    assert_eq!(reader.await.unwrap().unwrap_err().kind(), ErrorKind::Poisoned);
    let after = guard.writing(|_| Ok(())).await;
    assert_eq!(after.unwrap_err().kind(), ErrorKind::Poisoned);
    drop((release, wait));
}

#[tokio::test]
async fn waiting_for_a_turn_is_not_counted_as_hanging() {
    let guard = Guard::new(Duration::from_millis(1));
    let slow = guard.writing(|begin| {
        std::thread::sleep(Duration::from_millis(50));
        begin.now(Nudge::default());
        Ok(7)
    });
    assert_eq!(slow.await.unwrap(), 7);
}

/// Repeats a batch until its outcome is known.
async fn settle(store: &Sled, batch: &Batch) -> Outcome {
    loop {
        // A dropped write may still come between.
        let view = store.fetch(&outlast_core::read_set([batch])).await.unwrap();
        let context = outlast_core::PlanContext {
            now: outlast_core::Clock::now(&outlast_core::SystemClock::default()),
            epoch: outlast_core::Epoch::default(),
            durability: outlast_core::Durability::Durable,
        };
        let mut planned = outlast_core::plan(view, [batch], &context);
        match store.write(&planned.set).await.unwrap() {
            outlast_core::Written::Raced => {}
            outlast_core::Written::Applied(_) => return planned.outcomes.remove(0).unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_write_is_done_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("state")).await;
    let mut rng = fastrand::Rng::with_seed(seed());
    let rounds = 200;
    for round in 0..rounds {
        let batch = batch()
            .with(put("a", &round.to_string(), "x", round))
            .with(append("a", &[&round.to_string()]));
        let patience = Duration::from_micros(rng.u64(0..1500));
        let _ = tokio::time::timeout(patience, commit(&store, std::slice::from_ref(&batch))).await;
        let outcome = settle(&store, &batch).await;
        assert!(!matches!(outcome, Outcome::Conflict { .. }));
    }
    let stream = Key::new("log", "a").unwrap();
    let query = StreamQuery { page: outlast_core::Page::first(1000), ..StreamQuery::of(stream) };
    let lines = store.read(&query).await.unwrap().items;
    let lines: Vec<_> =
        lines.into_iter().map(|line| String::from_utf8(line.unwrap().data).unwrap()).collect();
    let expected: Vec<_> = (0..rounds).map(|round| round.to_string()).collect();
    assert_eq!(lines, expected);
    assert_eq!(outlast_core::Admin::verify(&store).await.unwrap().damages, []);
}

/// A small disk of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` if this process may not mount one, which says so and fails where it must not be.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        if mounted.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("NOT RUN: a small disk cannot be mounted: {mounted:?}");
        let is_root = rustix::process::geteuid().is_root();
        assert!(!(is_root && std::env::var_os("CI").is_some()), "root cannot mount a tmpfs");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Fills a disk to the last byte, or leaves some.
fn fill(disk: &Path, leave: u64) -> PathBuf {
    let filler = disk.join("filler");
    let about = rustix::fs::statvfs(disk).unwrap();
    let free = (about.f_bavail * about.f_frsize).saturating_sub(leave);
    fs::write(&filler, vec![1; usize::try_from(free).unwrap()]).unwrap();
    filler
}

async fn check_count(store: &Sled, acknowledged: usize) {
    let stream = Key::new("log", "a").unwrap();
    let query = StreamQuery { page: outlast_core::Page::first(10_000), ..StreamQuery::of(stream) };
    let lines = store.read(&query).await.unwrap().items;
    assert_eq!(lines.len(), acknowledged);
    assert!(lines.iter().all(Result::is_ok));
    assert_eq!(outlast_core::Admin::verify(store).await.unwrap().damages, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_refuses_writes_and_goes_on_reading() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), "16m") else { return };
    let path = disk.0.join("state");
    let store = open(&path).await;
    apply(&store, batch().with(put("a", "1", "x", 0)).with(append("a", &["1"]))).await;
    let filler = fill(&disk.0, 1 << 20);
    let refused = batch().with(put("a", "2", "x", 0)).with(append("a", &["2"]));
    let error = commit(&store, std::slice::from_ref(&refused)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
    assert!(matches!(store.get(&[key("a")]).await.unwrap()[0], Slot::Live(_)));
    check_count(&store, 1).await;
    fs::remove_file(filler).unwrap();
    assert!(matches!(commit(&store, &[refused]).await.unwrap()[0], Ok(Outcome::Applied(_))));
    check_count(&store, 2).await;
    store.close().await.unwrap();
}

/// Writes to a full disk until that fails, without looking whether there is room.
async fn write_until_full(store: &Sled, line: &str) -> (usize, Batch, Error) {
    store.owner.lock().engine().reserved = None;
    for written in 0..20_000 {
        let batch = batch().with(put("a", line, "x", 0)).with(append("a", &[line]));
        if let Err(error) = commit(store, std::slice::from_ref(&batch)).await {
            eprintln!("after {written} writes: {error:?}");
            return (written, batch, error);
        }
    }
    panic!("the disk never became full");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_of_a_write_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), "16m") else { return };
    let path = disk.0.join("state");
    let store = open(&path).await;
    let filler = fill(&disk.0, 2 << 20);
    let (written, failed, error) = write_until_full(&store, &"x".repeat(1000)).await;
    let kinds = [ErrorKind::StorageFull, ErrorKind::Indeterminate];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    fs::remove_file(filler).unwrap();
    match settle(&store, &failed).await {
        Outcome::Applied(_) => {}
        Outcome::Replayed(_) => assert_eq!(error.kind(), ErrorKind::Indeterminate),
        other @ Outcome::Conflict { .. } => panic!("{other:?}"),
    }
    check_count(&store, written + 1).await;
    apply(&store, batch().with(append("a", &["last"]))).await;
    store.close().await.unwrap();
    check_count(&open(&path).await, written + 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_under_a_large_value_harms_no_other_store() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), "16m") else { return };
    let store = open(&disk.0.join("state")).await;
    let filler = fill(&disk.0, 3 << 20);
    let (_, _, error) = write_until_full(&store, &"x".repeat(300_000)).await;
    let kinds = [ErrorKind::StorageFull, ErrorKind::Indeterminate];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    fs::remove_file(filler).unwrap();
    let other = open(&folder.path().join("other")).await;
    apply(&other, batch().with(put("a", "1", "x", 0))).await;
    other.close().await.unwrap();
}
