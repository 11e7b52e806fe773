//! Sending a batch again is safe.

use std::time::Duration;

use outlast_core::{
    Batch, Capability, Cause, CommitId, Durability, ErrorKind, Expect, Outcome, REMEMBERED_FOR,
};

use crate::ops::{append, assert, create, delete, int, item, log, put, touch};
use crate::trial::ALMOST_FORGOTTEN;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(replayed_batch_gets_its_first_receipt),
        Case::of(replay_after_later_writes_changes_nothing),
        Case::of(replay_of_a_create_is_no_conflict),
        Case::of(replayed_append_is_not_appended_twice),
        Case::of(other_batch_under_the_same_id_is_invalid),
        Case::of(other_cause_under_the_same_id_is_invalid),
        Case::of(other_durability_is_the_same_batch),
        Case::of(conflict_is_not_remembered),
        Case::of(refused_batch_is_not_remembered),
        Case::of(replays_at_once_apply_once),
        Case::of(two_batches_at_once_under_one_id_apply_one),
        Case::of(id_older_than_remembered_is_refused),
        Case::of(known_id_is_answered_whatever_its_age),
        Case::of(repeated_touch_is_harmless),
        Case::of(replay_after_reopening_is_known_if_persistent),
    ]
}

async fn replayed(t: &Trial, batch: &Batch) -> outlast_core::Receipt {
    match t.commit(batch).await {
        Outcome::Replayed(receipt) => receipt,
        other => panic!("should be a replay, not {other:?}"),
    }
}

async fn replayed_batch_gets_its_first_receipt(t: Trial) {
    t.write(put(&item("gone"), 1)).await;
    let ops = [create(&item("a"), 1), append(&log("l"), &["x", "y"]), delete(&item("gone"))];
    let batch = t.batch(ops);
    let first = t.apply_batch(&batch).await;
    t.wait(Duration::from_mins(1));
    let before = t.everything().await;
    for _ in 0..3 {
        assert_eq!(replayed(&t, &batch).await, first);
    }
    assert_eq!(t.everything().await, before);
}

async fn replay_after_later_writes_changes_nothing(t: Trial) {
    let batch = t.batch([put(&item("a"), 1), append(&log("l"), &["x"])]);
    let first = t.apply_batch(&batch).await;
    t.write(put(&item("a"), 2)).await;
    t.apply([append(&log("l"), &["y"])]).await;
    t.write(delete(&item("a"))).await;
    let before = t.everything().await;
    assert_eq!(replayed(&t, &batch).await, first);
    assert_eq!(t.everything().await, before);
}

async fn replay_of_a_create_is_no_conflict(t: Trial) {
    let batch = t.batch([create(&item("a"), 1)]);
    t.apply_batch(&batch).await;
    replayed(&t, &batch).await;
}

async fn replayed_append_is_not_appended_twice(t: Trial) {
    let batch = t.batch([append(&log("l"), &["x"])]);
    t.apply_batch(&batch).await;
    replayed(&t, &batch).await;
    assert_eq!(t.entries(outlast_core::StreamQuery::of(log("l"))).await.len(), 1);
}

async fn other_batch_under_the_same_id_is_invalid(t: Trial) {
    let batch = t.batch([put(&item("a"), 1)]);
    t.apply_batch(&batch).await;
    for ops in [
        vec![put(&item("a"), 2)],
        vec![put(&item("b"), 1)],
        vec![create(&item("a"), 1)],
        vec![put(&item("a"), 1), put(&item("b"), 1)],
        vec![append(&log("a"), &["1"])],
    ] {
        assert_eq!(t.refused(&Batch { ops, ..batch.clone() }).await, ErrorKind::Invalid);
    }
}

async fn other_cause_under_the_same_id_is_invalid(t: Trial) {
    let batch = t.batch([put(&item("a"), 1)]);
    t.apply_batch(&batch).await;
    let cause = Cause::default().because("another reason");
    assert_eq!(t.refused(&Batch { cause, ..batch }).await, ErrorKind::Invalid);
}

async fn other_durability_is_the_same_batch(t: Trial) {
    let batch = t.batch([put(&item("a"), 1)]);
    t.apply_batch(&batch).await;
    replayed(&t, &Batch { durability: Durability::Enqueued, ..batch }).await;
}

