//! Copying entries verbatim from another store.

use outlast_core::{Entry, ErrorKind, Op, Seq, StreamName, StreamQuery, Timestamp};

use crate::ops::{append, int, log};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(merged_entries_keep_place_time_and_attributes),
        Case::of(merged_entries_already_there_are_skipped),
        Case::of(merged_entries_may_begin_late_in_an_empty_stream),
        Case::of(gap_between_merged_entries_is_refused),
        Case::of(entries_of_another_stream_are_invalid),
        Case::of(entries_out_of_order_are_invalid),
        Case::of(merge_of_no_entries_is_invalid),
        Case::of(appends_go_on_from_merged_entries),
    ]
}

fn foreign(stream: &StreamName, seq: u64) -> Entry {
    Entry {
        stream: stream.clone(),
        seq: Seq(seq),
        at: Timestamp::from_micros(1_000_000 * i64::try_from(seq).unwrap()),
        attrs: int("level", 3),
        data: format!("e{seq}").into_bytes(),
    }
}

fn merge(stream: &StreamName, places: impl IntoIterator<Item = u64>) -> Op {
    let entries = places.into_iter().map(|seq| foreign(stream, seq)).collect();
    Op::MergeEntries { stream: stream.clone(), entries }
}

async fn places(t: &Trial) -> Vec<u64> {
    t.entries(StreamQuery::of(log("l"))).await.into_iter().map(|(seq, _)| seq).collect()
}

async fn merged_entries_keep_place_time_and_attributes(t: Trial) {
    let receipt = t.apply([merge(&log("l"), 1..=3)]).await;
    assert_eq!(receipt.appended, [(log("l"), Seq(1), Seq(3))]);
    let page = t.store.read(&StreamQuery::of(log("l"))).await.unwrap();
    let found: Vec<Entry> = page.items.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [1, 2, 3].map(|seq| foreign(&log("l"), seq)));
}

async fn merged_entries_already_there_are_skipped(t: Trial) {
    t.apply([merge(&log("l"), 1..=3)]).await;
    let receipt = t.apply([merge(&log("l"), 2..=5)]).await;
    assert_eq!(receipt.appended, [(log("l"), Seq(4), Seq(5))]);
    let before = t.everything().await;
    let receipt = t.apply([merge(&log("l"), 1..=5)]).await;
    assert_eq!(receipt.appended, []);
    assert_eq!(t.everything().await, before);
    assert_eq!(places(&t).await, [1, 2, 3, 4, 5]);
}

async fn merged_entries_may_begin_late_in_an_empty_stream(t: Trial) {
    t.apply([merge(&log("l"), 7..=8)]).await;
    assert_eq!(places(&t).await, [7, 8]);
    let extent = t.store.streams(&log("l").kind, &outlast_core::Page::default()).await.unwrap();
    assert_eq!((extent.items[0].first, extent.items[0].last), (Seq(7), Seq(8)));
    t.apply([merge(&log("l"), 5..=6)]).await;
    assert_eq!(places(&t).await, [7, 8], "earlier entries cannot be put in front");
}

async fn gap_between_merged_entries_is_refused(t: Trial) {
    t.apply([merge(&log("l"), 1..=3)]).await;
    assert_eq!(t.refused(&t.batch([merge(&log("l"), 5..=6)])).await, ErrorKind::Invalid);
    let holed = t.batch([merge(&log("l"), [4, 6])]);
    assert_eq!(t.refused(&holed).await, ErrorKind::Invalid);
}

async fn entries_of_another_stream_are_invalid(t: Trial) {
    let entries = vec![foreign(&log("other"), 1)];
    let batch = t.batch([Op::MergeEntries { stream: log("l"), entries }]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
}

async fn entries_out_of_order_are_invalid(t: Trial) {
    for places in [[2, 1], [1, 1], [0, 1]] {
        let batch = t.batch([merge(&log("l"), places)]);
        assert_eq!(t.refused(&batch).await, ErrorKind::Invalid, "{places:?}");
    }
}

async fn merge_of_no_entries_is_invalid(t: Trial) {
    assert_eq!(t.refused(&t.batch([merge(&log("l"), [])])).await, ErrorKind::Invalid);
}

async fn appends_go_on_from_merged_entries(t: Trial) {
    t.apply([merge(&log("l"), 4..=6)]).await;
    let receipt = t.apply([append(&log("l"), &["x"])]).await;
    assert_eq!(receipt.appended, [(log("l"), Seq(7), Seq(7))]);
}
