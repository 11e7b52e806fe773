//! The rules of the client: apply the next, ignore the former, ask once for what is missing.

use std::sync::Arc;

use outlast_core::{Incarnation, Revision, Seq, Timestamp, Version};
use outlast_orchestrator::sync::{
    Delta, Happening, Item, Message, Mirror, Op, Position, Reaction, Reason, Request, Snapshot,
};
use uuid::Uuid;

use crate::support::{contents, key};

fn at(life: u128, revision: u64) -> Position {
    Position { incarnation: Incarnation(Uuid::from_u128(life)), revision: Revision(revision) }
}

fn item(id: &str, n: u64, state: Option<&str>) -> Item {
    let op = if state.is_some() { Op::Updated } else { Op::Removed };
    let state = state.map(|state| outlast_core::Json::parse(state).unwrap());
    let version = Version::new(outlast_core::Epoch(1), n);
    Item { key: key("item", id), op, version, at: Timestamp::default(), state }
}

fn delta(life: u128, revision: u64, items: Vec<Item>) -> Message {
    let Position { incarnation, revision } = at(life, revision);
    let event = outlast_core::Json::parse("{}").unwrap();
    let event = Happening { seq: Seq(revision.0), at: Timestamp::default(), event };
    Message::Delta(Arc::new(Delta {
        incarnation,
        revision,
        at: Timestamp::default(),
        items,
        appended: Vec::new(),
        events: vec![event],
        damaged: Vec::new(),
    }))
}

fn snapshot(life: u128, revision: u64, items: Vec<Item>) -> Message {
    let Position { incarnation, revision } = at(life, revision);
    Message::Init(Arc::new(Snapshot {
        incarnation,
        revision,
        items,
        events: Vec::new(),
        left_out: [].into(),
        damaged: Vec::new(),
    }))
}

/// A mirror at revision 5 of the first life, with one item.
fn mirror() -> Mirror {
    let mut mirror = Mirror::new();
    assert_eq!(mirror.apply(&snapshot(1, 5, vec![item("a", 1, Some("1"))])), Reaction::Applied);
    mirror
}

#[test]
fn a_gap_is_asked_for_just_once() {
    let mut mirror = mirror();
    let wanted = Request::Resume(at(1, 5));
    assert_eq!(mirror.apply(&delta(1, 8, vec![])), Reaction::Ask(wanted));
    for revision in 9..20 {
        assert_eq!(mirror.apply(&delta(1, revision, vec![])), Reaction::Ignored);
    }
    assert_eq!(mirror.apply(&Message::Sync(at(1, 20))), Reaction::Ignored);
    // The answer: deltas from where it was.
    for revision in 6..=20 {
        assert_eq!(mirror.apply(&delta(1, revision, vec![])), Reaction::Applied);
    }
    let again = Request::Resume(at(1, 20));
    assert_eq!(mirror.apply(&delta(1, 22, vec![])), Reaction::Ask(again), "that is another gap");
    // The answer: a snapshot.
    assert_eq!(mirror.apply(&snapshot(1, 30, vec![])), Reaction::Applied);
    assert!(!mirror.is_waiting());
    assert_eq!(mirror.position(), Some(at(1, 30)));
    assert_eq!(contents(&mirror), [], "a snapshot replaces everything");
}

#[test]
fn what_comes_again_changes_nothing() {
    let mut mirror = mirror();
    let removal = delta(1, 6, vec![item("a", 2, None), item("b", 1, Some("7"))]);
    assert_eq!(mirror.apply(&removal), Reaction::Applied);
    let before = contents(&mirror);
    assert_eq!(before, [("item/b".to_owned(), "7".to_owned())]);
    for revision in 1..=6 {
        let old = delta(1, revision, vec![item("a", 1, Some("1"))]);
        assert_eq!(mirror.apply(&old), Reaction::Ignored);
    }
    assert_eq!(contents(&mirror), before);
    assert_eq!(mirror.events().count(), 1, "events are not doubled either");
}

#[test]
fn a_mirror_that_knows_nothing_asks_for_everything_once() {
    let mut mirror = Mirror::new();
    assert_eq!(mirror.apply(&delta(1, 3, vec![])), Reaction::Ask(Request::GetState));
    assert_eq!(mirror.apply(&delta(1, 4, vec![])), Reaction::Ignored);
    assert_eq!(mirror.apply(&Message::Sync(at(1, 4))), Reaction::Ignored);
    assert_eq!(mirror.apply(&snapshot(1, 4, vec![])), Reaction::Applied);
    assert_eq!(mirror.apply(&delta(1, 5, vec![])), Reaction::Applied);
}

#[test]
fn the_beacon_finds_what_was_lost() {
    let mut mirror = mirror();
    assert_eq!(mirror.apply(&Message::Sync(at(1, 5))), Reaction::Ignored);
    let wanted = Request::Resume(at(1, 5));
    assert_eq!(mirror.apply(&Message::Sync(at(1, 6))), Reaction::Ask(wanted));
    assert_eq!(mirror.apply(&Message::Sync(at(1, 7))), Reaction::Ignored, "it was asked for");
}

#[test]
fn a_store_that_went_back_or_lives_anew_is_begun_anew() {
    let back = Message::Sync(at(1, 4));
    let anew = Message::Sync(at(2, 5));
    let delta = delta(2, 6, vec![item("b", 1, Some("1"))]);
    for message in [back, anew, delta] {
        let mut mirror = mirror();
        assert_eq!(mirror.apply(&message), Reaction::Ask(Request::GetState), "{message:?}");
        assert_eq!(mirror.apply(&message), Reaction::Ignored);
        assert_eq!(mirror.apply(&snapshot(2, 1, vec![])), Reaction::Applied);
        assert_eq!(mirror.position(), Some(at(2, 1)));
    }
}

#[test]
fn a_snapshot_that_was_announced_is_not_asked_for() {
    let mut mirror = mirror();
    let resync = Message::Resync(at(1, 5), Reason::Lagged);
    assert_eq!(mirror.apply(&resync), Reaction::Ignored);
    assert_eq!(mirror.apply(&delta(1, 9, vec![])), Reaction::Ignored);
    assert_eq!(mirror.apply(&snapshot(1, 9, vec![])), Reaction::Applied);
    assert!(!mirror.is_waiting());
}

#[test]
fn a_new_connection_asks_for_what_was_missed() {
    assert_eq!(Mirror::new().reconnect(), Request::GetState);
    let mut mirror = mirror();
    assert_eq!(mirror.reconnect(), Request::Resume(at(1, 5)));
    assert!(mirror.is_waiting());
    assert_eq!(mirror.apply(&delta(1, 6, vec![])), Reaction::Applied);
    assert!(!mirror.is_waiting());
}

#[test]
fn the_last_events_are_kept() {
    let mut mirror = mirror();
    for revision in 6..=200 {
        assert_eq!(mirror.apply(&delta(1, revision, vec![])), Reaction::Applied);
    }
    let kept: Vec<u64> = mirror.events().map(|event| event.seq.0).collect();
    assert_eq!(kept, (101..=200).collect::<Vec<u64>>());
}
