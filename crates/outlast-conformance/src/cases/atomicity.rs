//! All of a batch or nothing.

use outlast_core::{ErrorKind, Expect, Outcome, StreamQuery};

use crate::ops::{append, assert, create, delete, int, item, log, put, touch, update};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(every_operation_of_a_batch_is_applied),
        Case::of(conflict_on_the_last_operation_undoes_the_others),
        Case::of(conflict_on_the_first_operation_stops_the_others),
        Case::of(failed_assertion_applies_nothing),
        Case::of(held_assertion_lets_the_rest_apply),
        Case::of(conflict_leaves_no_trace_in_streams),
        Case::of(conflict_leaves_touches_out),
        Case::of(all_versions_of_a_batch_share_one_revision),
        Case::of(wide_batch_is_one_commit),
        Case::of(batch_without_operations_is_invalid),
        Case::of(batch_of_assertions_alone_is_invalid),
        Case::of(two_operations_on_one_entity_are_invalid),
        Case::of(two_operations_on_one_stream_are_invalid),
    ]
}

async fn every_operation_of_a_batch_is_applied(t: Trial) {
    let gone = item("gone");
    t.write(put(&gone, 1)).await;
    let ops = [create(&item("a"), 1), delete(&gone), append(&log("l"), &["x", "y"])];
    let receipt = t.apply(ops).await;
    assert_eq!(t.record(&item("a")).await.state.as_str(), "1");
    assert_eq!(t.live(&gone).await, None);
    let entries = t.entries(StreamQuery::of(log("l"))).await;
    assert_eq!(entries, [(1, "x".to_owned()), (2, "y".to_owned())]);
    assert_eq!(receipt.versions.len(), 2);
    assert_eq!(receipt.appended, [(log("l"), outlast_core::Seq(1), outlast_core::Seq(2))]);
}

async fn conflict_on_the_last_operation_undoes_the_others(t: Trial) {
    t.write(put(&item("taken"), 1)).await;
    let ops = [put(&item("a"), 1), append(&log("l"), &["x"]), create(&item("taken"), 2)];
    assert_eq!(t.conflict(ops).await.0, item("taken"));
}

async fn conflict_on_the_first_operation_stops_the_others(t: Trial) {
    t.write(put(&item("taken"), 1)).await;
    let ops = [create(&item("taken"), 2), put(&item("a"), 1), append(&log("l"), &["x"])];
    assert_eq!(t.conflict(ops).await.0, item("taken"));
}

async fn failed_assertion_applies_nothing(t: Trial) {
    let fence = t.write(put(&item("fence"), 1)).await;
    t.write(put(&item("fence"), 2)).await;
    let ops = [put(&item("a"), 1), assert(&item("fence"), Expect::At(fence))];
    let (key, expected, _) = t.conflict(ops).await;
    assert_eq!((key, expected), (item("fence"), Expect::At(fence)));
}

async fn held_assertion_lets_the_rest_apply(t: Trial) {
    let fence = t.write(put(&item("fence"), 1)).await;
    let receipt = t.apply([assert(&item("fence"), Expect::At(fence)), put(&item("a"), 1)]).await;
    assert_eq!(receipt.versions.len(), 1, "an assertion writes no version");
    assert_eq!(t.versions(&item("fence")).await.len(), 1);
}

async fn conflict_leaves_no_trace_in_streams(t: Trial) {
    t.apply([append(&log("l"), &["one"])]).await;
    let ops = [append(&log("l"), &["lost"]), assert(&item("none"), Expect::Live)];
    t.conflict(ops).await;
    let receipt = t.apply([append(&log("l"), &["two"])]).await;
    assert_eq!(receipt.appended[0].1.0, 2, "a lost batch used up a place");
}

async fn conflict_leaves_touches_out(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.conflict([touch(&item("a"), int("beat", 1)), assert(&item("b"), Expect::Live)]).await;
    assert!(t.record(&item("a")).await.transient.is_empty());
}

async fn all_versions_of_a_batch_share_one_revision(t: Trial) {
    let receipt = t.apply([put(&item("a"), 1), put(&item("b"), 1)]).await;
    for key in [item("a"), item("b")] {
        let version = t.versions(&key).await.remove(0);
        assert_eq!(version.revision, receipt.revision);
        assert_eq!(version.commit, receipt.id);
        assert_eq!(version.at, receipt.at);
    }
}

async fn wide_batch_is_one_commit(t: Trial) {
    let most = t.store.info().limits.ops;
    let ops = (0..most).map(|n| put(&item(&format!("k{n:05}")), 1));
    let receipt = t.apply(ops).await;
    assert_eq!(receipt.versions.len(), most);
    assert_eq!(t.feed().await.len(), 1);
    let last = t.record(&item(&format!("k{:05}", most - 1))).await;
    let ops = [put(&item("k00000"), 2), update(&last.key, last.version, 2)];
    assert!(matches!(t.commit(&t.batch(ops)).await, Outcome::Applied(_)));
}

async fn batch_without_operations_is_invalid(t: Trial) {
    assert_eq!(t.refused(&t.batch([])).await, ErrorKind::Invalid);
}

async fn batch_of_assertions_alone_is_invalid(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    let batch = t.batch([assert(&item("a"), Expect::Live)]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
}

async fn two_operations_on_one_entity_are_invalid(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    for second in [put(&item("a"), 2), delete(&item("a")), touch(&item("a"), int("x", 1))] {
        let batch = t.batch([put(&item("a"), 1), second]);
        assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
    }
}

async fn two_operations_on_one_stream_are_invalid(t: Trial) {
    let batch = t.batch([append(&log("l"), &["x"]), append(&log("l"), &["y"])]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
}
