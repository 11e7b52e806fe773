//! Versions, read back.

use std::time::Duration;

use outlast_core::{
    Action, Actor, Batch, Cause, ErrorKind, HistoryQuery, Page, Revision, Scope, Space, Versioned,
};

use crate::ops::{delete, item, kind, number, put};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(history_of_one_entity_is_in_version_order),
        Case::of(history_of_all_is_in_commit_order),
        Case::of(history_of_a_kind_leaves_others_out),
        Case::of(history_reads_backwards),
        Case::of(single_version_is_found_by_number),
        Case::of(numbers_bound_the_history),
        Case::of(times_bound_the_history),
        Case::of(history_by_actor),
        Case::of(history_by_action),
        Case::of(history_pages_are_complete),
        Case::of(history_of_nothing_is_empty),
        Case::of(writes_during_a_walk_of_history_disturb_nothing),
        Case::of(history_page_limits_are_checked),
    ]
}

fn of(id: &str) -> HistoryQuery {
    HistoryQuery::of(Scope::Entity(item(id)))
}

async fn numbers(t: &Trial, query: HistoryQuery) -> Vec<u64> {
    t.history(query).await.iter().map(|version| version.version.n).collect()
}

async fn check(t: &Trial, query: HistoryQuery, expected: &[u64]) {
    for limit in [1, 2, 100] {
        let query = HistoryQuery { page: Page::first(limit), ..query.clone() };
        assert_eq!(numbers(t, query.clone()).await, expected, "{query:?}");
        let down = numbers(t, HistoryQuery { newest_first: true, ..query }).await;
        assert!(down.iter().rev().eq(expected), "newest first gives {down:?}");
    }
}

async fn write(t: &Trial, id: &str, times: i64) {
    for n in 1..=times {
        t.wait(Duration::from_millis(999));
        t.write(put(&item(id), n)).await;
    }
}

async fn history_of_one_entity_is_in_version_order(t: Trial) {
    write(&t, "a", 12).await;
    write(&t, "ab", 2).await;
    check(&t, of("a"), &(1..=12).collect::<Vec<_>>()).await;
    let states: Vec<_> = t.versions(&item("a")).await.into_iter().map(|v| v.state).collect();
    assert_eq!(states, (1..=12).map(|n| Some(number(n))).collect::<Vec<_>>());
}

fn places(found: &[Versioned]) -> Vec<(String, u64)> {
    found.iter().map(|v| (v.key.to_string(), v.version.n)).collect()
}

async fn history_of_all_is_in_commit_order(t: Trial) {
    t.apply([put(&item("b"), 1), put(&item("a"), 1)]).await;
    t.write(put(&item("c").in_space(Space(1)), 1)).await;
    t.write(put(&item("a"), 2)).await;
    t.write(delete(&item("b"))).await;
    for limit in [1, 2, 100] {
        let page = Page::first(limit);
        let query = HistoryQuery { page, ..HistoryQuery::of(Scope::All(None)) };
        let mut found = t.history(query.clone()).await;
        let expected =
            [("item/b", 1), ("item/a", 1), ("item/c@1", 1), ("item/a", 2), ("item/b", 2)];
        assert_eq!(places(&found), expected.map(|(key, n)| (key.to_owned(), n)));
        assert!(found.is_sorted_by_key(|version| version.revision));
        found.reverse();
        assert_eq!(t.history(HistoryQuery { newest_first: true, ..query }).await, found);
    }
}

async fn history_of_a_kind_leaves_others_out(t: Trial) {
    let other = outlast_core::Key::new("other", "a").unwrap();
    t.apply([put(&item("a"), 1), put(&other, 1)]).await;
    t.write(put(&other, 2)).await;
    let query = HistoryQuery::of(Scope::All(Some(kind("other"))));
    assert_eq!(numbers(&t, query).await, [1, 2]);
    assert_eq!(numbers(&t, HistoryQuery::of(Scope::All(Some(kind("item"))))).await, [1]);
    assert_eq!(numbers(&t, HistoryQuery::of(Scope::All(Some(kind("none"))))).await, [0; 0]);
}

async fn history_reads_backwards(t: Trial) {
    write(&t, "a", 5).await;
    let query = HistoryQuery { newest_first: true, page: Page::first(2), ..of("a") };
    assert_eq!(numbers(&t, query).await, [5, 4, 3, 2, 1]);
}

async fn single_version_is_found_by_number(t: Trial) {
    write(&t, "a", 5).await;
    assert_eq!(numbers(&t, HistoryQuery::version(item("a"), 3)).await, [3]);
    assert_eq!(numbers(&t, HistoryQuery::version(item("a"), 6)).await, [0; 0]);
    assert_eq!(numbers(&t, HistoryQuery::version(item("a"), 0)).await, [0; 0]);
}

