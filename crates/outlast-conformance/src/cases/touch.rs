//! Transient attributes: the last value, and nothing else.

use outlast_core::{Attributes, Outcome};

use crate::ops::{delete, int, item, items, name, put, tagged, text, touch};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(touch_sets_attributes_beside_the_record),
        Case::of(touch_writes_no_version_and_no_commit),
        Case::of(last_touch_wins_and_others_stay),
        Case::of(touches_survive_the_next_version),
        Case::of(touches_are_gone_with_the_entity),
        Case::of(touch_of_the_absent_is_a_conflict),
        Case::of(touches_are_seen_in_listings),
        Case::of(touched_attributes_are_not_filtered_by),
        Case::of(touch_beside_a_write_applies_with_it),
        Case::of(many_touches_at_once_all_land),
    ]
}

async fn touch_sets_attributes_beside_the_record(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.apply([touch(&item("a"), text("beat", "now"))]).await;
    let record = t.record(&item("a")).await;
    assert_eq!(record.transient, text("beat", "now"));
    assert_eq!(record.attrs, int("x", 1));
}

async fn touch_writes_no_version_and_no_commit(t: Trial) {
    let written = t.apply([put(&item("a"), 1)]).await;
    let before = t.record(&item("a")).await;
    let receipt = t.apply([touch(&item("a"), int("beat", 1))]).await;
    assert_eq!(receipt.versions, []);
    assert_eq!(receipt.revision, written.revision, "a touch has no place in the feed");
    assert_eq!(t.versions(&item("a")).await.len(), 1);
    assert_eq!(t.feed().await.len(), 1);
    let after = t.record(&item("a")).await;
    assert_eq!((after.version, after.updated_at), (before.version, before.updated_at));
}

async fn last_touch_wins_and_others_stay(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 1))]).await;
    t.apply([touch(&item("a"), text("step", "one"))]).await;
    t.apply([touch(&item("a"), int("beat", 2))]).await;
    t.apply([touch(&item("a"), Attributes::new())]).await;
    let mut expected = int("beat", 2);
    expected.extend(text("step", "one"));
    assert_eq!(t.record(&item("a")).await.transient, expected);
}

async fn touches_survive_the_next_version(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 1))]).await;
    t.write(put(&item("a"), 2)).await;
    assert_eq!(t.record(&item("a")).await.transient, int("beat", 1));
}

async fn touches_are_gone_with_the_entity(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 1))]).await;
    t.write(delete(&item("a"))).await;
    t.write(put(&item("a"), 2)).await;
    assert_eq!(t.record(&item("a")).await.transient, Attributes::new());
}

async fn touch_of_the_absent_is_a_conflict(t: Trial) {
    t.conflict([touch(&item("a"), int("beat", 1))]).await;
    t.write(put(&item("a"), 1)).await;
    t.write(delete(&item("a"))).await;
    t.conflict([touch(&item("a"), int("beat", 1))]).await;
}

async fn touches_are_seen_in_listings(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 1))]).await;
    let listed = t.list(items(5)).await.remove(0).live().unwrap().unwrap();
    assert_eq!(listed, t.record(&item("a")).await);
    assert_eq!(listed.transient, int("beat", 1));
}

async fn touched_attributes_are_not_filtered_by(t: Trial) {
    t.write(tagged(&item("a"), int("x", 1))).await;
    t.apply([touch(&item("a"), int("x", 2))]).await;
    let with = |x: i64| items(5).filter(outlast_core::Filter::is(name("x"), x));
    assert_eq!(t.ids(with(1)).await, ["a"]);
    assert_eq!(t.ids(with(2)).await, [""; 0]);
}

async fn touch_beside_a_write_applies_with_it(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    t.apply([touch(&item("a"), int("beat", 1)), put(&item("b"), 1)]).await;
    assert_eq!(t.record(&item("a")).await.transient, int("beat", 1));
    assert_eq!(t.record(&item("b")).await.version.n, 1);
}

async fn many_touches_at_once_all_land(t: Trial) {
    t.apply((0..10).map(|n| put(&item(&format!("k{n}")), 0))).await;
    let batches = (0..50).map(|n| {
        let attr = format!("a{}", n / 10);
        t.batch([touch(&item(&format!("k{}", n % 10)), int(&attr, n))])
    });
    let sent: Vec<_> = batches
        .map(|batch| {
            let store = t.store.clone();
            tokio::spawn(async move { store.commit(batch).await.unwrap() })
        })
        .collect();
    for answer in sent {
        assert!(matches!(answer.await.unwrap(), Outcome::Applied(_)));
    }
    for k in 0..10 {
        let transient = t.record(&item(&format!("k{k}"))).await.transient;
        assert_eq!(transient.len(), 5, "k{k} lost a touch");
    }
}
