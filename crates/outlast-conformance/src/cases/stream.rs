//! What is appended to a stream.

use std::time::Duration;

use outlast_core::{ErrorKind, NewEntry, Op, Page, Seq, Space, StreamName, StreamQuery, Timestamp};

use crate::ops::{append, entry, int, kind, log, put};
use crate::snapshot::walk_streams;
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(places_count_from_one_without_gaps),
        Case::of(streams_are_independent),
        Case::of(streams_and_entities_share_no_names),
        Case::of(empty_entry_is_kept_and_is_not_nothing),
        Case::of(binary_entry_is_kept_byte_for_byte),
        Case::of(largest_entry_is_kept),
        Case::of(entry_over_the_limit_is_too_large),
        Case::of(entry_keeps_its_own_time_or_the_commits),
        Case::of(append_of_nothing_is_invalid),
        Case::of(missing_stream_reads_as_empty),
        Case::of(streams_are_listed_by_name),
        Case::of(streams_of_another_kind_are_not_listed),
        Case::of(concurrent_appends_leave_no_gap),
        Case::of(append_and_put_are_one_commit),
    ]
}

fn append_entries(stream: &StreamName, entries: Vec<NewEntry>) -> Op {
    Op::Append { stream: stream.clone(), entries }
}

async fn data(t: &Trial, stream: &StreamName) -> Vec<Vec<u8>> {
    let page = t.store.read(&StreamQuery::of(stream.clone())).await.unwrap();
    page.items.into_iter().map(|entry| entry.unwrap().data).collect()
}

async fn places_count_from_one_without_gaps(t: Trial) {
    let mut next = 1;
    for count in [1, 3, 2] {
        let receipt = t.apply([append(&log("l"), &vec!["x"; count])]).await;
        let last = next + count as u64 - 1;
        assert_eq!(receipt.appended, [(log("l"), Seq(next), Seq(last))]);
        next = last + 1;
    }
    let places: Vec<u64> =
        t.entries(StreamQuery::of(log("l"))).await.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
}

async fn streams_are_independent(t: Trial) {
    let elsewhere = log("l").in_space(Space(1));
    t.apply([append(&log("l"), &["a", "b"]), append(&log("m"), &["c"])]).await;
    t.apply([append(&elsewhere, &["d"])]).await;
    assert_eq!(t.entries(StreamQuery::of(log("m"))).await, [(1, "c".to_owned())]);
    assert_eq!(t.entries(StreamQuery::of(elsewhere)).await, [(1, "d".to_owned())]);
    assert_eq!(t.entries(StreamQuery::of(log("l"))).await.len(), 2);
}

async fn streams_and_entities_share_no_names(t: Trial) {
    t.apply([append(&log("a"), &["x"])]).await;
    t.write(put(&log("a"), 1)).await;
    t.write(put(&log("b"), 1)).await;
    assert_eq!(t.entries(StreamQuery::of(log("b"))).await, []);
    assert_eq!(t.entries(StreamQuery::of(log("a"))).await.len(), 1);
    assert_eq!(t.record(&log("a")).await.version.n, 1);
}

async fn empty_entry_is_kept_and_is_not_nothing(t: Trial) {
    t.apply([append_entries(&log("l"), vec![entry(""), entry("x"), entry("")])]).await;
    assert_eq!(data(&t, &log("l")).await, [b"".to_vec(), b"x".to_vec(), b"".to_vec()]);
}

async fn binary_entry_is_kept_byte_for_byte(t: Trial) {
    let all: Vec<u8> = (0..=255).chain([0, 0xff, 0xfe, 0, 0xc3]).collect();
    t.apply([append_entries(&log("l"), vec![entry(all.clone())])]).await;
    assert_eq!(data(&t, &log("l")).await, [all]);
}

async fn largest_entry_is_kept(t: Trial) {
    let most = t.store.info().limits.entry_bytes;
    let bytes: Vec<u8> = (0..251).cycle().take(most).collect();
    t.apply([append_entries(&log("l"), vec![entry(bytes.clone())])]).await;
    assert!(data(&t, &log("l")).await == [bytes], "the largest entry came back otherwise");
}

