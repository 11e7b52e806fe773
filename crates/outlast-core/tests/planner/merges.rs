//! Copying from another store.

use outlast_core::{
    Action, Attributes, Entry, Epoch, ErrorKind, Expect, Json, Limits, Op, Outcome, Revision, Seq,
    Timestamp, Version, Versioned,
};
use proptest::prelude::*;

use crate::world::{World, append, batch, id, key, put};

fn foreign(epoch: u64, n: u64) -> Versioned {
    Versioned {
        key: key("a"),
        version: Version::new(Epoch(epoch), n),
        revision: Revision(77),
        commit: id(n),
        at: Timestamp::from_micros(5),
        action: Action::create(),
        actor: None,
        reason: None,
        metadata: None,
        schema: 1,
        attrs: Attributes::new(),
        state: Some(Json::encode(&n).unwrap()),
    }
}

fn merge(record: Versioned, history: Vec<Versioned>) -> Op {
    Op::MergeRecord { record: Box::new(record), history }
}

fn entries(places: impl IntoIterator<Item = u64>) -> Op {
    let entry = |seq| Entry {
        stream: key("l"),
        seq: Seq(seq),
        at: Timestamp::from_micros(5),
        attrs: Attributes::new(),
        data: vec![1],
    };
    Op::MergeEntries { stream: key("l"), entries: places.into_iter().map(entry).collect() }
}

#[test]
fn newer_record_becomes_the_head_under_a_revision_of_this_store() {
    let mut world = World::default();
    let (_, set) = world.group(&[batch(1, [merge(foreign(1, 3), vec![foreign(1, 2)])])]);
    let commit = &set.commits[0];
    assert_eq!(commit.versions, [Versioned { revision: Revision(1), ..foreign(1, 3) }]);
    assert_eq!(commit.history, [Versioned { revision: Revision::ZERO, ..foreign(1, 2) }]);
}

#[test]
fn older_record_goes_beneath_the_head() {
    let mut world = World::default();
    world.apply(&batch(1, [merge(foreign(2, 1), vec![])]));
    let (_, set) = world.group(&[batch(2, [merge(foreign(1, 9), vec![])])]);
    assert_eq!((set.commits[0].versions.len(), set.commits[0].history.len()), (0, 1));
}

#[test]
fn merge_of_what_is_there_makes_no_commit() {
    let mut world = World::default();
    let all = || merge(foreign(1, 2), vec![foreign(1, 1)]);
    world.apply(&batch(1, [all()]));
    let (outcomes, set) = world.group(&[batch(2, [all()])]);
    assert!(matches!(outcomes[0], Ok(Outcome::Applied(_))));
    assert!(set.is_empty());
}

#[test]
fn a_copy_leaves_room_to_count_on() {
    let highest = i64::MAX as u64 >> 1;
    let counted = |epoch, n| {
        let version = Version::new(Epoch(epoch), n);
        merge(Versioned { version, ..foreign(1, 1) }, vec![])
    };
    let check = |op| batch(1, [op]).validate(&Limits::EMBEDDED).map_err(|error| error.kind());
    for (epoch, n) in [(1, highest), (highest, 1)] {
        assert_eq!(check(counted(epoch, n)), Ok(()));
        let mut world = World::default();
        world.apply(&batch(1, [counted(epoch, n)]));
        world.apply(&batch(2, [put("a", Expect::Any)]));
    }
    for (epoch, n) in [(1, highest + 1), (1, u64::MAX), (u64::MAX, 1)] {
        assert_eq!(check(counted(epoch, n)), Err(ErrorKind::Invalid));
    }
    assert_eq!(check(entries([highest])), Ok(()));
    assert_eq!(check(entries([u64::MAX])), Err(ErrorKind::Invalid));
}

#[test]
fn other_content_under_one_version_is_diverged() {
    let mut world = World::default();
    world.apply(&batch(1, [merge(foreign(1, 2), vec![foreign(1, 1)])]));
    let other = |n| Versioned { schema: 9, ..foreign(1, n) };
    for op in [merge(other(2), vec![]), merge(foreign(1, 3), vec![other(1)])] {
        let (outcomes, set) = world.group(&[batch(2, [append("l", 1), op])]);
        assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Diverged);
        assert!(set.is_empty(), "nothing of the batch is written");
    }
}

#[test]
fn entries_may_begin_late_only_in_an_empty_stream() {
    let mut world = World::default();
    world.apply(&batch(1, [entries(4..6)]));
    assert_eq!(world.0.streams[&key("l")], Seq(5));
    assert_eq!(world.apply(&batch(2, [entries(4..8)])).appended, [(key("l"), Seq(6), Seq(7))]);
    let (outcomes, _) = world.group(&[batch(3, [entries(9..10)])]);
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Invalid);
    world.apply(&batch(4, [append("l", 1)]));
    assert_eq!(world.0.streams[&key("l")], Seq(8));
}

#[test]
fn writes_continue_the_newer_epoch() {
    let mut world = World::default();
    world.apply(&batch(1, [merge(foreign(9, 3), vec![])]));
    let receipt = world.apply(&batch(2, [put("a", Expect::Live)]));
    assert_eq!(receipt.version(&key("a")), Some(Version::new(Epoch(9), 4)));
    let mut world = World::default();
    world.apply(&batch(1, [merge(foreign(1, 3), vec![])]));
    let receipt = world.apply(&batch(2, [put("a", Expect::Live)]));
    assert_eq!(receipt.version(&key("a")), Some(Version::new(Epoch(5), 4)));
}

/// What another store could hold of one entity: some of its versions, the newest as the record.
fn piece() -> impl Strategy<Value = Op> {
    proptest::collection::btree_set((1..4_u64, 1..5_u64), 1..5).prop_map(|versions| {
        let mut all: Vec<Versioned> =
            versions.into_iter().map(|(epoch, n)| foreign(epoch, n)).collect();
        let newest = all.pop().unwrap();
        merge(newest, all)
    })
}

proptest! {
    #[test]
    fn merges_commute_and_repeat_harmlessly(
        pieces in proptest::collection::vec(piece(), 1..5),
        shuffle in any::<u64>(),
    ) {
        let mut forwards = World::default();
        let mut otherwise = World::default();
        for (n, piece) in (1..).zip(&pieces) {
            forwards.commit(&batch(n, [piece.clone()]));
        }
        let mut shuffled = pieces.clone();
        shuffled.extend(pieces);
        let by = usize::try_from(shuffle % shuffled.len() as u64).unwrap();
        shuffled.rotate_left(by);
        if shuffle % 2 == 0 {
            shuffled.reverse();
        }
        for (n, piece) in (100..).zip(&shuffled) {
            otherwise.commit(&batch(n, [piece.clone()]));
        }
        prop_assert_eq!(forwards.0.heads, otherwise.0.heads);
        prop_assert_eq!(forwards.0.versions, otherwise.0.versions);
    }
}
