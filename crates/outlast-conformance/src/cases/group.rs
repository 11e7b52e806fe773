//! Several commits written at once, as the sequencer hands them to a backend under load.

use outlast_core::{
    Batch, ErrorKind, Expect, Filter, Outcome, PlanContext, Result, Revision, Seq, Written, plan,
    read_set,
};

use crate::ops::{
    append, assert, create, delete, int, item, items, log, name, number, put, tagged, touch,
};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(group_may_write_one_entity_many_times),
        Case::of(group_may_create_delete_and_create_again),
        Case::of(group_may_append_to_one_stream_many_times),
        Case::of(group_leaves_one_place_in_the_index),
        Case::of(touches_of_a_group_follow_its_commits),
        Case::of(replay_within_a_group_is_applied_once),
        Case::of(conflict_within_a_group_spares_the_others),
        Case::of(group_is_written_whole_or_raced),
    ]
}

/// Plans the batches as one group and writes what was decided as one set.
async fn write(t: &Trial, batches: &[Batch]) -> Vec<Result<Outcome>> {
    let info = t.store.info();
    let context = PlanContext { now: t.now(), epoch: info.epoch, durability: info.durability };
    let view = t.backend().fetch(&read_set(batches)).await.unwrap();
    let plan = plan(view, batches, &context);
    let written = t.backend().write(&plan.set).await.unwrap();
    assert_eq!(written, Written::Applied(info.durability));
    plan.outcomes
}

async fn numbers(t: &Trial, id: &str) -> Vec<u64> {
    t.versions(&item(id)).await.iter().map(|version| version.version.n).collect()
}

