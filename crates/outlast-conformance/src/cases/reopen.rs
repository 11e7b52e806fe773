//! What closing and opening again keeps: everything, or as declared nothing.

use outlast_core::{Capability, Expect, Slot};

use crate::ops::{append, assert, delete, int, item, items, log, put, tagged, text, touch};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(reopened_store_keeps_everything),
        Case::of(crashed_store_keeps_what_was_acknowledged),
        Case::of(reopened_store_keeps_transient_attributes),
        Case::of(reopened_store_goes_on_where_it_was),
        Case::of(reopened_store_is_the_same_store),
        Case::of(reopened_store_keeps_its_index),
        Case::of(reopened_store_keeps_what_was_pruned_pruned),
        Case::of(reopening_twice_changes_nothing),
        Case::of(cursors_outlive_the_process),
    ]
}

async fn fill(t: &Trial) {
    t.apply([tagged(&item("a"), int("x", 1)), tagged(&item("b"), text("x", "é'"))]).await;
    t.apply([append(&log("l"), &["one", "", "three"]), put(&item("c"), 1)]).await;
    t.write(put(&item("a"), 2)).await;
    t.write(delete(&item("c"))).await;
    t.apply([touch(&item("b"), int("beat", 9))]).await;
}

async fn is_empty(t: &Trial) {
    let found = t.everything().await;
    assert_eq!((found.slots.len(), found.history.len(), found.entries.len()), (0, 0, 0));
    assert_eq!((found.streams, found.feed), (vec![], Some(vec![])));
}

async fn reopened_store_keeps_everything(mut t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    if persistent {
        assert_eq!(t.everything().await, before);
    } else {
        is_empty(&t).await;
    }
}

async fn crashed_store_keeps_what_was_acknowledged(mut t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let persistent = t.can(Capability::Persistent);
    t.crash().await;
    if persistent {
        assert_eq!(t.everything().await, before);
    } else {
        is_empty(&t).await;
    }
    t.write(put(&item("d"), 1)).await;
}

async fn reopened_store_keeps_transient_attributes(mut t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 9))]).await;
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    if persistent {
        assert_eq!(t.record(&item("a")).await.transient, int("beat", 9));
        t.apply([touch(&item("a"), int("beat", 10))]).await;
        assert_eq!(t.record(&item("a")).await.transient, int("beat", 10));
    } else {
        t.conflict([touch(&item("a"), int("beat", 10))]).await;
    }
}

async fn reopened_store_goes_on_where_it_was(mut t: Trial) {
    let version = t.write(put(&item("a"), 1)).await;
    let revision = t.apply([append(&log("l"), &["x"])]).await.revision;
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    let receipt = t.apply([put(&item("a"), 2), append(&log("l"), &["y"])]).await;
    let (n, seq) = (receipt.version(&item("a")).unwrap(), receipt.appended[0].1.0);
    if persistent {
        assert_eq!(n, outlast_core::Version::new(version.epoch, 2));
        assert_eq!((receipt.revision, seq), (revision.next(), 2));
    } else {
        assert_eq!((receipt.revision.0, n.n, seq), (1, 1, 1));
    }
}

async fn reopened_store_is_the_same_store(mut t: Trial) {
    let before = t.store.info();
    let fence = t.write(put(&item("a"), 1)).await;
    // Two volatile stores of one millisecond could share an epoch; a real restart takes longer.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    t.reopen().await;
    let after = t.store.info();
    if before.can(Capability::Persistent) {
        assert_eq!(after, before);
        return;
    }
    assert_ne!((after.store, after.incarnation), (before.store, before.incarnation));
    assert_ne!(after.epoch, before.epoch, "a forgotten version could mean something else");
    t.write(put(&item("a"), 2)).await;
    t.conflict([assert(&item("a"), Expect::At(fence)), put(&item("b"), 1)]).await;
}

async fn reopened_store_keeps_its_index(mut t: Trial) {
    fill(&t).await;
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    t.apply([tagged(&item("d"), text("x", "é'"))]).await;
    let query = items(1).filter(outlast_core::Filter::is(crate::ops::name("x"), "é'"));
    let expected: &[&str] = if persistent { &["b", "d"] } else { &["d"] };
    assert_eq!(t.ids(query.clone()).await, expected);
    assert_eq!(t.store.count(&query, &[]).await.unwrap().total, expected.len() as u64);
}

async fn reopened_store_keeps_what_was_pruned_pruned(mut t: Trial) {
    fill(&t).await;
    let Slot::Tombstone { version, .. } = t.slot(&item("c")).await else {
        panic!("c was deleted");
    };
    let plan = outlast_core::PrunePlan {
        items: vec![
            outlast_core::Prune::Tombstone { key: item("c"), version },
            outlast_core::Prune::Entries { stream: log("l"), up_to: outlast_core::Seq(2) },
        ],
    };
    while !t.store.prune(&plan, 100).await.unwrap().done {}
    let before = t.everything().await;
    assert_eq!(before.feed, None, "the feed lacks a version and does not say so");
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    if persistent {
        assert_eq!(t.everything().await, before);
    } else {
        is_empty(&t).await;
    }
}

async fn reopening_twice_changes_nothing(mut t: Trial) {
    fill(&t).await;
    t.reopen().await;
    let once = t.everything().await;
    let persistent = t.can(Capability::Persistent);
    for _ in 0..2 {
        t.reopen().await;
    }
    t.crash().await;
    assert_eq!(t.everything().await, once);
    assert_eq!(once.slots.is_empty(), !persistent);
}

async fn cursors_outlive_the_process(mut t: Trial) {
    t.apply((0..9).map(|n| put(&item(&format!("k{n}")), n))).await;
    let page = t.store.list(&items(4)).await.unwrap();
    let cursor: outlast_core::Cursor = page.next.unwrap().to_string().parse().unwrap();
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    let rest = outlast_core::Query { page: items(4).page.after(cursor), ..items(4) };
    let expected: &[&str] = if persistent { &["k4", "k5", "k6", "k7", "k8"] } else { &[] };
    assert_eq!(t.ids(rest).await, expected);
}
