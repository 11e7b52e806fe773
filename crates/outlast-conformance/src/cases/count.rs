//! How many, in all and by group.

use outlast_core::{AttrName, AttrValue, Attributes, Counts, Filter, Query};

use crate::ops::{any_of, delete, int, item, items, name, put, tagged};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(nothing_counts_as_none),
        Case::of(count_follows_every_write),
        Case::of(groups_by_one_attribute_add_up),
        Case::of(groups_by_two_attributes_add_up),
        Case::of(groups_tell_numbers_from_texts),
        Case::of(counts_keep_to_the_filters),
        Case::of(count_ignores_the_page),
        Case::of(deleted_entities_do_not_count),
    ]
}

async fn count(t: &Trial, query: &Query, by: &[AttrName]) -> Counts {
    let mut counts = t.store.count(query, by).await.unwrap();
    counts.groups.sort();
    counts
}

fn attrs(x: impl Into<AttrValue>, y: Option<&str>) -> Attributes {
    let mut attrs = Attributes::from([(name("x"), x.into())]);
    attrs.extend(y.map(|y| (name("y"), y.into())));
    attrs
}

async fn nothing_counts_as_none(t: Trial) {
    assert_eq!(count(&t, &items(5), &[]).await, Counts::default());
    assert_eq!(count(&t, &items(5), &[name("x")]).await, Counts::default());
}

async fn count_follows_every_write(t: Trial) {
    for n in 0..5 {
        t.write(put(&item(&format!("k{n}")), 0)).await;
        assert_eq!(count(&t, &items(5), &[]).await.total, n + 1);
    }
    t.write(put(&item("k0"), 1)).await;
    assert_eq!(count(&t, &items(5), &[]).await.total, 5);
}

async fn groups_by_one_attribute_add_up(t: Trial) {
    t.apply((0..10).map(|n| tagged(&item(&format!("k{n}")), int("x", n % 3)))).await;
    t.apply([put(&item("none"), 0)]).await;
    let counts = count(&t, &items(5), &[name("x")]).await;
    let int = |n: i64| vec![Some(AttrValue::Int(n))];
    let expected = [(vec![None], 1), (int(0), 4), (int(1), 3), (int(2), 3)];
    assert_eq!((counts.total, counts.groups), (11, expected.to_vec()));
}

async fn groups_by_two_attributes_add_up(t: Trial) {
    let rows = [(1, Some("a")), (1, Some("b")), (1, Some("a")), (2, None), (2, Some("b"))];
    for (n, (x, y)) in rows.into_iter().enumerate() {
        t.write(tagged(&item(&format!("k{n}")), attrs(x, y))).await;
    }
    let counts = count(&t, &items(5), &[name("y"), name("x")]).await;
    let group = |y: Option<&str>, x: i64| vec![y.map(AttrValue::from), Some(AttrValue::Int(x))];
    let expected = [
        (group(None, 2), 1),
        (group(Some("a"), 1), 2),
        (group(Some("b"), 1), 1),
        (group(Some("b"), 2), 1),
    ];
    assert_eq!((counts.total, counts.groups), (5, expected.to_vec()));
}

async fn groups_tell_numbers_from_texts(t: Trial) {
    t.apply([
        tagged(&item("a"), attrs(1, None)),
        tagged(&item("b"), attrs("1", None)),
        tagged(&item("c"), attrs("", None)),
    ])
    .await;
    let counts = count(&t, &items(5), &[name("x")]).await;
    let values = [AttrValue::Int(1), "".into(), "1".into()];
    assert_eq!(counts.groups, values.map(|value| (vec![Some(value)], 1)));
}

async fn counts_keep_to_the_filters(t: Trial) {
    t.apply((0..12).map(|n| {
        tagged(&item(&format!("k{n:02}")), attrs(n, Some(if n % 2 == 0 { "even" } else { "odd" })))
    }))
    .await;
    let query = items(5).filter(Filter::at_most(name("x"), 6));
    let counts = count(&t, &query, &[name("y")]).await;
    let group = |y: &str| vec![Some(AttrValue::from(y))];
    assert_eq!((counts.total, counts.groups), (7, vec![(group("even"), 4), (group("odd"), 3)]));
    let query = query.filter(any_of("y", ["odd".into()]));
    assert_eq!(count(&t, &query, &[]).await.total, 3);
}

async fn count_ignores_the_page(t: Trial) {
    t.apply((0..9).map(|n| tagged(&item(&format!("k{n}")), int("x", 1)))).await;
    let page = t.store.list(&items(4)).await.unwrap();
    let query = Query { page: items(2).page.after(page.next.unwrap()), ..items(2) };
    assert_eq!(count(&t, &query, &[name("x")]).await.total, 9);
    assert_eq!(count(&t, &items(0), &[]).await.total, 9);
}

async fn deleted_entities_do_not_count(t: Trial) {
    t.apply((0..4).map(|n| tagged(&item(&format!("k{n}")), int("x", 1)))).await;
    t.write(delete(&item("k1"))).await;
    let counts = count(&t, &items(5), &[name("x")]).await;
    assert_eq!((counts.total, counts.groups[0].1), (3, 3));
    let query = items(5).filter(Filter::is(name("x"), 1));
    assert_eq!(count(&t, &query, &[]).await.total, 3);
}
