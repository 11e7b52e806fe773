//! After closing, everything is `Closed`.

use outlast_core::{ErrorKind, Page, PrunePlan, ReadSet, Result, Revision, StreamQuery, WriteSet};

use crate::ops::{item, items, kind, log, put};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(closed_store_refuses_everything),
        Case::of(closed_backend_refuses_everything),
        Case::of(closing_twice_is_fine),
        Case::of(closing_waits_for_what_was_handed_in),
        Case::of(calls_while_closing_are_answered),
        Case::of(closed_store_still_says_what_it_is),
    ]
}

fn closed<T>(what: &str, result: Result<T>) {
    match result {
        Ok(_) => panic!("{what} works on a closed store"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Closed, "{what}: {error:?}"),
    }
}

async fn closed_store_refuses_everything(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.store.close().await.unwrap();
    let store = &t.store;
    closed("commit", store.commit(t.batch([put(&item("a"), 2)])).await);
    closed("enqueue", store.enqueue(t.batch([put(&item("a"), 2)])).await);
    closed("get", store.get(&[item("a")]).await);
    closed("list", store.list(&items(5)).await);
    closed("read", store.read(&StreamQuery::of(log("l"))).await);
    closed("sync", store.sync().await);
}

async fn closed_backend_refuses_everything(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.backend().close().await.unwrap();
    let backend = t.backend();
    let of_all = outlast_core::HistoryQuery::of(outlast_core::Scope::All(None));
    closed("fetch", backend.fetch(&ReadSet::default()).await);
    closed("write", backend.write(&WriteSet::default()).await);
    closed("get", backend.get(&[item("a")]).await);
    closed("list", backend.list(&items(5)).await);
    closed("count", backend.count(&items(5), &[]).await);
    closed("history", backend.history(&of_all).await);
    closed("read", backend.read(&StreamQuery::of(log("l"))).await);
    closed("streams", backend.streams(&kind("log"), &Page::default()).await);
    closed("changes", backend.changes(Revision::ZERO, 5).await);
    closed("prune", backend.prune(&PrunePlan::default(), 5).await);
    closed("sync", backend.sync().await);
    closed("verify", backend.verify().await);
    closed("size", backend.size().await);
    closed("kinds", backend.kinds().await);
}

async fn closing_twice_is_fine(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    for _ in 0..3 {
        t.store.close().await.unwrap();
        t.backend().close().await.unwrap();
    }
}

async fn closing_waits_for_what_was_handed_in(t: Trial) {
    let sent: Vec<_> = (0..20)
        .map(|n| {
            let store = t.store.clone();
            let batch = t.batch([put(&item(&format!("k{n}")), n)]);
            tokio::spawn(async move { store.commit(batch).await })
        })
        .collect();
    tokio::task::yield_now().await;
    t.store.close().await.unwrap();
    for answer in sent {
        // Applied before, or refused whole; nothing in between and nothing unanswered.
        if let Err(error) = answer.await.unwrap() {
            assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
        }
    }
}

async fn calls_while_closing_are_answered(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    let query = items(5);
    let (first, second, read) =
        tokio::join!(t.store.close(), t.store.close(), t.store.list(&query));
    first.unwrap();
    second.unwrap();
    if let Err(error) = read {
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}

async fn closed_store_still_says_what_it_is(t: Trial) {
    let before = t.store.info();
    t.store.close().await.unwrap();
    assert_eq!(t.store.info(), before);
}
