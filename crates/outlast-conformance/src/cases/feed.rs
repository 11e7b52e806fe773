//! The ordered feed of every commit.

use outlast_core::{Outcome, Revision, Slot};

use crate::ops::{append, create, delete, int, item, log, put, touch};
use crate::snapshot::walk_changes;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(fresh_store_has_an_empty_feed),
        Case::of(feed_tells_every_commit_once_in_order),
        Case::of(feed_carries_what_the_history_holds),
        Case::of(conflicts_leave_no_gap_in_the_feed),
        Case::of(feed_goes_on_after_any_revision),
        Case::of(feed_pages_are_bounded),
        Case::of(feed_beyond_the_last_commit_is_empty),
        Case::of(feed_of_concurrent_writers_has_no_gap),
        Case::of(replayed_feed_gives_the_present),
        Case::of(touches_alone_are_not_in_the_feed),
    ]
}

async fn fresh_store_has_an_empty_feed(t: Trial) {
    let page = t.store.changes(Revision::ZERO, 10).await.unwrap();
    assert_eq!(page.items, []);
    assert_eq!(t.apply([put(&item("a"), 1)]).await.revision, Revision(1));
}

async fn feed_tells_every_commit_once_in_order(t: Trial) {
    let mut receipts = Vec::new();
    for n in 0..7 {
        receipts.push(t.apply([put(&item("a"), n), append(&log("l"), &["x"])]).await);
    }
    let feed = t.feed().await;
    assert_eq!(feed.len(), receipts.len());
    for ((change, receipt), n) in feed.iter().zip(&receipts).zip(1..) {
        assert_eq!(change.revision, Revision(n));
        assert_eq!((change.revision, change.commit), (receipt.revision, receipt.id));
        assert_eq!((change.at, &change.appended), (receipt.at, &receipt.appended));
    }
}

async fn feed_carries_what_the_history_holds(t: Trial) {
    t.apply([put(&item("b"), 1), put(&item("a"), 1), append(&log("l"), &["x", "y"])]).await;
    t.apply([delete(&item("b")), put(&item("a"), 2)]).await;
    let feed = t.feed().await;
    let ids: Vec<Vec<String>> = feed
        .iter()
        .map(|change| change.versions.iter().flatten().map(|v| v.key.id().to_owned()).collect())
        .collect();
    assert_eq!(ids, [["b", "a"], ["b", "a"]]);
    for change in feed {
        for version in change.versions.into_iter().map(Result::unwrap) {
            let kept = t.versions(&version.key).await;
            assert!(kept.contains(&version), "{version:?} is not in the history");
        }
    }
}

async fn conflicts_leave_no_gap_in_the_feed(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.conflict([create(&item("a"), 2)]).await;
    assert_eq!(t.apply([put(&item("a"), 3)]).await.revision, Revision(2));
    assert_eq!(t.feed().await.len(), 2);
}

async fn feed_goes_on_after_any_revision(t: Trial) {
    for n in 0..9 {
        t.write(put(&item("a"), n)).await;
    }
    for after in 0..=9 {
        let feed = walk_changes(t.backend(), Revision(after), 4).await.unwrap();
        let revisions: Vec<u64> = feed.iter().map(|change| change.revision.0).collect();
        assert_eq!(revisions, (after + 1..=9).collect::<Vec<_>>());
    }
}

async fn feed_pages_are_bounded(t: Trial) {
    for n in 0..9 {
        t.write(put(&item("a"), n)).await;
    }
    let page = t.store.changes(Revision(2), 3).await.unwrap();
    let revisions: Vec<u64> = page.items.iter().map(|change| change.revision.0).collect();
    assert!(!revisions.is_empty() && revisions.len() <= 3);
    assert!(revisions.iter().zip(3..).all(|(revision, n)| *revision == n));
    assert!(page.next.is_some(), "there is more");
    let page = t.store.changes(Revision(6), 3).await.unwrap();
    assert_eq!((page.items.len(), page.next), (3, None));
}

async fn feed_beyond_the_last_commit_is_empty(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    for after in [1, 2, 1000, u64::MAX >> 1] {
        let page = t.store.changes(Revision(after), 10).await.unwrap();
        assert_eq!((page.items.len(), page.next), (0, None), "after {after}");
    }
}

async fn feed_of_concurrent_writers_has_no_gap(t: Trial) {
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = t.store.clone();
            let batches: Vec<_> = (0..20)
                .map(|n| t.batch([put(&item(&format!("k{}", (writer + n) % 5)), n)]))
                .collect();
            tokio::spawn(async move {
                let mut done = Vec::new();
                for batch in batches {
                    match store.commit(batch).await.unwrap() {
                        Outcome::Applied(receipt) => done.push((receipt.revision, receipt.id)),
                        other => panic!("{other:?}"),
                    }
                }
                assert!(done.is_sorted(), "a later commit came earlier in the feed");
                done
            })
        })
        .collect();
    let mut told = Vec::new();
    for writer in writers {
        told.extend(writer.await.unwrap());
    }
    told.sort_unstable();
    let feed: Vec<_> = t.feed().await.into_iter().map(|c| (c.revision, c.commit)).collect();
    assert_eq!(feed, told);
    assert!(feed.iter().zip(1..).all(|((revision, _), n)| revision.0 == n));
}

async fn replayed_feed_gives_the_present(t: Trial) {
    for n in 0..30_i64 {
        let key = item(&format!("k{}", n % 4));
        let gone = n % 7 == 6 && t.live(&key).await.is_some();
        t.apply([if gone { delete(&key) } else { put(&key, n) }]).await;
    }
    let mut heads = std::collections::BTreeMap::new();
    for version in t.feed().await.into_iter().flat_map(|change| change.versions) {
        let version = version.unwrap();
        heads.insert(version.key.clone(), version);
    }
    for (key, version) in heads {
        match t.slot(&key).await {
            Slot::Live(record) => {
                assert_eq!((record.version, Some(record.state)), (version.version, version.state));
            }
            Slot::Tombstone { version: last, .. } => {
                assert_eq!((last, version.state), (version.version, None));
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn touches_alone_are_not_in_the_feed(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 1))]).await;
    t.write(put(&item("a"), 2)).await;
    let revisions: Vec<u64> = t.feed().await.iter().map(|change| change.revision.0).collect();
    assert_eq!(revisions, [1, 2]);
}
