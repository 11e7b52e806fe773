//! What stays.

use outlast_core::{
    Entity, ErrorKind, Expect, Json, Lease, Op, ProcessIdentity, Put, Run, Status, Task, TaskStatus,
};

use crate::support::{
    Attempt, attempt, completed, content, counts, days_ago, dry_run, ids, memory, prune_after,
    record,
};

/// Checks that a run with these attempts stays, though another of its age goes.
async fn stays(what: &str, task_count: u64, attempts: &[Attempt]) {
    let store = memory();
    record(&store, "kept", task_count, attempts).await;
    let before = content(&store).await;
    record(&store, "old", 1, &[completed("a", 40)]).await;
    let report = prune_after(&store, 30).await;
    assert_eq!(counts(&report), [1, 1, 2, 10], "{what}");
    assert_eq!(content(&store).await, before, "{what}");
    let report = prune_after(&store, 0).await;
    let finished = attempts.iter().all(|attempt| attempt.status.is_settled());
    assert_eq!(report.runs > 0, finished && task_count <= 2, "{what}");
}

#[tokio::test]
async fn a_run_with_a_task_that_is_not_settled_stays() {
    for status in TaskStatus::ALL.iter().copied().filter(|status| !status.is_settled()) {
        let open = attempt("b", 1, status, 40);
        stays(status.as_str(), 2, &[completed("a", 40), open.clone()]).await;
        stays(status.as_str(), 1, &[open]).await;
        let retried = [attempt("a", 1, TaskStatus::Interrupted, 40), attempt("a", 2, status, 40)];
        stays(status.as_str(), 1, &retried).await;
    }
}

#[tokio::test]
async fn a_run_whose_tasks_are_not_all_recorded_stays() {
    stays("none of three", 3, &[]).await;
    stays("two of three", 3, &[completed("a", 40), completed("b", 40)]).await;
    let attempts: Vec<_> = (1..=3).map(|n| attempt("a", n, TaskStatus::Interrupted, 40)).collect();
    stays("three attempts at one of three", 3, &attempts).await;
}

#[tokio::test]
async fn a_run_stays_until_its_last_task_has_the_age() {
    stays("one is young", 2, &[completed("a", 40), completed("b", 29)]).await;
    let retried =
        [attempt("a", 1, TaskStatus::Interrupted, 40), attempt("a", 2, TaskStatus::Failed, 29)];
    stays("the last attempt is young", 1, &retried).await;
}

#[tokio::test]
async fn a_run_under_a_lease_with_work_to_do_is_not_touched() {
    let store = memory();
    let holder = ProcessIdentity {
        pid: std::process::id(),
        start_ticks: 1,
        boot_id: "boot".to_owned(),
        pid_namespace: "pid:[1]".to_owned(),
    };
    let lease = Lease { holder, acquired_at: days_ago(40) };
    store.kind::<Lease>().create("runner", &lease).await.unwrap();
    let attempts = [completed("a", 40), attempt("b", 1, TaskStatus::Created, 40)];
    record(&store, "going", 2, &attempts).await;
    let before = content(&store).await;
    assert_eq!(counts(&prune_after(&store, 0).await), [0; 4]);
    assert_eq!(content(&store).await, before);
}

#[tokio::test]
async fn a_run_of_which_something_cannot_be_read_stays_and_is_reported() {
    let store = memory();
    record(&store, "old", 1, &[completed("a", 40)]).await;
    let stored = store.kind::<Task>().get("old-a-1").await.unwrap();
    let slot = store.get(std::slice::from_ref(&stored.key)).await.unwrap().remove(0);
    let record = slot.live().unwrap().unwrap();
    let mut draft = store.draft();
    draft.op(Op::Put(Put {
        key: record.key,
        expect: Expect::Live,
        schema: Task::SCHEMA + 1,
        attrs: record.attrs,
        state: Json::parse("{}").unwrap(),
    }));
    draft.commit().await.unwrap();
    let before = content(&store).await;
    for report in [dry_run(&store, 30).await, prune_after(&store, 30).await] {
        assert_eq!((report.runs, report.tasks, report.unreadable), (0, 0, 1));
        assert_eq!(report.problems[0].kind(), ErrorKind::Incompatible);
        assert!(report.problems[0].to_string().contains("task/old-a-1"), "{:?}", report.problems);
    }
    assert_eq!(content(&store).await, before);
}

#[tokio::test]
async fn what_others_deleted_is_not_retentions_to_remove() {
    let store = memory();
    record(&store, "old", 2, &[completed("a", 40), completed("b", 40)]).await;
    let tasks = store.kind::<Task>();
    tasks.delete(&tasks.get("old-a-1").await.unwrap()).await.unwrap();
    let before = content(&store).await;
    assert_eq!(counts(&prune_after(&store, 30).await), [0; 4], "one of two is not recorded");
    assert_eq!(content(&store).await, before);
    let runs = store.kind::<Run>();
    runs.delete(&runs.get("old").await.unwrap()).await.unwrap();
    assert_eq!(counts(&prune_after(&store, 30).await), [0; 4]);
    assert_eq!(ids::<Run>(&store).await, ["old deleted"]);
    assert_eq!(ids::<Task>(&store).await, ["old-a-1 deleted", "old-b-1"]);
}

#[tokio::test]
async fn a_run_of_the_future_stays() {
    let store = memory();
    record(&store, "run", 1, &[completed("a", 40)]).await;
    let retention = outlast_orchestrator::retention::Retention {
        age: std::time::Duration::ZERO,
        now: days_ago(44),
        dry_run: false,
    };
    let report = outlast_orchestrator::retention::prune(&store, &retention).await.unwrap();
    assert_eq!(counts(&report), [0; 4], "it finished four days after this present");
}
