//! What is left of the deleted.

use outlast_core::{ErrorKind, Filter, Order, Query, Slot};

use crate::ops::{delete, int, item, items, name, put, tagged};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(deleted_entity_is_a_tombstone),
        Case::of(never_created_entity_is_vacant),
        Case::of(tombstones_are_listed_on_request_only),
        Case::of(tombstones_page_with_the_living),
        Case::of(tombstones_with_filters_are_invalid),
        Case::of(several_slots_come_in_the_order_asked),
        Case::of(history_outlives_its_entity),
    ]
}

async fn deleted_entity_is_a_tombstone(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    let receipt = t.apply([delete(&item("a"))]).await;
    let version = receipt.version(&item("a")).unwrap();
    let expected = Slot::Tombstone { key: item("a"), version, at: receipt.at };
    assert_eq!(t.slot(&item("a")).await, expected);
}

async fn never_created_entity_is_vacant(t: Trial) {
    t.write(put(&item("ab"), 1)).await;
    for id in ["a", "abc", "AB", "b"] {
        assert_eq!(t.slot(&item(id)).await, Slot::Vacant, "{id}");
    }
}

async fn tombstones_are_listed_on_request_only(t: Trial) {
    t.apply(["a", "b", "c"].map(|id| put(&item(id), 1))).await;
    t.write(delete(&item("b"))).await;
    assert_eq!(t.ids(items(10)).await, ["a", "c"]);
    let all = t.list(Query { tombstones: true, ..items(10) }).await;
    let expected = [t.slot(&item("a")).await, t.slot(&item("b")).await, t.slot(&item("c")).await];
    assert_eq!(all, expected);
}

async fn tombstones_page_with_the_living(t: Trial) {
    let ids: Vec<String> = (0..15).map(|n| format!("k{n:02}")).collect();
    t.apply(ids.iter().map(|id| put(&item(id), 1))).await;
    t.apply(ids.iter().step_by(3).map(|id| delete(&item(id)))).await;
    for limit in [1, 4, 15] {
        let query = Query { tombstones: true, ..items(limit) };
        assert_eq!(t.ids(query.clone()).await, ids);
        let down = t.ids(Query { descending: true, ..query }).await;
        assert!(down.iter().rev().eq(&ids));
    }
}

async fn tombstones_with_filters_are_invalid(t: Trial) {
    let query = Query { tombstones: true, ..items(5) };
    let filtered = query.clone().filter(Filter::is(name("x"), 1));
    let ordered = Query { order: Order::Attr(name("x")), ..query };
    for query in [filtered, ordered] {
        assert_eq!(t.store.list(&query).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

async fn several_slots_come_in_the_order_asked(t: Trial) {
    t.apply(["a", "b", "c"].map(|id| put(&item(id), 1))).await;
    t.write(delete(&item("b"))).await;
    let keys = ["c", "none", "b", "a", "c"].map(item);
    let slots = t.store.get(&keys).await.unwrap();
    for (key, slot) in keys.iter().zip(&slots) {
        assert_eq!(*slot, t.slot(key).await);
    }
    assert_eq!(slots.len(), 5);
    assert_eq!(t.store.get(&[]).await.unwrap(), []);
}

async fn history_outlives_its_entity(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.write(put(&item("a"), 2)).await;
    t.write(delete(&item("a"))).await;
    let states: Vec<Option<String>> = t
        .versions(&item("a"))
        .await
        .into_iter()
        .map(|version| version.state.map(|state| state.to_string()))
        .collect();
    assert_eq!(states, [Some("1".to_owned()), Some("2".to_owned()), None]);
}
