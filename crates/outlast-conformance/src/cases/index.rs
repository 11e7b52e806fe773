//! The index follows every write.

use outlast_core::{Attributes, Filter, Order, Query};

use crate::ops::{delete, int, item, items, name, put, tagged, text};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(changed_attribute_moves_in_the_index),
        Case::of(removed_attribute_leaves_the_index),
        Case::of(deleted_entity_leaves_the_index),
        Case::of(recreated_entity_is_indexed_by_its_new_attributes),
        Case::of(attribute_may_change_its_type),
        Case::of(kept_attribute_is_listed_once),
        Case::of(several_changes_in_a_row_leave_one_entry),
    ]
}

async fn with(t: &Trial, x: i64) -> Vec<String> {
    let found = t.ids(items(2).filter(Filter::is(name("x"), x))).await;
    let ordered = Query { order: Order::Attr(name("x")), ..items(2) };
    let ordered = t.ids(ordered.filter(Filter::is(name("x"), x))).await;
    assert_eq!(found, ordered, "the two orders disagree");
    found
}

async fn changed_attribute_moves_in_the_index(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.write(tagged(&item("b"), int("x", 1))).await;
    t.write(tagged(&item("a"), int("x", 2))).await;
    assert_eq!((with(&t, 1).await, with(&t, 2).await), (vec!["b".into()], vec!["a".into()]));
}

async fn removed_attribute_leaves_the_index(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.write(tagged(&item("a"), int("y", 1))).await;
    assert_eq!(with(&t, 1).await, [""; 0]);
    let ordered = Query { order: Order::Attr(name("x")), ..items(5) };
    assert_eq!(t.ids(ordered).await, [""; 0]);
    assert_eq!(t.record(&item("a")).await.attrs, int("y", 1));
}

async fn deleted_entity_leaves_the_index(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.write(delete(&item("a"))).await;
    assert_eq!(with(&t, 1).await, [""; 0]);
    assert_eq!(t.ids(items(5)).await, [""; 0]);
}

async fn recreated_entity_is_indexed_by_its_new_attributes(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.write(delete(&item("a"))).await;
    t.write(put(&item("a"), 0)).await;
    assert_eq!(with(&t, 1).await, [""; 0]);
    t.write(tagged(&item("a"), int("x", 2))).await;
    assert_eq!((with(&t, 1).await.len(), with(&t, 2).await.len()), (0, 1));
}

async fn attribute_may_change_its_type(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.write(tagged(&item("a"), text("x", "1"))).await;
    assert_eq!(with(&t, 1).await, [""; 0]);
    assert_eq!(t.ids(items(5).filter(Filter::is(name("x"), "1"))).await, ["a"]);
    t.write(tagged(&item("a"), int("x", 1))).await;
    assert_eq!(with(&t, 1).await, ["a"]);
}

async fn kept_attribute_is_listed_once(t: Trial) {
    for y in 0..3 {
        let attrs = Attributes::from([(name("x"), 1.into()), (name("y"), y.into())]);
        t.write(tagged(&item("a"), attrs)).await;
    }
    assert_eq!(with(&t, 1).await, ["a"]);
}

async fn several_changes_in_a_row_leave_one_entry(t: Trial) {
    for x in 0..20 {
        t.write(tagged(&item("a"), int("x", x))).await;
    }
    let ordered = Query { order: Order::Attr(name("x")), ..items(5) };
    assert_eq!(t.ids(ordered).await, ["a"]);
    assert_eq!((with(&t, 18).await.len(), with(&t, 19).await.len()), (0, 1));
}
