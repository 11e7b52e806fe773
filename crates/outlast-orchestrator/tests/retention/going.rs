//! What goes.

use std::sync::Arc;

use outlast_core::{ManualClock, NoStatus, Outcome, Run, Task, TaskStatus, Timestamp};
use outlast_orchestrator::retention::{Retention, prune};
use outlast_store::{Store, StoreOptions};

use crate::support::{
    Attempt, BACKENDS, DAY, attempt, completed, content, counts, dry_run, ids, log, memory, now,
    open, prune_after, record,
};

fn with_retries() -> Vec<Attempt> {
    vec![
        attempt("a", 1, TaskStatus::Interrupted, 41),
        attempt("a", 2, TaskStatus::Failed, 40),
        completed("b", 40),
    ]
}

#[tokio::test]
async fn a_finished_run_of_the_age_goes_with_everything_of_it_and_nothing_else() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("store")).await;
        record(&store, "young", 1, &[completed("a", 29)]).await;
        let before = content(&store).await;
        record(&store, "old", 2, &with_retries()).await;
        let report = prune_after(&store, 30).await;
        assert_eq!(counts(&report), [1, 3, 6, 30], "{backend}");
        assert_eq!(content(&store).await, before, "{backend}");
        assert_eq!(ids::<Run>(&store).await, ["young"]);
        assert_eq!(ids::<Task>(&store).await, ["young-a-1"]);
        assert_eq!(store.verify().await.unwrap().damaged, 0);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_dry_run_reports_the_same_and_changes_nothing() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let store = open(backend, &folder.path().join("store")).await;
        for run in ["old1", "old2"] {
            record(&store, run, 2, &with_retries()).await;
        }
        record(&store, "young", 1, &[completed("a", 29)]).await;
        let before = content(&store).await;
        let dry = dry_run(&store, 30).await;
        assert_eq!(content(&store).await, before, "{backend}");
        let report = prune_after(&store, 30).await;
        assert_eq!(counts(&dry), counts(&report), "{backend}");
        assert_eq!(counts(&report)[0], 2);
        assert_eq!(counts(&dry_run(&store, 30).await), [0; 4]);
        assert_eq!(counts(&prune_after(&store, 30).await), [0; 4]);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_age_is_met_to_the_microsecond() {
    let store = memory();
    record(&store, "run", 2, &[completed("a", 40), completed("b", 30)]).await;
    let just_before = Timestamp::from_micros(now().as_micros() - 1);
    let retention = Retention { age: DAY * 30, now: just_before, dry_run: false };
    assert_eq!(counts(&prune(&store, &retention).await.unwrap()), [0; 4]);
    assert_eq!(counts(&prune_after(&store, 30).await), [1, 2, 4, 20]);
}

#[tokio::test]
async fn an_age_of_zero_takes_every_finished_run_and_no_other() {
    let store = memory();
    record(&store, "done", 1, &[completed("a", 0)]).await;
    record(&store, "going", 1, &[attempt("a", 1, TaskStatus::Running, 0)]).await;
    assert_eq!(counts(&prune_after(&store, 0).await), [1, 1, 2, 10]);
    assert_eq!(ids::<Run>(&store).await, ["going"]);
}

#[tokio::test]
async fn an_age_beyond_all_time_takes_nothing() {
    let store = memory();
    record(&store, "done", 1, &[completed("a", 40)]).await;
    let age = std::time::Duration::MAX;
    let report = prune(&store, &Retention { age, now: now(), dry_run: false }).await.unwrap();
    assert_eq!(counts(&report), [0; 4]);
}

#[tokio::test]
async fn a_run_without_tasks_counts_from_its_beginning() {
    let store = memory();
    record(&store, "empty", 0, &[]).await;
    assert_eq!(counts(&prune_after(&store, 46).await), [0; 4]);
    assert_eq!(counts(&prune_after(&store, 45).await), [1, 0, 0, 0]);
}

