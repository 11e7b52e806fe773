//! The contract at its simplest, through the planner, and what survives opening again.

use outlast_core::{
    Admin, AttrValue, Backend, Epoch, ErrorKind, Expect, Filter, HistoryQuery, Key, Kind, Op,
    Order, Outcome, Page, Prune, PrunePlan, Query, Revision, Scope, Seq, Slot, StreamQuery,
    Version,
};

use super::{append, apply, batch, commit, delete, key, name, open, put};
use crate::Sled;

async fn ids(store: &Sled, query: &Query) -> Vec<String> {
    let mut found = Vec::new();
    let mut page = query.page.clone();
    loop {
        let listed = store.list(&Query { page: page.clone(), ..query.clone() }).await.unwrap();
        found.extend(listed.items.into_iter().map(|slot| match slot {
            Slot::Live(record) => record.key.id().to_owned(),
            Slot::Tombstone { key, .. } => format!("-{}", key.id()),
            other => panic!("{other:?}"),
        }));
        match listed.next {
            Some(next) => page = page.after(next),
            None => return found,
        }
    }
}

async fn filled(store: &Sled) {
    for (id, status, rank) in
        [("a", "ready", 3), ("b", "done", -1), ("c", "ready", 1), ("d", "failed", 2)]
    {
        apply(store, batch().with(put(id, id, status, rank)).with(append(id, &["one", "two"])))
            .await;
    }
    apply(store, batch().with(put("a", "a2", "done", 5))).await;
    apply(store, batch().with(delete("d"))).await;
}

async fn check_filled(store: &Sled) {
    check_entities(store).await;
    check_history(store).await;
    check_streams(store).await;
    let changes = store.changes(Revision(1), 10).await.unwrap();
    let revisions: Vec<_> = changes.items.iter().map(|c| c.revision.0).collect();
    assert_eq!(revisions, [2, 3, 4, 5, 6]);
    assert_eq!(changes.items[0].appended[0].2, Seq(2));
    let kinds = store.kinds().await.unwrap();
    assert_eq!((kinds.entities.len(), kinds.streams.len()), (1, 1));
    let found = store.verify().await.unwrap();
    assert_eq!((found.damaged, found.entities, found.versions, found.entries), (0, 4, 6, 8));
    assert!(store.size().await.unwrap().bytes > 0);
}

async fn check_entities(store: &Sled) {
    let slots = store.get(&[key("a"), key("d"), key("x")]).await.unwrap();
    let Slot::Live(a) = &slots[0] else { panic!("{slots:?}") };
    assert_eq!((a.state.as_str(), a.version.n), ("\"a2\"", 2));
    assert!(matches!(&slots[1], Slot::Tombstone { version, .. } if version.n == 2));
    assert_eq!(slots[2], Slot::Vacant);

    let all = Query::of(Kind::new("task").unwrap());
    for limit in [1, 2, 10] {
        let all = Query { page: Page::first(limit), ..all.clone() };
        assert_eq!(ids(store, &all).await, ["a", "b", "c"]);
        let down = Query { descending: true, ..all.clone() };
        assert_eq!(ids(store, &down).await, ["c", "b", "a"]);
        let dead = Query { tombstones: true, ..all.clone() };
        assert_eq!(ids(store, &dead).await, ["a", "b", "c", "-d"]);
        let done = all.clone().filter(Filter::is(name("status"), "done"));
        assert_eq!(ids(store, &done).await, ["a", "b"]);
        let either = all.clone().filter(Filter {
            name: name("status"),
            test: outlast_core::Test::AnyOf(vec!["ready".into(), "done".into(), "done".into()]),
        });
        assert_eq!(ids(store, &either).await, ["a", "b", "c"]);
        assert_eq!(ids(store, &Query { descending: true, ..either }).await, ["c", "b", "a"]);
        let ranked = Query { order: Order::Attr(name("rank")), ..all.clone() };
        assert_eq!(ids(store, &ranked).await, ["b", "c", "a"]);
        assert_eq!(ids(store, &Query { descending: true, ..ranked }).await, ["a", "c", "b"]);
        let low = all.filter(Filter::at_most(name("rank"), 1));
        assert_eq!(ids(store, &low).await, ["b", "c"]);
    }
    let counts = store.count(&all, &[name("status")]).await.unwrap();
    assert_eq!(counts.total, 3);
    let group = |text: &str| vec![Some(AttrValue::from(text))];
    assert_eq!(counts.groups, [(group("done"), 2), (group("ready"), 1)]);
}

async fn check_history(store: &Sled) {
    let history = HistoryQuery::of(Scope::Entity(key("a")));
    let versions = store.history(&history).await.unwrap();
    let numbers: Vec<_> = versions.items.into_iter().map(|v| v.unwrap().version.n).collect();
    assert_eq!(numbers, [1, 2]);
    let all = HistoryQuery {
        page: Page::first(4),
        newest_first: true,
        ..HistoryQuery::of(Scope::All(None))
    };
    let first = store.history(&all).await.unwrap();
    let next = HistoryQuery { page: all.page.after(first.next.unwrap()), ..all };
    let second = store.history(&next).await.unwrap();
    assert_eq!(second.next, None);
    let order: Vec<_> = first.items.into_iter().chain(second.items).map(|v| v.unwrap()).collect();
    let order: Vec<_> = order.iter().map(|v| (v.key.id(), v.version.n)).collect();
    assert_eq!(order, [("d", 2), ("a", 2), ("d", 1), ("c", 1), ("b", 1), ("a", 1)]);
}

