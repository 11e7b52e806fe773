//! How versions are numbered.

use std::time::Duration;

use outlast_core::{Action, Actor, Batch, Cause, Json, Slot, Space};

use crate::ops::{append, delete, int, item, log, number, put, put_with, tagged, text};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(versions_count_from_one),
        Case::of(versions_of_entities_are_independent),
        Case::of(deletion_is_a_version),
        Case::of(recreated_entity_goes_on_counting),
        Case::of(new_versions_are_of_the_stores_epoch),
        Case::of(record_states_version_and_time_of_its_commit),
        Case::of(unchanged_content_is_still_a_version),
        Case::of(action_is_derived_from_what_changed),
        Case::of(cause_is_kept_with_the_version),
        Case::of(absent_cause_is_kept_absent),
        Case::of(lineages_do_not_share_entities),
        Case::of(kinds_do_not_share_entities),
        Case::of(receipt_lists_versions_in_the_order_of_operations),
    ]
}

async fn versions_count_from_one(t: Trial) {
    for n in 1..=5 {
        assert_eq!(t.write(put(&item("a"), 0)).await.n, n);
    }
    let numbers: Vec<u64> = t.versions(&item("a")).await.iter().map(|v| v.version.n).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

async fn versions_of_entities_are_independent(t: Trial) {
    t.write(put(&item("a"), 0)).await;
    t.write(put(&item("a"), 0)).await;
    assert_eq!(t.write(put(&item("b"), 0)).await.n, 1);
}

async fn deletion_is_a_version(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    assert_eq!(t.write(delete(&item("a"))).await.n, 2);
    let last = t.versions(&item("a")).await.pop().unwrap();
    assert_eq!((last.version.n, last.state, last.action), (2, None, Action::delete()));
}

async fn recreated_entity_goes_on_counting(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.write(delete(&item("a"))).await;
    assert_eq!(t.write(put(&item("a"), 2)).await.n, 3);
    assert_eq!(t.record(&item("a")).await.version.n, 3);
    assert_eq!(t.versions(&item("a")).await.len(), 3);
}

async fn new_versions_are_of_the_stores_epoch(t: Trial) {
    let version = t.write(put(&item("a"), 1)).await;
    assert_eq!(version.epoch, t.store.info().epoch);
}

async fn record_states_version_and_time_of_its_commit(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.wait(Duration::from_secs(5));
    let receipt = t.apply([put(&item("a"), 2)]).await;
    let record = t.record(&item("a")).await;
    assert_eq!(record.updated_at, t.now());
    assert_eq!(record.updated_at, receipt.at);
    assert_eq!(Some(record.version), receipt.version(&item("a")));
    t.wait(Duration::from_secs(5));
    t.write(delete(&item("a"))).await;
    match t.slot(&item("a")).await {
        Slot::Tombstone { at, version, .. } => assert_eq!((at, version.n), (t.now(), 3)),
        other => panic!("{other:?} is no tombstone"),
    }
}

async fn unchanged_content_is_still_a_version(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    assert_eq!(t.write(put(&item("a"), 1)).await.n, 2);
}

async fn action_is_derived_from_what_changed(t: Trial) {
    let key = item("a");
    t.write(tagged(&key, text("status", "new"))).await;
    t.write(tagged(&key, text("status", "new"))).await;
    t.write(tagged(&key, text("status", "old"))).await;
    t.write(tagged(&key, int("x", 1))).await;
    t.write(delete(&key)).await;
    t.write(tagged(&key, text("status", "new"))).await;
    let actions: Vec<Action> = t.versions(&key).await.into_iter().map(|v| v.action).collect();
    assert_eq!(
        actions,
        [
            Action::create(),
            Action::update(),
            Action::status_change(),
            Action::status_change(),
            Action::delete(),
            Action::create()
        ]
    );
}

async fn cause_is_kept_with_the_version(t: Trial) {
    let metadata = Json::parse(r#"{"ticket": "T-1", "n": [1, 2.50]}"#).unwrap();
    let cause = Cause {
        actor: Some("user:ann".parse::<Actor>().unwrap()),
        action: Some(Action::new("promoted").unwrap()),
        reason: Some("it was \"time\"; -- 'really'\n".to_owned()),
        metadata: Some(metadata),
    };
    t.apply_batch(&Batch { cause: cause.clone(), ..t.batch([put(&item("a"), 1)]) }).await;
    t.apply_batch(&Batch { cause: cause.clone(), ..t.batch([delete(&item("a"))]) }).await;
    for version in t.versions(&item("a")).await {
        assert_eq!(version.actor, cause.actor);
        assert_eq!(Some(version.action), cause.action);
        assert_eq!(version.reason, cause.reason);
        assert_eq!(version.metadata, cause.metadata);
    }
}

async fn absent_cause_is_kept_absent(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    let version = t.versions(&item("a")).await.remove(0);
    assert_eq!((version.actor, version.reason, version.metadata), (None, None, None));
}

async fn lineages_do_not_share_entities(t: Trial) {
    let (first, second) = (item("a"), item("a").in_space(Space(1)));
    t.write(put(&first, 1)).await;
    t.write(put(&second, 2)).await;
    assert_eq!(t.write(put(&second, 3)).await.n, 2);
    assert_eq!(t.record(&first).await.state, number(1));
    t.write(delete(&second)).await;
    assert_eq!(t.record(&first).await.version.n, 1);
    assert_eq!(t.ids(crate::ops::items(10)).await, ["a"]);
    assert_eq!(t.versions(&first).await.len(), 1);
}

async fn kinds_do_not_share_entities(t: Trial) {
    let other = outlast_core::Key::new("other", "a").unwrap();
    t.write(put(&item("a"), 1)).await;
    assert_eq!(t.slot(&other).await, Slot::Vacant);
    t.write(put(&other, 2)).await;
    t.write(delete(&item("a"))).await;
    assert_eq!(t.record(&other).await.state, number(2));
}

async fn receipt_lists_versions_in_the_order_of_operations(t: Trial) {
    let keys = ["c", "a", "b"].map(item);
    let mut ops: Vec<_> = keys.iter().map(|key| put(key, 1)).collect();
    ops.insert(1, append(&log("z"), &["x"]));
    ops.insert(3, append(&log("y"), &["x"]));
    let schema = put_with(&item("d"), outlast_core::Expect::Any, int("x", 1), number(1));
    ops.push(schema);
    let receipt = t.apply(ops).await;
    let written: Vec<&str> = receipt.versions.iter().map(|(key, _)| key.id()).collect();
    assert_eq!(written, ["c", "a", "b", "d"]);
    let streams: Vec<&str> = receipt.appended.iter().map(|(stream, ..)| stream.id()).collect();
    assert_eq!(streams, ["z", "y"]);
}
