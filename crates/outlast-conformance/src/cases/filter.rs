//! Which entities a filter lets through.

use std::ops::Bound;

use outlast_core::{AttrValue, Attributes, Filter, Order, Query, Test};

use crate::ops::{any_of, int, item, items, name, put, tagged, text};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(equality_finds_just_that_value),
        Case::of(any_of_finds_each_value_once),
        Case::of(any_of_nothing_finds_nothing),
        Case::of(integer_ranges_keep_their_bounds),
        Case::of(text_ranges_keep_their_bounds),
        Case::of(ranges_of_extreme_integers_keep_their_bounds),
        Case::of(crossed_ranges_find_nothing),
        Case::of(bounds_of_one_type_leave_the_other_out),
        Case::of(unbounded_range_finds_whoever_has_the_attribute),
        Case::of(all_filters_must_hold),
        Case::of(filters_hold_in_every_order),
        Case::of(records_without_the_attribute_never_match),
        Case::of(filtered_pages_are_complete),
        Case::of(empty_text_is_a_value),
    ]
}

fn within(attr: &str, low: Bound<AttrValue>, high: Bound<AttrValue>) -> Filter {
    Filter { name: name(attr), test: Test::Within(low, high) }
}

/// Asks in every order and page size, and of `count`; all must find these.
async fn check(t: &Trial, filters: &[Filter], expected: &[&str]) {
    let orders = [Order::Id, Order::Attr(name("x")), Order::Attr(name("id"))];
    for order in orders {
        for (limit, descending) in [(1, false), (2, true), (100, false)] {
            let order = order.clone();
            let filters = filters.to_vec();
            let query = Query { filters, order, descending, ..items(limit) };
            let mut found = t.ids(query.clone()).await;
            found.sort();
            assert_eq!(found, expected, "{query:?}");
        }
    }
    let query = Query { filters: filters.to_vec(), ..items(1) };
    assert_eq!(t.store.count(&query, &[]).await.unwrap().total, expected.len() as u64);
}

/// Writes entities with the value as `x`, and their id as `id`.
async fn fill<V: Into<AttrValue>>(t: &Trial, values: impl IntoIterator<Item = (&str, V)>) {
    for (id, value) in values {
        let attrs = Attributes::from([(name("x"), value.into()), (name("id"), id.into())]);
        t.write(tagged(&item(id), attrs)).await;
    }
}

async fn equality_finds_just_that_value(t: Trial) {
    fill(&t, [("a", 1), ("b", 2), ("c", 1), ("d", -1), ("e", 11)]).await;
    check(&t, &[Filter::is(name("x"), 1)], &["a", "c"]).await;
    check(&t, &[Filter::is(name("x"), 3)], &[]).await;
    check(&t, &[Filter::is(name("x"), "1")], &[]).await;
}

async fn any_of_finds_each_value_once(t: Trial) {
    fill(&t, [("a", 1), ("b", 2), ("c", 3), ("d", 1)]).await;
    check(&t, &[any_of("x", [1.into(), 3.into()])], &["a", "c", "d"]).await;
    check(&t, &[any_of("x", [3.into(), 1.into(), 1.into(), 9.into()])], &["a", "c", "d"]).await;
}

async fn any_of_nothing_finds_nothing(t: Trial) {
    fill(&t, [("a", 1)]).await;
    check(&t, &[any_of("x", [])], &[]).await;
}

async fn integer_ranges_keep_their_bounds(t: Trial) {
    use Bound::{Excluded, Included, Unbounded};
    fill(&t, [("a", -2), ("b", -1), ("c", 0), ("d", 1), ("e", 10)]).await;
    let int = AttrValue::Int;
    for (low, high, expected) in [
        (Included(int(-1)), Included(int(1)), &["b", "c", "d"][..]),
        (Excluded(int(-1)), Included(int(1)), &["c", "d"]),
        (Included(int(-1)), Excluded(int(1)), &["b", "c"]),
        (Excluded(int(-1)), Excluded(int(1)), &["c"]),
        (Unbounded, Included(int(-1)), &["a", "b"]),
        (Unbounded, Excluded(int(-1)), &["a"]),
        (Included(int(1)), Unbounded, &["d", "e"]),
        (Excluded(int(1)), Unbounded, &["e"]),
        (Included(int(0)), Included(int(0)), &["c"]),
    ] {
        check(&t, &[within("x", low, high)], expected).await;
    }
    check(&t, &[Filter::at_most(name("x"), 0)], &["a", "b", "c"]).await;
}

async fn text_ranges_keep_their_bounds(t: Trial) {
    use Bound::{Excluded, Included, Unbounded};
    fill(&t, [("a", ""), ("b", "B"), ("c", "b"), ("d", "bb"), ("e", "é")]).await;
    let text = |text: &str| AttrValue::from(text);
    for (low, high, expected) in [
        (Included(text("B")), Included(text("b")), &["b", "c"][..]),
        (Excluded(text("B")), Excluded(text("bb")), &["c"]),
        (Unbounded, Excluded(text("b")), &["a", "b"]),
        (Included(text("b")), Unbounded, &["c", "d", "e"]),
        (Excluded(text("")), Unbounded, &["b", "c", "d", "e"]),
    ] {
        check(&t, &[within("x", low, high)], expected).await;
    }
}

