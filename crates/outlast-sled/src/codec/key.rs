//! Keys of the tables: no two things share one, and their bytes sort as the contract orders.
//!
//! Names, ids and attribute texts hold no NUL, so a NUL ends them; numbers have a fixed width
//! with the highest byte first.

use outlast_core::{AttrName, AttrValue, Id, Key, Kind, Revision, Space, Timestamp, Version};

use super::Flaw;

/// Everything of one kind in one lineage begins so.
pub(crate) fn lineage(kind: &Kind, space: Space) -> Vec<u8> {
    let mut bytes = of_kind(kind);
    bytes.extend(space.0.to_be_bytes());
    bytes
}

/// Everything of one kind begins so.
pub(crate) fn of_kind(kind: &Kind) -> Vec<u8> {
    let mut bytes = kind.as_str().as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// An entity's head, or a stream's extent.
pub(crate) fn entity(key: &Key) -> Vec<u8> {
    let mut bytes = lineage(&key.kind, key.space);
    bytes.extend(key.id().as_bytes());
    bytes
}

/// Everything beneath one entity or stream begins so.
pub(crate) fn beneath(key: &Key) -> Vec<u8> {
    let mut bytes = entity(key);
    bytes.push(0);
    bytes
}

/// One version of an entity.
pub(crate) fn version(key: &Key, version: Version) -> Vec<u8> {
    let mut bytes = beneath(key);
    bytes.extend(version.epoch.0.to_be_bytes());
    bytes.extend(version.n.to_be_bytes());
    bytes
}

/// One entry of a stream.
pub(crate) fn entry(stream: &Key, seq: u64) -> Vec<u8> {
    let mut bytes = beneath(stream);
    bytes.extend(seq.to_be_bytes());
    bytes
}

/// A commit of which no version may be left.
pub(crate) fn spent(at: Timestamp, revision: Revision) -> Vec<u8> {
    let mut bytes = signed(at.as_micros()).to_vec();
    bytes.extend(revision.0.to_be_bytes());
    bytes
}

/// Every index row of one attribute begins so.
pub(crate) fn attribute(kind: &Kind, space: Space, name: &AttrName) -> Vec<u8> {
    let mut bytes = lineage(kind, space);
    bytes.extend(name.as_str().as_bytes());
    bytes.push(0);
    bytes
}

/// Every index row of one value of an attribute begins so, and the id follows.
pub(crate) fn value(kind: &Kind, space: Space, name: &AttrName, value: &AttrValue) -> Vec<u8> {
    let mut bytes = attribute(kind, space, name);
    match value {
        AttrValue::Int(number) => {
            bytes.push(1);
            bytes.extend(signed(*number));
        }
        AttrValue::Text(text) => {
            bytes.push(2);
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

/// The index row that says an entity has this value.
pub(crate) fn index(key: &Key, name: &AttrName, held: &AttrValue) -> Vec<u8> {
    let mut bytes = value(&key.kind, key.space, name, held);
    bytes.extend(key.id().as_bytes());
    bytes
}

/// The entity or stream whose key this is.
pub(crate) fn to_entity(bytes: &[u8]) -> Result<Key, Flaw> {
    let (kind, rest) = split_nul(bytes).ok_or_else(foreign)?;
    let (space, id) = rest.split_first_chunk::<4>().ok_or_else(foreign)?;
    let kind = Kind::new(text(kind)?).map_err(Flaw::rule)?;
    let id = Id::new(text(id)?).map_err(Flaw::rule)?;
    Ok(Key::of(kind, id).in_space(Space(u32::from_be_bytes(*space))))
}

/// The entity and version whose key this is.
pub(crate) fn to_version(bytes: &[u8]) -> Result<(Key, Version), Flaw> {
    let (rest, n) = bytes.split_last_chunk::<8>().ok_or_else(foreign)?;
    let (rest, epoch) = rest.split_last_chunk::<8>().ok_or_else(foreign)?;
    let entity = rest.strip_suffix(&[0]).ok_or_else(foreign)?;
    let epoch = outlast_core::Epoch(u64::from_be_bytes(*epoch));
    Ok((to_entity(entity)?, Version::new(epoch, u64::from_be_bytes(*n))))
}

/// The stream and place whose key this is.
pub(crate) fn to_entry(bytes: &[u8]) -> Result<(Key, u64), Flaw> {
    let (rest, seq) = bytes.split_last_chunk::<8>().ok_or_else(foreign)?;
    let stream = rest.strip_suffix(&[0]).ok_or_else(foreign)?;
    Ok((to_entity(stream)?, u64::from_be_bytes(*seq)))
}

/// The entity, attribute and value whose index row this is.
pub(crate) fn to_index(bytes: &[u8]) -> Result<(Key, AttrName, AttrValue), Flaw> {
    let (kind, rest) = split_nul(bytes).ok_or_else(foreign)?;
    let (space, rest) = rest.split_first_chunk::<4>().ok_or_else(foreign)?;
    let (name, rest) = split_nul(rest).ok_or_else(foreign)?;
    let (value, id) = match rest.split_first().ok_or_else(foreign)? {
        (1, rest) => {
            let (number, id) = rest.split_first_chunk::<8>().ok_or_else(foreign)?;
            let number = u64::from_be_bytes(*number) ^ (1 << 63);
            (AttrValue::Int(number.cast_signed()), id)
        }
        (2, rest) => {
            let (value, id) = split_nul(rest).ok_or_else(foreign)?;
            (AttrValue::from(text(value)?), id)
        }
        _ => return Err(foreign()),
    };
    let kind = Kind::new(text(kind)?).map_err(Flaw::rule)?;
    let id = Id::new(text(id)?).map_err(Flaw::rule)?;
    let name = AttrName::new(text(name)?).map_err(Flaw::rule)?;
    let key = Key::of(kind, id).in_space(Space(u32::from_be_bytes(*space)));
    Ok((key, name, value))
}

/// The revision of the spent commit whose key this is.
pub(crate) fn to_spent(bytes: &[u8]) -> Result<Revision, Flaw> {
    let (at, revision) = bytes.split_last_chunk::<8>().ok_or_else(foreign)?;
    if at.len() == 8 { Ok(Revision(u64::from_be_bytes(*revision))) } else { Err(foreign()) }
}

/// The number whose key this is.
pub(crate) fn to_number(bytes: &[u8]) -> Result<u64, Flaw> {
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| foreign())?))
}

/// The first key after all that begin with `prefix`; `None` if there is no such key.
pub(crate) fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut bytes = prefix.get(..=end)?.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    Some(bytes)
}

/// With the sign bit turned over, negative numbers sort before the others.
fn signed(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn split_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (before, rest) = bytes.split_at_checked(end)?;
    Some((before, rest.split_first()?.1))
}

fn text(bytes: &[u8]) -> Result<&str, Flaw> {
    std::str::from_utf8(bytes).map_err(|_| Flaw::new("its key is not UTF-8"))
}

fn foreign() -> Flaw {
    Flaw::new("its key is none of this table")
}
