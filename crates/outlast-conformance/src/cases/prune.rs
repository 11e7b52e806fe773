//! Removing what a plan names.

use outlast_core::{
    ErrorKind, Outcome, Page, Prune, PrunePlan, Pruned, Revision, Seq, Slot, StreamQuery,
};

use crate::ops::{append, delete, int, item, items, log, name, put, tagged};
use crate::snapshot::walk_changes;
use crate::trial::ALMOST_FORGOTTEN;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(pruned_entries_are_gone_and_places_go_on),
        Case::of(stream_pruned_whole_by_entries_goes_on_counting),
        Case::of(pruned_stream_begins_anew),
        Case::of(pruned_history_keeps_the_head),
        Case::of(pruned_history_keeps_a_tombstone),
        Case::of(pruned_tombstone_begins_anew),
        Case::of(tombstone_is_pruned_only_if_it_still_is_one),
        Case::of(prune_is_bounded_and_gets_done),
        Case::of(prune_of_nothing_is_done),
        Case::of(carried_out_plan_changes_nothing_more),
        Case::of(plan_is_carried_out_item_by_item),
        Case::of(feed_before_pruned_history_is_compacted),
        Case::of(prune_leaves_the_feed_after_it_whole),
        Case::of(recent_commit_is_known_after_its_history_is_pruned),
        Case::of(prune_is_not_a_commit),
    ]
}

/// Carries out a plan in small steps.
pub(super) async fn prune(t: &Trial, items: impl IntoIterator<Item = Prune>) -> u64 {
    let plan = PrunePlan { items: items.into_iter().collect() };
    let mut rows = 0;
    for _ in 0..1000 {
        let Pruned { rows: removed, done } = t.store.prune(&plan, 3).await.unwrap();
        rows += removed;
        if done {
            return rows;
        }
        assert!(removed > 0, "a call that is not done removed nothing");
    }
    panic!("the plan is never done");
}

fn entries(up_to: u64) -> Prune {
    Prune::Entries { stream: log("l"), up_to: Seq(up_to) }
}

async fn places(t: &Trial) -> Vec<u64> {
    t.entries(StreamQuery::of(log("l"))).await.into_iter().map(|(seq, _)| seq).collect()
}

async fn extent(t: &Trial) -> Option<(u64, u64)> {
    let page = t.store.streams(&log("l").kind, &Page::default()).await.unwrap();
    page.items.first().map(|extent| (extent.first.0, extent.last.0))
}

async fn pruned_entries_are_gone_and_places_go_on(t: Trial) {
    t.apply([append(&log("l"), &["x"; 9]), append(&log("m"), &["y"; 3])]).await;
    prune(&t, [entries(5)]).await;
    assert_eq!(places(&t).await, [6, 7, 8, 9]);
    assert_eq!(extent(&t).await, Some((6, 9)));
    let from = StreamQuery { from: Some(Seq(2)), to: Some(Seq(7)), ..StreamQuery::of(log("l")) };
    assert_eq!(t.entries(from).await.len(), 2);
    let receipt = t.apply([append(&log("l"), &["x"])]).await;
    assert_eq!(receipt.appended[0].1, Seq(10));
    assert_eq!(t.entries(StreamQuery::of(log("m"))).await.len(), 3);
}

async fn stream_pruned_whole_by_entries_goes_on_counting(t: Trial) {
    t.apply([append(&log("l"), &["x"; 4])]).await;
    prune(&t, [entries(100)]).await;
    assert_eq!((places(&t).await.len(), extent(&t).await), (0, Some((5, 4))));
    let receipt = t.apply([append(&log("l"), &["x"])]).await;
    assert_eq!(receipt.appended[0].1, Seq(5));
    assert_eq!(extent(&t).await, Some((5, 5)));
}

