//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use outlast_core::{Expect, Outcome, Query, ReadSet, Version, WriteSet, Written};

use crate::ops::{create, item, items, put, tagged, update};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(one_of_many_creators_wins),
        Case::of(counters_lose_no_update),
        Case::of(readers_see_whole_batches),
        Case::of(listings_see_whole_batches),
        Case::of(write_from_an_old_view_is_raced),
        Case::of(swaps_between_entities_keep_the_sum),
    ]
}

async fn one_of_many_creators_wins(t: Trial) {
    let sent: Vec<_> = (0..20)
        .map(|n| {
            let store = t.store.clone();
            let batch = t.batch([create(&item("a"), n)]);
            tokio::spawn(async move { store.commit(batch).await.unwrap() })
        })
        .collect();
    let mut winners = 0;
    for answer in sent {
        match answer.await.unwrap() {
            Outcome::Applied(_) => winners += 1,
            Outcome::Conflict { expected, actual, .. } => {
                assert_eq!(expected, Expect::Absent);
                assert_eq!(actual.map(|version| version.n), Some(1));
            }
            Outcome::Replayed(_) => panic!("nothing was repeated"),
        }
    }
    assert_eq!((winners, t.versions(&item("a")).await.len()), (1, 1));
}

/// Adds one to a counter, again and again until no other was faster.
async fn increment(t: &Trial) {
    loop {
        let record = t.record(&item("n")).await;
        let n: i64 = record.state.decode().unwrap();
        let batch = t.batch([update(&item("n"), record.version, n + 1)]);
        if matches!(t.commit(&batch).await, Outcome::Applied(_)) {
            return;
        }
    }
}

async fn counters_lose_no_update(t: Trial) {
    t.write(put(&item("n"), 0)).await;
    let t = Arc::new(t);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let t = t.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    increment(&t).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(t.record(&item("n")).await.state.decode::<i64>().unwrap(), 40);
    assert_eq!(t.versions(&item("n")).await.len(), 41);
}

async fn readers_see_whole_batches(t: Trial) {
    let keys = ["a", "b", "c"].map(item);
    t.apply(keys.iter().map(|key| put(key, 0))).await;
    let batches: Vec<_> = (1..4000).map(|n| t.batch(keys.iter().map(|key| put(key, n)))).collect();
    let store = t.store.clone();
    let enough = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let enough = enough.clone();
        async move {
            // However fast the store is, it is written to while it is read.
            for batch in batches {
                if enough.load(Ordering::Relaxed) {
                    return;
                }
                store.commit(batch).await.unwrap();
            }
        }
    });
    let mut last = Version::new(t.store.info().epoch, 0);
    let mut reads = 0;
    while reads < 40 || last.n < 20 {
        reads += 1;
        let slots = t.store.get(&keys).await.unwrap().into_iter();
        let records: Vec<_> = slots.map(|slot| slot.live().unwrap().unwrap()).collect();
        assert!(records.iter().all(|record| record.state == records[0].state), "{records:?}");
        assert!(records[0].version >= last, "a reader went back in time");
        last = records[0].version;
        tokio::task::yield_now().await;
    }
    enough.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

async fn listings_see_whole_batches(t: Trial) {
    let ids = ["a", "b", "c", "d"];
    let all = |x: i64| ids.map(|id| tagged(&item(id), crate::ops::int("x", x)));
    t.apply(all(0)).await;
    let batches: Vec<_> = (1..40).map(|x| t.batch(all(x))).collect();
    let store = t.store.clone();
    let writer = tokio::spawn(async move {
        for batch in batches {
            store.commit(batch).await.unwrap();
        }
    });
    let order = outlast_core::Order::Attr(crate::ops::name("x"));
    while !writer.is_finished() {
        for query in [items(10), Query { order: order.clone(), ..items(10) }] {
            let page = t.store.list(&query).await.unwrap();
            let records: Vec<_> =
                page.items.into_iter().map(|slot| slot.live().unwrap().unwrap()).collect();
            assert_eq!(records.len(), 4, "a page missed an entity that was always there");
            assert!(records.iter().all(|record| record.attrs == records[0].attrs));
        }
        let counts = t.store.count(&items(1), &[crate::ops::name("x")]).await.unwrap();
        assert_eq!((counts.total, counts.groups.len()), (4, 1));
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn write_from_an_old_view_is_raced(t: Trial) {
    let backend = t.backend();
    let old = backend.fetch(&ReadSet::default()).await.unwrap().revision;
    t.write(put(&item("a"), 1)).await;
    let before = t.everything().await;
    let batch = t.batch([put(&item("a"), 2), put(&item("b"), 2)]);
    let info = backend.info();
    let context =
        outlast_core::PlanContext { now: t.now(), epoch: info.epoch, durability: info.durability };
    let mut view = backend.fetch(&outlast_core::read_set([&batch])).await.unwrap();
    view.revision = old;
    let set = outlast_core::plan(view, [&batch], &context).set;
    assert_eq!(backend.write(&set).await.unwrap(), Written::Raced);
    let touch = WriteSet {
        base: old,
        commits: Vec::new(),
        touches: vec![(item("a"), crate::ops::int("beat", 1))],
        ..WriteSet::default()
    };
    assert_eq!(backend.write(&touch).await.unwrap(), Written::Raced);
    assert_eq!(t.everything().await, before);
}

async fn swaps_between_entities_keep_the_sum(t: Trial) {
    t.apply((0..4).map(|n| put(&item(&format!("k{n}")), 100))).await;
    let t = Arc::new(t);
    let tasks: Vec<_> = (0..4_usize)
        .map(|task| {
            let t = t.clone();
            tokio::spawn(async move {
                for round in 0..8 {
                    let from = item(&format!("k{}", (task + round) % 4));
                    let to = item(&format!("k{}", (task + round + 1) % 4));
                    move_one(&t, &from, &to).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut sum = 0;
    for slot in t.list(items(10)).await {
        sum += slot.live().unwrap().unwrap().state.decode::<i64>().unwrap();
    }
    assert_eq!(sum, 400);
}

async fn move_one(t: &Trial, from: &outlast_core::Key, to: &outlast_core::Key) {
    for _ in 0..1000 {
        let slots = t.store.get(&[from.clone(), to.clone()]).await.unwrap().into_iter();
        let records: Vec<_> = slots.map(|slot| slot.live().unwrap().unwrap()).collect();
        let amount = |n: usize| records[n].state.decode::<i64>().unwrap();
        let batch = t.batch([
            update(from, records[0].version, amount(0) - 1),
            update(to, records[1].version, amount(1) + 1),
        ]);
        if matches!(t.commit(&batch).await, Outcome::Applied(_)) {
            return;
        }
    }
    panic!("never got through");
}
