//! What a caller asks a store to do, all of it or nothing.

use std::collections::HashSet;

use crate::checksum::Checksum;
use crate::limits::Limits;
use crate::{
    AttrValue, Attributes, Cause, CommitId, Durability, Entry, Error, Json, Key, MAX_ID_BYTES,
    MAX_REASON_BYTES, NewEntry, Result, StreamName, Timestamp, Version, Versioned,
};

/// What must be true of an entity for a batch to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything. For copies and repair; the typed layer never uses it.
    Any,
    /// It does not live: never created, or deleted.
    Absent,
    /// It lives, at whatever version.
    Live,
    /// It lives at just this version.
    At(Version),
    /// It lives, and its status, if it has one, is one of these, whatever its version.
    Status(&'static [&'static str]),
}

/// One operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes the next version of an entity.
    Put(Put),
    /// Deletes a live entity, leaving a tombstone that keeps its version.
    Delete {
        /// The entity.
        key: Key,
        /// What must be true of it.
        expect: Expect,
    },
    /// Adds entries to the end of a stream.
    Append {
        /// The stream; it comes into being with its first entry.
        stream: StreamName,
        /// At least one entry.
        entries: Vec<NewEntry>,
    },
    /// Changes nothing, but the batch applies only if this holds: a fence.
    Assert {
        /// The entity.
        key: Key,
        /// What must be true of it.
        expect: Expect,
    },
    /// Sets transient attributes of a live entity: no version, no history, the last value wins.
    Touch {
        /// The entity.
        key: Key,
        /// The attributes to set; others stay.
        attrs: Attributes,
    },
    /// Copies an entity verbatim from another store, iff it is newer, with the history it lacks.
    ///
    /// Merges of one entity commute: the newest version wins and the histories are united.
    MergeRecord {
        /// The newest version, a tombstone included.
        record: Box<Versioned>,
        /// Older versions.
        history: Vec<Versioned>,
    },
    /// Copies entries verbatim from another store; those already there are skipped.
    MergeEntries {
        /// The stream.
        stream: StreamName,
        /// Consecutive entries. The first may be later than 1 only in an empty stream.
        entries: Vec<Entry>,
    },
}

/// The next version of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The entity.
    pub key: Key,
    /// What must be true of it.
    pub expect: Expect,
    /// The schema number of the content.
    pub schema: u32,
    /// What it can be filtered by.
    pub attrs: Attributes,
    /// The content.
    pub state: Json,
}

/// Operations that are applied together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Names the commit, so that sending the same batch again is safe.
    pub id: CommitId,
    /// Who and why.
    pub cause: Cause,
    /// The least durability the caller accepts.
    pub durability: Durability,
    /// What to do. No two operations may name the same entity or stream.
    pub ops: Vec<Op>,
}

impl Op {
    /// The entity it names, if it names one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Put(put) => Some(&put.key),
            Self::Delete { key, .. } | Self::Assert { key, .. } | Self::Touch { key, .. } => {
                Some(key)
            }
            Self::MergeRecord { record, .. } => Some(&record.key),
            Self::Append { .. } | Self::MergeEntries { .. } => None,
        }
    }

    /// The stream it names, if it names one.
    pub fn stream(&self) -> Option<&StreamName> {
        match self {
            Self::Append { stream, .. } | Self::MergeEntries { stream, .. } => Some(stream),
            _ => None,
        }
    }
}

impl Batch {
    /// A batch without operations yet, durable as far as the store offers it.
    pub fn new(id: CommitId, cause: Cause) -> Self {
        Self { id, cause, durability: Durability::Volatile, ops: Vec::new() }
    }

