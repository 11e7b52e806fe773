//! Every expectation against every state of an entity.

use outlast_core::{Attributes, Epoch, Expect, Op, Outcome, Version};

use crate::ops::{assert, delete, int, item, number, put, put_with, text, touch};
use crate::{Case, Trial};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::of(put_expecting_anything_always_applies),
        Case::of(put_expecting_absence_applies_to_absent_and_deleted),
        Case::of(put_expecting_life_applies_to_the_living),
        Case::of(put_expecting_a_version_applies_to_just_that),
        Case::of(put_expecting_a_status_applies_to_just_those),
        Case::of(expected_status_is_that_of_the_batch_before),
        Case::of(stale_version_is_refused),
        Case::of(version_of_another_epoch_is_refused),
        Case::of(version_of_a_tombstone_is_no_version_to_expect),
        Case::of(delete_needs_a_living_entity),
        Case::of(delete_at_a_version_applies_to_just_that),
        Case::of(assertions_hold_as_puts_do),
        Case::of(conflict_tells_expected_and_actual),
        Case::of(first_unmet_expectation_is_the_one_told),
        Case::of(touch_needs_a_living_entity),
    ]
}

/// What a key may be before the operation under test.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Absent,
    Live,
    Deleted,
}

const STATES: [State; 3] = [State::Absent, State::Live, State::Deleted];

/// Brings a key into a state, and says its last version.
async fn prepare(t: &Trial, id: &str, state: State) -> Option<Version> {
    let key = item(id);
    if state == State::Absent {
        return None;
    }
    let version = t.write(put(&key, 1)).await;
    if state == State::Live { Some(version) } else { Some(t.write(delete(&key)).await) }
}

/// Checks in which states an operation applies.
async fn check(t: &Trial, label: &str, op: impl Fn(&str) -> Op, applies_to: &[State]) {
    for state in STATES {
        let id = format!("{label}-{state:?}");
        let before = prepare(t, &id, state).await;
        let alive = before.filter(|_| state == State::Live);
        // A second operation, so that a batch is more than an assertion.
        let witness = item(&format!("{id}-witness"));
        let outcome = t.commit(&t.batch([op(&id), put(&witness, 1)])).await;
        match outcome {
            Outcome::Applied(_) => assert!(applies_to.contains(&state), "{id} applied"),
            Outcome::Conflict { actual, key, .. } => {
                assert!(!applies_to.contains(&state), "{id} did not apply");
                assert_eq!((key, actual), (item(&id), alive), "{id}");
            }
            Outcome::Replayed(_) => panic!("{id} was never sent before"),
        }
        let applied = t.live(&witness).await.is_some();
        assert_eq!(applied, applies_to.contains(&state), "{id} half applied");
    }
}

fn expecting(id: &str, expect: Expect) -> Op {
    put_with(&item(id), expect, Attributes::new(), number(2))
}

fn delete_expecting(id: &str, expect: Expect) -> Op {
    Op::Delete { key: item(id), expect }
}

async fn put_expecting_anything_always_applies(t: Trial) {
    check(&t, "any", |id| expecting(id, Expect::Any), &STATES).await;
}

async fn put_expecting_absence_applies_to_absent_and_deleted(t: Trial) {
    let absent = [State::Absent, State::Deleted];
    check(&t, "absent", |id| expecting(id, Expect::Absent), &absent).await;
}

async fn put_expecting_life_applies_to_the_living(t: Trial) {
    check(&t, "live", |id| expecting(id, Expect::Live), &[State::Live]).await;
}

async fn put_expecting_a_version_applies_to_just_that(t: Trial) {
    let first = Version::new(t.store.info().epoch, 1);
    check(&t, "at", |id| expecting(id, Expect::At(first)), &[State::Live]).await;
    let second = Version::new(t.store.info().epoch, 2);
    check(&t, "above", |id| expecting(id, Expect::At(second)), &[]).await;
}

fn with_status(id: &str, attrs: Attributes) -> Op {
    put_with(&item(id), Expect::Any, attrs, number(1))
}

async fn put_expecting_a_status_applies_to_just_those(t: Trial) {
    check(&t, "status", |id| expecting(id, Expect::Status(&["new"])), &[State::Live]).await;
    let (new, done) = (Expect::Status(&["new", "old"]), Expect::Status(&["done"]));
    for (id, attrs, among) in [
        ("words", text("status", "new"), true),
        ("other", text("status", "ne"), false),
        ("upper", text("status", "New"), false),
        ("number", int("status", 1), true),
        ("none", int("x", 1), true),
    ] {
        let version = t.write(with_status(id, attrs)).await;
        if !among {
            let told = t.conflict([expecting(id, new)]).await;
            assert_eq!(told, (item(id), new, Some(version)));
            t.conflict([delete_expecting(id, new)]).await;
            t.conflict([assert(&item(id), new), put(&item("x"), 1)]).await;
            continue;
        }
        t.apply([assert(&item(id), new), put(&item("x"), 1)]).await;
        if id == "words" {
            t.conflict([expecting(id, done)]).await;
        }
        t.apply([delete_expecting(id, new)]).await;
    }
}

