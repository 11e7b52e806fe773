//! Damaged files and rows: an error or the right value, and never anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use outlast_core::{
    Admin, Backend, ErrorKind, HistoryQuery, Key, Kind, Op, Query, RandomIds, Result, Scope, Slot,
    StreamQuery,
};

use super::{append, apply, batch, commit, key, open, options, put, seed};
use crate::Sled;
use crate::codec::key as place;
use crate::config::{SEAL_FILE, SLED_LOG, WATERMARK_FILE};

const ENTITIES: usize = 300;

fn state(entity: usize) -> String {
    format!("{entity} ").repeat(300)
}

/// A closed store of a few segments, with a snapshot in the middle of its log.
async fn closed_store(folder: &Path) -> PathBuf {
    let path = folder.join("state");
    for half in 0..2 {
        let store = open(&path).await;
        for group in 0..6 {
            let batches: Vec<_> = (0..ENTITIES / 6)
                .map(|n| {
                    let id = group * (ENTITIES / 6) + n;
                    batch()
                        .with(put(&id.to_string(), &state(id), "x", half))
                        .with(append(&id.to_string(), &["line"]))
                })
                .collect();
            for outcome in commit(&store, &batches).await.unwrap() {
                outcome.unwrap();
            }
        }
        store.close().await.unwrap();
    }
    path
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Opens a store and reads all of it. `Ok` says how much was found damaged; a wrong or a missing
/// value is a failed test.
async fn read_all(path: &Path) -> Result<usize> {
    let store = Sled::open(path, &options(), &RandomIds).await?;
    let mut damaged = 0;
    for entity in 0..ENTITIES {
        let name = key(&entity.to_string());
        match store.get(std::slice::from_ref(&name)).await.map(|mut slots| slots.remove(0)) {
            Ok(Slot::Live(record)) => {
                assert_eq!(record.version.n, 2, "{name} has an old version");
                assert_eq!(record.state.decode::<String>().unwrap(), state(entity));
            }
            Ok(Slot::Damaged(_)) => damaged += 1,
            Ok(other) => panic!("{name} is {other:?}"),
            Err(error) if error.kind() == ErrorKind::Corrupt => damaged += 1,
            Err(error) => panic!("{error:?}"),
        }
        let stream = Key::new("log", entity.to_string()).unwrap();
        match store.read(&StreamQuery::of(stream)).await {
            Ok(page) => {
                assert_eq!(page.items.len(), 2);
                for entry in page.items {
                    match entry {
                        Ok(entry) => assert_eq!(entry.data, b"line"),
                        Err(_) => damaged += 1,
                    }
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
                damaged += 1;
            }
        }
    }
    // The rest of the store is walked for the sake of walking it.
    let _ = store.verify().await;
    let _ = store.list(&Query::of(Kind::new("task").unwrap())).await;
    let _ = store.history(&HistoryQuery::of(Scope::All(None))).await;
    let _ = store.close().await;
    Ok(damaged)
}

/// What became of a store that was harmed.
async fn outcome(path: &Path, what: &str) -> Result<usize> {
    let read = tokio::time::timeout(Duration::from_mins(1), read_all(path)).await;
    let read = read.unwrap_or_else(|_| panic!("{what}: reading it never ended"));
    if let Err(error) = &read {
        let kinds = [ErrorKind::Corrupt, ErrorKind::Incompatible];
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
    }
    read
}

fn files(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|entry| entry.is_file()).collect();
    files.retain(|file| fs::metadata(file).unwrap().len() > 0);
    files.sort();
    files
}

/// Flips one bit, or cuts a file short, and says what it did.
fn harm(rng: &mut Rng, path: &Path, files: &[PathBuf]) -> String {
    let file = path.join(files[rng.usize(..files.len())].file_name().unwrap());
    let mut bytes = fs::read(&file).unwrap();
    let at = rng.usize(..bytes.len());
    let what = if rng.u8(..8) == 0 {
        bytes.truncate(at);
        format!("{} cut at {at}", file.display())
    } else {
        let bit = rng.u8(..8);
        bytes[at] ^= 1 << bit;
        format!("{} bit {at}.{bit} flipped", file.display())
    };
    fs::write(&file, bytes).unwrap();
    what
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_to_a_closed_store_is_noticed_before_anything_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = closed_store(folder.path()).await;
    let mut rng = Rng::with_seed(seed());
    let files = files(&path);
    let mut refused = 0;
    for round in 0..60 {
        let harmed = folder.path().join(format!("harmed-{round}"));
        copy(&path, &harmed);
        let what = harm(&mut rng, &harmed, &files);
        match outcome(&harmed, &what).await {
            Err(_) => refused += 1,
            // The lock says nothing, and the mark has a second place.
            Ok(damaged) => {
                assert_eq!(damaged, 0, "{what}");
                assert!(what.contains("LOCK") || what.contains(WATERMARK_FILE), "{what}");
            }
        }
        fs::remove_dir_all(&harmed).unwrap();
    }
    assert!(refused > 30, "only {refused} of 60 were noticed");
    assert_eq!(read_all(&path).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_to_a_store_that_was_not_closed_never_makes_a_wrong_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = closed_store(folder.path()).await;
    fs::remove_file(path.join(SEAL_FILE)).unwrap();
    let mut rng = Rng::with_seed(seed());
    let files: Vec<_> =
        files(&path).into_iter().filter(|file| file.file_name().unwrap() != "LOCK").collect();
    let (mut refused, mut partly) = (0, 0);
    for round in 0..60 {
        let harmed = folder.path().join(format!("harmed-{round}"));
        copy(&path, &harmed);
        let what = harm(&mut rng, &harmed, &files);
        match outcome(&harmed, &what).await {
            Err(_) => refused += 1,
            Ok(0) => {}
            Ok(_) => partly += 1,
        }
        fs::remove_dir_all(&harmed).unwrap();
    }
    eprintln!("of 60 harmed stores {refused} were refused and {partly} read in part");
    assert!(refused + partly > 10, "harm was noticed {} times of 60", refused + partly);
}

#[tokio::test]
async fn a_log_that_ends_too_early_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = open(&path).await;
    apply(&store, batch().with(put("a", "1", "x", 0))).await;
    drop(store);
    let early = folder.path().join("early");
    open(&path).await.close().await.unwrap();
    copy(&path, &early);
    let store = open(&path).await;
    apply(&store, batch().with(put("a", "2", "x", 0))).await;
    store.close().await.unwrap();
    fs::copy(path.join(WATERMARK_FILE), early.join(WATERMARK_FILE)).unwrap();
    let error = Sled::open(&early, &options(), &RandomIds).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("revision 2"), "{error}");
}

