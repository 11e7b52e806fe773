//! Calls that are cut off anywhere: the next one completes them, and in between no run looks
//! unfinished.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use outlast_core::{
    Action, Actor, AttrName, Filter, HistoryQuery, Page, Query, Run, Scope, Slot, Task, TaskStatus,
};
use outlast_orchestrator::retention::{Retention, prune};
use outlast_store::Store;

use crate::support::{
    BACKENDS, DAY, attempt, completed, content, counts, dry_run, ids, now, open, prune_after,
    record,
};

/// Polls a future at most so often and drops it, and says whether it came to its end.
pub(crate) async fn cut_off(future: impl Future, polls: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    false
}

async fn fill(store: &Store) {
    let retried = [
        attempt("a", 1, TaskStatus::Interrupted, 41),
        attempt("a", 2, TaskStatus::Failed, 40),
        completed("b", 40),
    ];
    record(store, "old1", 2, &retried).await;
    record(store, "old2", 1, &[completed("a", 40)]).await;
    record(store, "young", 2, &[completed("a", 40), completed("b", 1)]).await;
}

/// A live run has all its tasks, and every tombstone says who deleted it.
async fn check_between(store: &Store, polls: usize) {
    for (run, tasks) in [("old1", 3), ("old2", 1), ("young", 2)] {
        if store.kind::<Run>().find(run).await.unwrap().is_some() {
            let all = store.kind::<Task>().query().unwrap();
            let own = all.filter(Filter::is(AttrName::group(), run));
            let found = store.count(&own, &[]).await.unwrap().total;
            assert_eq!(found, tasks, "{run} lost a task and lives, after {polls} polls");
        }
    }
    for kind in ["run", "task"] {
        let kind = outlast_core::Kind::new(kind).unwrap();
        let query = Query { tombstones: true, ..Query::of(kind) };
        for slot in store.list(&query).await.unwrap().items {
            let Slot::Tombstone { key, .. } = slot else { continue };
            let scope = Scope::Entity(key);
            let page = Page::first(1);
            let query = HistoryQuery { newest_first: true, page, ..HistoryQuery::of(scope) };
            let newest = store.history(&query).await.unwrap().items.remove(0).unwrap();
            assert_eq!(newest.actor, Some(Actor::Cleanup));
            assert_eq!(newest.action, Action::new("cleanup").unwrap());
        }
    }
}

#[tokio::test]
async fn a_call_that_was_cut_off_anywhere_is_completed_by_the_next() {
    for backend in BACKENDS {
        let (mut partial, mut ended) = (0, false);
        for polls in 0..200 {
            let folder = tempfile::tempdir().unwrap();
            let store = open(backend, &folder.path().join("store")).await;
            fill(&store).await;
            let retention = Retention { age: DAY * 30, now: now(), dry_run: false };
            ended = cut_off(prune(&store, &retention), polls).await;
            store.sync().await.unwrap();
            check_between(&store, polls).await;
            partial += u32::from(!ended && ids::<Run>(&store).await[0] != "old1");
            let dry = dry_run(&store, 30).await;
            let report = prune_after(&store, 30).await;
            assert_eq!(counts(&dry), counts(&report), "{backend} after {polls} polls");
            assert_eq!(ids::<Run>(&store).await, ["young"], "{backend} after {polls} polls");
            assert_eq!(ids::<Task>(&store).await, ["young-a-1", "young-b-1"]);
            assert_eq!(content(&store).await.len(), 3 + 2, "{backend} after {polls} polls");
            store.close().await.unwrap();
            if ended {
                break;
            }
        }
        assert!(ended && partial > 0, "{backend}: it was cut off in the middle, {partial} times");
    }
}