async fn expected_status_is_that_of_the_batch_before(t: Trial) {
    t.write(with_status("a", text("status", "new"))).await;
    let new = Expect::Status(&["new"]);
    let take = |n: i64| put_with(&item("a"), new, text("status", "done"), number(n));
    let batches = [t.batch([take(1)]), t.batch([take(2)])];
    let sent = batches.map(|batch| {
        let store = t.store.clone();
        tokio::spawn(async move { store.commit(batch).await.unwrap() })
    });
    let mut applied = 0;
    for outcome in sent {
        applied += usize::from(matches!(outcome.await.unwrap(), Outcome::Applied(_)));
    }
    assert_eq!((applied, t.versions(&item("a")).await.len()), (1, 2));
}

async fn stale_version_is_refused(t: Trial) {
    let old = t.write(put(&item("a"), 1)).await;
    let new = t.write(put(&item("a"), 2)).await;
    let (key, expected, actual) = t.conflict([expecting("a", Expect::At(old))]).await;
    assert_eq!((key, expected, actual), (item("a"), Expect::At(old), Some(new)));
    assert_eq!(t.record(&item("a")).await.state, number(2));
}

async fn version_of_another_epoch_is_refused(t: Trial) {
    let now = t.write(put(&item("a"), 1)).await;
    for epoch in [now.epoch.0 + 1, now.epoch.0.wrapping_sub(1)] {
        let other = Version::new(Epoch(epoch), now.n);
        let (_, expected, actual) = t.conflict([expecting("a", Expect::At(other))]).await;
        assert_eq!((expected, actual), (Expect::At(other), Some(now)));
    }
}

async fn version_of_a_tombstone_is_no_version_to_expect(t: Trial) {
    t.write(put(&item("a"), 1)).await;
    let grave = t.write(delete(&item("a"))).await;
    let (_, _, actual) = t.conflict([expecting("a", Expect::At(grave))]).await;
    assert_eq!(actual, None);
}

async fn delete_needs_a_living_entity(t: Trial) {
    for (label, expect) in [("del-any", Expect::Any), ("del-live", Expect::Live)] {
        check(&t, label, |id| delete_expecting(id, expect), &[State::Live]).await;
    }
    check(&t, "del-absent", |id| delete_expecting(id, Expect::Absent), &[]).await;
}

async fn delete_at_a_version_applies_to_just_that(t: Trial) {
    let old = t.write(put(&item("a"), 1)).await;
    let new = t.write(put(&item("a"), 2)).await;
    t.conflict([delete_expecting("a", Expect::At(old))]).await;
    t.apply([delete_expecting("a", Expect::At(new))]).await;
    assert_eq!(t.live(&item("a")).await, None);
}

async fn assertions_hold_as_puts_do(t: Trial) {
    let first = Version::new(t.store.info().epoch, 1);
    for (label, expect, applies_to) in [
        ("assert-any", Expect::Any, &STATES[..]),
        ("assert-absent", Expect::Absent, &[State::Absent, State::Deleted]),
        ("assert-live", Expect::Live, &[State::Live]),
        ("assert-at", Expect::At(first), &[State::Live]),
    ] {
        check(&t, label, |id| assert(&item(id), expect), applies_to).await;
    }
}

async fn conflict_tells_expected_and_actual(t: Trial) {
    let version = t.write(put(&item("a"), 1)).await;
    let told = t.conflict([expecting("a", Expect::Absent)]).await;
    assert_eq!(told, (item("a"), Expect::Absent, Some(version)));
    let told = t.conflict([expecting("b", Expect::At(version))]).await;
    assert_eq!(told, (item("b"), Expect::At(version), None));
    let told = t.conflict([delete_expecting("b", Expect::Any)]).await;
    assert_eq!(told, (item("b"), Expect::Live, None));
}

async fn first_unmet_expectation_is_the_one_told(t: Trial) {
    let ops = ["x", "y", "z"].map(|id| expecting(id, Expect::Live));
    assert_eq!(t.conflict(ops).await.0, item("x"));
}

async fn touch_needs_a_living_entity(t: Trial) {
    check(&t, "touch", |id| touch(&item(id), int("beat", 1)), &[State::Live]).await;
}
