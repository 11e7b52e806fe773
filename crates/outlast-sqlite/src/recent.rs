//! Entities as they are now, those last read or written.
//!
//! They hold as long as it is the moment they were read at, which [`crate::moment`] tells. A write
//! of this process moves all of them to the moment after it; one of another forgets them.

use std::collections::HashMap;
use std::mem;

use outlast_core::{Attributes, Key, Record, Slot, WriteSet};

use crate::lookup::Located;
use crate::moment::Moment;

/// What both halves hold at most, in bytes of memory or about so.
const MOST_BYTES: usize = 32 << 20;

/// What a record takes besides its content.
const RECORD_BYTES: usize = 512;

fn weight_of(record: &Record) -> usize {
    record.state.as_str().len() + RECORD_BYTES
}

/// The entities. All of them live.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    moment: Option<Moment>,
    /// Whether this process writes: what is known then holds again as soon as it is done.
    pub(crate) writing: bool,
    /// Those used since the older ones were forgotten last, and what they weigh.
    young: HashMap<Key, Record>,
    weight: usize,
    old: HashMap<Key, Record>,
}

impl Recent {
    /// What lies under each key at this moment, if all of it is known.
    pub(crate) fn get(&mut self, now: Moment, keys: &[Key]) -> Option<Vec<Slot>> {
        if self.moment != Some(now) {
            return None;
        }
        keys.iter().map(|key| self.one(key)).collect()
    }

    fn one(&mut self, key: &Key) -> Option<Slot> {
        if let Some(record) = self.young.get(key) {
            return Some(Slot::Live(Box::new(record.clone())));
        }
        let record = self.old.remove(key)?;
        self.put(record.clone());
        Some(Slot::Live(Box::new(record)))
    }

    fn put(&mut self, record: Record) {
        let weight = weight_of(&record);
        self.remove(&record.key);
        if self.weight + weight > MOST_BYTES / 2 {
            self.old = mem::take(&mut self.young);
            self.weight = 0;
        }
        if weight <= MOST_BYTES / 16 {
            self.weight += weight;
            self.young.insert(record.key.clone(), record);
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Record> {
        let Some(young) = self.young.remove(key) else { return self.old.remove(key) };
        self.weight -= weight_of(&young);
        Some(young)
    }

    /// Keeps what was read at this moment, which is now.
    pub(crate) fn keep(&mut self, now: Moment, slots: &[Slot]) {
        if self.moment != Some(now) && self.writing {
            return;
        }
        self.move_to(Some(now));
        for slot in slots {
            if let Slot::Live(record) = slot {
                self.put((**record).clone());
            }
        }
    }

    fn move_to(&mut self, now: Option<Moment>) {
        if self.moment != now || now.is_none() {
            *self = Self { moment: now, writing: self.writing, ..Self::default() };
        }
    }

    /// Takes over what was written from what was located at the moment before, which leads to now;
    /// `now` is `None` if others may have written in between.
    pub(crate) fn advance(&mut self, set: &WriteSet, located: &Located, now: Option<Moment>) {
        self.move_to(located.moment);
        for version in set.commits.iter().flat_map(|commit| &commit.versions) {
            let known = self.remove(&version.key).map(|record| record.transient);
            let lived = located.head(&version.key).is_some_and(|known| known.head.live);
            // Transient attributes outlast a version, and not a deletion.
            let transient = known.or_else(|| (!lived).then(Attributes::new));
            let record = transient.and_then(|transient| version.clone().into_record(transient));
            if let Some(record) = record {
                self.put(record);
            }
        }
        for (key, _) in &set.touches {
            self.remove(key);
        }
        if now.is_none() {
            self.move_to(None);
        }
        self.moment = now;
    }
}