async fn ranges_of_extreme_integers_keep_their_bounds(t: Trial) {
    use Bound::{Excluded, Included, Unbounded};
    fill(&t, [("a", i64::MIN), ("b", i64::MIN + 1), ("c", i64::MAX - 1), ("d", i64::MAX)]).await;
    let int = AttrValue::Int;
    for (low, high, expected) in [
        (Included(int(i64::MIN)), Included(int(i64::MAX)), &["a", "b", "c", "d"][..]),
        (Excluded(int(i64::MIN)), Excluded(int(i64::MAX)), &["b", "c"]),
        (Excluded(int(i64::MAX)), Unbounded, &[]),
        (Unbounded, Excluded(int(i64::MIN)), &[]),
        (Unbounded, Included(int(i64::MIN)), &["a"]),
        (Included(int(i64::MAX)), Unbounded, &["d"]),
    ] {
        check(&t, &[within("x", low, high)], expected).await;
    }
}

async fn crossed_ranges_find_nothing(t: Trial) {
    use Bound::{Excluded, Included};
    fill(&t, [("a", 1), ("b", 2), ("c", 3)]).await;
    let int = AttrValue::Int;
    check(&t, &[within("x", Included(int(3)), Included(int(1)))], &[]).await;
    check(&t, &[within("x", Excluded(int(2)), Excluded(int(2)))], &[]).await;
    check(&t, &[within("x", Included(int(2)), Excluded(int(2)))], &[]).await;
    check(&t, &[within("x", Excluded(int(2)), Included(int(2)))], &[]).await;
}

async fn bounds_of_one_type_leave_the_other_out(t: Trial) {
    use Bound::{Included, Unbounded};
    let values: [(&str, AttrValue); 3] = [("a", 5.into()), ("b", "5".into()), ("c", "x".into())];
    fill(&t, values).await;
    check(&t, &[within("x", Included(0.into()), Unbounded)], &["a"]).await;
    check(&t, &[within("x", Unbounded, Included("z".into()))], &["b", "c"]).await;
    check(&t, &[within("x", Included(0.into()), Included("z".into()))], &[]).await;
    check(&t, &[any_of("x", [5.into(), "x".into()])], &["a", "c"]).await;
}

async fn unbounded_range_finds_whoever_has_the_attribute(t: Trial) {
    let values: [(&str, AttrValue); 3] = [("a", 5.into()), ("b", "".into()), ("c", "x".into())];
    fill(&t, values).await;
    t.write(put(&item("d"), 0)).await;
    check(&t, &[within("x", Bound::Unbounded, Bound::Unbounded)], &["a", "b", "c"]).await;
}

async fn all_filters_must_hold(t: Trial) {
    use Bound::{Excluded, Included, Unbounded};
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    fill(&t, ids.into_iter().zip(0..)).await;
    let above = within("x", Included(3.into()), Unbounded);
    let below = within("x", Unbounded, Excluded(6.into()));
    check(&t, &[above.clone(), below.clone()], &["d", "e", "f"]).await;
    check(&t, &[below, above.clone(), any_of("x", [4.into(), 9.into()])], &["e"]).await;
    let named = any_of("id", ["a", "e", "j"].map(AttrValue::from));
    check(&t, &[above.clone(), named.clone()], &["e", "j"]).await;
    check(&t, &[named, Filter::is(name("x"), 9)], &["j"]).await;
    check(&t, &[above, Filter::is(name("x"), 1)], &[]).await;
}

async fn filters_hold_in_every_order(t: Trial) {
    fill(&t, [("a", 3), ("b", 2), ("c", 1), ("d", 0)]).await;
    let filter = any_of("x", [3.into(), 1.into(), 0.into()]);
    let query = Query { order: Order::Attr(name("x")), ..items(2) }.filter(filter.clone());
    assert_eq!(t.ids(query.clone()).await, ["d", "c", "a"]);
    assert_eq!(t.ids(Query { descending: true, ..query }).await, ["a", "c", "d"]);
    assert_eq!(t.ids(items(2).filter(filter.clone())).await, ["a", "c", "d"]);
    let down = Query { descending: true, ..items(2).filter(filter) };
    assert_eq!(t.ids(down).await, ["d", "c", "a"]);
}

async fn records_without_the_attribute_never_match(t: Trial) {
    t.write(put(&item("a"), 0)).await;
    t.write(tagged(&item("b"), text("y", "x"))).await;
    check(&t, &[Filter::is(name("x"), "x")], &[]).await;
    check(&t, &[Filter::at_most(name("x"), i64::MAX)], &[]).await;
}

async fn filtered_pages_are_complete(t: Trial) {
    for chunk in 0..6 {
        let ids = (0..10).map(|n| chunk * 10 + n);
        t.apply(ids.map(|n| tagged(&item(&format!("k{n:02}")), int("x", n % 3)))).await;
    }
    let expected: Vec<String> =
        (0..60).filter(|n| n % 3 == 1).map(|n| format!("k{n:02}")).collect();
    for limit in [1, 4, 7, 20, 21] {
        let query = items(limit).filter(Filter::is(name("x"), 1));
        assert_eq!(t.ids(query).await, expected, "pages of {limit}");
    }
}

async fn empty_text_is_a_value(t: Trial) {
    fill(&t, [("a", ""), ("b", "x")]).await;
    t.write(put(&item("c"), 0)).await;
    check(&t, &[Filter::is(name("x"), "")], &["a"]).await;
}