async fn pruned_stream_begins_anew(t: Trial) {
    t.apply([append(&log("l"), &["x"; 7]), append(&log("lm"), &["y"])]).await;
    prune(&t, [Prune::Stream(log("l"))]).await;
    assert_eq!(places(&t).await, [0; 0]);
    let page = t.store.streams(&log("l").kind, &Page::default()).await.unwrap();
    assert_eq!(page.items.len(), 1, "the name of a pruned stream stays");
    let receipt = t.apply([append(&log("l"), &["new"])]).await;
    assert_eq!(receipt.appended[0].1, Seq(1));
    assert_eq!(t.entries(StreamQuery::of(log("lm"))).await.len(), 1);
}

async fn numbers(t: &Trial, id: &str) -> Vec<u64> {
    t.versions(&item(id)).await.iter().map(|version| version.version.n).collect()
}

async fn pruned_history_keeps_the_head(t: Trial) {
    for n in 0..8 {
        t.write(tagged(&item("a"), int("x", n))).await;
        t.write(put(&item("b"), n)).await;
    }
    let head = t.record(&item("a")).await;
    prune(&t, [Prune::History { key: item("a"), below: 6 }]).await;
    assert_eq!(numbers(&t, "a").await, [6, 7, 8]);
    prune(&t, [Prune::History { key: item("a"), below: 100 }]).await;
    assert_eq!(numbers(&t, "a").await, [8]);
    assert_eq!(t.record(&item("a")).await, head);
    assert_eq!(numbers(&t, "b").await.len(), 8);
    assert_eq!(t.ids(items(5).filter(outlast_core::Filter::is(name("x"), 7))).await, ["a"]);
    assert_eq!(t.write(put(&item("a"), 9)).await.n, 9);
}

async fn pruned_history_keeps_a_tombstone(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.write(put(&item("a"), 2)).await;
    t.write(delete(&item("a"))).await;
    prune(&t, [Prune::History { key: item("a"), below: u64::MAX >> 1 }]).await;
    assert!(matches!(t.slot(&item("a")).await, Slot::Tombstone { version, .. } if version.n == 3));
    assert_eq!(numbers(&t, "a").await, [3]);
    assert_eq!(t.write(put(&item("a"), 1)).await.n, 4);
}

async fn pruned_tombstone_begins_anew(t: Trial) {
    for n in 0..6 {
        t.write(put(&item("a"), n)).await;
    }
    let version = t.write(delete(&item("a"))).await;
    prune(&t, [Prune::Tombstone { key: item("a"), version }]).await;
    assert_eq!(t.slot(&item("a")).await, Slot::Vacant);
    assert_eq!(numbers(&t, "a").await, [0; 0]);
    assert_eq!(t.write(put(&item("a"), 1)).await.n, 1);
}

async fn tombstone_is_pruned_only_if_it_still_is_one(t: Trial) {
    let alive = t.write(put(&item("live"), 1)).await;
    t.write(put(&item("back"), 1)).await;
    let grave = t.write(delete(&item("back"))).await;
    t.write(put(&item("back"), 2)).await;
    t.write(put(&item("again"), 1)).await;
    let first_grave = t.write(delete(&item("again"))).await;
    t.write(put(&item("again"), 2)).await;
    t.write(delete(&item("again"))).await;
    let before = t.everything().await;
    let named = [("live", alive), ("back", grave), ("again", first_grave), ("none", grave)];
    let plan = named.map(|(id, version)| Prune::Tombstone { key: item(id), version });
    assert_eq!(prune(&t, plan).await, 0);
    assert_eq!(t.everything().await, before);
}

async fn prune_is_bounded_and_gets_done(t: Trial) {
    t.apply([append(&log("l"), &["x"; 40])]).await;
    let plan = PrunePlan { items: vec![entries(40)] };
    let first = t.store.prune(&plan, 10).await.unwrap();
    assert!(!first.done && first.rows > 0 && first.rows <= 20, "{first:?}");
    assert_eq!(places(&t).await.len() as u64, 40 - first.rows);
    prune(&t, plan.items).await;
    assert_eq!(places(&t).await.len(), 0);
}

