//! Dropping a future never splits a batch.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use outlast_core::{
    Durability, Expect, Outcome, PlanContext, Prune, PrunePlan, Seq, StreamQuery, Written, plan,
    read_set,
};

use crate::ops::{append, assert, create, item, items, log, put};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(cancelled_commit_is_whole_or_absent),
        Case::of(cancelled_conflict_writes_nothing),
        Case::of(cancelled_write_of_the_backend_is_whole_or_absent),
        Case::of(cancelled_prune_can_be_repeated),
        Case::of(cancelled_reads_disturb_nobody),
    ]
}

/// Polls at most `polls` times, then drops the future; gives others a turn in between.
async fn cancel_after<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let once = poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        if let Poll::Ready(output) = once.await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// How often a future is polled before it is dropped.
const POLLS: [usize; 9] = [0, 1, 2, 3, 4, 6, 10, 50, 500];

async fn cancelled_commit_is_whole_or_absent(t: Trial) {
    for (n, polls) in POLLS.into_iter().enumerate() {
        let (a, b, l) = (format!("a{n}"), format!("b{n}"), format!("l{n}"));
        let ops = [create(&item(&a), 1), append(&log(&l), &["x", "y"]), create(&item(&b), 1)];
        let batch = t.batch(ops);
        cancel_after(t.store.commit(batch.clone()), polls).await;
        match t.commit(&batch).await {
            Outcome::Applied(_) | Outcome::Replayed(_) => {}
            Outcome::Conflict { key, .. } => panic!("half of a batch was applied: {key}"),
        }
        let numbers = [t.versions(&item(&a)).await.len(), t.versions(&item(&b)).await.len()];
        assert_eq!(numbers, [1, 1], "dropped at poll {polls}");
        assert_eq!(t.entries(StreamQuery::of(log(&l))).await.len(), 2);
    }
    assert_eq!(t.feed().await.len(), POLLS.len());
}

async fn cancelled_conflict_writes_nothing(t: Trial) {
    for (n, polls) in POLLS.into_iter().enumerate() {
        let ops = [put(&item(&n.to_string()), 1), assert(&item("none"), Expect::Live)];
        cancel_after(t.store.commit(t.batch(ops)), polls).await;
    }
    t.store.sync().await.unwrap();
    assert_eq!(t.ids(items(10)).await, [""; 0]);
}

async fn cancelled_write_of_the_backend_is_whole_or_absent(t: Trial) {
    let backend = t.backend();
    for (n, polls) in POLLS.into_iter().enumerate() {
        let (a, b) = (item(&format!("a{n}")), item(&format!("b{n}")));
        let batch = t.batch([create(&a, 1), create(&b, 1), append(&log(a.id()), &["x"])]);
        let info = backend.info();
        let context = PlanContext { now: t.now(), epoch: info.epoch, durability: info.durability };
        let view = backend.fetch(&read_set([&batch])).await.unwrap();
        let set = plan(view, [&batch], &context).set;
        cancel_after(backend.write(&set), polls).await;
        backend.sync().await.unwrap();
        // Whoever wrote, the second attempt tells what became of the first.
        let again = backend.write(&set).await.unwrap();
        let known = backend.fetch(&read_set([&batch])).await.unwrap();
        assert!(matches!(again, Written::Applied(_) | Written::Raced));
        assert!(known.commits.contains_key(&batch.id), "dropped at poll {polls}: {again:?}");
        assert_eq!((known.heads.len(), known.streams.len()), (2, 1));
        assert_eq!(known.streams[&log(a.id())], Seq(1));
    }
    assert_eq!(t.feed().await.len(), POLLS.len());
}

async fn cancelled_prune_can_be_repeated(t: Trial) {
    t.apply([append(&log("l"), &["x"; 30])]).await;
    for (n, polls) in POLLS.into_iter().enumerate() {
        let up_to = Seq(3 * (n as u64 + 1));
        let plan = PrunePlan { items: vec![Prune::Entries { stream: log("l"), up_to }] };
        cancel_after(t.store.prune(&plan, 2), polls).await;
        while !t.store.prune(&plan, 2).await.unwrap().done {}
        let first = t.entries(StreamQuery::of(log("l"))).await.first().cloned();
        assert_eq!(first.map(|(seq, _)| seq), Some(up_to.0 + 1));
    }
}

async fn cancelled_reads_disturb_nobody(t: Trial) {
    t.apply((0..10).map(|n| put(&item(&format!("k{n}")), n))).await;
    let before = t.everything().await;
    for polls in POLLS {
        cancel_after(t.store.list(&items(5)), polls).await;
        cancel_after(t.store.get(&[item("k1")]), polls).await;
        cancel_after(t.store.changes(outlast_core::Revision::ZERO, 5), polls).await;
        cancel_after(t.store.sync(), polls).await;
    }
    assert_eq!(t.everything().await, before);
    let receipt = t.apply([put(&item("k1"), 100)]).await;
    assert!(receipt.durability >= Durability::Volatile);
}
