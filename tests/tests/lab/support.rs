//! Stores that hold something, and what is seen of them.

use std::fs;
use std::path::{Path, PathBuf};

use outlast_core::{
    Attributes, Batch, Cause, Expect, HistoryQuery, Json, Key, Kind, NewEntry, Op, OpenOptions,
    Put, Query, Result, Scope, Slot, StreamQuery,
};
use outlast_store::{Store, StoreOptions};

pub(crate) async fn open(url: &str, options: OpenOptions) -> Result<Store> {
    outlast::open_with(url, options, StoreOptions::default()).await
}

pub(crate) fn item(n: usize) -> Key {
    Key::new("item", format!("item-{n}")).unwrap()
}

pub(crate) fn log() -> Key {
    Key::new("log", "l").unwrap()
}

pub(crate) fn put(key: &Key, expect: Expect, state: &str) -> Op {
    let (key, state) = (key.clone(), Json::parse(state).unwrap());
    Op::Put(Put { key, expect, schema: 1, attrs: Attributes::new(), state })
}

pub(crate) fn append(data: &str) -> Op {
    let entry = NewEntry { at: None, attrs: Attributes::new(), data: data.as_bytes().to_vec() };
    Op::Append { stream: log(), entries: vec![entry] }
}

pub(crate) fn batch(store: &Store, ops: Vec<Op>) -> Batch {
    Batch { ops, ..Batch::new(store.ids().commit_id(), Cause::default()) }
}

/// Three versions of each of so many items, and a line for each version.
pub(crate) async fn fill(store: &Store, items: usize) {
    for round in 0..3 {
        for n in 0..items {
            let state = format!("{{\"n\":{n},\"round\":{round},\"pad\":\"{}\"}}", "x".repeat(200));
            let ops = vec![put(&item(n), Expect::Any, &state), append(&format!("{round} {n}"))];
            store.commit(batch(store, ops)).await.unwrap();
        }
    }
}

/// What a reader sees, as text; `damaged` counts what it was told to be damaged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) items: Vec<Option<String>>,
    pub(crate) listed: Vec<String>,
    pub(crate) versions: Vec<String>,
    pub(crate) entries: Vec<String>,
    pub(crate) damaged: usize,
}

pub(crate) async fn look(store: &Store, items: usize) -> Result<Seen> {
    let mut seen = Seen::default();
    for n in 0..items {
        let found = store.get(&[item(n)]).await.map(|mut slots| slots.remove(0));
        seen.items.push(match found {
            Ok(Slot::Live(live)) => Some(format!("{} {}", live.version, live.state)),
            Ok(Slot::Damaged(_)) | Err(_) => {
                seen.damaged += 1;
                None
            }
            Ok(_) => None,
        });
    }
    let mut listed = Query::of(Kind::new("item")?);
    listed.page.limit = 100;
    for slot in store.list(&listed).await?.items {
        match slot {
            Slot::Live(live) => seen.listed.push(format!("{} {}", live.version, live.state)),
            _ => seen.damaged += 1,
        }
    }
    let mut all = HistoryQuery::of(Scope::All(None));
    all.page.limit = 200;
    for version in store.history(&all).await?.items {
        match version {
            Ok(version) => {
                seen.versions
                    .push(format!("{} {} {:?}", version.key, version.version, version.state));
            }
            Err(_) => seen.damaged += 1,
        }
    }
    let mut lines = StreamQuery::of(log());
    lines.page.limit = 200;
    for entry in store.read(&lines).await?.items {
        match entry {
            Ok(entry) => {
                seen.entries.push(format!(
                    "{} {}",
                    entry.seq.0,
                    String::from_utf8_lossy(&entry.data)
                ));
            }
            Err(_) => seen.damaged += 1,
        }
    }
    Ok(seen)
}

/// Copies a file or a folder, with everything whose name begins like it.
pub(crate) fn copy(from: &Path, to: &Path) {
    let name = from.file_name().unwrap().to_string_lossy().into_owned();
    let target = to.file_name().unwrap().to_string_lossy().into_owned();
    for entry in fs::read_dir(from.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let found = entry.file_name().to_string_lossy().into_owned();
        if let Some(suffix) = found.strip_prefix(&name) {
            copy_one(&entry.path(), &to.with_file_name(format!("{target}{suffix}")));
        }
    }
}

fn copy_one(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_one(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The files of a store that hold anything: the one at `path` and those beside or below it.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut found = Vec::new();
    let mut folders = vec![path.parent().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let place = entry.unwrap().path();
            let below = place.starts_with(path);
            let beside = place.file_name().unwrap().to_string_lossy().starts_with(&name);
            if !below && !beside {
                continue;
            }
            if place.is_dir() {
                folders.push(place);
            } else if fs::metadata(&place).unwrap().len() > 0 {
                found.push(place);
            }
        }
    }
    found.sort();
    found
}
