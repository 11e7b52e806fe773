//! What is promised is what was asked for, or the batch is refused.

use outlast_core::{Batch, Durability, ErrorKind};

use crate::ops::{assert, create, item, items, put};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(receipt_states_the_stores_durability),
        Case::of(durability_beyond_the_store_is_refused),
        Case::of(batch_in_a_group_is_refused_alone),
        Case::of(sync_of_a_fresh_store_is_fine),
        Case::of(enqueued_batches_are_there_after_sync),
        Case::of(enqueued_batches_keep_their_order),
        Case::of(failed_enqueued_batch_is_told_by_sync_once),
        Case::of(invalid_batch_is_not_even_enqueued),
    ]
}

async fn receipt_states_the_stores_durability(t: Trial) {
    let given = t.store.info().durability;
    assert!(given >= Durability::Volatile, "a store gives at least visibility");
    for least in [Durability::Enqueued, Durability::Volatile, given] {
        let batch = Batch { durability: least, ..t.batch([put(&item("a"), 1)]) };
        assert_eq!(t.apply_batch(&batch).await.durability, given);
    }
}

async fn durability_beyond_the_store_is_refused(t: Trial) {
    let batch = Batch { durability: Durability::Durable, ..t.batch([put(&item("a"), 1)]) };
    if t.store.info().durability >= Durability::Durable {
        assert_eq!(t.apply_batch(&batch).await.durability, Durability::Durable);
    } else {
        assert_eq!(t.refused(&batch).await, ErrorKind::Unsupported);
    }
}

async fn batch_in_a_group_is_refused_alone(t: Trial) {
    let batches = (0..12).map(|n| {
        let mut batch = t.batch([create(&item(&format!("k{n:02}")), n)]);
        if n % 3 == 0 {
            batch.ops.push(assert(&item("none"), outlast_core::Expect::Live));
        }
        if n % 4 == 1 {
            batch.ops.clear();
        }
        batch
    });
    let sent: Vec<_> = batches
        .map(|batch| {
            let store = t.store.clone();
            tokio::spawn(async move { drop(store.commit(batch).await) })
        })
        .collect();
    for answer in sent {
        answer.await.unwrap();
    }
    let expected: Vec<String> =
        (0..12).filter(|n| n % 3 != 0 && n % 4 != 1).map(|n| format!("k{n:02}")).collect();
    assert_eq!(t.ids(items(20)).await, expected);
}

async fn sync_of_a_fresh_store_is_fine(t: Trial) {
    t.store.sync().await.unwrap();
    t.write(put(&item("a"), 1)).await;
    t.store.sync().await.unwrap();
    t.store.sync().await.unwrap();
}

async fn enqueued_batches_are_there_after_sync(t: Trial) {
    for n in 0..30 {
        t.store.enqueue(t.batch([put(&item(&format!("k{n}")), n)])).await.unwrap();
    }
    t.store.sync().await.unwrap();
    assert_eq!(t.ids(items(100)).await.len(), 30);
}

async fn enqueued_batches_keep_their_order(t: Trial) {
    for n in 0..20 {
        t.store.enqueue(t.batch([put(&item("a"), n)])).await.unwrap();
    }
    let after = t.apply([put(&item("a"), 20)]).await;
    assert_eq!(after.version(&item("a")).unwrap().n, 21, "a commit overtook what was enqueued");
    let states: Vec<String> =
        t.versions(&item("a")).await.into_iter().map(|v| v.state.unwrap().to_string()).collect();
    assert_eq!(states, (0..=20).map(|n| n.to_string()).collect::<Vec<_>>());
}

async fn failed_enqueued_batch_is_told_by_sync_once(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.store.enqueue(t.batch([create(&item("a"), 2)])).await.unwrap();
    t.store.enqueue(t.batch([put(&item("b"), 1)])).await.unwrap();
    assert!(t.store.sync().await.is_err(), "a lost enqueued batch is not told");
    t.store.sync().await.expect("a failure is told once");
    assert_eq!(t.ids(items(5)).await, ["a", "b"]);
}

async fn invalid_batch_is_not_even_enqueued(t: Trial) {
    let error = t.store.enqueue(t.batch([])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    t.store.sync().await.unwrap();
}
