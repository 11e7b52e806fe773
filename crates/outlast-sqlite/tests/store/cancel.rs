//! Futures that are dropped leave all or nothing, and a store that works.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use outlast_core::{
    Admin, Backend, HistoryQuery, Key, Page, Prune, PrunePlan, Query, Revision, Scope, Seq,
    StreamQuery, read_set,
};
use outlast_sqlite::Sqlite;

use crate::house::{House, append, apply, assert_whole, attempt, batch, key, live, put};

/// Polls at most so often; `None` if the future was dropped before its end.
async fn polled<F: Future>(future: F, most: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = most;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_write_is_whole_or_not_there() {
    let seed = std::env::var("OUTLAST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("replay: OUTLAST_SEED={seed} cargo test -p outlast-sqlite a_dropped_write");
    let mut random = fastrand::Rng::with_seed(seed);
    let house = House::new();
    let store = house.open().await;
    let (a, b, log) = (key("item", "a"), key("item", "b"), key("log", "l"));
    apply(&store, [put(&a, "0"), put(&b, "0"), append(&log, &[b"0"])]).await;
    let (mut cut, mut whole) = (0, 0);
    for n in 1..=300_u32 {
        let state = n.to_string();
        let batch = batch([put(&a, &state), put(&b, &state), append(&log, &[state.as_bytes()])]);
        match polled(attempt(&store, &batch), random.u32(1..24)).await {
            Some(outcome) => {
                outcome.unwrap();
                whole += 1;
            }
            None => cut += 1,
        }
        let both = store.get(&[a.clone(), b.clone()]).await.unwrap();
        let both: Vec<_> = both.into_iter().map(|slot| slot.live().unwrap().unwrap()).collect();
        assert_eq!(both[0].version, both[1].version, "half a commit is visible after {n}");
        assert_eq!(both[0].state, both[1].state);
    }
    assert!(cut > 0 && whole > 0, "{cut} were dropped, {whole} were not");
    // A write that was dropped may still have been under way; after the next one none is.
    let receipt = apply(&store, [put(&a, "1"), put(&b, "1"), append(&log, &[b"1"])]).await;
    let (version, _) = live(&store, &a).await.unwrap();
    assert_eq!(receipt.version(&a), Some(version));
    assert_eq!(version.n, receipt.revision.0);
    let entries = store.read(&StreamQuery::of(log)).await.unwrap().items;
    assert_eq!(entries.last().unwrap().as_ref().unwrap().seq, Seq(entries.len() as u64));
    assert_whole(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_reads_and_prunings_harm_nobody() {
    let house = House::new();
    let store = house.open().await;
    let (item, log) = (key("item", "a"), key("log", "l"));
    for n in 0..60_u32 {
        let state = n.to_string();
        apply(&store, [put(&item, &state), append(&log, &[state.as_bytes()])]).await;
    }
    for polls in 1..40 {
        drop_reads(&store, (&item, &log), polls).await;
        let copy = house.path(&format!("{polls}.db"));
        drop(polled(store.backup(&copy), polls).await);
        let items = vec![
            Prune::History { key: item.clone(), below: u64::from(polls) },
            Prune::Entries { stream: log.clone(), up_to: Seq(polls.into()) },
        ];
        drop(polled(store.prune(&PrunePlan { items }, 3), polls).await);
        assert_eq!(live(&store, &item).await.unwrap().1, "59");
    }
    assert_whole(&store).await;
    apply(&store, [put(&item, "60")]).await;
    let reads = (0..16).map(|_| live(&store, &item));
    for found in futures_util::future::join_all(reads).await {
        assert_eq!(found.unwrap().1, "60", "every reader still reads");
    }
    store.close().await.unwrap();
    let left = house.names().into_iter().find(|name| name.ends_with("-wal"));
    assert_eq!(left, None, "a dropped read holds on to the log");
}

async fn drop_reads(store: &Sqlite, (item, log): (&Key, &Key), polls: u32) {
    drop(polled(store.get(std::slice::from_ref(item)), polls).await);
    drop(polled(store.read(&StreamQuery::of(log.clone())), polls).await);
    let query = Query::of(item.kind.clone());
    drop(polled(store.list(&query), polls).await);
    drop(polled(store.count(&query, &[]), polls).await);
    let scope = Scope::Entity(item.clone());
    drop(polled(store.history(&HistoryQuery::of(scope)), polls).await);
    drop(polled(store.changes(Revision::ZERO, 10), polls).await);
    drop(polled(store.kinds(), polls).await);
    drop(polled(store.streams(&log.kind, &Page::first(10)), polls).await);
    drop(polled(store.fetch(&read_set([&batch([put(item, "1")])])), polls).await);
    drop(polled(store.verify(), polls).await);
    drop(polled(store.size(), polls).await);
    drop(polled(store.sync(), polls).await);
}
