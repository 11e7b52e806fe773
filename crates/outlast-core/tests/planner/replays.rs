//! Commit ids.

use outlast_core::{Batch, ErrorKind, Expect, Outcome, REMEMBERED_FOR};

use crate::world::{NOW, World, append, batch, id_at, put};

#[test]
fn known_batch_is_replayed_with_its_receipt() {
    let mut world = World::default();
    let first = batch(1, [put("a", Expect::Absent), append("l", 2)]);
    let receipt = world.apply(&first);
    world.apply(&batch(2, [put("a", Expect::Any)]));
    let before = world.clone();
    assert_eq!(world.commit(&first), Outcome::Replayed(receipt));
    assert_eq!(world, before);
}

#[test]
fn replay_within_one_group_is_known() {
    let one = batch(1, [put("a", Expect::Absent)]);
    let (outcomes, set) = World::default().group(&[one.clone(), one]);
    assert!(matches!(outcomes[0], Ok(Outcome::Applied(_))));
    assert!(matches!(outcomes[1], Ok(Outcome::Replayed(_))));
    assert_eq!(set.commits.len(), 1);
}

#[test]
fn known_id_with_other_content_is_invalid() {
    let mut world = World::default();
    world.apply(&batch(1, [put("a", Expect::Any)]));
    let (outcomes, set) = world.group(&[batch(1, [put("b", Expect::Any)])]);
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Invalid);
    assert!(set.is_empty());
}

#[test]
fn unknown_id_is_refused_only_beyond_what_is_remembered() {
    let window = u64::try_from(REMEMBERED_FOR.as_millis()).unwrap();
    for (millis, fine) in [
        (NOW, true),
        (NOW + window, true),
        (NOW - window, true),
        (NOW - window - 1, false),
        (0, false),
        ((1 << 48) - 1, true),
    ] {
        let aged = Batch { id: id_at(millis, 1), ..batch(1, [put("a", Expect::Any)]) };
        let (outcomes, _) = World::default().group(&[aged]);
        match &outcomes[0] {
            Ok(_) => assert!(fine, "{millis} is too old"),
            Err(error) => {
                assert!(!fine, "{millis} is young enough");
                assert_eq!(error.kind(), ErrorKind::Invalid);
            }
        }
    }
}

#[test]
fn old_id_that_is_known_is_still_answered() {
    let mut world = World::default();
    let first = batch(1, [put("a", Expect::Any)]);
    world.apply(&first);
    let known = world.0.commits.remove(&first.id).unwrap();
    let ancient = Batch { id: id_at(0, 1), ..first };
    world.0.commits.insert(ancient.id, known);
    assert!(matches!(world.commit(&ancient), Outcome::Replayed(_)));
}
