//! Bytes that rot are noticed, named and kept away from the others.
//!
//! A store that is not persistent has no bytes that could rot while it is closed: there the
//! cases check that it says so, and that verification finds it whole.

use outlast_core::{Capability, ErrorKind, HistoryQuery, Revision, Scope, Seq, Slot, StreamQuery};

use crate::ops::{append, item, items, log, put};
use crate::snapshot::{walk_changes, walk_history, walk_list, walk_stream};
use crate::{Case, Target, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(whole_store_verifies_and_is_counted),
        Case::of(damaged_head_is_named_and_never_given_out),
        Case::of(damaged_head_leaves_the_others_readable),
        Case::of(damaged_version_leaves_the_others_readable),
        Case::of(damaged_entry_leaves_the_others_readable),
        Case::of(damaged_version_does_not_end_the_feed),
        Case::of(others_can_be_written_beside_damage),
        Case::of(verification_changes_nothing),
    ]
}

async fn fill(t: &Trial) {
    t.apply(["a", "b", "c"].map(|id| put(&item(id), 1))).await;
    t.apply(["a", "b", "c"].map(|id| put(&item(id), 2))).await;
    t.apply([append(&log("l"), &["one", "two", "three"]), append(&log("m"), &["x"])]).await;
}

/// Damages while the store is closed. `false` if nothing can rot, which has been checked.
pub(super) async fn damage(t: &mut Trial, target: Target) -> bool {
    let persistent = t.can(Capability::Persistent);
    t.store.close().await.unwrap();
    let damaged = t.site.damage(&target).await.unwrap();
    t.reopen().await;
    assert_eq!(damaged, persistent, "what persists can rot, and nothing else");
    if !damaged {
        assert_eq!(t.store.verify().await.unwrap(), outlast_core::Verification::default());
    }
    damaged
}

async fn verify_names(t: &Trial, id: &str) {
    let found = t.store.verify().await.unwrap();
    assert!(found.damaged > 0, "verification finds nothing");
    assert!(found.damages.iter().any(|damage| damage.what.contains(id)), "{found:?}");
}

async fn whole_store_verifies_and_is_counted(t: Trial) {
    fill(&t).await;
    let gone = item("gone");
    t.write(put(&gone, 1)).await;
    t.write(crate::ops::delete(&gone)).await;
    let found = t.store.verify().await.unwrap();
    assert_eq!((found.entities, found.versions, found.entries), (4, 8, 4));
    assert_eq!((found.damaged, found.damages), (0, vec![]));
}

async fn damaged_head_is_named_and_never_given_out(mut t: Trial) {
    fill(&t).await;
    if !damage(&mut t, Target::Head(item("b"))).await {
        return;
    }
    match t.slot(&item("b")).await {
        Slot::Damaged(damage) => {
            assert!(damage.what.contains("item/b"), "{damage:?}");
            let error = Slot::Damaged(damage).live().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        other => panic!("damaged bytes were given out as {other:?}"),
    }
    verify_names(&t, "item/b").await;
}

async fn damaged_head_leaves_the_others_readable(mut t: Trial) {
    fill(&t).await;
    let (a, c) = (t.slot(&item("a")).await, t.slot(&item("c")).await);
    if !damage(&mut t, Target::Head(item("b"))).await {
        return;
    }
    let slots = t.store.get(&["a", "b", "c"].map(item)).await.unwrap();
    assert_eq!((&slots[0], &slots[2]), (&a, &c));
    let listed = walk_list(t.backend(), items(1)).await;
    assert!(listed.contains(&a) && listed.contains(&c));
    let damaged = listed.iter().filter(|slot| matches!(slot, Slot::Damaged(_))).count();
    assert_eq!((damaged, listed.len()), (1, 3), "a listing hides the damage");
    assert_eq!(t.versions(&item("a")).await.len(), 2);
}

async fn damaged_version_leaves_the_others_readable(mut t: Trial) {
    fill(&t).await;
    let head = t.slot(&item("b")).await;
    if !damage(&mut t, Target::Version(item("b"), 1)).await {
        return;
    }
    assert_eq!(t.slot(&item("b")).await, head);
    let history = HistoryQuery::of(Scope::Entity(item("b")));
    let found = walk_history(t.backend(), history).await;
    assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    let all = walk_history(t.backend(), HistoryQuery::of(Scope::All(None))).await;
    assert_eq!((all.len(), all.iter().filter(|version| version.is_err()).count()), (6, 1));
    verify_names(&t, "item/b").await;
}

async fn damaged_entry_leaves_the_others_readable(mut t: Trial) {
    fill(&t).await;
    if !damage(&mut t, Target::Entry(log("l"), Seq(2))).await {
        return;
    }
    let found = walk_stream(t.backend(), StreamQuery::of(log("l"))).await;
    assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(t.entries(StreamQuery::of(log("m"))).await.len(), 1);
    verify_names(&t, "log/l").await;
    let receipt = t.apply([append(&log("l"), &["four"])]).await;
    assert_eq!(receipt.appended[0].1, Seq(4));
}

async fn damaged_version_does_not_end_the_feed(mut t: Trial) {
    fill(&t).await;
    if !damage(&mut t, Target::Version(item("b"), 1)).await {
        return;
    }
    let feed = walk_changes(t.backend(), Revision::ZERO, 1).await.unwrap();
    let revisions: Vec<u64> = feed.iter().map(|change| change.revision.0).collect();
    assert_eq!(revisions, [1, 2, 3]);
    let whole: Vec<bool> = feed[0].versions.iter().map(Result::is_ok).collect();
    assert_eq!(whole.iter().filter(|ok| !**ok).count(), 1, "{whole:?}");
    assert_eq!(whole.len(), 3);
}

async fn others_can_be_written_beside_damage(mut t: Trial) {
    fill(&t).await;
    if !damage(&mut t, Target::Head(item("b"))).await {
        return;
    }
    assert_eq!(t.write(put(&item("a"), 3)).await.n, 3);
    assert_eq!(t.write(put(&item("d"), 1)).await.n, 1);
    t.reopen().await;
    assert_eq!(t.record(&item("a")).await.version.n, 3);
    assert!(matches!(t.slot(&item("b")).await, Slot::Damaged(_)));
}

async fn verification_changes_nothing(mut t: Trial) {
    fill(&t).await;
    let before = t.everything().await;
    let first = t.store.verify().await.unwrap();
    assert_eq!(t.store.verify().await.unwrap(), first);
    assert_eq!(t.everything().await, before);
    if damage(&mut t, Target::Entry(log("l"), Seq(1))).await {
        let first = t.store.verify().await.unwrap();
        assert_eq!(t.store.verify().await.unwrap(), first);
    }
}
