//! Point reads that are made together.

use std::sync::Arc;

use outlast_core::{Backend, Key, Slot};
use tokio::task::yield_now;

use crate::house::{House, apply, key, put};

/// How many entities there are; every third of those asked for is not among them.
const NOTES: usize = 40;

fn note(n: usize) -> Key {
    key("note", &format!("n{n}"))
}

fn check(asked: &[usize], slots: &[Slot]) {
    assert_eq!(slots.len(), asked.len());
    for (n, slot) in asked.iter().zip(slots) {
        match slot {
            Slot::Live(record) => {
                assert_eq!(record.key, note(*n));
                assert_eq!(record.state.as_str(), n.to_string());
            }
            Slot::Vacant => assert!(*n >= NOTES, "n{n} is there"),
            other => panic!("n{n}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reader_is_answered_with_its_own_also_when_others_are_dropped() {
    let house = House::new();
    let store = Arc::new(house.open().await);
    let notes: Vec<Key> = (0..NOTES).map(note).collect();
    apply(&store, notes.iter().enumerate().map(|(n, key)| put(key, &n.to_string()))).await;

    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..20 {
        let mut stay = Vec::new();
        let mut go = Vec::new();
        for reader in 0..100 {
            let asked: Vec<usize> =
                (0..random.usize(0..5)).map(|_| random.usize(0..NOTES * 3 / 2)).collect();
            let store = store.clone();
            let reading = tokio::spawn(async move {
                let keys: Vec<Key> = asked.iter().map(|n| note(*n)).collect();
                let slots = store.get(&keys).await.unwrap();
                check(&asked, &slots);
            });
            if reader % 3 == 0 { go.push(reading) } else { stay.push(reading) }
        }
        for reading in go {
            for _ in 0..random.usize(0..4) {
                yield_now().await;
            }
            reading.abort();
        }
        for reading in stay {
            reading.await.unwrap();
        }
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_sees_what_was_acknowledged_before_it_began() {
    let house = House::new();
    let store = Arc::new(house.open().await);
    let counters = (0..16).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for count in 1..=20 {
                apply(&store, [put(&note(n), &count.to_string())]).await;
                let slots = store.get(&[note(n)]).await.unwrap();
                let Slot::Live(record) = &slots[0] else { panic!("{slots:?}") };
                assert_eq!(record.state.as_str(), count.to_string());
            }
        })
    });
    for counter in counters.collect::<Vec<_>>() {
        counter.await.unwrap();
    }
    store.close().await.unwrap();
}
