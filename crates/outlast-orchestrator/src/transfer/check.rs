//! The order of the lines and the rules of each: what makes an input an export.

use outlast_core::{
    Attributes, Batch, Cause, CommitId, Entry, Error, Key, Limits, MAX_REASON_BYTES, Op, Result,
    Seq, StreamExtent, Versioned,
};

use super::format::{EndLine, Line};
use super::reader::Item;
use super::tally::Tally;

pub(super) struct Checker {
    limits: Limits,
    pub(super) tally: Tally,
    place: Place,
}

/// Where in the input the last line was. Nothing else has to be remembered, since everything
/// comes in order.
enum Place {
    Start,
    Entity { key: Key, version: outlast_core::Version, live: bool, transient: bool },
    Stream { extent: StreamExtent, next: Seq },
}

impl Checker {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, tally: Tally::default(), place: Place::Start }
    }

    pub(super) fn item(&mut self, line: Line) -> Result<Item> {
        match line {
            Line::Version(line) => {
                let version = line.into_version()?;
                self.version(&version)?;
                Ok(Item::Version(Box::new(version)))
            }
            Line::Transient(line) => {
                let attrs = line.into_attributes()?;
                self.transient(&attrs)?;
                Ok(Item::Transient(attrs))
            }
            Line::Stream(line) => {
                let extent = line.into_extent()?;
                self.stream(&extent)?;
                Ok(Item::Stream(extent))
            }
            Line::Entry(line) => {
                let Place::Stream { extent, next } = &self.place else {
                    return Err(Error::invalid("an entry comes before any stream"));
                };
                let entry = line.into_entry(extent.stream.clone())?;
                if entry.seq != *next || entry.seq > extent.last {
                    return Err(Error::invalid(format!(
                        "entry {} of {} comes where entry {} of {} to {} belongs",
                        entry.seq.0, extent.stream, next.0, extent.first.0, extent.last.0
                    )));
                }
                self.entry(&entry)?;
                Ok(Item::Entry(entry))
            }
            Line::End(_) => Err(Error::internal("the last line is no item")),
        }
    }

    fn version(&mut self, version: &Versioned) -> Result<()> {
        let (key, number) = (version.key.clone(), version.version);
        let fresh = match &self.place {
            Place::Start => true,
            Place::Entity { key: last, .. } if key > *last => true,
            Place::Entity { key: last, version, transient: false, .. }
                if key == *last && number > *version =>
            {
                false
            }
            _ => {
                return Err(Error::invalid(format!(
                    "version {number} of {key} is there twice or out of order"
                )));
            }
        };
        self.rules(Op::MergeRecord { record: Box::new(version.clone()), history: Vec::new() })?;
        let reason = version.reason.as_ref().map_or(0, String::len);
        self.limits.check("bytes in a reason", reason, MAX_REASON_BYTES)?;
        self.tally.entities += u64::from(fresh);
        self.tally.versions += 1;
        let live = version.is_live();
        self.place = Place::Entity { key, version: number, live, transient: false };
        Ok(())
    }

    fn transient(&mut self, attrs: &Attributes) -> Result<()> {
        let key = match &mut self.place {
            Place::Entity { key, live: true, transient, .. } if !*transient => {
                *transient = true;
                key.clone()
            }
            _ => return Err(Error::invalid("transient attributes belong to no live entity")),
        };
        self.rules(Op::Touch { key, attrs: attrs.clone() })
    }

    fn stream(&mut self, extent: &StreamExtent) -> Result<()> {
        let order = |extent: &StreamExtent| (extent.stream.kind.clone(), extent.stream.clone());
        if let Place::Stream { extent: last, next } = &self.place {
            complete(last, *next)?;
            if order(extent) <= order(last) {
                return Err(Error::invalid(format!(
                    "stream {} is there twice or out of order",
                    extent.stream
                )));
            }
        }
        let (first, last) = (extent.first.0, extent.last.0);
        if first == 0 || last == 0 || first > last.saturating_add(1) {
            return Err(Error::invalid(format!(
                "stream {} cannot hold entries {first} to {last}",
                extent.stream
            )));
        }
        self.tally.streams += 1;
        self.place = Place::Stream { extent: extent.clone(), next: extent.first };
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        let stream = entry.stream.clone();
        self.rules(Op::MergeEntries { stream, entries: vec![entry.clone()] })?;
        self.tally.entries += 1;
        if let Place::Stream { next, .. } = &mut self.place {
            *next = Seq(entry.seq.0.saturating_add(1));
        }
        Ok(())
    }

    pub(super) fn end(&self, end: &EndLine, sum: u64) -> Result<()> {
        if let Place::Stream { extent, next } = &self.place {
            complete(extent, *next)?;
        }
        if end.tally != self.tally {
            return Err(Error::invalid(format!(
                "it counts {:?}, but the input holds {:?}; lines are missing or were added",
                end.tally, self.tally
            )));
        }
        if end.checksum.0 != sum {
            return Err(Error::invalid(
                "its checksum of the lines before differs: they were damaged or edited",
            ));
        }
        Ok(())
    }

    /// The rules the contract has for what is merged into a store, and the bounds of this one.
    fn rules(&self, op: Op) -> Result<()> {
        let id = CommitId::of(uuid::Uuid::nil());
        Batch::new(id, Cause::default()).with(op).validate(&self.limits)
    }
}

fn complete(extent: &StreamExtent, next: Seq) -> Result<()> {
    if next.0 == extent.last.0.saturating_add(1) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "stream {} ends before entry {}, its last is {}",
        extent.stream, next.0, extent.last.0
    )))
}
