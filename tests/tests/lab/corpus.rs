//! What reads text or bytes from outside: the inputs that are kept in `tests/corpus`, and as many
//! mutations of them as are asked for, never make it panic, and what is accepted means the same when
//! it is written and read again.
//!
//! `OUTLAST_SEED=7 OUTLAST_CASES=1000000 cargo test -p outlast-tests --test lab corpus::import` runs
//! one of them for long. An input that fails belongs into the folder of its target.

use std::fs;
use std::path::Path;

use outlast_core::{
    Actor, CommitId, Cursor, ErrorKind, HistoryQuery, Json, Key, Kind, Limits, OpenOptions, Page,
    Query, Scope, StreamQuery, Timestamp,
};
use outlast_store::Store;
use outlast_tests::lab::{Kept, number, process, seed};

use crate::support::{fill, log, open};

/// The kept inputs of a target, and mutations of them.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let kept: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!kept.is_empty(), "no corpus for {target}");
    let seed = seed();
    println!("{target}: again with OUTLAST_SEED={seed} cargo test --test lab corpus::{target}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = kept.clone();
    for _ in 0..number("OUTLAST_CASES").unwrap_or(256) {
        let mut input = kept[random.usize(..kept.len())].clone();
        for _ in 0..random.usize(1..4) {
            mutate(&mut input, &kept, &mut random);
        }
        all.push(input);
    }
    all
}

fn mutate(input: &mut Vec<u8>, kept: &[Vec<u8>], random: &mut fastrand::Rng) {
    let at = random.usize(0..=input.len());
    match random.u8(..6) {
        0 => input.insert(at, random.u8(..)),
        1 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        2 if at < input.len() => drop(input.remove(at)),
        3 => input.truncate(at),
        4 => {
            let end = random.usize(at..=input.len());
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        _ => {
            let other = &kept[random.usize(..kept.len())];
            let from = random.usize(0..=other.len());
            input.splice(at.., other[from..].iter().copied());
        }
    }
}

/// Reading gives an error of its kind, or what reads as the same once more.
fn read_again<T: PartialEq + std::fmt::Debug>(
    what: &str,
    read: impl Fn(&str) -> outlast_core::Result<T>,
    text: &str,
    write: impl Fn(&T) -> String,
) {
    match read(text) {
        Ok(value) => assert_eq!(read(&write(&value)).unwrap(), value, "{what} of {text:?}"),
        Err(error) => {
            let kinds = [ErrorKind::Invalid, ErrorKind::TooLarge, ErrorKind::Incompatible];
            assert!(kinds.contains(&error.kind()), "{what} of {text:?}: {error:?}");
        }
    }
}

#[test]
fn names() {
    for input in inputs("names") {
        let text = String::from_utf8_lossy(&input);
        read_again("a kind", |text| Kind::new(text), &text, |kind| kind.as_str().to_owned());
        read_again("a key", |text| Key::new("item", text), &text, |key| key.id().to_string());
        read_again("an actor", str::parse::<Actor>, &text, ToString::to_string);
        read_again("a time", str::parse::<Timestamp>, &text, ToString::to_string);
        read_again("a commit id", str::parse::<CommitId>, &text, ToString::to_string);
        read_again("a location", str::parse::<outlast::Location>, &text, ToString::to_string);
    }
}

#[test]
fn json() {
    for input in inputs("json") {
        let text = String::from_utf8_lossy(&input);
        read_again("json", Json::parse, &text, |json| json.as_str().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors() {
    let folder = process::quick_folder();
    let urls = [
        "memory:".to_owned(),
        Kept::Sqlite.url(folder.path()),
        Kept::Sled.url(folder.path()) + "s",
    ];
    for url in urls {
        let store = open(&url, OpenOptions::default()).await.unwrap();
        fill(&store, 3).await;
        for input in inputs("cursors") {
            for cursor in [Cursor::new(input.clone()), parsed(&input)] {
                follow(&store, cursor).await;
            }
        }
        store.close().await.unwrap();
    }
}

fn parsed(input: &[u8]) -> Cursor {
    String::from_utf8_lossy(input).parse().unwrap_or_else(|_| Cursor::number(7))
}

async fn follow(store: &Store, cursor: Cursor) {
    let page = Page::first(5).after(cursor);
    let query = Query { page: page.clone(), ..Query::of(Kind::new("item").unwrap()) };
    let results = [
        store.list(&query).await.map(|found| found.items.len()),
        store
            .history(&HistoryQuery { page: page.clone(), ..HistoryQuery::of(Scope::All(None)) })
            .await
            .map(|found| found.items.len()),
        store
            .read(&StreamQuery { page: page.clone(), ..StreamQuery::of(log()) })
            .await
            .map(|found| found.items.len()),
        store.streams(&log().kind, &page).await.map(|found| found.items.len()),
    ];
    for result in results {
        match result {
            Ok(found) => assert!(found <= 5),
            Err(error) => {
                let kinds = [ErrorKind::Invalid, ErrorKind::TooLarge];
                assert!(kinds.contains(&error.kind()), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn import() {
    for input in inputs("import") {
        let mut ignored = |_| {};
        let checked = outlast::transfer::check(input.as_slice(), Limits::EMBEDDED, &mut ignored);
        if let Err(error) = checked.await {
            let kinds = [ErrorKind::Invalid, ErrorKind::TooLarge, ErrorKind::Incompatible];
            let text = String::from_utf8_lossy(&input);
            assert!(kinds.contains(&error.kind()), "{error:?} of {text}");
        }
    }
}
