//! Forgetting commits that hold no version any more.

use std::time::Duration;

use outlast_core::{
    Batch, Capability, ErrorKind, Key, Op, Outcome, Prune, PrunePlan, Revision, Seq, StreamQuery,
    Timestamp, Version, Versioned,
};

use super::prune::prune;
use crate::ops::{append, item, log, put};
use crate::snapshot::walk_changes;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(commits_that_only_appended_are_forgotten),
        Case::of(id_of_a_forgotten_commit_can_be_used_again),
        Case::of(commit_that_holds_a_version_is_not_forgotten),
        Case::of(commit_that_lost_some_of_its_versions_is_not_forgotten),
        Case::of(commit_that_lost_all_its_versions_is_forgotten),
        Case::of(commit_that_deleted_is_forgotten_with_its_tombstone),
        Case::of(commit_that_merged_is_forgotten_by_what_it_wrote),
        Case::of(commits_from_the_moment_on_are_not_forgotten),
        Case::of(id_of_a_later_moment_is_not_forgotten),
        Case::of(entries_outlive_the_commit_that_appended_them),
        Case::of(forgetting_is_bounded_and_gets_done),
        Case::of(forgetting_again_changes_nothing),
        Case::of(plan_forgets_what_it_made_forgettable),
        Case::of(feed_goes_on_after_its_last_commit_was_forgotten),
    ]
}

/// Forgets all commits so far that can be.
async fn forget(t: &Trial) -> u64 {
    t.wait(Duration::from_millis(1));
    let rows = prune(t, [Prune::Commits { before: t.now() }]).await;
    let found = t.store.verify().await.unwrap();
    assert_eq!(found.damages, [], "a store that forgot is no longer whole");
    rows
}

async fn is_known(t: &Trial, batch: &Batch) -> bool {
    match t.commit(batch).await {
        Outcome::Replayed(_) => true,
        Outcome::Applied(_) => false,
        Outcome::Conflict { key, .. } => panic!("{batch:?} found something else under {key}"),
    }
}

fn below(id: &str, below: u64) -> Prune {
    Prune::History { key: item(id), below }
}

/// Asserts that the feed begins after a commit and has all that follow.
async fn feed_begins_after(t: &Trial, revision: u64, last: u64) {
    for after in 0..revision {
        let error = t.store.changes(Revision(after), 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Compacted, "after {after}");
    }
    for after in revision..=last {
        let feed = walk_changes(t.backend(), Revision(after), 2).await.unwrap();
        let found: Vec<u64> = feed.iter().map(|change| change.revision.0).collect();
        assert_eq!(found, (after + 1..=last).collect::<Vec<_>>());
    }
}

async fn commits_that_only_appended_are_forgotten(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    for _ in 0..4 {
        t.apply([append(&log("l"), &["x"])]).await;
    }
    t.write(put(&item("a"), 2)).await;
    let before = t.everything().await;
    assert!(forget(&t).await > 0);
    feed_begins_after(&t, 5, 6).await;
    let after = t.everything().await;
    assert_eq!((after.slots, after.history), (before.slots, before.history));
    assert_eq!((after.streams, after.entries), (before.streams, before.entries));
}

async fn id_of_a_forgotten_commit_can_be_used_again(t: Trial) {
    let (same, other) =
        (t.batch([append(&log("l"), &["x"])]), t.batch([append(&log("l"), &["y"])]));
    t.apply_batch(&same).await;
    t.apply_batch(&other).await;
    forget(&t).await;
    let receipt = t.apply_batch(&same).await;
    assert_eq!((receipt.revision, receipt.appended[0].1), (Revision(3), Seq(3)));
    let changed = Batch { ops: vec![put(&item("a"), 1)], ..other };
    assert_eq!(t.apply_batch(&changed).await.revision, Revision(4));
    assert!(is_known(&t, &same).await && is_known(&t, &changed).await);
}

async fn commit_that_holds_a_version_is_not_forgotten(t: Trial) {
    t.apply([append(&log("l"), &["x"])]).await;
    let batch = t.batch([put(&item("a"), 1), append(&log("l"), &["y"])]);
    let first = t.apply_batch(&batch).await;
    t.apply([append(&log("l"), &["z"])]).await;
    forget(&t).await;
    assert_eq!(t.commit(&batch).await, Outcome::Replayed(first));
    feed_begins_after(&t, 3, 3).await;
}