async fn conflict_is_not_remembered(t: Trial) {
    let batch = t.batch([put(&item("a"), 1), assert(&item("b"), Expect::Live)]);
    assert!(matches!(t.commit(&batch).await, Outcome::Conflict { .. }));
    t.write(put(&item("b"), 1)).await;
    t.apply_batch(&batch).await;
}

async fn refused_batch_is_not_remembered(t: Trial) {
    let id = t.batch([]).id;
    let refused = Batch { id, ..t.batch([put(&item("a"), 1), put(&item("a"), 2)]) };
    assert_eq!(t.refused(&refused).await, ErrorKind::Invalid);
    t.apply_batch(&Batch { id, ..t.batch([put(&item("a"), 3)]) }).await;
}

async fn replays_at_once_apply_once(t: Trial) {
    let batch = t.batch([put(&item("a"), 1), append(&log("l"), &["x"])]);
    let sent: Vec<_> = (0..10)
        .map(|_| {
            let (store, batch) = (t.store.clone(), batch.clone());
            tokio::spawn(async move { store.commit(batch).await.unwrap() })
        })
        .collect();
    let mut applied = 0;
    let mut receipts = Vec::new();
    for answer in sent {
        match answer.await.unwrap() {
            Outcome::Applied(receipt) => {
                applied += 1;
                receipts.push(receipt);
            }
            Outcome::Replayed(receipt) => receipts.push(receipt),
            Outcome::Conflict { .. } => panic!("a replay is no conflict"),
        }
    }
    receipts.dedup();
    assert_eq!((applied, receipts.len()), (1, 1));
    assert_eq!(t.versions(&item("a")).await.len(), 1);
    assert_eq!(t.feed().await.len(), 1);
}

async fn two_batches_at_once_under_one_id_apply_one(t: Trial) {
    let one = t.batch([put(&item("a"), 1)]);
    let other = Batch { ops: vec![put(&item("b"), 1)], ..one.clone() };
    let (first, second) = tokio::join!(t.store.commit(one), t.store.commit(other));
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
    let refused = first.err().or(second.err()).unwrap();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(t.ids(crate::ops::items(10)).await.len(), 1);
}

async fn id_older_than_remembered_is_refused(t: Trial) {
    let batch = t.batch([put(&item("a"), 1)]);
    t.wait(REMEMBERED_FOR + Duration::from_secs(1));
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
    let younger = t.batch([put(&item("a"), 1)]);
    t.wait(ALMOST_FORGOTTEN);
    t.apply_batch(&younger).await;
}

async fn known_id_is_answered_whatever_its_age(t: Trial) {
    let batch = t.batch([put(&item("a"), 1)]);
    let first = t.apply_batch(&batch).await;
    t.wait(ALMOST_FORGOTTEN);
    assert_eq!(replayed(&t, &batch).await, first);
    let beyond_the_unix_epoch = CommitId::from_bytes({
        let mut bytes = *t.id().as_bytes();
        bytes[..6].fill(0);
        bytes
    });
    let ancient = Batch { id: beyond_the_unix_epoch.unwrap(), ..t.batch([put(&item("b"), 1)]) };
    assert_eq!(t.refused(&ancient).await, ErrorKind::Invalid);
}

async fn repeated_touch_is_harmless(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    let batch = t.batch([touch(&item("a"), int("beat", 7))]);
    t.commit(&batch).await;
    let before = t.everything().await;
    assert!(!matches!(t.commit(&batch).await, Outcome::Conflict { .. }));
    assert_eq!(t.everything().await, before);
}

async fn replay_after_reopening_is_known_if_persistent(mut t: Trial) {
    let batch = t.batch([put(&item("a"), 1), append(&log("l"), &["x"])]);
    let first = t.apply_batch(&batch).await;
    let persistent = t.can(Capability::Persistent);
    t.reopen().await;
    if persistent {
        assert_eq!(replayed(&t, &batch).await, first);
    } else {
        t.apply_batch(&batch).await;
    }
    assert_eq!(t.versions(&item("a")).await.len(), 1);
}
