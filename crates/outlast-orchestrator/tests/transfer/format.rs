//! The lines as they are: what a later program must still be able to read.

use outlast_core::{
    Actor, AttrName, AttrValue, Attributes, CommitId, Entry, Epoch, Json, Key, Op, Revision, Seq,
    Space, Timestamp, Version, Versioned,
};
use outlast_store::Store;

use crate::content::{commit, log, prune, put, touch, up_to};
use crate::{body, exported, imported, store};

/// An export of version 1 of the format, kept as it was when that version was made.
const GOLDEN: &str = include_str!("golden.jsonl");

fn version(n: u64, state: Option<&str>) -> Versioned {
    Versioned {
        key: Key::new("note", "a").unwrap(),
        version: Version::new(Epoch(5), n),
        revision: Revision::ZERO,
        commit: CommitId::of(uuid::Uuid::from_u128(n.into())),
        at: Timestamp::from_micros(1_700_000_000_000_000),
        action: outlast_core::Action::create(),
        actor: None,
        reason: None,
        metadata: None,
        schema: 1,
        attrs: Attributes::new(),
        state: state.map(|state| Json::parse(state).unwrap()),
    }
}

async fn fill(store: &Store) {
    let mut first = version(1, Some("{\"text\": \"one\"}"));
    first.actor = Some(Actor::System);
    first.reason = Some("why".to_owned());
    first.metadata = Some(Json::parse("[1]").unwrap());
    first.attrs.insert(AttrName::status(), AttrValue::from("open"));
    let last = version(2, Some("{\n}"));
    let mut gone = version(1, None);
    gone.key = Key::new("note", "gone").unwrap().in_space(Space(1));
    let merge = |record: Versioned, history| Op::MergeRecord { record: Box::new(record), history };
    commit(store, merge(last, vec![first])).await;
    commit(store, merge(gone, Vec::new())).await;
    commit(store, touch(Key::new("note", "a").unwrap(), "beat", 7)).await;
    let entry = |seq, data: &[u8]| Entry {
        stream: log("a"),
        seq: Seq(seq),
        at: Timestamp::from_micros(0),
        attrs: if seq == 2 { crate::content::attrs("fd", 2) } else { Attributes::new() },
        data: data.to_vec(),
    };
    let entries = vec![entry(2, b"text\n"), entry(3, &[0xff])];
    commit(store, Op::MergeEntries { stream: log("a"), entries }).await;
    let mut emptied = entry(9, b"");
    emptied.stream = log("b");
    commit(store, Op::MergeEntries { stream: log("b"), entries: vec![emptied] }).await;
    prune(store, up_to(log("b"), 9)).await;
}

#[tokio::test]
async fn the_format_is_what_it_was() {
    let store = store();
    fill(&store).await;
    let lines = exported(&store).await;
    assert_eq!(body(&lines), body(GOLDEN), "{lines}");
}

#[tokio::test]
async fn an_export_of_an_earlier_program_is_still_read() {
    let to = store();
    let report = imported(&to, GOLDEN).await.unwrap();
    assert_eq!(report.header.version, 1);
    assert_eq!(report.header.backend, "memory");
    assert_eq!(report.header.revision, Revision(4));
    assert_eq!(body(&exported(&to).await), body(GOLDEN));
}

#[tokio::test]
async fn the_first_line_says_where_it_came_from() {
    let store = store();
    commit(&store, put(Key::new("note", "a").unwrap(), "1")).await;
    let report = imported(&crate::store(), &exported(&store).await).await.unwrap();
    let info = store.info();
    assert_eq!((report.header.store, report.header.incarnation), (info.store, info.incarnation));
    assert_eq!(report.header.revision, Revision(1));
}
