//! Which backend makes which promise, by what its `info()` says of it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::Write as _;

use outlast_core::{BackendInfo, Capability, OpenOptions};
use outlast_store::StoreOptions;
use outlast_tests::lab::Kept;

/// What is promised only by what outlasts its process.
const OF_PERSISTENT: [&str; 6] = ["P1", "P2", "P5", "P6", "P12", "P13"];
/// What each backend promises.
const OF_EACH: [&str; 5] = ["P3", "P4", "P7", "P8", "P10"];
/// What all of them promise together.
const OF_ALL: [&str; 3] = ["P9", "P11", "P14"];

#[tokio::test]
async fn a_backend_promises_what_it_declares() {
    let folder = tempfile::tempdir().unwrap();
    let urls = [
        "memory:".to_owned(),
        Kept::Sqlite.url(folder.path()),
        Kept::Sled.url(folder.path()) + ".sled",
    ];
    let mut promises = Vec::new();
    for url in urls {
        let store = outlast::open_with(&url, OpenOptions::default(), StoreOptions::default());
        let store = store.await.unwrap();
        promises.push((store.info().name, of(&store.info())));
        store.close().await.unwrap();
    }
    promises.push(("all", OF_ALL.to_vec()));
    let of = |name| &promises.iter().find(|(backend, _)| *backend == name).unwrap().1;
    assert_eq!(of("memory").len(), OF_EACH.len());
    assert_eq!(of("sqlite"), of("sled"));
    assert!(of("sqlite").contains(&"P2"));
    for (backend, promises) in &promises {
        tell(&serde_json::json!({ "backend": backend, "promises": promises }).to_string());
    }
}

fn of(info: &BackendInfo) -> Vec<&'static str> {
    let mut made = OF_EACH.to_vec();
    if info.can(Capability::Persistent) {
        made.extend(OF_PERSISTENT);
    }
    made
}

fn tell(line: &str) {
    println!("{line}");
    let Some(place) = std::env::var_os("OUTLAST_LAB_MADE") else { return };
    let mut file = std::fs::OpenOptions::new().append(true).open(place).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
