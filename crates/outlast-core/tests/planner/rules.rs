//! One rule per test.

use outlast_core::{Durability, ErrorKind, Expect, Op, Outcome, Revision, Seq, plan, read_set};

use crate::world::{World, append, batch, context, delete, key, put, touch, version};

#[test]
fn first_version_is_one_of_the_contexts_epoch() {
    let receipt = World::default().apply(&batch(1, [put("a", Expect::Absent)]));
    assert_eq!(receipt.versions, [(key("a"), version(1))]);
    assert_eq!(receipt.revision, Revision(1));
    assert_eq!(receipt.at, context().now);
    assert_eq!(receipt.durability, Durability::Volatile);
}

#[test]
fn deleted_entity_goes_on_counting() {
    let mut world = World::default();
    let steps = [put("a", Expect::Absent), delete("a"), put("a", Expect::Absent)];
    for (n, op) in (1..).zip(steps) {
        assert_eq!(world.apply(&batch(n, [op])).version(&key("a")), Some(version(n)));
    }
}

#[test]
fn stale_version_is_a_conflict_that_tells_the_actual_one() {
    let mut world = World::default();
    world.apply(&batch(1, [put("a", Expect::Any)]));
    world.apply(&batch(2, [put("a", Expect::Any)]));
    let stale = Expect::At(version(1));
    let outcome = world.commit(&batch(3, [put("b", Expect::Any), put("a", stale)]));
    let conflict = Outcome::Conflict { key: key("a"), expected: stale, actual: Some(version(2)) };
    assert_eq!(outcome, conflict);
    assert!(!world.0.heads.contains_key(&key("b")));
}

#[test]
fn tombstone_has_no_actual_version() {
    let mut world = World::default();
    world.apply(&batch(1, [put("a", Expect::Any)]));
    world.apply(&batch(2, [delete("a")]));
    let outcome = world.commit(&batch(3, [put("a", Expect::At(version(2)))]));
    assert!(matches!(outcome, Outcome::Conflict { actual: None, .. }));
}

#[test]
fn durability_beyond_the_stores_is_unsupported() {
    let mut demanding = batch(1, [put("a", Expect::Any)]);
    demanding.durability = Durability::Durable;
    let (outcomes, set) = World::default().group(&[demanding]);
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(set.is_empty());
}

#[test]
fn entries_follow_the_last_place() {
    let mut world = World::default();
    assert_eq!(world.apply(&batch(1, [append("l", 2)])).appended, [(key("l"), Seq(1), Seq(2))]);
    assert_eq!(world.apply(&batch(2, [append("l", 3)])).appended, [(key("l"), Seq(3), Seq(5))]);
}

#[test]
fn touch_alone_makes_no_commit() {
    let mut world = World::default();
    world.apply(&batch(1, [put("a", Expect::Any)]));
    let (outcomes, set) = world.group(&[batch(2, [touch("a", 1)])]);
    assert!(matches!(&outcomes[0], Ok(Outcome::Applied(receipt)) if receipt.revision.0 == 1));
    assert_eq!((set.commits.len(), set.touches.len()), (0, 1));
    assert!(!world.0.commits.contains_key(&batch(2, []).id));
}

#[test]
fn touches_of_one_entity_become_one_row() {
    let mut world = World::default();
    world.apply(&batch(1, [put("a", Expect::Any)]));
    let (_, set) = world.group(&[batch(2, [touch("a", 1)]), batch(3, [touch("a", 2)])]);
    let Op::Touch { attrs, .. } = touch("a", 2) else { unreachable!() };
    assert_eq!(set.touches, [(key("a"), attrs)]);
}

#[test]
fn touches_die_with_their_entity_within_a_group() {
    let mut world = World::default();
    world.apply(&batch(1, [put("a", Expect::Any)]));
    let group =
        [batch(2, [touch("a", 1)]), batch(3, [delete("a")]), batch(4, [put("a", Expect::Absent)])];
    assert_eq!(world.group(&group).1.touches, []);
}

#[test]
fn conflict_of_one_batch_spares_the_rest_of_its_group() {
    let mut world = World::default();
    let (outcomes, set) = world.group(&[
        batch(1, [put("a", Expect::Absent)]),
        batch(2, [put("a", Expect::Absent)]),
        batch(3, [put("a", Expect::At(version(1)))]),
    ]);
    assert!(matches!(outcomes[0], Ok(Outcome::Applied(_))));
    assert!(matches!(outcomes[1], Ok(Outcome::Conflict { .. })));
    assert!(matches!(&outcomes[2], Ok(Outcome::Applied(receipt)) if receipt.revision.0 == 2));
    assert_eq!(set.commits.len(), 2);
}

#[test]
fn read_set_names_whatever_a_plan_looks_at() {
    let batches = [
        batch(1, [put("a", Expect::Any), append("l", 1)]),
        batch(2, [Op::Assert { key: key("b"), expect: Expect::Live }, touch("c", 1)]),
    ];
    let reads = read_set(&batches);
    assert_eq!(reads.keys, ["a", "b", "c"].map(key).into());
    assert_eq!(reads.streams, [key("l")].into());
    assert_eq!(reads.commits, [batches[0].id, batches[1].id].into());
    assert!(reads.versions.is_empty());
}

#[test]
fn plan_without_batches_writes_nothing() {
    let view = World::default().0;
    let plan = plan(view, [], &context());
    assert!(plan.outcomes.is_empty() && plan.set.is_empty());
}