    /// The same with one more operation.
    pub fn with(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    /// Checks what can be checked without looking at the store: `Invalid` or `TooLarge`.
    pub fn validate(&self, limits: &Limits) -> Result<()> {
        if self.ops.is_empty() {
            return Err(Error::invalid("a batch needs at least one operation"));
        }
        limits.check("operations in a batch", self.ops.len(), limits.ops)?;
        let reason = self.cause.reason.as_ref().map_or(0, String::len);
        limits.check("bytes in a reason", reason, MAX_REASON_BYTES)?;
        limits.check("bytes in a batch", self.bytes(), limits.batch_bytes)?;
        if self.ops.iter().all(|op| matches!(op, Op::Assert { .. })) {
            return Err(Error::invalid("a batch of assertions alone changes nothing"));
        }
        let mut keys = HashSet::new();
        let mut streams = HashSet::new();
        for op in &self.ops {
            if op.key().is_some_and(|key| !keys.insert(key))
                || op.stream().is_some_and(|stream| !streams.insert(stream))
            {
                let name = op.key().or(op.stream());
                let name = name.map(ToString::to_string).unwrap_or_default();
                return Err(Error::invalid(format!("two operations of one batch name {name}")));
            }
            op.validate(limits)?;
        }
        Ok(())
    }

    /// Roughly what it weighs: the bytes of its content.
    pub fn bytes(&self) -> usize {
        let metadata = self.cause.metadata.as_ref().map_or(0, |json| json.as_str().len());
        metadata + self.ops.iter().map(Op::bytes).sum::<usize>()
    }

    /// The checksum that tells a repeated batch from another one under the same id.
    pub fn digest(&self) -> u64 {
        let mut sum = Checksum::new();
        let cause = &self.cause;
        sum.option(cause.actor.as_ref().map(ToString::to_string).as_deref());
        sum.option(cause.action.as_ref().map(crate::Action::as_str));
        sum.option(cause.reason.as_deref());
        sum.option(cause.metadata.as_ref().map(Json::as_str));
        sum.number(self.ops.len() as u64);
        for op in &self.ops {
            op.feed(&mut sum);
        }
        sum.finish()
    }
}

impl Op {
    fn bytes(&self) -> usize {
        match self {
            Self::Put(put) => put.state.as_str().len(),
            Self::Append { entries, .. } => entries.iter().map(|entry| entry.data.len()).sum(),
            Self::MergeEntries { entries, .. } => {
                entries.iter().map(|entry| entry.data.len()).sum()
            }
            Self::MergeRecord { record, history } => std::iter::once(&**record)
                .chain(history)
                .filter_map(|version| version.state.as_ref())
                .map(|state| state.as_str().len())
                .sum(),
            Self::Delete { .. } | Self::Assert { .. } | Self::Touch { .. } => 0,
        }
    }

    fn validate(&self, limits: &Limits) -> Result<()> {
        match self {
            Self::Put(put) => {
                check_attributes(&put.attrs, limits)?;
                limits.check("bytes in a state", put.state.as_str().len(), limits.state_bytes)
            }
            Self::Touch { attrs, .. } => check_attributes(attrs, limits),
            Self::Append { stream, entries } => {
                if entries.is_empty() {
                    return Err(Error::invalid(format!("nothing to append to {stream}")));
                }
                entries.iter().try_for_each(|entry| {
                    check_attributes(&entry.attrs, limits)?;
                    limits.check("bytes in an entry", entry.data.len(), limits.entry_bytes)
                })
            }
            Self::MergeRecord { record, history } => check_merge(record, history, limits),
            Self::MergeEntries { stream, entries } => check_entries(stream, entries, limits),
            Self::Delete { .. } | Self::Assert { .. } => Ok(()),
        }
    }

