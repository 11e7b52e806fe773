//! What a store does for single entities, where that is not what it does for all.

use outlast_core::{Durability, ErrorKind, Expect, Op, Outcome, Terms};

use crate::world::{World, append, batch, id, key, put};

fn world(terms: &[(&str, Terms)]) -> World {
    let mut world = World::default();
    world.0.terms = terms.iter().map(|(id, terms)| (key(id), terms.clone())).collect();
    world
}

fn durability(outcome: &Outcome) -> Durability {
    match outcome {
        Outcome::Applied(receipt) | Outcome::Replayed(receipt) => receipt.durability,
        Outcome::Conflict { .. } => panic!("{outcome:?}"),
    }
}

#[test]
fn a_receipt_states_the_least_of_what_is_given_for_what_was_written() {
    let durable = Terms::Gives(Durability::Durable);
    let mut world = world(&[("a", durable.clone()), ("log", durable)]);
    for (count, ops, expected) in [
        (1, vec![put("a", Expect::Any)], Durability::Durable),
        (2, vec![put("a", Expect::Any), append("log", 1)], Durability::Durable),
        (3, vec![put("a", Expect::Any), put("b", Expect::Any)], Durability::Volatile),
        (4, vec![put("b", Expect::Any)], Durability::Volatile),
    ] {
        let outcome = world.commit(&batch(count, ops.clone()));
        assert_eq!(durability(&outcome), expected, "{ops:?}");
        let again = world.commit(&batch(count, ops));
        assert_eq!(durability(&again), expected, "a replay");
    }
}

#[test]
fn what_is_only_compared_makes_nothing_weaker() {
    let mut world = world(&[("a", Terms::Gives(Durability::Durable))]);
    let assert = Op::Assert { key: key("b"), expect: Expect::Absent };
    let outcome = world.commit(&batch(1, [put("a", Expect::Any), assert]));
    assert_eq!(durability(&outcome), Durability::Durable);
}

#[test]
fn less_than_a_batch_accepts_is_refused_and_keeps_no_other_from_being_applied() {
    let mut world = world(&[("a", Terms::Gives(Durability::Durable))]);
    let mut strict = batch(1, [put("a", Expect::Any), put("b", Expect::Any)]);
    strict.durability = Durability::Durable;
    let mut alone = batch(2, [put("a", Expect::Any)]);
    alone.durability = Durability::Durable;
    let (outcomes, set) = world.group(&[strict, alone]);
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(outcomes[1].is_ok());
    assert_eq!(set.commits.len(), 1);
}

#[test]
fn a_batch_that_names_what_is_refused_fails_alone() {
    let refused = Terms::Refuses(ErrorKind::Unavailable, "the database is away".into());
    let mut world = world(&[("a", refused)]);
    let assert = Op::Assert { key: key("a"), expect: Expect::Absent };
    let batches = [
        batch(1, [put("a", Expect::Any)]),
        batch(2, [put("b", Expect::Any), assert]),
        batch(3, [put("b", Expect::Any)]),
    ];
    let (outcomes, set) = world.group(&batches);
    for outcome in &outcomes[..2] {
        let error = outcome.as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (ErrorKind::Unavailable, "the database is away")
        );
    }
    assert!(outcomes[2].is_ok());
    assert_eq!(set.commits.len(), 1);
}

#[test]
fn an_unsettled_commit_is_indeterminate_and_never_applied_a_second_time() {
    let mut world = world(&[]);
    world.0.unsettled.insert(id(1));
    let (outcomes, set) = world.group(&[batch(1, [put("a", Expect::Any)])]);
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Indeterminate);
    assert!(set.is_empty());
}