#[tokio::test]
async fn files_that_are_gone_or_too_many_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    open(&path).await.close().await.unwrap();
    let sealed = fs::read(path.join(SEAL_FILE)).unwrap();
    for name in [SLED_LOG, "conf", WATERMARK_FILE] {
        let harmed = folder.path().join(format!("without-{name}"));
        copy(&path, &harmed);
        fs::remove_file(harmed.join(name)).unwrap();
        for sealed in [true, false] {
            if !sealed {
                let _ = fs::remove_file(harmed.join(SEAL_FILE));
            }
            let error = Sled::open(&harmed, &options(), &RandomIds).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    fs::write(path.join("snap.FFFFFFFFFFFFFFFF"), b"stale").unwrap();
    let error = Sled::open(&path, &options(), &RandomIds).await.unwrap_err();
    assert!(error.to_string().contains("snap.FFFF"), "{error}");
    assert_eq!(fs::read(path.join(SEAL_FILE)).unwrap(), sealed);
}

#[tokio::test]
async fn a_snapshot_that_was_never_finished_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    drop(open(&path).await);
    let unfinished = path.join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, b"half").unwrap();
    open(&path).await;
    assert!(!unfinished.exists());
}

/// Changes a row behind the store's back, in a way sled does not notice.
async fn change_row(path: &Path, table: &str, key: &[u8], change: impl Fn(&mut Vec<u8>)) {
    let _ = fs::remove_file(path.join(SEAL_FILE));
    let db = sled::open(path).unwrap();
    let tree = db.open_tree(table).unwrap();
    let mut bytes = tree.get(key).unwrap().unwrap().to_vec();
    change(&mut bytes);
    tree.insert(key, bytes).unwrap();
    db.flush().unwrap();
    drop((tree, db));
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn an_old_row_that_is_back_is_noticed_although_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = open(&path).await;
    apply(&store, batch().with(put("a", "1", "x", 0))).await;
    let beat = |value: i64| Op::Touch {
        key: key("a"),
        attrs: [(super::name("beat"), value.into())].into(),
    };
    apply(&store, batch().with(beat(1))).await;
    store.close().await.unwrap();
    let place = place::entity(&key("a"));
    let old = std::sync::Mutex::new(Vec::new());
    change_row(&path, "heads", &place, |row| row.clone_into(&mut old.lock().unwrap())).await;
    let store = open(&path).await;
    apply(&store, batch().with(beat(2))).await;
    store.close().await.unwrap();
    change_row(&path, "heads", &place, |row| old.lock().unwrap().clone_into(row)).await;
    let error = Sled::open(&path, &options(), &RandomIds).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("table heads"), "{error}");
}

#[tokio::test]
async fn a_damaged_row_costs_that_record_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = open(&path).await;
    for id in ["a", "b", "c", "d"] {
        apply(&store, batch().with(put(id, id, "x", 0)).with(append("s", &[id]))).await;
    }
    store.close().await.unwrap();
    let first = outlast_core::Version::new(outlast_core::Epoch(0), 1);
    let stream = Key::new("log", "s").unwrap();
    let flip: fn(&mut Vec<u8>) = |bytes| bytes[20] ^= 4;
    change_row(&path, "history", &place::version(&key("b"), first), flip).await;
    change_row(&path, "heads", &place::entity(&key("c")), |bytes| bytes.truncate(9)).await;
    change_row(&path, "entries", &place::entry(&stream, 2), flip).await;

    let store = open(&path).await;
    let ids = [key("a"), key("b"), key("c"), key("d")];
    let slots = store.get(&ids).await.unwrap();
    assert!(matches!(&slots[0], Slot::Live(record) if record.state.as_str() == "\"a\""));
    assert!(matches!(&slots[1], Slot::Damaged(damage) if damage.what == "task/b version 1"));
    assert!(matches!(&slots[2], Slot::Damaged(damage) if damage.what == "task/c"));
    assert!(matches!(&slots[3], Slot::Live(_)));
    assert_eq!(slots, store.list(&Query::of(Kind::new("task").unwrap())).await.unwrap().items);
    let entries = store.read(&StreamQuery::of(stream)).await.unwrap().items;
    let whole: Vec<_> = entries.iter().map(Result::is_ok).collect();
    assert_eq!(whole, [true, false, true, true]);
    let history = store.history(&HistoryQuery::of(Scope::All(None))).await.unwrap().items;
    let whole: Vec<_> = history.iter().map(Result::is_ok).collect();
    assert_eq!(whole, [true, false, true, true]);
    let found = store.verify().await.unwrap();
    assert_eq!(found.damaged, 3, "{:?}", found.damages);
    // The others go on; the damaged one is refused with its name.
    apply(&store, batch().with(put("a", "again", "x", 0))).await;
    let error = commit(&store, &[batch().with(put("c", "again", "x", 0))]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("task/c"), "{error}");
}