async fn prune_of_nothing_is_done(t: Trial) {
    let none = t.store.prune(&PrunePlan::default(), 10).await.unwrap();
    assert_eq!(none, Pruned { rows: 0, done: true });
    let stream = Prune::Stream(log("none"));
    let history = Prune::History { key: item("none"), below: 9 };
    assert_eq!(prune(&t, [entries(9), stream, history]).await, 0);
}

async fn carried_out_plan_changes_nothing_more(t: Trial) {
    t.apply([append(&log("l"), &["x"; 9]), put(&item("a"), 1)]).await;
    t.write(put(&item("a"), 2)).await;
    let plan = [entries(5), Prune::History { key: item("a"), below: 2 }];
    assert!(prune(&t, plan.clone()).await >= 6);
    let before = t.everything().await;
    assert_eq!(prune(&t, plan).await, 0);
    assert_eq!(t.everything().await, before);
}

async fn plan_is_carried_out_item_by_item(t: Trial) {
    t.apply([append(&log("l"), &["x"; 7]), append(&log("m"), &["x"; 7])]).await;
    for n in 0..5 {
        t.write(put(&item("a"), n)).await;
        t.write(put(&item("b"), n)).await;
    }
    let version = t.write(delete(&item("b"))).await;
    prune(
        &t,
        [
            entries(4),
            Prune::Stream(log("m")),
            Prune::History { key: item("a"), below: 4 },
            Prune::Tombstone { key: item("b"), version },
        ],
    )
    .await;
    assert_eq!(places(&t).await, [5, 6, 7]);
    assert_eq!(t.entries(StreamQuery::of(log("m"))).await, []);
    assert_eq!((numbers(&t, "a").await, numbers(&t, "b").await), (vec![4, 5], vec![]));
}

async fn feed_before_pruned_history_is_compacted(t: Trial) {
    for n in 0..6 {
        t.write(put(&item("a"), n)).await;
    }
    prune(&t, [Prune::History { key: item("a"), below: 4 }]).await;
    for after in 0..3 {
        let error = t.store.changes(Revision(after), 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Compacted, "after {after}");
    }
}

async fn prune_leaves_the_feed_after_it_whole(t: Trial) {
    for n in 0..6 {
        t.write(put(&item("a"), n)).await;
    }
    prune(&t, [Prune::History { key: item("a"), below: 4 }]).await;
    t.write(put(&item("b"), 1)).await;
    for after in 3..=7 {
        let feed = walk_changes(t.backend(), Revision(after), 2).await.unwrap();
        let found: Vec<(u64, usize)> =
            feed.iter().map(|change| (change.revision.0, change.versions.len())).collect();
        assert_eq!(found, (after + 1..=7).map(|n| (n, 1)).collect::<Vec<_>>());
    }
}

async fn recent_commit_is_known_after_its_history_is_pruned(t: Trial) {
    let batch = t.batch([put(&item("a"), 1), append(&log("l"), &["x"])]);
    let first = t.apply_batch(&batch).await;
    t.write(put(&item("a"), 2)).await;
    t.wait(ALMOST_FORGOTTEN);
    t.write(put(&item("b"), 1)).await;
    prune(&t, [Prune::History { key: item("a"), below: 2 }, Prune::Stream(log("l"))]).await;
    assert_eq!(t.commit(&batch).await, Outcome::Replayed(first));
}

async fn prune_is_not_a_commit(t: Trial) {
    t.apply([append(&log("l"), &["x"; 4]), put(&item("a"), 1)]).await;
    let feed = t.feed().await;
    prune(&t, [entries(4)]).await;
    assert_eq!(t.feed().await, feed);
    assert_eq!(t.apply([put(&item("a"), 2)]).await.revision, Revision(2));
}
