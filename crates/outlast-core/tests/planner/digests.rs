//! The digest tells every batch from every other.

use std::collections::HashSet;

use outlast_core::{
    Action, Actor, AttrName, Attributes, Batch, Cause, Durability, Expect, Json, NewEntry, Op, Put,
    Timestamp,
};

use crate::world::{append, batch, delete, id, key, put, touch, version};

fn put_of(attrs: Attributes, schema: u32, state: &str) -> Op {
    let state = Json::parse(state).unwrap();
    Op::Put(Put { key: key("a"), expect: Expect::Any, schema, attrs, state })
}

fn entry(at: Option<i64>, data: &[u8]) -> Op {
    let at = at.map(Timestamp::from_micros);
    let entry = NewEntry { at, attrs: Attributes::new(), data: data.to_vec() };
    Op::Append { stream: key("a"), entries: vec![entry] }
}

fn attrs(name: &str, value: impl Into<outlast_core::AttrValue>) -> Attributes {
    Attributes::from([(AttrName::new(name).unwrap(), value.into())])
}

#[test]
fn every_difference_of_operations_changes_the_digest() {
    let none = Attributes::new;
    let elsewhere = key("a").in_space(outlast_core::Space(1));
    let batches = [
        vec![put("a", Expect::Any)],
        vec![put("a", Expect::Absent)],
        vec![put("a", Expect::Live)],
        vec![put("a", Expect::At(version(1)))],
        vec![put("a", Expect::At(version(2)))],
        vec![put("a", Expect::Status(&[]))],
        vec![put("a", Expect::Status(&["new"]))],
        vec![put("a", Expect::Status(&["new", "done"]))],
        vec![put("b", Expect::Any)],
        vec![put_of(none(), 2, "1")],
        vec![put_of(none(), 1, "2")],
        vec![put_of(attrs("x", 1), 1, "1")],
        vec![put_of(attrs("x", "1"), 1, "1")],
        vec![put_of(attrs("y", 1), 1, "1")],
        vec![delete("a")],
        vec![Op::Delete { key: elsewhere, expect: Expect::Live }],
        vec![Op::Assert { key: key("a"), expect: Expect::Live }],
        vec![touch("a", 1)],
        vec![touch("a", 2)],
        vec![append("a", 1)],
        vec![append("a", 2)],
        vec![entry(None, b"")],
        vec![entry(Some(0), b"")],
        vec![entry(None, b"y")],
        vec![put("a", Expect::Any), put("b", Expect::Any)],
        vec![put("b", Expect::Any), put("a", Expect::Any)],
    ];
    let digests: HashSet<u64> = batches.iter().map(|ops| batch(1, ops.clone()).digest()).collect();
    assert_eq!(digests.len(), batches.len());
}

#[test]
fn every_difference_of_cause_changes_the_digest() {
    let by = |actor: &str| Cause::by(actor.parse::<Actor>().unwrap());
    let causes = [
        Cause::default(),
        by("system"),
        by("user:a"),
        by("agent:a"),
        Cause::default().because("x"),
        Cause::default().because(""),
        Cause::default().called(Action::new("x").unwrap()),
        Cause { metadata: Some(Json::parse("1").unwrap()), ..Cause::default() },
        Cause { metadata: Some(Json::parse("null").unwrap()), ..Cause::default() },
    ];
    let of = |cause: &Cause| Batch { cause: cause.clone(), ..batch(1, [delete("a")]) }.digest();
    let digests: HashSet<u64> = causes.iter().map(of).collect();
    assert_eq!(digests.len(), causes.len());
}

#[test]
fn id_and_durability_are_no_part_of_the_digest() {
    let one = batch(1, [delete("a")]);
    let other = Batch { id: id(2), durability: Durability::Durable, ..one.clone() };
    assert_eq!(one.digest(), other.digest());
}