async fn numbers_bound_the_history(t: Trial) {
    write(&t, "a", 8).await;
    check(&t, HistoryQuery { from: Some(6), ..of("a") }, &[6, 7, 8]).await;
    check(&t, HistoryQuery { to: Some(2), ..of("a") }, &[1, 2]).await;
    check(&t, HistoryQuery { from: Some(3), to: Some(5), ..of("a") }, &[3, 4, 5]).await;
    check(&t, HistoryQuery { from: Some(5), to: Some(3), ..of("a") }, &[]).await;
    check(&t, HistoryQuery { from: Some(8), to: Some(u64::MAX), ..of("a") }, &[8]).await;
    let everyone = HistoryQuery { from: Some(7), ..HistoryQuery::of(Scope::All(None)) };
    check(&t, everyone, &[7, 8]).await;
}

async fn times_bound_the_history(t: Trial) {
    let begin = t.now();
    write(&t, "a", 8).await;
    let second = |n: u64| Some(begin.plus(Duration::from_secs(n)));
    for base in [of("a"), HistoryQuery::of(Scope::All(Some(kind("item"))))] {
        check(&t, HistoryQuery { since: second(6), ..base.clone() }, &[6, 7, 8]).await;
        check(&t, HistoryQuery { until: second(3), ..base.clone() }, &[1, 2]).await;
        check(&t, HistoryQuery { since: second(3), until: second(5), ..base }, &[3, 4]).await;
    }
}

async fn write_as(t: &Trial, actor: Option<&str>, action: Option<&str>) {
    let cause = Cause {
        actor: actor.map(|actor| actor.parse().unwrap()),
        action: action.map(|action| Action::new(action).unwrap()),
        ..Cause::default()
    };
    t.apply_batch(&Batch { cause, ..t.batch([put(&item("a"), 1)]) }).await;
}

async fn history_by_actor(t: Trial) {
    for actor in [Some("user:ann"), None, Some("user:an"), Some("agent:ann"), Some("user:ann")] {
        write_as(&t, actor, None).await;
    }
    let by = |actor: &str| Some(actor.parse::<Actor>().unwrap());
    for base in [of("a"), HistoryQuery::of(Scope::All(None))] {
        check(&t, HistoryQuery { actor: by("user:ann"), ..base.clone() }, &[1, 5]).await;
        check(&t, HistoryQuery { actor: by("agent:ann"), ..base.clone() }, &[4]).await;
        check(&t, HistoryQuery { actor: by("system"), ..base }, &[]).await;
    }
}

async fn history_by_action(t: Trial) {
    for action in [None, Some("promote"), None, Some("promote"), Some("demote")] {
        write_as(&t, None, action).await;
    }
    let called = |action: &str| Some(Action::new(action).unwrap());
    for base in [of("a"), HistoryQuery::of(Scope::All(None))] {
        check(&t, HistoryQuery { action: called("promote"), ..base.clone() }, &[2, 4]).await;
        check(&t, HistoryQuery { action: called("create"), ..base.clone() }, &[1]).await;
        check(&t, HistoryQuery { action: called("update"), ..base }, &[3]).await;
    }
}

async fn history_pages_are_complete(t: Trial) {
    for chunk in 0..4 {
        t.apply((0..16).map(|n| put(&item(&format!("k{}", (n + chunk) % 20)), 1))).await;
    }
    let whole = t.history(HistoryQuery::of(Scope::All(None))).await;
    assert_eq!(whole.len(), 64);
    for limit in [1, 5, 16, 63, 64, 65] {
        let page = Page::first(limit);
        let query = HistoryQuery { page, ..HistoryQuery::of(Scope::All(None)) };
        assert_eq!(t.history(query).await, whole, "pages of {limit}");
    }
}

async fn history_of_nothing_is_empty(t: Trial) {
    assert_eq!(numbers(&t, of("a")).await, [0; 0]);
    assert_eq!(numbers(&t, HistoryQuery::of(Scope::All(None))).await, [0; 0]);
}

async fn writes_during_a_walk_of_history_disturb_nothing(t: Trial) {
    write(&t, "a", 6).await;
    for scope in [Scope::Entity(item("a")), Scope::All(None)] {
        let query = HistoryQuery { page: Page::first(4), ..HistoryQuery::of(scope) };
        let before = t.history(query.clone()).await;
        let first = t.store.history(&query).await.unwrap();
        t.write(put(&item("a"), 7)).await;
        let rest = HistoryQuery { page: query.page.after(first.next.unwrap()), ..query };
        let first: Vec<Versioned> = first.items.into_iter().map(Result::unwrap).collect();
        let found = [first, t.history(rest).await].concat();
        assert_eq!(found[..before.len()], before);
        assert_eq!(found.len(), before.len() + 1);
        assert!(found.iter().all(|version| version.revision > Revision::ZERO));
    }
}

async fn history_page_limits_are_checked(t: Trial) {
    let most = t.store.info().limits.page;
    for (limit, kind) in [(0, ErrorKind::Invalid), (most + 1, ErrorKind::TooLarge)] {
        let query = HistoryQuery { page: Page::first(limit), ..of("a") };
        assert_eq!(t.store.history(&query).await.unwrap_err().kind(), kind);
    }
}
