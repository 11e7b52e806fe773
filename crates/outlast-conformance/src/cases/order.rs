//! In which order entities are listed.

use outlast_core::{AttrValue, Attributes, Order, Query};

use crate::ops::{int, item, items, name, put, tagged, text};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(ids_are_in_the_order_of_their_bytes),
        Case::of(values_order_before_ids),
        Case::of(descending_reverses_ties_too),
        Case::of(integers_are_ordered_as_numbers),
        Case::of(extreme_integers_keep_their_order),
        Case::of(texts_are_ordered_by_bytes),
        Case::of(integers_come_before_texts),
        Case::of(entities_without_the_attribute_are_left_out),
        Case::of(kinds_and_lineages_are_listed_apart),
    ]
}

fn by(attr: &str) -> Query {
    Query { order: Order::Attr(name(attr)), ..items(3) }
}

async fn check_both_ways(t: &Trial, query: Query, expected: &[&str]) {
    assert_eq!(t.ids(query.clone()).await, expected);
    let down = t.ids(Query { descending: true, ..query }).await;
    assert!(down.iter().rev().eq(expected), "descending gives {down:?}");
}

async fn ids_are_in_the_order_of_their_bytes(t: Trial) {
    let sorted =
        [" ", "%", "'", "10", "9", "A", "Z", "_", "a", "a ", "a!", "aa", "b", "ä", "日", "😀"];
    let mut shuffled = sorted;
    shuffled.reverse();
    shuffled.swap(2, 11);
    t.apply(shuffled.iter().map(|id| put(&item(id), 0))).await;
    assert!(sorted.is_sorted());
    check_both_ways(&t, items(3), &sorted).await;
}

async fn values_order_before_ids(t: Trial) {
    t.apply([("a", 3), ("b", 1), ("c", 2), ("d", 1)].map(|(id, x)| tagged(&item(id), int("x", x))))
        .await;
    check_both_ways(&t, by("x"), &["b", "d", "c", "a"]).await;
}

async fn descending_reverses_ties_too(t: Trial) {
    t.apply(["c", "a", "d", "b"].map(|id| tagged(&item(id), int("x", 5)))).await;
    check_both_ways(&t, by("x"), &["a", "b", "c", "d"]).await;
}

async fn integers_are_ordered_as_numbers(t: Trial) {
    let values = [("a", 10), ("b", 9), ("c", -9), ("d", -10), ("e", 0), ("f", 100)];
    t.apply(values.map(|(id, x)| tagged(&item(id), int("x", x)))).await;
    check_both_ways(&t, by("x"), &["d", "c", "e", "b", "a", "f"]).await;
}

async fn extreme_integers_keep_their_order(t: Trial) {
    let values = [i64::MAX, i64::MIN, -1, 0, i64::MAX - 1, i64::MIN + 1, 1 << 53, (1 << 53) + 1];
    for (n, x) in values.iter().enumerate() {
        t.write(tagged(&item(&format!("{n}")), int("x", *x))).await;
    }
    check_both_ways(&t, by("x"), &["1", "5", "2", "3", "6", "7", "4", "0"]).await;
    let record = t.record(&item("1")).await;
    assert_eq!(record.attrs[&name("x")], AttrValue::Int(i64::MIN));
}

async fn texts_are_ordered_by_bytes(t: Trial) {
    let values = [("a", "b"), ("b", "B"), ("c", ""), ("d", "ba"), ("e", "10"), ("f", "é")];
    t.apply(values.map(|(id, x)| tagged(&item(id), text("x", x)))).await;
    check_both_ways(&t, by("x"), &["c", "e", "b", "a", "d", "f"]).await;
}

async fn integers_come_before_texts(t: Trial) {
    let values: [(&str, AttrValue); 5] = [
        ("a", "1".into()),
        ("b", 2.into()),
        ("c", "".into()),
        ("d", (-1).into()),
        ("e", i64::MAX.into()),
    ];
    t.apply(values.map(|(id, x)| tagged(&item(id), Attributes::from([(name("x"), x)])))).await;
    check_both_ways(&t, by("x"), &["d", "b", "e", "c", "a"]).await;
}

async fn entities_without_the_attribute_are_left_out(t: Trial) {
    t.apply([tagged(&item("a"), int("x", 1)), tagged(&item("b"), int("y", 1)), put(&item("c"), 0)])
        .await;
    check_both_ways(&t, by("x"), &["a"]).await;
    check_both_ways(&t, by("z"), &[]).await;
}

async fn kinds_and_lineages_are_listed_apart(t: Trial) {
    let other = outlast_core::Key::new("items", "b").unwrap();
    let elsewhere = item("c").in_space(outlast_core::Space(1));
    t.apply([&item("a"), &other, &elsewhere].map(|key| tagged(key, int("x", 1)))).await;
    for query in [items(5), by("x")] {
        assert_eq!(t.ids(query.clone()).await, ["a"]);
        let space = outlast_core::Space(1);
        assert_eq!(t.ids(Query { space, ..query.clone() }).await, ["c"]);
        assert_eq!(t.ids(Query { kind: other.kind.clone(), ..query }).await, ["b"]);
    }
}
