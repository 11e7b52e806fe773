//! Rows to records and back, every one verified against its checksum.
//!
//! Columns are read as raw bytes: text that is not UTF-8 any more is damage to report, not a
//! reason to fail the page or to panic.

use std::fmt;

use outlast_core::{
    Action, Actor, AttrValue, Attributes, CommitId, Damage, Entry, Epoch, Id, Json, Key, Kind,
    Revision, Seq, Slot, Space, StreamName, Timestamp, Verified, Version, Versioned,
    checksum_attributes, planted,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};

use crate::error::Place;
use crate::sum::sealed;

/// Columns of a version, `h` being its row of history and `e` its entity.
pub(crate) const VERSION: &str = "h.seq, h.beneath, e.space, e.kind, e.id, h.epoch, h.version, \
     h.commit_id, h.at, h.action, h.actor, h.reason, h.metadata, h.schema, h.attrs, h.checksum, \
     h.state";
/// The column of [`VERSION`] that holds the content.
pub(crate) const STATE: usize = 16;
/// The first column after those of [`VERSION`].
pub(crate) const AFTER_VERSION: usize = 17;

/// Columns of a head, `d`; they follow those of [`VERSION`].
pub(crate) const HEAD: &str = "d.epoch, d.version, d.live, d.checksum, d.attrs, d.updated_at, \
     d.transient, d.transient_checksum";
/// The first column after those of [`HEAD`].
pub(crate) const AFTER_HEAD: usize = AFTER_VERSION + 8;

/// The bits of `seq` that count the rows of one commit.
pub(crate) const PLACE_BITS: u32 = 16;
/// The most rows of one commit.
pub(crate) const MOST_PLACES: i64 = (1 << PLACE_BITS) - 1;
/// The bits of an entry's id that are its place in the stream.
pub(crate) const STREAM_BITS: u32 = 32;

/// The revision that a row of history belongs to.
pub(crate) fn revision_of(seq: i64) -> Revision {
    Revision((seq >> PLACE_BITS).cast_unsigned())
}

/// The last row a commit could have; `i64::MAX` for a revision that cannot exist.
pub(crate) fn last_row_of(revision: Revision) -> i64 {
    match i64::try_from(revision.0) {
        Ok(number) if number < i64::MAX >> PLACE_BITS => number << PLACE_BITS | MOST_PLACES,
        _ => i64::MAX,
    }
}

/// The columns of one row.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'r>(pub(crate) &'r SqliteRow);

/// Why a row could not be read.
type Flaw = &'static str;

impl<'r> Cells<'r> {
    /// A number; `None` for NULL.
    pub(crate) fn int(self, column: usize) -> Option<i64> {
        self.0.try_get_unchecked(column).ok().flatten()
    }

