//! What one tick removed, or would remove.

use std::collections::BTreeMap;

use outlast_core::Error;
use serde::Serialize;

/// How much of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many entities, or entries of a stream.
    pub count: u64,
    /// How many bytes of content, of the present version of entities.
    pub bytes: u64,
}

/// What one tick removed, or would remove.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sweep {
    /// By kind. Output is `log`, events are `event`.
    pub removed: BTreeMap<String, Tally>,
    /// Whether it only reports, and nothing was removed.
    pub dry_run: bool,
    /// Why it only reports although it was to remove: the clock cannot be trusted.
    pub held_back: Option<String>,
    /// Whether there is more to be looked at.
    pub has_more: bool,
    /// What was kept because it, or something it depends on, cannot be read.
    pub unreadable: u64,
    /// Why, for the first [`Sweep::MOST_NAMED`] of them.
    #[serde(skip)]
    pub problems: Vec<Error>,
}

impl Sweep {
    /// How many problems are named.
    pub const MOST_NAMED: usize = 100;

    /// How much of a kind.
    pub fn of(&self, kind: &str) -> Tally {
        self.removed.get(kind).copied().unwrap_or_default()
    }

    /// How much in all.
    pub fn total(&self) -> Tally {
        self.removed.values().fold(Tally::default(), |total, kind| Tally {
            count: total.count + kind.count,
            bytes: total.bytes + kind.bytes,
        })
    }

    pub(super) fn add(&mut self, kind: &str, count: u64, bytes: u64) {
        if count == 0 {
            return;
        }
        let tally = self.removed.entry(kind.to_owned()).or_default();
        tally.count += count;
        tally.bytes += bytes;
    }

    pub(super) fn keep(&mut self, problem: Error) {
        self.unreadable += 1;
        if self.problems.len() < Self::MOST_NAMED {
            self.problems.push(problem);
        }
    }
}
