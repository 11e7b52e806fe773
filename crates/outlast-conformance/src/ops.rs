//! Short names for what the cases write.

use outlast_core::{
    AttrName, AttrValue, Attributes, Expect, Filter, Json, Key, Kind, NewEntry, Op, Page, Put,
    Query, StreamName, Version,
};

/// The kind of most entities of the cases.
pub(crate) const ITEM: &str = "item";
/// The kind of most streams of the cases.
pub(crate) const LOG: &str = "log";

pub(crate) fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

pub(crate) fn item(id: &str) -> Key {
    Key::new(ITEM, id).unwrap()
}

pub(crate) fn log(id: &str) -> StreamName {
    Key::new(LOG, id).unwrap()
}

pub(crate) fn name(name: &str) -> AttrName {
    AttrName::new(name).unwrap()
}

pub(crate) fn number(value: i64) -> Json {
    Json::encode(&value).unwrap()
}

pub(crate) fn int(attr: &str, value: i64) -> Attributes {
    Attributes::from([(name(attr), value.into())])
}

pub(crate) fn text(attr: &str, value: &str) -> Attributes {
    Attributes::from([(name(attr), value.into())])
}

pub(crate) fn put_with(key: &Key, expect: Expect, attrs: Attributes, state: Json) -> Op {
    Op::Put(Put { key: key.clone(), expect, schema: 1, attrs, state })
}

/// Writes whatever is there.
pub(crate) fn put(key: &Key, value: i64) -> Op {
    put_with(key, Expect::Any, Attributes::new(), number(value))
}

pub(crate) fn create(key: &Key, value: i64) -> Op {
    put_with(key, Expect::Absent, Attributes::new(), number(value))
}

pub(crate) fn update(key: &Key, at: Version, value: i64) -> Op {
    put_with(key, Expect::At(at), Attributes::new(), number(value))
}

pub(crate) fn tagged(key: &Key, attrs: Attributes) -> Op {
    put_with(key, Expect::Any, attrs, number(0))
}

pub(crate) fn delete(key: &Key) -> Op {
    Op::Delete { key: key.clone(), expect: Expect::Live }
}

pub(crate) fn assert(key: &Key, expect: Expect) -> Op {
    Op::Assert { key: key.clone(), expect }
}

pub(crate) fn touch(key: &Key, attrs: Attributes) -> Op {
    Op::Touch { key: key.clone(), attrs }
}

pub(crate) fn entry(data: impl Into<Vec<u8>>) -> NewEntry {
    NewEntry { at: None, attrs: Attributes::new(), data: data.into() }
}

pub(crate) fn append(stream: &StreamName, data: &[&str]) -> Op {
    let entries = data.iter().map(|data| entry(*data)).collect();
    Op::Append { stream: stream.clone(), entries }
}

/// All live items, in pages of `limit`.
pub(crate) fn items(limit: u32) -> Query {
    Query { page: Page::first(limit), ..Query::of(kind(ITEM)) }
}

pub(crate) fn any_of(attr: &str, values: impl IntoIterator<Item = AttrValue>) -> Filter {
    let test = outlast_core::Test::AnyOf(values.into_iter().collect());
    Filter { name: name(attr), test }
}