async fn group_may_write_one_entity_many_times(t: Trial) {
    t.write(put(&item("a"), 0)).await;
    let group: Vec<Batch> =
        (1..=5).map(|n| t.batch([put(&item("a"), n), put(&item("b"), n)])).collect();
    write(&t, &group).await;
    assert_eq!(numbers(&t, "a").await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(t.record(&item("a")).await.state, number(5));
    let states: Vec<_> = t.versions(&item("b")).await.into_iter().map(|v| v.state).collect();
    assert_eq!(states, (1..=5).map(|n| Some(number(n))).collect::<Vec<_>>());
    let feed = t.feed().await;
    let told: Vec<_> = feed.iter().map(|change| (change.revision, change.commit)).collect();
    let sent = group.iter().map(|batch| batch.id).zip(2..).map(|(id, n)| (Revision(n), id));
    assert_eq!(told[1..], sent.collect::<Vec<_>>());
    assert_eq!(t.write(put(&item("a"), 9)).await.n, 7);
}

async fn group_may_create_delete_and_create_again(t: Trial) {
    let group = [
        t.batch([create(&item("a"), 1), create(&item("b"), 1)]),
        t.batch([delete(&item("a"))]),
        t.batch([create(&item("a"), 2)]),
        t.batch([delete(&item("b"))]),
    ];
    assert!(write(&t, &group).await.iter().all(|o| matches!(o, Ok(Outcome::Applied(_)))));
    assert_eq!((numbers(&t, "a").await, numbers(&t, "b").await), (vec![1, 2, 3], vec![1, 2]));
    assert_eq!(t.record(&item("a")).await.state, number(2));
    assert_eq!(t.ids(items(5)).await, ["a"]);
    assert_eq!(t.store.count(&items(5), &[]).await.unwrap().total, 1);
}

async fn group_may_append_to_one_stream_many_times(t: Trial) {
    t.apply([append(&log("l"), &["0"])]).await;
    let group = [
        t.batch([append(&log("l"), &["1", "2"]), append(&log("m"), &["x"])]),
        t.batch([append(&log("l"), &["3"])]),
        t.batch([append(&log("m"), &["y"]), append(&log("l"), &["4"])]),
    ];
    let outcomes = write(&t, &group).await;
    let found = t.entries(outlast_core::StreamQuery::of(log("l"))).await;
    let expected: Vec<(u64, String)> = (0..5).map(|n| (n + 1, n.to_string())).collect();
    assert_eq!(found, expected);
    let Ok(Outcome::Applied(last)) = &outcomes[2] else { panic!("{outcomes:?}") };
    assert_eq!(last.appended, [(log("m"), Seq(2), Seq(2)), (log("l"), Seq(5), Seq(5))]);
    assert_eq!(t.commit(&group[2]).await, Outcome::Replayed(last.clone()));
}

async fn group_leaves_one_place_in_the_index(t: Trial) {
    t.write(tagged(&item("a"), int("x", 0))).await;
    let group: Vec<Batch> = (1..4).map(|x| t.batch([tagged(&item("a"), int("x", x))])).collect();
    write(&t, &group).await;
    for x in 0..4 {
        let found = t.ids(items(5).filter(Filter::is(name("x"), x))).await;
        assert_eq!(found.len(), usize::from(x == 3), "x = {x}");
    }
    write(&t, &[t.batch([tagged(&item("a"), int("x", 7))]), t.batch([delete(&item("a"))])]).await;
    assert_eq!(t.ids(items(5).filter(Filter::is(name("x"), 7))).await, [""; 0]);
}

async fn touches_of_a_group_follow_its_commits(t: Trial) {
    t.apply(["kept", "back"].map(|id| put(&item(id), 1))).await;
    t.apply([touch(&item("back"), int("old", 1))]).await;
    let group = [
        t.batch([put(&item("new"), 1)]),
        t.batch([touch(&item("new"), int("beat", 1)), touch(&item("kept"), int("beat", 1))]),
        t.batch([touch(&item("back"), int("lost", 1))]),
        t.batch([delete(&item("back"))]),
        t.batch([put(&item("back"), 2)]),
        t.batch([touch(&item("kept"), int("beat", 2))]),
    ];
    write(&t, &group).await;
    assert_eq!(t.record(&item("new")).await.transient, int("beat", 1));
    assert_eq!(t.record(&item("kept")).await.transient, int("beat", 2));
    assert_eq!(t.record(&item("back")).await.transient.len(), 0, "a new life has old marks");
}

async fn replay_within_a_group_is_applied_once(t: Trial) {
    let batch = t.batch([put(&item("a"), 1), append(&log("l"), &["x"])]);
    let outcomes = write(&t, &[batch.clone(), t.batch([put(&item("a"), 2)]), batch]).await;
    assert!(matches!(outcomes[0], Ok(Outcome::Applied(_))));
    assert!(matches!(outcomes[2], Ok(Outcome::Replayed(_))));
    assert_eq!(numbers(&t, "a").await, [1, 2]);
    assert_eq!(t.entries(outlast_core::StreamQuery::of(log("l"))).await.len(), 1);
}

async fn conflict_within_a_group_spares_the_others(t: Trial) {
    let lost = [put(&item("c"), 1), assert(&item("none"), Expect::Live)];
    let reused = t.batch([create(&item("a"), 1)]);
    let group = [
        reused.clone(),
        t.batch([create(&item("a"), 2)]),
        t.batch(lost),
        Batch { ops: vec![put(&item("d"), 1)], ..reused },
        t.batch([create(&item("b"), 1)]),
    ];
    let outcomes = write(&t, &group).await;
    assert!(matches!(outcomes[1], Ok(Outcome::Conflict { .. })));
    assert!(matches!(outcomes[2], Ok(Outcome::Conflict { .. })));
    assert!(matches!(&outcomes[3], Err(error) if error.kind() == ErrorKind::Invalid));
    assert_eq!(t.ids(items(5)).await, ["a", "b"]);
    assert_eq!(t.feed().await.len(), 2);
}

async fn group_is_written_whole_or_raced(t: Trial) {
    let group = [t.batch([put(&item("a"), 1)]), t.batch([put(&item("b"), 1)])];
    let info = t.store.info();
    let context = PlanContext { now: t.now(), epoch: info.epoch, durability: info.durability };
    let view = t.backend().fetch(&read_set(&group)).await.unwrap();
    let set = plan(view, &group, &context).set;
    t.write(put(&item("between"), 1)).await;
    let before = t.everything().await;
    assert_eq!(t.backend().write(&set).await.unwrap(), Written::Raced);
    assert_eq!(t.everything().await, before);
}