#[tokio::test]
async fn many_tasks_with_much_output_go_in_slices() {
    let store = memory();
    let names: Vec<String> = (0..400).map(|n| format!("t{n:03}")).collect();
    let attempts: Vec<_> = names.iter().map(|name| completed(name, 40)).collect();
    record(&store, "big", 400, &attempts).await;
    let line = outlast_core::NewEntry {
        at: None,
        attrs: outlast_core::Attributes::new(),
        data: vec![b'x'; 10],
    };
    for _ in 0..5 {
        let mut draft = store.draft();
        draft.append(log("big-t007-1"), vec![line.clone(); 1000]);
        draft.commit().await.unwrap();
    }
    let dry = dry_run(&store, 30).await;
    let report = prune_after(&store, 30).await;
    assert_eq!(counts(&report), [1, 400, 5800, 54_000]);
    assert_eq!(counts(&dry), counts(&report));
    assert!(content(&store).await.is_empty());
}

#[tokio::test]
async fn what_was_settled_without_a_time_counts_from_its_last_change() {
    let store = memory();
    let mut settled = completed("a", 0);
    settled.finished_at = None;
    record(&store, "run", 1, &[settled]).await;
    assert_eq!(counts(&prune_after(&store, 30).await), [0; 4]);
    let later = store.clock().now().plus(DAY * 30);
    let retention = Retention { age: DAY * 30, now: later, dry_run: false };
    assert_eq!(counts(&prune(&store, &retention).await.unwrap()), [1, 1, 2, 10]);
}

#[tokio::test]
async fn other_kinds_and_their_streams_are_never_touched() {
    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Note {}
    impl outlast_core::Entity for Note {
        type Status = NoStatus;
        const KIND: &'static str = "note";
    }
    let store = memory();
    record(&store, "old", 2, &with_retries()).await;
    let note = store.kind::<Note>().create("old-a-1", &Note {}).await.unwrap();
    store.kind::<Note>().delete(&note).await.unwrap();
    let mut draft = store.draft();
    let line = outlast_core::NewEntry {
        at: None,
        attrs: outlast_core::Attributes::new(),
        data: Vec::new(),
    };
    draft.append(outlast_core::Key::new("journal", "old-a-1").unwrap(), vec![line.clone()]);
    draft.append(log("of-nobody"), vec![line]);
    draft.commit().await.unwrap();
    prune_after(&store, 30).await;
    assert_eq!(ids::<Note>(&store).await, ["old-a-1 deleted"]);
    let streams = store.kinds().await.unwrap().streams;
    assert_eq!(streams.len(), 2, "{streams:?}");
}

/// Whether a store still knows a commit that only appended, a day after it was made.
async fn is_remembered(backend: &str, age: std::time::Duration) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let store = open(backend, &folder.path().join("store")).await;
    let mut draft = store.draft();
    let line = outlast_core::NewEntry {
        at: None,
        attrs: outlast_core::Attributes::new(),
        data: b"x".to_vec(),
    };
    draft.append(log("a"), vec![line]);
    draft.commit().await.unwrap();
    let tomorrow = store.clock().now().plus(DAY);
    let later =
        StoreOptions { clock: Arc::new(ManualClock::at(tomorrow)), ..StoreOptions::default() };
    let later = Store::open(store.backend().clone(), later);
    let retention = Retention { age, now: tomorrow.plus(DAY * 100), dry_run: false };
    prune(&later, &retention).await.unwrap();
    let outcome = store.commit(draft.batch().clone()).await.unwrap();
    store.close().await.unwrap();
    matches!(outcome, Outcome::Replayed(_))
}

#[tokio::test]
async fn a_commit_that_only_appended_is_forgotten_when_it_has_the_age() {
    for backend in BACKENDS {
        assert!(is_remembered(backend, DAY * 102).await, "{backend}");
        assert!(!is_remembered(backend, DAY * 100).await, "{backend}");
    }
}

#[tokio::test]
async fn a_commit_that_may_be_sent_again_is_not_forgotten_whatever_the_time_is_said_to_be() {
    let store = memory();
    let mut draft = store.draft();
    let line = outlast_core::NewEntry {
        at: None,
        attrs: outlast_core::Attributes::new(),
        data: b"x".to_vec(),
    };
    draft.append(log("a"), vec![line]);
    draft.commit().await.unwrap();
    let now = store.clock().now().plus(DAY * 100);
    prune(&store, &Retention { age: std::time::Duration::ZERO, now, dry_run: false })
        .await
        .unwrap();
    let outcome = store.commit(draft.batch().clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Replayed(_)), "{outcome:?}");
}