async fn commit_that_lost_some_of_its_versions_is_not_forgotten(t: Trial) {
    let batch = t.batch(["a", "b", "c"].map(|id| put(&item(id), 1)));
    let first = t.apply_batch(&batch).await;
    for id in ["a", "c", "b"] {
        forget(&t).await;
        assert_eq!(t.commit(&batch).await, Outcome::Replayed(first.clone()), "before {id}");
        t.write(put(&item(id), 2)).await;
        prune(&t, [below(id, 2)]).await;
    }
    assert_eq!(t.commit(&batch).await, Outcome::Replayed(first));
    forget(&t).await;
    assert!(!is_known(&t, &batch).await);
}

async fn commit_that_lost_all_its_versions_is_forgotten(t: Trial) {
    let old = t.batch([put(&item("a"), 1), append(&log("l"), &["x"])]);
    let head = t.batch([put(&item("a"), 2)]);
    t.apply_batch(&old).await;
    t.apply_batch(&head).await;
    prune(&t, [below("a", 2)]).await;
    assert!(is_known(&t, &old).await);
    forget(&t).await;
    assert!(is_known(&t, &head).await);
    assert_eq!(t.apply_batch(&old).await.versions[0].1.n, 3);
}

async fn commit_that_deleted_is_forgotten_with_its_tombstone(t: Trial) {
    let born = t.batch([put(&item("a"), 1)]);
    t.apply_batch(&born).await;
    let delete = t.batch([crate::ops::delete(&item("a"))]);
    let version = t.apply_batch(&delete).await.versions[0].1;
    prune(&t, [below("a", 2)]).await;
    forget(&t).await;
    assert!(is_known(&t, &delete).await, "its tombstone is a version");
    prune(&t, [Prune::Tombstone { key: item("a"), version }]).await;
    // The numbers of what was pruned are given again, and are not those commits' versions.
    t.write(put(&item("a"), 1)).await;
    t.write(put(&item("a"), 2)).await;
    forget(&t).await;
    assert!(!is_known(&t, &born).await && !is_known(&t, &delete).await);
}

fn foreign(t: &Trial, key: &Key, n: u64) -> Versioned {
    Versioned {
        key: key.clone(),
        version: Version::new(t.store.info().epoch, n),
        revision: Revision(n),
        commit: t.id(),
        at: Timestamp::from_micros(1),
        action: outlast_core::Action::create(),
        actor: None,
        reason: None,
        metadata: None,
        schema: 1,
        attrs: outlast_core::Attributes::new(),
        state: Some(crate::ops::number(1)),
    }
}

async fn commit_that_merged_is_forgotten_by_what_it_wrote(t: Trial) {
    let merge =
        |n| Op::MergeRecord { record: Box::new(foreign(&t, &item("a"), n)), history: vec![] };
    let head = t.batch([merge(5), append(&log("l"), &["x"])]);
    let beneath = t.batch([merge(3)]);
    t.apply_batch(&head).await;
    t.apply_batch(&beneath).await;
    let before = t.everything().await;
    forget(&t).await;
    feed_begins_after(&t, 2, 2).await;
    let after = t.everything().await;
    assert_eq!((after.slots, after.history), (before.slots, before.history));
    assert!(is_known(&t, &head).await, "the head is its version");
    prune(&t, [below("a", 4)]).await;
    forget(&t).await;
    assert!(is_known(&t, &head).await, "the head is its version");
    t.write(put(&item("a"), 6)).await;
    prune(&t, [below("a", 6)]).await;
    forget(&t).await;
    let reused = Batch { ops: vec![append(&log("l"), &["y"])], ..head };
    assert!(!is_known(&t, &reused).await);
}

