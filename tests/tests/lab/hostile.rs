//! Input that means harm: an error of its kind and nothing written, or stored to the letter.

use outlast_core::{
    Attributes, Batch, Cause, ErrorKind, Expect, Json, Key, Kind, NewEntry, Op, OpenOptions,
    Revision, Slot, Timestamp,
};
use outlast_store::Store;
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, seed};

use crate::support::{batch, log, open, put};

/// Text that means something to a database, a shell, a terminal, a path or a format.
const TEXTS: [&str; 14] = [
    "'; DROP TABLE history; --",
    "\" OR 1=1 --",
    "%s%n%x",
    "$(touch /tmp/owned)",
    "`id`",
    "../../../../etc/passwd",
    "a\nb: forged line",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{202e}txt.exe",
    "\u{0}",
    "NULL",
    "ключ/鍵/🔑",
    "file:x?mode=memory",
    "a\\b",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_is_refused_or_stored_to_the_letter_in_memory() {
    hostile("memory", "memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_is_refused_or_stored_to_the_letter_on_sqlite() {
    let folder = process::quick_folder();
    hostile("sqlite", &Kept::Sqlite.url(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_is_refused_or_stored_to_the_letter_on_sled() {
    let folder = process::quick_folder();
    hostile("sled", &Kept::Sled.url(folder.path())).await;
}

async fn hostile(backend: &'static str, url: &str) {
    let cases = number("OUTLAST_CASES").unwrap_or(256);
    let seed = seed();
    println!("seed {seed}: again with OUTLAST_SEED={seed} cargo test --test lab hostile");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P7", backend, Some(seed));
    let store = open(url, OpenOptions::default()).await.unwrap();
    for text in TEXTS {
        report.round(format!("{text:?}"));
        kept_to_the_letter(&store, text).await;
    }
    for case in 0..cases {
        let text: String = (0..random.usize(..24)).map(|_| random.char(..)).collect();
        report.round(format!("case {case}: {text:?}"));
        kept_to_the_letter(&store, &text).await;
    }
    let before = store.changes(Revision::ZERO, 1000).await.unwrap().items.len();
    for (what, kind, batch) in refused(&store) {
        report.round(what);
        let error = store.commit(batch).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error:?}");
        assert!(!error.to_string().contains("panicked"), "{what}: {error}");
    }
    let after = store.changes(Revision::ZERO, 1000).await.unwrap().items.len();
    assert_eq!(before, after, "something was written");
    assert_eq!(store.verify().await.unwrap().damaged, 0);
    store.close().await.unwrap();
    report.pass();
}

/// As a name it is refused or names one thing; as a value, a reason and a line it comes back.
async fn kept_to_the_letter(store: &Store, text: &str) {
    let state = Json::encode(&text).unwrap();
    let entry = NewEntry { at: None, attrs: Attributes::new(), data: text.as_bytes().to_vec() };
    let mut ops = vec![Op::Append { stream: log(), entries: vec![entry] }];
    let key = match Key::new("item", text) {
        Ok(key) => key,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
            Key::new("item", "plain").unwrap()
        }
    };
    ops.push(put(&key, Expect::Any, state.as_str()));
    let batch = Batch { ops, ..Batch::new(store.ids().commit_id(), Cause::default()) };
    store.commit(batch).await.unwrap();
    let Slot::Live(live) = store.get(std::slice::from_ref(&key)).await.unwrap().remove(0) else {
        panic!("{text:?} is not there");
    };
    assert_eq!((live.key, live.state.decode::<String>().unwrap()), (key, text.to_owned()));
    let mut newest = outlast_core::StreamQuery::of(log());
    newest.newest_first = true;
    newest.page.limit = 1;
    let last = store.read(&newest).await.unwrap().items.remove(0).unwrap();
    assert_eq!(last.data, text.as_bytes());
}

fn refused(store: &Store) -> Vec<(&'static str, ErrorKind, Batch)> {
    let key = |id: &str| Key::new("item", id).unwrap();
    let large = format!("\"{}\"", "x".repeat(20 << 20));
    let many: Vec<_> = (0..100_000).map(|n| put(&key(&n.to_string()), Expect::Any, "1")).collect();
    vec![
        ("no operation", ErrorKind::Invalid, batch(store, Vec::new())),
        (
            "one key twice",
            ErrorKind::Invalid,
            batch(store, vec![put(&key("a"), Expect::Any, "1"), put(&key("a"), Expect::Any, "2")]),
        ),
        (
            "a value of 20 MiB",
            ErrorKind::TooLarge,
            batch(store, vec![put(&key("a"), Expect::Any, &large)]),
        ),
        ("100,000 operations", ErrorKind::TooLarge, batch(store, many)),
    ]
}

#[test]
fn text_that_is_no_value_or_name_is_refused() {
    for text in ["", "1e400", "NaN", "{", "[1,]", "\"\u{1}\"", "1 2", "nul", "'a'"] {
        let parsed = Json::parse(text);
        assert_eq!(parsed.unwrap_err().kind(), ErrorKind::Invalid, "{text:?}");
    }
    assert!(Key::new("item", "x".repeat(1 << 20)).is_err_and(|e| e.kind() == ErrorKind::TooLarge));
    for kind in ["", "Item", "it em", "item;", "../x", "é"] {
        assert_eq!(Kind::new(kind).unwrap_err().kind(), ErrorKind::Invalid, "{kind:?}");
    }
    for micros in [i64::MIN, -1, 0, 253_402_300_800_000_000, i64::MAX] {
        // Whatever it prints, it is no panic.
        assert!(!Timestamp::from_micros(micros).to_string().is_empty());
    }
}
