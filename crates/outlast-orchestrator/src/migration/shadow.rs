//! Reads that are made a second time, from the database, after the caller was answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use outlast_core::{Key, Kind, Listed, Query, Result, Slot, Version};
use serde::Serialize;

use super::control::Link;
use super::diff::Mismatch;
use super::dual::Shared;
use super::lineage;
use crate::telemetry;

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

/// How often is looked whether something was sampled.
const NAP: Duration = Duration::from_millis(50);

/// Makes sampled reads again, one by one, until the store is closed or gone.
pub(super) async fn compare(shared: Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if shared.closed.is_set() {
            return;
        }
        if let Some(sample) = shared.sampler.pop() {
            if let Err(error) = shared.read_again(sample).await {
                tracing::debug!(%error, "a sampled read could not be made again");
            }
            continue;
        }
        drop(shared);
        tokio::time::sleep(NAP).await;
    }
}

impl Shared {
    fn is_sampled(&self, kind: &Kind) -> bool {
        self.is_compared(kind)
    }

    /// Makes a read again from the database. What differs is read once more under the turn.
    async fn read_again(&self, sample: Sample) -> Result<()> {
        let (kind, keys) = match sample {
            Sample::Get(key) => (key.kind.clone(), vec![key]),
            Sample::List(query) => (query.kind.clone(), self.listed_differently(&query).await?),
        };
        if !self.is_sampled(&kind) || *self.control().link() != Link::Up {
            return Ok(());
        }
        let mut differs = false;
        for key in keys {
            if self.compare(&key).await?.is_none() {
                continue;
            }
            let _turn = self.turn.lock().await;
            if !self.clean(std::slice::from_ref(&key)).await {
                return Ok(());
            }
            if let Some(mismatch) = self.compare(&key).await? {
                let Mismatch { class, memory, database, .. } = &mismatch;
                tracing::error!(%key, %class, memory, database, "the stores differ");
                metrics::counter!(telemetry::MIGRATION_MISMATCHES, "class" => class.to_string())
                    .increment(1);
                differs = true;
            }
        }
        let result = if differs { "mismatch" } else { "equal" };
        metrics::counter!(telemetry::MIGRATION_SHADOW_READS, "result" => result).increment(1);
        self.sampler.note(&kind, differs);
        Ok(())
    }

    /// The entities that only one of both stores lists, or lists at another version.
    async fn listed_differently(&self, query: &Query) -> Result<Vec<Key>> {
        let space = lineage::far_space(query.space, self.lineage(&query.kind));
        let far = self.far.reader()?;
        let asked = Query { space, ..query.clone() };
        let there = versions(self.far.within(far.list(&asked)).await?);
        let here = versions(self.near.list(query).await?);
        let differing = here.symmetric_difference(&there);
        let keys: BTreeSet<&Key> = differing.map(|(key, _)| key).collect();
        Ok(keys.into_iter().cloned().collect())
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
    pub(crate) fn sample_page(&self, query: &Query) {
        if query.page.after.is_none() && self.sampler.is_chosen() && self.is_sampled(&query.kind) {
            self.sampler.push(Sample::List(query.clone()));
            self.work.notify_waiters();
        }
    }
}

fn versions(listed: Listed<Slot>) -> BTreeSet<(Key, Version)> {
    let slots = listed.items.into_iter().map(lineage::slot);
    slots
        .filter_map(|slot| match slot {
            Slot::Live(record) => Some((record.key, record.version)),
            Slot::Tombstone { key, version, .. } => Some((key, version)),
            Slot::Vacant | Slot::Damaged(_) => None,
        })
        .collect()
}
