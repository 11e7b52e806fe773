//! Futures dropped at any poll: what was asked happens whole or not at all, its commit id tells
//! which, and the next caller notices nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use outlast_core::{Expect, OpenOptions, Outcome, Slot};
use outlast_tests::lab::report::Report;
use outlast_tests::lab::{Kept, number, process, seed};

use crate::support::{append, batch, item, log, open, put};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_commit_is_whole_or_absent_in_memory() {
    drop_all("memory", "memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_commit_is_whole_or_absent_on_sqlite() {
    let folder = process::quick_folder();
    drop_all("sqlite", &Kept::Sqlite.url(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_commit_is_whole_or_absent_on_sled() {
    let folder = process::quick_folder();
    drop_all("sled", &Kept::Sled.url(folder.path())).await;
}

async fn drop_all(backend: &'static str, url: &str) {
    let rounds = number("OUTLAST_CANCELS").unwrap_or(300);
    let seed = seed();
    println!("seed {seed}: again with OUTLAST_SEED={seed} cargo test --test lab cancel");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut report = Report::new("P4", backend, Some(seed));
    let store = open(url, OpenOptions::default()).await.unwrap();
    let (mut dropped, mut answered) = (0_u64, 0_u64);
    for n in 1..=rounds {
        let polls = random.usize(0..6);
        report.round(format!("{backend}: dropped after {polls} polls"));
        let state = n.to_string();
        let ops = vec![
            put(&item(0), Expect::Any, &state),
            put(&item(1), Expect::Any, &state),
            append(&state),
        ];
        let batch = batch(&store, ops);
        match polled(store.commit(batch.clone()), polls).await {
            Some(outcome) => {
                answered += 1;
                assert!(matches!(outcome.unwrap(), Outcome::Applied(_)));
            }
            None => dropped += 1,
        }
        // The id settles it, and the store counts each batch once.
        let settled = store.commit(batch).await.unwrap();
        assert!(matches!(settled, Outcome::Applied(_) | Outcome::Replayed(_)), "{settled:?}");
        let slots = store.get(&[item(0), item(1)]).await.unwrap();
        for slot in slots {
            let Slot::Live(live) = slot else { panic!("{slot:?} after {n}") };
            assert_eq!((live.version.n, live.state.as_str()), (n, state.as_str()));
        }
    }
    let mut newest = outlast_core::StreamQuery::of(log());
    newest.newest_first = true;
    let last = store.read(&newest).await.unwrap().items.remove(0).unwrap();
    assert_eq!(last.seq.0, rounds, "each batch appended once");
    store.close().await.unwrap();
    assert!(dropped > 0 && answered > 0, "{dropped} were dropped, {answered} answered");
    report.pass();
}

/// Polls at most so often; `None` if the future was dropped before its end.
async fn polled<F: Future>(future: F, most: usize) -> Option<F::Output> {
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
