//! Names that look like something else.

use outlast_core::{
    Attributes, ErrorKind, Filter, HistoryQuery, Id, Key, MAX_ID_BYTES, Order, Query, Scope, Slot,
    StreamQuery,
};

use crate::ops::{append, delete, item, items, log, name, number, put, tagged, text};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(hostile_ids_are_only_names),
        Case::of(hostile_stream_names_are_only_names),
        Case::of(hostile_attribute_values_are_only_values),
        Case::of(names_that_differ_little_are_different),
        Case::of(control_characters_are_no_id),
        Case::of(longest_id_works_everywhere),
        Case::of(words_of_query_languages_are_fine_kinds),
    ]
}

/// Texts that end strings, begin patterns, separate fields or look like paths.
const HOSTILE: [&str; 21] = [
    "'",
    "\"",
    "''; drop table entity; --",
    "a' or '1'='1",
    "%",
    "_",
    "a%b_c",
    "*",
    "?",
    "\\",
    " leading",
    "trailing ",
    "a/b",
    "a@1",
    "../../etc/passwd",
    "a:b",
    "null",
    "ÄÖÜ ß ﬁ",
    "日本語",
    "🦀👩‍👩‍👧",
    "\u{feff}\u{202e}rtl",
];

async fn hostile_ids_are_only_names(t: Trial) {
    for (id, n) in HOSTILE.iter().zip(0..) {
        t.write(put(&item(id), n)).await;
    }
    for (id, n) in HOSTILE.iter().zip(0..) {
        let record = t.record(&item(id)).await;
        assert_eq!((record.key.id(), record.state), (*id, number(n)));
        assert_eq!(t.versions(&item(id)).await.len(), 1);
    }
    let mut sorted = HOSTILE.to_vec();
    sorted.sort_unstable();
    assert_eq!(t.ids(items(4)).await, sorted);
    t.write(delete(&item("%"))).await;
    assert_eq!(t.ids(items(100)).await.len(), HOSTILE.len() - 1);
}

async fn hostile_stream_names_are_only_names(t: Trial) {
    for name in HOSTILE {
        t.apply([append(&log(name), &[name])]).await;
    }
    for name in HOSTILE {
        let found = t.entries(StreamQuery::of(log(name))).await;
        assert_eq!(found, [(1, name.to_owned())]);
    }
    let found = crate::snapshot::walk_streams(t.backend(), &log("x").kind, 4).await;
    assert_eq!(found.len(), HOSTILE.len());
}

async fn hostile_attribute_values_are_only_values(t: Trial) {
    for (n, value) in HOSTILE.iter().enumerate() {
        t.write(tagged(&item(&format!("k{n:02}")), text("x", value))).await;
    }
    for (n, value) in HOSTILE.iter().enumerate() {
        let found = t.ids(items(5).filter(Filter::is(name("x"), *value))).await;
        assert_eq!(found, [format!("k{n:02}")], "{value:?}");
    }
    let by = Query { order: Order::Attr(name("x")), ..items(3) };
    assert_eq!(t.ids(by).await.len(), HOSTILE.len());
    let counts = t.store.count(&items(5), &[name("x")]).await.unwrap();
    assert_eq!(counts.groups.len(), HOSTILE.len());
}

async fn names_that_differ_little_are_different(t: Trial) {
    let ids = ["a", "A", "a ", "á", "a\u{301}", "ａ", "aa"];
    t.apply(ids.iter().zip(0..).map(|(id, n)| put(&item(id), n))).await;
    for (id, n) in ids.iter().zip(0..) {
        assert_eq!(t.record(&item(id)).await.state, number(n), "{id:?}");
        let history = HistoryQuery::of(Scope::Entity(item(id)));
        assert_eq!(t.history(history).await.len(), 1, "{id:?}");
    }
    assert_eq!(t.ids(items(3)).await.len(), ids.len());
}

async fn control_characters_are_no_id(t: Trial) {
    for id in ["", "\0", "a\0b", "a\nb", "\t", "a\u{7f}", "\u{85}"] {
        assert_eq!(Id::new(id).unwrap_err().kind(), ErrorKind::Invalid, "{id:?}");
    }
    // What is no id can be in no store.
    assert_eq!(t.ids(items(5)).await, [""; 0]);
}

async fn longest_id_works_everywhere(t: Trial) {
    let longest = "é".repeat(MAX_ID_BYTES / 2);
    let key = item(&longest);
    t.write(tagged(&key, text("x", &longest))).await;
    t.apply([append(&log(&longest), &["x"])]).await;
    assert_eq!(t.record(&key).await.key, key);
    t.write(put(&item("a"), 1)).await;
    t.write(put(&item("😀"), 1)).await;
    assert_eq!(t.ids(items(1)).await, ["a", longest.as_str(), "😀"]);
    assert_eq!(t.entries(StreamQuery::of(log(&longest))).await.len(), 1);
    let over = Id::new(format!("{longest}x")).unwrap_err();
    assert_eq!(over.kind(), ErrorKind::TooLarge);
}

async fn words_of_query_languages_are_fine_kinds(t: Trial) {
    for word in ["select", "table", "index", "order", "group", "where", "entity", "k_1"] {
        let key = Key::new(word, "a").unwrap();
        let attrs = Attributes::from([(name(word), 1.into())]);
        assert_eq!(t.slot(&key).await, Slot::Vacant);
        t.write(tagged(&key, attrs)).await;
        let query = Query { order: Order::Attr(name(word)), ..Query::of(key.kind.clone()) };
        assert_eq!(t.ids(query).await, ["a"]);
        let found = t.store.count(&Query::of(key.kind.clone()), &[name(word)]).await.unwrap();
        assert_eq!(found.total, 1);
    }
}
