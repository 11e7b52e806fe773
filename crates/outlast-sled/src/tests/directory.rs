//! What a store is told from, and how many may use it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use outlast_core::{Backend, ErrorKind, OpenOptions, RandomIds, Revision};

use super::{apply, batch, open, options, put};
use crate::Sled;
use crate::config::{FORMAT_FILE, SLED_BLOBS};

/// Every file below a path with its content.
fn content(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    if path.is_file() {
        files.insert(String::new(), fs::read(path).unwrap());
        return files;
    }
    for entry in fs::read_dir(path).into_iter().flatten() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        files.insert(format!("{name}/"), Vec::new());
        for (below, bytes) in content(&entry) {
            files.insert(format!("{name}/{below}"), bytes);
        }
    }
    files
}

async fn check_refused(path: &Path, options: &OpenOptions, kind: ErrorKind, says: &str) {
    let before = content(path.parent().unwrap());
    let error = Sled::open(path, options, &RandomIds).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(says), "{error} does not say {says:?}");
    assert_eq!(content(path.parent().unwrap()), before, "{error}: but something was changed");
}

#[tokio::test]
async fn what_is_not_a_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let options = options();
    let existing = OpenOptions { create: false, ..options };
    let missing = at("missing");
    check_refused(&missing, &existing, ErrorKind::Unavailable, "no store at").await;
    let deep = at("no/such/folder/state");
    check_refused(&deep, &options, ErrorKind::Unavailable, "does not exist").await;
    check_refused(&missing, &OpenOptions::read_only(), ErrorKind::Unsupported, "reading only")
        .await;

    fs::write(at("zero"), b"").unwrap();
    check_refused(&at("zero"), &options, ErrorKind::Incompatible, "is a file").await;
    fs::write(at("junk"), b"\0junk").unwrap();
    check_refused(&at("junk/"), &options, ErrorKind::Unavailable, "junk").await;
    fs::create_dir(at("empty")).unwrap();
    check_refused(&at("empty"), &options, ErrorKind::Incompatible, "is empty").await;
    fs::create_dir(at("other")).unwrap();
    fs::write(at("other/notes.txt"), b"mine").unwrap();
    check_refused(&at("other"), &options, ErrorKind::Incompatible, "another's").await;
    for (name, text) in [("void", &b""[..]), ("bytes", b"\xff\x00\xff"), ("alien", b"RocksDB\n")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join(FORMAT_FILE), text).unwrap();
        check_refused(&at(name), &options, ErrorKind::Incompatible, "another's").await;
    }
    drop(sled::open(at("raw")).unwrap());
    check_refused(&at("raw"), &options, ErrorKind::Incompatible, "another's").await;
}

#[tokio::test]
async fn a_marker_of_another_origin_is_refused_and_a_damaged_one_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    open(&path).await.close().await.unwrap();
    let marker = fs::read_to_string(path.join(FORMAT_FILE)).unwrap();
    let (body, _) = marker.rsplit_once("sum ").unwrap();
    let sealed = |body: String| {
        let sum = xxhash_rust::xxh3::xxh3_64(body.as_bytes());
        format!("{body}sum {sum:016x}\n")
    };
    assert_eq!(sealed(body.to_owned()), marker);
    let cases = [
        (sealed(body.replace("layout 1", "layout 2")), ErrorKind::Incompatible, "layout 2"),
        (sealed(body.replace("backend sled", "backend rock")), ErrorKind::Incompatible, "rock"),
        (marker.replace("layout 1", "layout 2"), ErrorKind::Corrupt, "FORMAT"),
        (marker.replace("store ", "store 0"), ErrorKind::Corrupt, "FORMAT"),
        (body.to_owned(), ErrorKind::Corrupt, "FORMAT"),
    ];
    for (text, kind, says) in cases {
        fs::write(path.join(FORMAT_FILE), text).unwrap();
        check_refused(&path, &options(), kind, says).await;
    }
    fs::remove_file(path.join(FORMAT_FILE)).unwrap();
    check_refused(&path, &options(), ErrorKind::Incompatible, "another's").await;
    fs::write(path.join(FORMAT_FILE), marker).unwrap();
    open(&path).await;
}

#[tokio::test]
async fn data_of_another_store_under_a_marker_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    open(&one).await.close().await.unwrap();
    open(&two).await.close().await.unwrap();
    fs::copy(one.join(FORMAT_FILE), two.join(FORMAT_FILE)).unwrap();
    let error = Sled::open(&two, &options(), &RandomIds).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let first = open(&path).await;
    let error = Sled::open(&path, &options(), &RandomIds).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    let holder = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    first.close().await.unwrap();
    open(&path).await;
}

#[tokio::test]
async fn many_may_make_the_same_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let patient = OpenOptions::default();
    let makers = (0..4).map(|_| {
        let path = path.clone();
        tokio::spawn(async move {
            let store = Sled::open(&path, &patient, &RandomIds).await.unwrap();
            let id = store.info().store;
            store.close().await.unwrap();
            id
        })
    });
    let mut ids = Vec::new();
    for maker in makers.collect::<Vec<_>>() {
        ids.push(maker.await.unwrap());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
}

#[tokio::test]
async fn what_a_maker_left_that_was_cut_off_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join(".state.unborn-1");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("LOCK"), b"1").unwrap();
    fs::write(left.join("db"), b"half").unwrap();
    open(&folder.path().join("state")).await;
    assert!(!left.exists());
}

#[tokio::test]
async fn files_are_readable_by_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    open(&path).await.close().await.unwrap();
    let _store = open(&path).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join(SLED_BLOBS))), (0o700, 0o700));
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_file() {
            assert_eq!(mode(&entry), 0o600, "{}", entry.display());
        }
    }
}

#[tokio::test]
async fn large_values_survive_in_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = open(&path).await;
    let large = "x".repeat(3 << 20);
    apply(&store, batch().with(put("large", &large, "x", 0))).await;
    assert!(fs::read_dir(path.join(SLED_BLOBS)).unwrap().count() > 0, "sled wrote no blob");
    drop(store);
    let store = open(&path).await;
    let changes = store.changes(Revision::ZERO, 1).await.unwrap();
    let version = changes.items[0].versions[0].as_ref().unwrap();
    assert_eq!(version.state.as_ref().unwrap().as_str().len(), large.len() + 2);
}
