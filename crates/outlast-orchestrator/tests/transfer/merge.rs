//! Imports into stores that are not empty.

use outlast_core::Key;
use outlast_orchestrator::transfer::Imported;
use outlast_store::Store;

use crate::content::{
    append, attrs, commit, delete, entries, key, log, prune, put, revision, touch, up_to, versions,
};
use crate::{body, exported, imported, store};

async fn copy(from: &Store, to: &Store) -> Imported {
    imported(to, &exported(from).await).await.unwrap()
}

fn names(report: &Imported) -> Vec<String> {
    assert_eq!(report.divergences.len() as u64, report.diverged);
    report.divergences.iter().map(|divergence| divergence.key.to_string()).collect()
}

async fn state(store: &Store, key: Key) -> String {
    let last = versions(store, key).await.pop().unwrap();
    last.state.map_or_else(|| "deleted".to_owned(), |state| state.to_string())
}

#[tokio::test]
async fn a_newer_version_wins_and_an_older_one_is_put_beneath() {
    let (from, to) = (store(), store());
    for id in ["a", "b"] {
        commit(&from, put(key(id), "1")).await;
    }
    copy(&from, &to).await;
    commit(&from, put(key("a"), "2")).await;
    commit(&from, delete(key("b"))).await;
    let old = exported(&to).await;
    let report = copy(&from, &to).await;
    assert_eq!((report.entities, report.diverged), (2, 0));
    assert_eq!(state(&to, key("a")).await, "2");
    assert_eq!(state(&to, key("b")).await, "deleted");
    let before = revision(&to).await;
    let report = imported(&to, &old).await.unwrap();
    assert_eq!((report.entities, report.diverged), (0, 0));
    assert_eq!((state(&to, key("a")).await.as_str(), revision(&to).await), ("2", before));
}

#[tokio::test]
async fn history_that_is_missing_beneath_a_newer_version_is_added() {
    let (from, to) = (store(), store());
    commit(&from, put(key("a"), "1")).await;
    let old = exported(&from).await;
    commit(&from, put(key("a"), "2")).await;
    prune(&from, outlast_core::Prune::History { key: key("a"), below: 2 }).await;
    copy(&from, &to).await;
    imported(&to, &old).await.unwrap();
    let kept: Vec<_> = versions(&to, key("a")).await.iter().map(|v| v.version.n).collect();
    assert_eq!(kept, [1, 2]);
    assert_eq!(state(&to, key("a")).await, "2");
}

/// Two stores that hold other content under one version of `a`, and each something of its own.
async fn diverged() -> (Store, Store) {
    let origin = store();
    let (one, other) = (store(), store());
    commit(&origin, put(key("b"), "0")).await;
    copy(&origin, &one).await;
    copy(&origin, &other).await;
    for (store, state) in [(&one, "1"), (&other, "2")] {
        let mut version = versions(&origin, key("b")).await.remove(0);
        version.key = key("a");
        version.state = Some(outlast_core::Json::parse(state).unwrap());
        let record = Box::new(version);
        let op = outlast_core::Op::MergeRecord { record, history: Vec::new() };
        commit(store, op).await;
    }
    (one, other)
}

#[tokio::test]
async fn other_content_under_one_version_is_named_and_the_rest_is_imported() {
    let (from, to) = diverged().await;
    commit(&from, put(key("0"), "1")).await;
    commit(&from, put(key("z"), "1")).await;
    commit(&from, touch(key("a"), "beat", 7)).await;
    let report = copy(&from, &to).await;
    assert_eq!(names(&report), ["note/a"]);
    assert!(report.divergences[0].why.contains("version 1"), "{:?}", report.divergences);
    assert_eq!(report.entities, 2);
    assert_eq!(state(&to, key("a")).await, "2", "left as it was");
    assert_eq!(state(&to, key("z")).await, "1");
    assert!(transient(&to, "a").await.is_empty(), "nothing of it was taken over");
    assert_eq!(names(&copy(&from, &to).await), ["note/a"], "said each time");
}