async fn check_streams(store: &Sled) {
    let stream = Key::new("log", "a").unwrap();
    let newest =
        StreamQuery { newest_first: true, page: Page::first(1), ..StreamQuery::of(stream.clone()) };
    let page = store.read(&newest).await.unwrap();
    assert_eq!(page.items[0].as_ref().unwrap().data, b"two");
    let rest = StreamQuery { page: newest.page.after(page.next.unwrap()), ..newest };
    let page = store.read(&rest).await.unwrap();
    assert_eq!((page.items[0].as_ref().unwrap().data.as_slice(), page.next), (&b"one"[..], None));

    let kind = Kind::new("log").unwrap();
    let streams = store.streams(&kind, &Page::first(3)).await.unwrap();
    let names: Vec<_> =
        streams.items.iter().map(|s| (s.stream.id(), s.first.0, s.last.0)).collect();
    assert_eq!(names, [("a", 1, 2), ("b", 1, 2), ("c", 1, 2)]);
    let streams = store.streams(&kind, &Page::first(3).after(streams.next.unwrap())).await.unwrap();
    assert_eq!((streams.items[0].stream.id(), streams.next), ("d", None));
}

#[tokio::test]
async fn what_was_written_is_read_back_also_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = open(&path).await;
    filled(&store).await;
    check_filled(&store).await;
    let before = store.info();
    store.close().await.unwrap();
    assert_eq!(store.changes(Revision::ZERO, 1).await.unwrap_err().kind(), ErrorKind::Closed);
    store.close().await.unwrap();
    let store = open(&path).await;
    assert_eq!(store.info(), before);
    check_filled(&store).await;
    // Also when it was never closed.
    drop(store);
    check_filled(&open(&path).await).await;
}

#[tokio::test]
async fn a_group_sees_its_own_earlier_batches() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("state")).await;
    let first = batch().with(put("a", "1", "new", 1)).with(append("a", &["x"]));
    let second = batch().with(put("a", "2", "old", 2)).with(append("a", &["y", "z"]));
    let touch = batch().with(Op::Touch { key: key("a"), attrs: [(name("beat"), 7.into())].into() });
    let gone = batch().with(put("b", "1", "new", 1));
    let stale = batch().with(Op::Assert { key: key("a"), expect: Expect::Absent });
    let stale = stale.with(put("c", "", "", 0));
    let dead = batch().with(delete("b"));
    let again = first.clone();
    let group = [first, second, touch, gone, dead, stale, again];
    let outcomes = commit(&store, &group).await.unwrap();
    assert!(matches!(outcomes[5], Ok(Outcome::Conflict { .. })));
    assert!(matches!(outcomes[6], Ok(Outcome::Replayed(_))));
    let slots = store.get(&[key("a"), key("b"), key("c")]).await.unwrap();
    let Slot::Live(a) = &slots[0] else { panic!("{slots:?}") };
    assert_eq!(a.version, Version::new(Epoch(0), 2));
    assert_eq!(a.transient[&name("beat")], 7.into());
    assert!(matches!(slots[1], Slot::Tombstone { .. }));
    assert_eq!(slots[2], Slot::Vacant);
    let new = Query::of(Kind::new("task").unwrap()).filter(Filter::is(name("status"), "new"));
    assert_eq!(ids(&store, &new).await, [""; 0]);
    // A touch survives the next version and not a deletion.
    apply(&store, batch().with(put("a", "3", "old", 3))).await;
    let Slot::Live(a) = store.get(&[key("a")]).await.unwrap().remove(0) else { panic!() };
    assert_eq!(a.transient.len(), 1);
    apply(&store, batch().with(delete("a"))).await;
    apply(&store, batch().with(put("a", "5", "old", 3))).await;
    let Slot::Live(a) = store.get(&[key("a")]).await.unwrap().remove(0) else { panic!() };
    assert_eq!((a.transient.len(), a.version.n), (0, 5));
    assert_eq!(store.verify().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_set_planned_from_an_older_view_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("state")).await;
    let set = outlast_core::WriteSet { base: Revision(1), ..Default::default() };
    assert_eq!(store.write(&set).await.unwrap(), outlast_core::Written::Raced);
}

#[tokio::test]
async fn pruning_goes_on_until_it_is_done_and_leaves_the_rest_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("state")).await;
    for round in 0..10 {
        let batch = batch().with(put("a", &round.to_string(), "x", round));
        apply(&store, batch.with(append("a", &["line"]))).await;
    }
    apply(&store, batch().with(put("b", "", "x", 0)).with(append("b", &["1", "2"]))).await;
    let deleted = apply(&store, batch().with(delete("b"))).await;
    let stream = Key::new("log", "a").unwrap();
    let whole = Key::new("log", "b").unwrap();
    let plan = PrunePlan {
        items: vec![
            Prune::Entries { stream: stream.clone(), up_to: Seq(7) },
            Prune::Stream(whole.clone()),
            Prune::History { key: key("a"), below: 100 },
            Prune::Tombstone { key: key("b"), version: deleted.versions[0].1 },
        ],
    };
    let mut rows = 0;
    loop {
        let pruned = store.prune(&plan, 3).await.unwrap();
        assert!(pruned.rows <= 3);
        rows += pruned.rows;
        assert_eq!(store.verify().await.unwrap().damages, []);
        if pruned.done {
            break;
        }
    }
    assert_eq!(rows, 7 + 2 + 9 + 2);
    let left = store.read(&StreamQuery::of(stream)).await.unwrap();
    assert_eq!(left.items.len(), 3);
    assert_eq!(store.get(&[key("b")]).await.unwrap(), [Slot::Vacant]);
    let receipt = apply(&store, batch().with(append("b", &["again"]))).await;
    assert_eq!(receipt.appended, [(whole, Seq(1), Seq(1))]);
    let error = store.changes(Revision::ZERO, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compacted);
    assert_eq!(store.changes(Revision(12), 10).await.unwrap().items.len(), 1);
}