async fn entry_over_the_limit_is_too_large(t: Trial) {
    let most = t.store.info().limits.entry_bytes;
    let batch = t.batch([append_entries(&log("l"), vec![entry("ok"), entry(vec![0; most + 1])])]);
    assert_eq!(t.refused(&batch).await, ErrorKind::TooLarge);
}

async fn entry_keeps_its_own_time_or_the_commits(t: Trial) {
    let own = Timestamp::from_micros(-5);
    let dated = NewEntry { at: Some(own), attrs: int("level", 2), ..entry("old") };
    t.wait(Duration::from_secs(1));
    let receipt = t.apply([append_entries(&log("l"), vec![dated, entry("new")])]).await;
    let page = t.store.read(&StreamQuery::of(log("l"))).await.unwrap();
    let found: Vec<_> = page.items.into_iter().map(Result::unwrap).collect();
    assert_eq!((found[0].at, &found[0].attrs), (own, &int("level", 2)));
    assert_eq!((found[1].at, found[1].attrs.len()), (receipt.at, 0));
}

async fn append_of_nothing_is_invalid(t: Trial) {
    let batch = t.batch([append(&log("l"), &[])]);
    assert_eq!(t.refused(&batch).await, ErrorKind::Invalid);
}

async fn missing_stream_reads_as_empty(t: Trial) {
    let page = t.store.read(&StreamQuery::of(log("l"))).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
}

async fn streams_are_listed_by_name(t: Trial) {
    let names = ["B", "a", "a ", "b", "ä"];
    for (n, name) in names.iter().enumerate().rev() {
        t.apply([append(&log(name), &vec!["x"; n + 1])]).await;
    }
    t.apply([append(&log("a").in_space(Space(1)), &["x"])]).await;
    for limit in [1, 2, 100] {
        let found = walk_streams(t.backend(), &kind("log"), limit).await;
        let ids: Vec<&str> = found.iter().map(|extent| extent.stream.id()).collect();
        assert_eq!(ids, ["B", "a", "a ", "b", "ä", "a"], "pages of {limit}");
        assert_eq!(found[5].stream.space, Space(1));
        let lasts: Vec<u64> = found.iter().map(|extent| extent.last.0).collect();
        assert_eq!(lasts, [1, 2, 3, 4, 5, 1]);
        assert!(found.iter().all(|extent| extent.first == Seq(1)));
    }
}

async fn streams_of_another_kind_are_not_listed(t: Trial) {
    t.apply([append(&outlast_core::Key::new("logs", "a").unwrap(), &["x"])]).await;
    t.write(put(&log("entity"), 1)).await;
    let page = t.store.streams(&kind("log"), &Page::default()).await.unwrap();
    assert_eq!(page.items, []);
}

async fn concurrent_appends_leave_no_gap(t: Trial) {
    let sent: Vec<_> = (0..40)
        .map(|n| {
            let (store, text) = (t.store.clone(), n.to_string());
            let batch = t.batch([append(&log("l"), &[text.as_str(), text.as_str()])]);
            tokio::spawn(async move { store.commit(batch).await.unwrap() })
        })
        .collect();
    for answer in sent {
        answer.await.unwrap();
    }
    let found = t.entries(StreamQuery::of(log("l"))).await;
    let places: Vec<u64> = found.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(places, (1..=80).collect::<Vec<u64>>());
    for pair in found.chunks(2) {
        assert_eq!(pair[0].1, pair[1].1, "the entries of one append were torn apart");
    }
}

async fn append_and_put_are_one_commit(t: Trial) {
    let receipt = t.apply([put(&crate::ops::item("a"), 1), append(&log("l"), &["x"])]).await;
    let change = t.feed().await.remove(0);
    assert_eq!(change.revision, receipt.revision);
    assert_eq!(change.versions.len(), 1);
    assert_eq!(change.appended, receipt.appended);
}
