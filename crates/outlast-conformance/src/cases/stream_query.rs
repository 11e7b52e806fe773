//! Which entries of a stream are read.

use std::time::Duration;

use outlast_core::{ErrorKind, Filter, NewEntry, Op, Page, Seq, StreamQuery};

use crate::ops::{append, entry, int, log, name};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(stream_reads_forwards_and_backwards),
        Case::of(places_bound_what_is_read),
        Case::of(times_bound_what_is_read),
        Case::of(filters_bound_what_is_read),
        Case::of(all_bounds_of_a_stream_hold_together),
        Case::of(filtered_stream_pages_are_complete),
        Case::of(appends_during_a_walk_are_met_at_the_end),
        Case::of(stream_page_limits_are_checked),
    ]
}

/// Ten entries a second apart; the level is the place modulo three.
async fn fill(t: &Trial) -> outlast_core::Timestamp {
    let begin = t.now();
    for n in 1..=10_i64 {
        t.wait(Duration::from_millis(999));
        let level = NewEntry { attrs: int("level", n % 3), ..entry(n.to_string()) };
        t.apply([Op::Append { stream: log("l"), entries: vec![level] }]).await;
    }
    begin
}

fn all() -> StreamQuery {
    StreamQuery { page: Page::first(3), ..StreamQuery::of(log("l")) }
}

async fn check(t: &Trial, query: StreamQuery, expected: &[u64]) {
    let places = |found: Vec<(u64, String)>| found.into_iter().map(|(seq, _)| seq);
    for limit in [1, 3, 100] {
        let query = StreamQuery { page: Page::first(limit), ..query.clone() };
        let found: Vec<u64> = places(t.entries(query.clone()).await).collect();
        assert_eq!(found, expected, "{query:?}");
        let down = StreamQuery { newest_first: true, ..query };
        let found: Vec<u64> = places(t.entries(down.clone()).await).collect();
        assert!(found.iter().rev().eq(expected), "{down:?} gives {found:?}");
    }
}

async fn stream_reads_forwards_and_backwards(t: Trial) {
    fill(&t).await;
    check(&t, all(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
}

async fn places_bound_what_is_read(t: Trial) {
    fill(&t).await;
    let range = |from: Option<u64>, to: Option<u64>| StreamQuery {
        from: from.map(Seq),
        to: to.map(Seq),
        ..all()
    };
    check(&t, range(Some(8), None), &[8, 9, 10]).await;
    check(&t, range(None, Some(3)), &[1, 2, 3]).await;
    check(&t, range(Some(4), Some(6)), &[4, 5, 6]).await;
    check(&t, range(Some(5), Some(5)), &[5]).await;
    check(&t, range(Some(6), Some(5)), &[]).await;
    check(&t, range(Some(11), None), &[]).await;
    check(&t, range(Some(0), Some(u64::MAX)), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
}

async fn times_bound_what_is_read(t: Trial) {
    let begin = fill(&t).await;
    let second = |n: u64| Some(begin.plus(Duration::from_secs(n)));
    check(&t, StreamQuery { since: second(8), ..all() }, &[8, 9, 10]).await;
    check(&t, StreamQuery { until: second(3), ..all() }, &[1, 2]).await;
    check(&t, StreamQuery { since: second(4), until: second(6), ..all() }, &[4, 5]).await;
    check(&t, StreamQuery { since: second(6), until: second(6), ..all() }, &[]).await;
}

async fn filters_bound_what_is_read(t: Trial) {
    fill(&t).await;
    let level = |filter| StreamQuery { filters: vec![filter], ..all() };
    check(&t, level(Filter::is(name("level"), 0)), &[3, 6, 9]).await;
    check(&t, level(Filter::at_most(name("level"), 1)), &[1, 3, 4, 6, 7, 9, 10]).await;
    check(&t, level(Filter::is(name("level"), "0")), &[]).await;
    check(&t, level(Filter::is(name("other"), 0)), &[]).await;
}

async fn all_bounds_of_a_stream_hold_together(t: Trial) {
    let begin = fill(&t).await;
    let query = StreamQuery {
        from: Some(Seq(3)),
        to: Some(Seq(9)),
        since: Some(begin.plus(Duration::from_secs(4))),
        until: Some(begin.plus(Duration::from_secs(9))),
        filters: vec![Filter::at_most(name("level"), 1)],
        ..all()
    };
    check(&t, query, &[4, 6, 7]).await;
}

async fn filtered_stream_pages_are_complete(t: Trial) {
    let entries = (0..100_i64).map(|n| NewEntry { attrs: int("hit", n % 10), ..entry("x") });
    t.apply([Op::Append { stream: log("l"), entries: entries.collect() }]).await;
    let query = StreamQuery { filters: vec![Filter::is(name("hit"), 9)], ..all() };
    check(&t, query, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]).await;
}

async fn appends_during_a_walk_are_met_at_the_end(t: Trial) {
    fill(&t).await;
    let page = t.store.read(&StreamQuery { page: Page::first(4), ..all() }).await.unwrap();
    t.apply([append(&log("l"), &["late"])]).await;
    let rest = StreamQuery { page: Page { limit: 100, after: page.next }, ..all() };
    let found: Vec<u64> = t.entries(rest).await.into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(found, [5, 6, 7, 8, 9, 10, 11]);
}

async fn stream_page_limits_are_checked(t: Trial) {
    let most = t.store.info().limits.page;
    for (limit, kind) in [(0, ErrorKind::Invalid), (most + 1, ErrorKind::TooLarge)] {
        let query = StreamQuery { page: Page::first(limit), ..all() };
        assert_eq!(t.store.read(&query).await.unwrap_err().kind(), kind);
    }
}