async fn commits_from_the_moment_on_are_not_forgotten(t: Trial) {
    let batches: Vec<Batch> = (0..5).map(|_| t.batch([append(&log("l"), &["x"])])).collect();
    let mut moments = Vec::new();
    for batch in &batches {
        t.wait(Duration::from_millis(10));
        moments.push(t.apply_batch(batch).await.at);
    }
    assert_eq!(prune(&t, [Prune::Commits { before: moments[0] }]).await, 0);
    prune(&t, [Prune::Commits { before: moments[2] }]).await;
    feed_begins_after(&t, 2, 5).await;
    for (n, batch) in batches.iter().enumerate() {
        assert_eq!(is_known(&t, batch).await, n >= 2, "commit {n}");
    }
}

async fn id_of_a_later_moment_is_not_forgotten(t: Trial) {
    let made_late = {
        t.wait(Duration::from_mins(1));
        let batch = t.batch([append(&log("l"), &["x"])]);
        t.clock.jump_to(Timestamp::from_micros(t.now().as_micros() - 60_000_000));
        batch
    };
    let made_now = t.batch([append(&log("l"), &["y"])]);
    t.apply_batch(&made_late).await;
    t.apply_batch(&made_now).await;
    forget(&t).await;
    assert!(is_known(&t, &made_late).await, "its id could be sent again for a minute more");
    assert!(!is_known(&t, &made_now).await);
    t.wait(Duration::from_mins(1));
    forget(&t).await;
    assert!(!is_known(&t, &made_late).await);
}

async fn entries_outlive_the_commit_that_appended_them(t: Trial) {
    t.apply([append(&log("l"), &["x", "y"])]).await;
    t.apply([append(&log("l"), &["z"])]).await;
    let before = t.entries(StreamQuery::of(log("l"))).await;
    forget(&t).await;
    assert_eq!(t.entries(StreamQuery::of(log("l"))).await, before);
    assert_eq!(t.apply([append(&log("l"), &["x"])]).await.appended[0].1, Seq(4));
}

async fn forgetting_is_bounded_and_gets_done(t: Trial) {
    for n in 0..40 {
        let kept = (n % 8 == 0).then(|| put(&item(&format!("k{n}")), n));
        t.apply(kept.into_iter().chain([append(&log("l"), &["x"])])).await;
    }
    t.wait(Duration::from_millis(1));
    let plan = PrunePlan { items: vec![Prune::Commits { before: t.now() }] };
    let first = t.store.prune(&plan, 10).await.unwrap();
    assert!(!first.done && first.rows > 0 && first.rows <= 20, "{first:?}");
    let error = t.store.changes(Revision::ZERO, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compacted);
    prune(&t, plan.items).await;
    feed_begins_after(&t, 40, 40).await;
}

async fn forgetting_again_changes_nothing(t: Trial) {
    assert_eq!(forget(&t).await, 0, "there is nothing to forget");
    t.apply([append(&log("l"), &["x"])]).await;
    t.apply([put(&item("a"), 1), put(&item("b"), 1)]).await;
    t.write(put(&item("a"), 2)).await;
    prune(&t, [below("a", 2)]).await;
    assert!(forget(&t).await > 0);
    let before = t.everything().await;
    assert_eq!(forget(&t).await, 0);
    assert_eq!(t.everything().await, before);
}

async fn plan_forgets_what_it_made_forgettable(t: Trial) {
    let batch = t.batch([put(&item("a"), 1)]);
    t.apply_batch(&batch).await;
    let version = t.write(crate::ops::delete(&item("a"))).await;
    t.wait(Duration::from_millis(1));
    let tombstone = Prune::Tombstone { key: item("a"), version };
    let plan = PrunePlan { items: vec![tombstone, Prune::Commits { before: t.now() }] };
    while !t.store.prune(&plan, 100).await.unwrap().done {}
    assert!(!is_known(&t, &batch).await);
}

async fn feed_goes_on_after_its_last_commit_was_forgotten(mut t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([append(&log("l"), &["x"])]).await;
    forget(&t).await;
    let beyond = t.store.changes(Revision(2), 10).await.unwrap();
    assert_eq!((beyond.items.len(), beyond.next), (0, None));
    assert_eq!(t.apply([append(&log("l"), &["y"])]).await.revision, Revision(3));
    forget(&t).await;
    if t.can(Capability::Persistent) {
        t.reopen().await;
        assert_eq!(t.write(put(&item("a"), 2)).await.n, 2);
        feed_begins_after(&t, 3, 4).await;
    }
}