#[tokio::test]
async fn a_stream_is_continued_where_it_ends() {
    let (from, to) = (store(), store());
    commit(&from, append(log("a"), &["1", "2"])).await;
    copy(&from, &to).await;
    commit(&from, append(log("a"), &["3"])).await;
    let report = copy(&from, &to).await;
    assert_eq!((report.entries, report.diverged), (1, 0));
    assert_eq!(body(&exported(&to).await), body(&exported(&from).await));
}

#[tokio::test]
async fn a_stream_with_other_entries_is_named_and_left_alone() {
    let (from, to) = (store(), store());
    commit(&from, append(log("a"), &["1", "2"])).await;
    copy(&from, &to).await;
    commit(&from, append(log("a"), &["3", "4"])).await;
    commit(&from, append(log("b"), &["b"])).await;
    commit(&to, append(log("a"), &["other"])).await;
    let report = copy(&from, &to).await;
    assert_eq!((names(&report), report.entries), (vec!["log/a".to_owned()], 1));
    assert!(report.divergences[0].why.contains("entry 3"), "{:?}", report.divergences);
    assert_eq!(entries(&to, log("a")).await.len(), 3);
    assert_eq!(entries(&to, log("b")).await.len(), 1);
}

#[tokio::test]
async fn a_stream_that_would_get_a_gap_is_named_and_left_alone() {
    let (from, to) = (store(), store());
    commit(&from, append(log("a"), &["1"])).await;
    copy(&from, &to).await;
    commit(&from, append(log("a"), &["2", "3"])).await;
    prune(&from, up_to(log("a"), 2)).await;
    let report = copy(&from, &to).await;
    assert_eq!((names(&report), report.entries), (vec!["log/a".to_owned()], 0));
    assert_eq!(entries(&to, log("a")).await.len(), 1);
}

#[tokio::test]
async fn what_was_pruned_here_does_not_come_back_and_is_no_divergence() {
    let (from, to) = (store(), store());
    commit(&from, append(log("a"), &["1", "2"])).await;
    copy(&from, &to).await;
    prune(&to, up_to(log("a"), 1)).await;
    let report = copy(&from, &to).await;
    assert_eq!((report.entries, report.diverged), (0, 0));
    assert_eq!(entries(&to, log("a")).await[0].seq.0, 2);
}

#[tokio::test]
async fn an_emptied_stream_takes_nothing_from_one_that_is_not() {
    let (from, to) = (store(), store());
    commit(&from, append(log("a"), &["1"])).await;
    copy(&from, &to).await;
    prune(&from, up_to(log("a"), 1)).await;
    let report = copy(&from, &to).await;
    assert_eq!(report.diverged, 0);
    assert_eq!(entries(&to, log("a")).await.len(), 1);
}

async fn transient(store: &Store, id: &str) -> outlast_core::Attributes {
    let slot = store.get(&[key(id)]).await.unwrap().remove(0);
    slot.live().unwrap().unwrap().transient
}

#[tokio::test]
async fn transient_attributes_never_go_back_in_time() {
    let (from, to) = (store(), store());
    commit(&from, put(key("a"), "1")).await;
    commit(&from, touch(key("a"), "beat", 1)).await;
    copy(&from, &to).await;
    assert_eq!(transient(&to, "a").await, attrs("beat", 1));
    commit(&to, touch(key("a"), "beat", 2)).await;
    copy(&from, &to).await;
    assert_eq!(transient(&to, "a").await, attrs("beat", 2), "it was touched here since");
    commit(&from, put(key("a"), "2")).await;
    copy(&from, &to).await;
    assert_eq!(transient(&to, "a").await, attrs("beat", 1), "it came with a newer version");
    commit(&to, put(key("a"), "3")).await;
    commit(&from, touch(key("a"), "other", 1)).await;
    copy(&from, &to).await;
    assert_eq!(transient(&to, "a").await, attrs("beat", 1), "this one is newer here");
}

#[tokio::test]
async fn two_stores_that_exchange_exports_become_equal() {
    let (one, other) = (store(), store());
    commit(&one, put(key("a"), "1")).await;
    commit(&other, put(key("b"), "2")).await;
    commit(&other, append(log("b"), &["x"])).await;
    copy(&one, &other).await;
    copy(&other, &one).await;
    assert_eq!(body(&exported(&one).await), body(&exported(&other).await));
}
