//! What is written is read back; what was not written is refused; keys sort as they should.

use std::fmt::Debug;

use outlast_core::{
    Action, Actor, AttrName, AttrValue, Attributes, CommitId, Entry, Epoch, Id, Json, Key, Kind,
    Remembered, Revision, Seq, Space, Timestamp, Version, Versioned,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use sled::IVec;

use super::{
    CommitRow, Content, Extent, HeadRow, Identity, Row, State, VersionRow,
    key::{self, to_entity, to_entry, to_index, to_number, to_version},
};
use crate::tables::Table;
use crate::tally::Tallies;

fn kind() -> impl Strategy<Value = Kind> {
    "[a-z][a-z0-9_]{0,5}".prop_map(|text| Kind::new(text).unwrap())
}

fn name() -> impl Strategy<Value = AttrName> {
    "[a-z][a-z0-9_]{0,5}".prop_map(|text| AttrName::new(text).unwrap())
}

fn entity() -> impl Strategy<Value = Key> {
    let id = "[^\\p{Cc}]{1,6}".prop_map(|text| Id::new(text).unwrap());
    let space = prop_oneof![Just(0), Just(1), Just(256), any::<u32>()];
    (kind(), id, space).prop_map(|(kind, id, space)| Key::of(kind, id).in_space(Space(space)))
}

fn value() -> impl Strategy<Value = AttrValue> {
    prop_oneof![
        any::<i64>().prop_map(AttrValue::Int),
        "[^\0]{0,6}".prop_map(|text| AttrValue::from(text.as_str())),
    ]
}

fn attrs() -> impl Strategy<Value = Attributes> {
    btree_map(name(), value(), 0..4)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn commit_id() -> impl Strategy<Value = CommitId> {
    any::<[u8; 16]>().prop_map(|bytes| CommitId::of(uuid::Uuid::from_bytes(bytes)))
}

fn version() -> impl Strategy<Value = Version> {
    any::<(u64, u64)>().prop_map(|(epoch, n)| Version::new(Epoch(epoch), n))
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        Just(Actor::System),
        "[^\\p{Cc}]{1,6}".prop_map(|text| Actor::User(Id::new(text).unwrap())),
    ]
}

prop_compose! {
    fn versioned()(
        key in entity(),
        version in version(),
        commit in commit_id(),
        at in time(),
        actor in option::of(actor()),
        reason in option::of(".{0,6}"),
        metadata in option::of(".{0,6}"),
        (revision, schema) in any::<(u64, u32)>(),
        attrs in attrs(),
        state in option::of(".{0,40}"),
    ) -> Versioned {
        let json = |text: String| Json::encode(&text).unwrap();
        Versioned {
            key, version, revision: Revision(revision), commit, at, action: Action::update(),
            actor, reason, metadata: metadata.map(json), schema, attrs, state: state.map(json),
        }
    }
}

fn check<C: Content + PartialEq + Debug>(table: Table, key: &[u8], content: &C) {
    let row = Row::seal(table, key, content);
    let bytes = row.into_bytes();
    let read = Row::open(table, key, bytes.clone()).unwrap().content::<C>(key);
    assert_eq!(read.as_ref(), Ok(content));
    let other = if table == Table::Meta { Table::Feed } else { Table::Meta };
    assert!(Row::open(other, key, bytes.clone()).is_err(), "another table's row was taken");
    let moved = [key, b"x"].concat();
    assert!(Row::open(table, &moved, bytes.clone()).is_err(), "another key's row was taken");
    for place in 0..bytes.len() {
        let mut harmed = bytes.to_vec();
        harmed[place] ^= 1 << (place % 8);
        assert!(Row::open(table, key, IVec::from(harmed)).is_err(), "a flipped bit was taken");
        let cut = IVec::from(&bytes[..place]);
        assert!(Row::open(table, key, cut).is_err(), "a row cut short was taken");
    }
}

proptest! {
    #[test]
    fn rows_are_read_back_and_no_other_bytes_are(
        version in versioned(), position in any::<u64>(), live in any::<bool>(),
        transient in attrs(), id in commit_id(), appended in vec((entity(), any::<(u64, u64)>()), 0..3),
        data in vec(any::<u8>(), 0..40),
    ) {
        let place = key::version(&version.key, version.version);
        check(Table::History, &place, &VersionRow { position, version: version.clone() });
        let head = HeadRow { live, ..HeadRow::of(&version, transient) };
        check(Table::Heads, &key::entity(&version.key), &head);
        let entry = Entry {
            stream: version.key.clone(), seq: Seq(position), at: version.at,
            attrs: version.attrs.clone(), data,
        };
        check(Table::Entries, &key::entry(&entry.stream, position), &entry);
        let known = Remembered {
            digest: position, revision: version.revision, at: version.at,
            versions: vec![(version.key.clone(), version.version)],
            appended: appended.into_iter().map(|(name, (a, b))| (name, Seq(a), Seq(b))).collect(),
        };
        let place = version.revision.0.to_be_bytes();
        check(Table::Feed, &place, &CommitRow { id, known });
        check(Table::Commits, id.as_bytes(), &version.revision);
        check(Table::Audit, &place, &place.to_vec());
        let state = State {
            transaction: position, revision: version.revision, floor: Revision(1), position,
            tallies: Tallies::default(),
        };
        check(Table::Meta, b"state", &state);
        let id = uuid::Uuid::from_bytes(*id.as_bytes());
        check(Table::Meta, b"identity", &Identity { store: id, incarnation: id });
        check(Table::Streams, &place, &Extent { first: Seq(position), last: Seq(7) });
        check(Table::Index, &place, &());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        key in vec(any::<u8>(), 0..40), bytes in vec(any::<u8>(), 0..200),
    ) {
        let _ = Row::open(Table::Heads, &key, IVec::from(bytes.as_slice()));
        let _ = VersionRow::from_payload(&key, &bytes);
        let _ = HeadRow::from_payload(&key, &bytes);
        let _ = CommitRow::from_payload(&key, &bytes);
        let _ = Entry::from_payload(&key, &bytes);
        let _ = State::from_payload(&key, &bytes);
        let _ = Identity::from_payload(&key, &bytes);
        let _ = Extent::from_payload(&key, &bytes);
        let _ = Vec::<u8>::from_payload(&key, &bytes);
        let _ = (to_entity(&key), to_entry(&key), to_index(&key), to_number(&key));
        let _ = (to_version(&key), key::after(&key));
    }

    #[test]
    fn keys_are_read_back_and_sort_as_what_they_stand_for(
        a in entity(), b in entity(), av in version(), bv in version(),
        name in name(), x in value(), y in value(),
    ) {
        assert_eq!(to_entity(&key::entity(&a)).as_ref(), Ok(&a));
        assert_eq!(to_version(&key::version(&a, av)), Ok((a.clone(), av)));
        assert_eq!(to_entry(&key::entry(&a, 7)), Ok((a.clone(), 7)));
        let index = key::index(&a, &name, &x);
        assert_eq!(to_index(&index), Ok((a.clone(), name.clone(), x.clone())));

        assert_eq!(key::version(&a, av).cmp(&key::version(&a, bv)), av.cmp(&bv));
        let b = Key::of(a.kind.clone(), Id::new(b.id()).unwrap()).in_space(b.space);
        assert_eq!(key::entity(&a).cmp(&key::entity(&b)), a.cmp(&b));
        let b = b.in_space(a.space);
        let ordered = (&x, a.id()).cmp(&(&y, b.id()));
        assert_eq!(index.cmp(&key::index(&b, &name, &y)), ordered);
    }

    #[test]
    fn what_begins_alike_lies_between_a_prefix_and_what_is_after_it(
        prefix in vec(any::<u8>(), 1..5), rest in vec(any::<u8>(), 0..5), other in vec(any::<u8>(), 0..9),
    ) {
        let whole = [prefix.as_slice(), &rest].concat();
        let end = key::after(&prefix);
        let within = |key: &[u8]| {
            key >= prefix.as_slice() && end.as_ref().is_none_or(|end| key < end.as_slice())
        };
        assert!(within(&whole));
        assert_eq!(within(&other), other.starts_with(&prefix));
    }
}
