//! Each expectation against each state of an entity, for each operation that has one.

use outlast_core::{
    AttrName, AttrValue, Attributes, Epoch, Expect, Json, Op, Outcome, Put, Version,
};

use crate::world::{World, batch, delete, key, put, touch, version};

/// Worlds in which the entity was never there, lives at version 2, or was deleted by version 2.
fn worlds() -> [(&'static str, World); 3] {
    let mut live = World::default();
    live.apply(&batch(1, [put("a", Expect::Any)]));
    let mut dead = live.clone();
    live.apply(&batch(2, [put("a", Expect::Any)]));
    dead.apply(&batch(2, [delete("a")]));
    [("absent", World::default()), ("live", live), ("dead", dead)]
}

/// Checks in which worlds an operation beside a harmless one is applied.
fn check(op: &Op, expected: [bool; 3]) {
    for ((name, mut world), expected) in worlds().into_iter().zip(expected) {
        let before = world.clone();
        let outcome = world.commit(&batch(9, [put("other", Expect::Any), op.clone()]));
        let applied = matches!(outcome, Outcome::Applied(_));
        assert_eq!(applied, expected, "{op:?} in the world where it is {name}");
        assert_eq!(world == before, !expected, "a conflict changes nothing");
    }
}

#[test]
fn puts_and_assertions_hold_alike() {
    let other_epoch = Version::new(Epoch(4), 2);
    for (expect, expected) in [
        (Expect::Any, [true, true, true]),
        (Expect::Absent, [true, false, true]),
        (Expect::Live, [false, true, false]),
        (Expect::At(version(2)), [false, true, false]),
        (Expect::At(version(1)), [false, false, false]),
        (Expect::At(other_epoch), [false, false, false]),
        (Expect::Status(&[]), [false, true, false]),
    ] {
        check(&put("a", expect), expected);
        check(&Op::Assert { key: key("a"), expect }, expected);
    }
}

#[test]
fn a_status_in_words_is_one_of_those_expected() {
    let state = |value: AttrValue| {
        let attrs = Attributes::from([(AttrName::status(), value)]);
        let (key, state) = (key("a"), Json::parse("1").unwrap());
        Op::Put(Put { key, expect: Expect::Any, schema: 1, attrs, state })
    };
    let states: [&[&str]; 4] = [&[], &["idle"], &["running", "idle"], &["run"]];
    for (value, expected) in [
        (AttrValue::from("idle"), [false, true, true, false]),
        (AttrValue::from("running"), [false, false, true, false]),
        (AttrValue::Int(1), [true; 4]),
    ] {
        for (states, expected) in states.into_iter().zip(expected) {
            let mut world = World::default();
            world.apply(&batch(1, [state(value.clone())]));
            let outcome = world.commit(&batch(2, [put("a", Expect::Status(states))]));
            assert_eq!(matches!(outcome, Outcome::Applied(_)), expected, "{value} {states:?}");
        }
    }
}

#[test]
fn only_the_living_are_deleted() {
    for (expect, expected) in [
        (Expect::Any, [false, true, false]),
        (Expect::Absent, [false, false, false]),
        (Expect::Live, [false, true, false]),
        (Expect::At(version(2)), [false, true, false]),
        (Expect::At(version(1)), [false, false, false]),
        (Expect::Status(&[]), [false, true, false]),
    ] {
        check(&Op::Delete { key: key("a"), expect }, expected);
    }
}

#[test]
fn only_the_living_are_touched() {
    check(&touch("a", 1), [false, true, false]);
}
