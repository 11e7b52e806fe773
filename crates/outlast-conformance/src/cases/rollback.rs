//! Going back, and the checkpoints that make it safe.

use std::sync::Arc;

use outlast_core::{
    Action, Attributes, Cause, Checkpoint, ErrorKind, Expect, Json, Key, Op, Page, Prune,
    PrunePlan, Put, Query, Revision,
};
use outlast_store::{Draft, Retry, Store, StoreOptions};

use crate::ops::{create, delete, item, items, kind, number, put, text, update};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(rollback_restores_to_the_letter),
        Case::of(rollback_saves_what_it_replaces_in_its_commit),
        Case::of(refused_rollback_changes_nothing),
        Case::of(checkpoint_is_restored_after_its_version_was_pruned),
        Case::of(checkpoints_are_listed_the_newest_first),
        Case::of(checkpoints_of_all_are_made_whatever_their_number),
        Case::of(rollbacks_and_updates_of_two_stores_lose_neither),
        Case::of(attempts_of_two_stores_lose_no_update),
    ]
}

/// Content that no program would write just so.
const ODD: &str = r#"{"b":1.0,  "a":[1e2,"\u00e9", 12345678901234567890]}"#;

fn odd(id: &str) -> Op {
    let (key, state) = (item(id), Json::parse(ODD).unwrap());
    Op::Put(Put { key, expect: Expect::Any, schema: 3, attrs: text("status", "odd"), state })
}

async fn back(t: &Trial, id: &str, n: u64) -> outlast_core::Result<outlast_store::Restored> {
    t.store.rollback(&item(id), n, Cause::default().because("it was wrong")).await
}

async fn saved(t: &Trial, id: &str) -> Vec<Checkpoint> {
    let page = t.store.checkpoints(&item(id), &Page::first(1000)).await.unwrap();
    page.items.into_iter().map(|found| found.unwrap().into_value()).collect()
}

async fn rollback_restores_to_the_letter(mut t: Trial) {
    t.apply([odd("a")]).await;
    t.apply([put(&item("a"), 2)]).await;
    let done = back(&t, "a", 1).await.unwrap();
    let here = t.record(&item("a")).await;
    assert_eq!((here.version, here.version.n), (done.version, 3));
    assert_eq!((here.schema, here.attrs, here.state.as_str()), (3, text("status", "odd"), ODD));
    let odd_ones = items(10).filter(outlast_core::Filter::is(crate::ops::name("status"), "odd"));
    assert_eq!(t.ids(odd_ones).await, ["a"], "it is found by what it was found by");
    let last = t.versions(&item("a")).await.pop().unwrap();
    assert_eq!((last.action, last.reason.as_deref()), (Action::rollback(), Some("it was wrong")));
    if t.can(outlast_core::Capability::Persistent) {
        t.reopen().await;
        assert_eq!(t.record(&item("a")).await.state.as_str(), ODD);
        assert_eq!(saved(&t, "a").await[0].data, number(2));
    }
}

async fn rollback_saves_what_it_replaces_in_its_commit(t: Trial) {
    t.apply([put(&item("a"), 1)]).await;
    t.apply([odd("a")]).await;
    let done = back(&t, "a", 1).await.unwrap();
    let feed = t.feed().await;
    assert_eq!(feed.len(), 3);
    let mut written: Vec<_> =
        feed[2].versions.iter().map(|version| version.as_ref().unwrap().key.to_string()).collect();
    written.sort();
    assert_eq!(written, [format!("checkpoint/{}", done.checkpoint), "item/a".to_owned()]);
    let checkpoints = saved(&t, "a").await;
    let [checkpoint] = checkpoints.as_slice() else { panic!("{checkpoints:?}") };
    assert_eq!((checkpoint.version.n, checkpoint.schema), (2, 3));
    assert_eq!((checkpoint.data.as_str(), &checkpoint.attrs), (ODD, &text("status", "odd")));
    assert_eq!(checkpoint.reason, Checkpoint::BEFORE_ROLLBACK);
}