    fn feed(&self, sum: &mut Checksum) {
        if let Some(name) = self.key().or(self.stream()) {
            sum.number(u64::from(name.space.0));
            sum.text(name.kind.as_str());
            sum.text(name.id());
        }
        match self {
            Self::Put(put) => {
                sum.number(1);
                put.expect.feed(sum);
                sum.number(u64::from(put.schema));
                sum.attributes(&put.attrs);
                sum.text(put.state.as_str());
            }
            Self::Delete { expect, .. } => {
                sum.number(2);
                expect.feed(sum);
            }
            Self::Append { entries, .. } => {
                sum.number(3);
                sum.number(entries.len() as u64);
                for entry in entries {
                    let at = entry.at.map_or(i64::MIN, Timestamp::as_micros);
                    sum.number(at.cast_unsigned());
                    sum.attributes(&entry.attrs);
                    sum.bytes(&entry.data);
                }
            }
            Self::Assert { expect, .. } => {
                sum.number(4);
                expect.feed(sum);
            }
            Self::Touch { attrs, .. } => {
                sum.number(5);
                sum.attributes(attrs);
            }
            Self::MergeRecord { record, history } => {
                sum.number(6);
                sum.number(record.checksum());
                for version in history {
                    sum.number(version.checksum());
                }
            }
            Self::MergeEntries { entries, .. } => {
                sum.number(7);
                for entry in entries {
                    sum.number(entry.checksum());
                }
            }
        }
    }
}

impl Expect {
    fn feed(self, sum: &mut Checksum) {
        match self {
            Self::Any => sum.number(0),
            Self::Absent => sum.number(1),
            Self::Live => sum.number(2),
            Self::At(version) => {
                sum.number(3);
                sum.number(version.epoch.0);
                sum.number(version.n);
            }
            Self::Status(states) => {
                sum.number(4);
                sum.number(states.len() as u64);
                for state in states {
                    sum.text(state);
                }
            }
        }
    }
}

fn check_attributes(attrs: &Attributes, limits: &Limits) -> Result<()> {
    limits.check("attributes", attrs.len(), limits.attributes)?;
    attrs.iter().try_for_each(|(name, value)| match value {
        AttrValue::Int(_) => Ok(()),
        AttrValue::Text(text) if text.contains('\0') => {
            Err(Error::invalid(format!("attribute {name} holds a NUL character")))
        }
        AttrValue::Text(text) => limits.check("bytes in an attribute", text.len(), MAX_ID_BYTES),
    })
}

/// The highest number a copy may bring, so that counting on from it never overflows and every
/// backend can hold it.
const MOST_COUNTED: u64 = i64::MAX as u64 >> 1;

fn check_counted(name: &Key, number: u64) -> Result<()> {
    if number <= MOST_COUNTED {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} cannot count on from {number}")))
}

fn check_merge(record: &Versioned, history: &[Versioned], limits: &Limits) -> Result<()> {
    let mut seen = HashSet::from([record.version]);
    for version in std::iter::once(record).chain(history) {
        check_attributes(&version.attrs, limits)?;
        let bytes = version.state.as_ref().map_or(0, |state| state.as_str().len());
        limits.check("bytes in a state", bytes, limits.state_bytes)?;
        if version.version.n == 0 {
            return Err(Error::invalid(format!("{} has no version 0", version.key)));
        }
        check_counted(&version.key, version.version.n)?;
        check_counted(&version.key, version.version.epoch.0)?;
    }
    for version in history {
        if version.key != record.key || version.version > record.version {
            return Err(Error::invalid(format!(
                "the history merged with {} must be its own and older",
                record.key
            )));
        }
        if !seen.insert(version.version) {
            return Err(Error::invalid(format!(
                "version {} of {} is merged twice",
                version.version, record.key
            )));
        }
    }
    Ok(())
}

fn check_entries(stream: &StreamName, entries: &[Entry], limits: &Limits) -> Result<()> {
    let Some(first) = entries.first() else {
        return Err(Error::invalid(format!("nothing to merge into {stream}")));
    };
    check_counted(stream, first.seq.0)?;
    for (entry, seq) in entries.iter().zip(first.seq.0..) {
        check_attributes(&entry.attrs, limits)?;
        limits.check("bytes in an entry", entry.data.len(), limits.entry_bytes)?;
        if entry.stream != *stream || entry.seq.0 != seq || seq == 0 {
            return Err(Error::invalid(format!(
                "entries merged into {stream} must be its own and consecutive from 1 or later"
            )));
        }
    }
    Ok(())
}
