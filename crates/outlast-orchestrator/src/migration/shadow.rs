//! Reads that are made a second time, from the database, after the caller was answered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use outlast_core::{Key, Kind, Listed, Query, Slot};
use serde::Serialize;

use super::Phase;
use super::dual::Shared;

/// How many samples wait at most; more are not taken.
const WAITING: usize = 256;

/// What was compared, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShadowReads {
    /// Reads that were made a second time.
    pub compared: u64,
    /// Of these, those that differed also when nothing was being written.
    pub mismatched: u64,
}

/// One read to be made again.
#[derive(Clone, Debug)]
pub(crate) enum Sample {
    Get(Key),
    List(Query),
}

/// Which reads are made again.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// One of so many reads is sampled; 0 samples none.
    pub(crate) every: u64,
    reads: AtomicU64,
    waiting: Mutex<VecDeque<Sample>>,
    results: Mutex<BTreeMap<Kind, ShadowReads>>,
}

impl Sampler {
    pub(crate) fn every(every: u64) -> Self {
        Self { every, ..Self::default() }
    }

    fn is_chosen(&self) -> bool {
        self.every > 0 && self.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.every)
    }

    fn push(&self, sample: Sample) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            waiting.push_back(sample);
        }
    }

    pub(crate) fn pop(&self) -> Option<Sample> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(crate) fn note(&self, kind: &Kind, differs: bool) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = results.entry(kind.clone()).or_default();
        reads.compared += 1;
        reads.mismatched += u64::from(differs);
    }

    /// What was compared of a kind.
    pub(crate) fn of(&self, kind: &Kind) -> ShadowReads {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.get(kind).copied().unwrap_or_default()
    }

    /// Forgets what was compared of a kind: it begins anew with its phase.
    pub(crate) fn forget(&self, kind: &Kind) {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).remove(kind);
    }
}

impl Shared {
    fn is_sampled(&self, kind: &Kind) -> bool {
        let phase = self.control().phase(kind);
        (Phase::Shadow..=Phase::Live).contains(&phase)
    }

    /// Notes a read of single entities.
    pub(crate) fn sample(&self, keys: &[Key]) {
        if let Some(key) = keys.first()
            && self.sampler.is_chosen()
            && self.is_sampled(&key.kind)
        {
            self.sampler.push(Sample::Get(key.clone()));
            self.work.notify_waiters();
        }
    }

    /// Notes a list. Later pages are not compared: each store has its own cursors.
    pub(crate) fn sample_page(&self, query: &Query, _page: &Listed<Slot>) {
        if query.page.after.is_none() && self.sampler.is_chosen() && self.is_sampled(&query.kind) {
            self.sampler.push(Sample::List(query.clone()));
            self.work.notify_waiters();
        }
    }
}