async fn refused_rollback_changes_nothing(t: Trial) {
    t.apply([put(&item("a"), 1)]).await;
    t.apply([put(&item("a"), 2)]).await;
    t.apply([put(&item("dead"), 1)]).await;
    t.apply([delete(&item("dead"))]).await;
    t.apply([put(&item("again"), 1)]).await;
    t.apply([delete(&item("again"))]).await;
    t.apply([create(&item("again"), 2)]).await;
    let plan = PrunePlan { items: vec![Prune::History { key: item("a"), below: 2 }] };
    assert!(t.store.prune(&plan, 100).await.unwrap().done);
    let before = t.everything().await;
    for (id, n, expected) in [
        ("a", 0, ErrorKind::VersionGone),
        ("a", 1, ErrorKind::VersionGone),
        ("a", 3, ErrorKind::VersionGone),
        ("again", 2, ErrorKind::VersionGone),
        ("dead", 1, ErrorKind::NotFound),
        ("never", 1, ErrorKind::NotFound),
    ] {
        assert_eq!(back(&t, id, n).await.unwrap_err().kind(), expected, "{id} {n}");
    }
    let task = Key::new("task", "t").unwrap();
    let refused = t.store.rollback(&task, 1, Cause::default()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(t.everything().await, before);
}

async fn checkpoint_is_restored_after_its_version_was_pruned(t: Trial) {
    t.apply([odd("a")]).await;
    let kept = t.store.checkpoint(&item("a"), "kept", Cause::default()).await.unwrap();
    t.apply([put(&item("a"), 2)]).await;
    let plan = PrunePlan { items: vec![Prune::History { key: item("a"), below: 2 }] };
    assert!(t.store.prune(&plan, 100).await.unwrap().done);
    let done = t.store.restore(kept.id(), Cause::default()).await.unwrap();
    let here = t.record(&item("a")).await;
    assert_eq!((here.version, here.version.n), (done.version, 3));
    assert_eq!((here.schema, here.attrs, here.state.as_str()), (3, text("status", "odd"), ODD));
    let latest = t.store.latest_checkpoint(&item("a")).await.unwrap().unwrap();
    assert_eq!((latest.id(), &latest.data), (done.checkpoint.as_str(), &number(2)));
    assert_eq!(latest.reason, Checkpoint::BEFORE_RESTORE);
}

async fn checkpoints_are_listed_the_newest_first(t: Trial) {
    for id in ["a", "ab", "b"] {
        t.apply([put(&item(id), 0)]).await;
    }
    for n in 0..5 {
        for id in ["a", "ab", "b"] {
            t.store.checkpoint(&item(id), &n.to_string(), Cause::default()).await.unwrap();
        }
    }
    for limit in [1, 2, 100] {
        let mut page = Page::first(limit);
        let mut reasons = String::new();
        loop {
            let found = t.store.checkpoints(&item("a"), &page).await.unwrap();
            for checkpoint in found.items {
                reasons.push_str(&checkpoint.unwrap().reason);
            }
            let Some(next) = found.next else { break };
            page = page.after(next);
        }
        assert_eq!(reasons, "43210", "{limit} at a time");
    }
    assert!(t.store.latest_checkpoint(&item("c")).await.unwrap().is_none());
}

async fn checkpoints_of_all_are_made_whatever_their_number(t: Trial) {
    for first in (0..150).step_by(15) {
        t.apply((first..first + 15).map(|n| put(&item(&format!("{n:03}")), n))).await;
    }
    let done = t.store.checkpoint_all(&items(7), Checkpoint::STOP, Cause::default()).await.unwrap();
    assert_eq!((done.saved, done.failed), (150, 0));
    let all = Query::of(kind("checkpoint"));
    assert_eq!(t.store.count(&all, &[]).await.unwrap().total, 150);
    assert_eq!(saved(&t, "149").await[0].data, number(149));
}

/// Two stores over one backend, as two processes have them, that do not give up soon.
fn rivals(t: &Trial) -> [Store; 2] {
    let retry = Retry { max_tries: 100_000, ..Retry::default() };
    let retry = Retry { base_delay: std::time::Duration::ZERO, ..retry };
    [(); 2].map(|()| {
        let (clock, ids) = (t.clock.clone(), t.ids.clone());
        let options = StoreOptions { retry, clock, ids, ..StoreOptions::default() };
        Store::open(t.store.backend().clone(), options)
    })
}

/// Adds one to each of these, by what they are now.
async fn add(store: &Store, ids: &[&str]) {
    let keys: Vec<Key> = ids.iter().map(|id| item(id)).collect();
    let attempt = || async {
        let mut draft: Draft = store.draft();
        for slot in store.get(&keys).await? {
            let record = slot.live()?.unwrap();
            let n: i64 = record.state.decode()?;
            draft.op(update(&record.key, record.version, n + 1));
        }
        Ok((draft, ()))
    };
    store.commit_with(&keys, attempt).await.unwrap();
}

async fn rollbacks_and_updates_of_two_stores_lose_neither(t: Trial) {
    t.apply([put(&item("a"), 0)]).await;
    let [ours, theirs] = rivals(&t);
    let adding = tokio::spawn(async move {
        for _ in 0..20 {
            add(&ours, &["a"]).await;
        }
    });
    for _ in 0..10 {
        theirs.rollback(&item("a"), 1, Cause::default()).await.unwrap();
    }
    adding.await.unwrap();
    let versions = t.versions(&item("a")).await;
    assert_eq!(versions.len(), 31);
    let checkpoints = saved(&t, "a").await;
    assert_eq!(checkpoints.len(), 10, "one for each, and none without");
    let value = |n: u64| -> i64 {
        let version = versions.iter().find(|version| version.version.n == n).unwrap();
        version.state.as_ref().unwrap().decode().unwrap()
    };
    for version in versions.iter().skip(1) {
        let n = version.version.n;
        let expected = if version.action == Action::rollback() { 0 } else { value(n - 1) + 1 };
        assert_eq!(value(n), expected, "version {n} was made of the one before");
    }
    for checkpoint in checkpoints {
        assert_eq!(checkpoint.data, number(value(checkpoint.version.n)));
    }
}

async fn attempts_of_two_stores_lose_no_update(t: Trial) {
    t.apply(["a", "b", "c"].map(|id| put(&item(id), 0))).await;
    let t = Arc::new(t);
    let mut running = Vec::new();
    for store in rivals(&t) {
        for ids in [["a", "b"], ["b", "c"], ["c", "a"]] {
            let store = store.clone();
            running.push(tokio::spawn(async move {
                for _ in 0..8 {
                    add(&store, &ids).await;
                }
            }));
        }
    }
    for task in running {
        task.await.unwrap();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(t.record(&item(id)).await.state, number(32), "{id}");
    }
    assert_eq!(t.store.changes(Revision::ZERO, 100).await.unwrap().items.len(), 49);
    assert_eq!(t.record(&item("a")).await.attrs, Attributes::new());
}