    /// The bytes of a text or blob; `None` for NULL.
    pub(crate) fn bytes(self, column: usize) -> Option<&'r [u8]> {
        self.0.try_get_unchecked(column).ok().flatten()
    }

    /// A text; `None` for NULL and for bytes that are none.
    pub(crate) fn text(self, column: usize) -> Option<&'r str> {
        std::str::from_utf8(self.bytes(column)?).ok()
    }

    /// What a column without a type holds; `None` for NULL.
    pub(crate) fn value(self, column: usize) -> Option<AttrValue> {
        // The type comes first: reading a number as bytes would turn it into a text.
        let raw = self.0.try_get_raw(column).ok()?;
        match raw.type_info().name() {
            "NULL" => None,
            "INTEGER" => self.int(column).map(AttrValue::Int),
            _ => Some(AttrValue::from(self.any_text(column).as_str())),
        }
    }

    /// Whatever it is, as text.
    pub(crate) fn any_text(self, column: usize) -> String {
        String::from_utf8_lossy(self.bytes(column).unwrap_or_default()).into_owned()
    }

    /// A number that cannot be negative.
    pub(crate) fn count(self, column: usize) -> u64 {
        self.int(column).and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
    }

    /// A text that may be NULL, but not something else.
    fn optional(self, column: usize) -> Result<Option<&'r str>, Flaw> {
        let Some(bytes) = self.bytes(column) else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|_| "a text is not UTF-8")
    }

    fn required(self, column: usize) -> Result<&'r str, Flaw> {
        self.optional(column)?.ok_or("a text is missing")
    }

    fn number(self, column: usize) -> Result<i64, Flaw> {
        self.int(column).ok_or("a number is missing")
    }

    fn unsigned(self, column: usize) -> Result<u64, Flaw> {
        u64::try_from(self.number(column)?).map_err(|_| "a number is negative")
    }

    /// The key in three columns: space, kind, id.
    pub(crate) fn key(self, column: usize) -> Result<Key, Flaw> {
        let space = u32::try_from(self.number(column)?).map_err(|_| "a space is out of range")?;
        let kind = Kind::new(self.required(column + 1)?).map_err(|_| "a kind is not one")?;
        let id = Id::new(self.required(column + 2)?).map_err(|_| "an id is not one")?;
        Ok(Key::of(kind, id).in_space(Space(space)))
    }

    /// Attributes, written as JSON.
    pub(crate) fn attributes(self, column: usize) -> Result<Attributes, Flaw> {
        let Some(bytes) = self.bytes(column) else { return Ok(Attributes::new()) };
        serde_json::from_slice(bytes).map_err(|_| "attributes are not JSON")
    }

    pub(crate) fn commit_id(self, column: usize) -> Result<CommitId, Flaw> {
        let bytes = self.bytes(column).ok_or("a commit id is missing")?;
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| "a commit id is cut off")?;
        CommitId::from_bytes(bytes).map_err(|_| "a commit id is not one")
    }

    pub(crate) fn version(self, column: usize) -> Result<Version, Flaw> {
        Ok(Version::new(Epoch(self.unsigned(column)?), self.unsigned(column + 1)?))
    }

    fn parse_version(self) -> Result<Versioned, Flaw> {
        let metadata = self.optional(12)?.map(Json::trusted);
        let actor = self.optional(10)?.map(str::parse::<Actor>).transpose();
        let revision = match self.int(1) {
            None => revision_of(self.number(0)?),
            Some(_) => Revision::ZERO,
        };
        let versioned = Versioned {
            key: self.key(2)?,
            version: self.version(5)?,
            revision,
            commit: self.commit_id(7)?,
            at: Timestamp::from_micros(self.number(8)?),
            action: Action::new(self.required(9)?).map_err(|_| "an action is not one")?,
            actor: actor.map_err(|_| "an actor is not one")?,
            reason: self.optional(11)?.map(str::to_owned),
            metadata,
            schema: u32::try_from(self.number(13)?).map_err(|_| "a schema is out of range")?,
            attrs: self.attributes(14)?,
            state: self.optional(STATE)?.map(Json::trusted),
        };
        let seal = sealed(versioned.checksum(), self.number(0)?, self.int(1).is_some());
        if seal.cast_signed() == self.number(15)? || planted("checksum-skipped") {
            return Ok(versioned);
        }
        Err("the checksum does not match")
    }

    /// The version in the columns of [`VERSION`], verified.
    pub(crate) fn versioned(self, place: &Place) -> Verified<Versioned> {
        self.parse_version().map_err(|why| self.version_damage(place, why))
    }

    fn version_damage(self, place: &Place, why: &str) -> Damage {
        let number = self.int(6).unwrap_or_default();
        let what = match self.key(2) {
            Ok(key) => format!("{key} version {number}"),
            Err(_) => format!("row {} of history", self.int(0).unwrap_or_default()),
        };
        damage(what, "history", place, why, self.bytes(STATE))
    }

    /// What lies under a key, from the columns of [`VERSION`] and [`HEAD`], verified.
    pub(crate) fn slot(self, place: &Place) -> Slot {
        match self.parse_slot() {
            Ok(slot) => slot,
            Err(why) => Slot::Damaged(Box::new(self.version_damage(place, why))),
        }
    }

    fn parse_slot(self) -> Result<Slot, Flaw> {
        let head = AFTER_VERSION;
        let version = self.version(head).map_err(|_| "the entity has no head")?;
        if self.int(0).is_none() {
            return Err("its newest version is missing");
        }
        let versioned = self.parse_version()?;
        let agrees = versioned.version == version
            && Some(i64::from(versioned.is_live())) == self.int(head + 2)
            && self.int(head + 3) == self.int(15)
            && self.bytes(head + 4) == self.bytes(14)
            && Some(versioned.at.as_micros()) == self.int(head + 5);
        if !agrees {
            return Err("the head is not that of the newest version");
        }
        let transient = self.transient(head + 6)?;
        let (key, version, at) = (versioned.key.clone(), versioned.version, versioned.at);
        Ok(match versioned.into_record(transient) {
            Some(record) => Slot::Live(Box::new(record)),
            None => Slot::Tombstone { key, version, at },
        })
    }

    /// Transient attributes and, in the next column, their checksum.
    pub(crate) fn transient(self, column: usize) -> Result<Attributes, Flaw> {
        let transient = self.attributes(column)?;
        let expected = self.int(column + 1);
        let sum = checksum_attributes(&transient).cast_signed();
        if expected == Some(sum) || (expected.is_none() && transient.is_empty()) {
            return Ok(transient);
        }
        Err("the checksum of its transient attributes does not match")
    }

    /// The entry in the columns id, at, checksum, attrs, data, verified.
    pub(crate) fn entry(self, stream: &StreamName, place: &Place) -> Verified<Entry> {
        self.parse_entry(stream).map_err(|why| {
            let seq = entry_seq(self.int(0).unwrap_or_default()).0;
            let what = format!("{stream} entry {seq}");
            damage(what, "stream_entry", place, why, self.bytes(4))
        })
    }

    fn parse_entry(self, stream: &StreamName) -> Result<Entry, Flaw> {
        let entry = Entry {
            stream: stream.clone(),
            seq: entry_seq(self.number(0)?),
            at: Timestamp::from_micros(self.number(1)?),
            attrs: self.attributes(3)?,
            data: self.bytes(4).ok_or("the data is missing")?.to_vec(),
        };
        if entry.checksum().cast_signed() == self.number(2)? || planted("checksum-skipped") {
            return Ok(entry);
        }
        Err("the checksum does not match")
    }
}

/// The place in its stream that the id of an entry holds.
pub(crate) fn entry_seq(id: i64) -> Seq {
    Seq((id & ((1 << STREAM_BITS) - 1)).cast_unsigned())
}

/// Attributes as they are stored: NULL when there are none.
pub(crate) fn attributes_text(attrs: &Attributes) -> Option<String> {
    if attrs.is_empty() { None } else { serde_json::to_string(attrs).ok() }
}

/// A damage found in a table.
pub(crate) fn damage(
    what: impl fmt::Display,
    table: &str,
    place: &Place,
    why: &str,
    bytes: Option<&[u8]>,
) -> Damage {
    Damage::new(what, format!("table {table} of {place}"), why, bytes.unwrap_or_default())
}
