//! How many windows there are, and what was refused.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use outlast_core::{Error, Result};
use serde::Serialize;

use crate::telemetry;

/// What an engine holds, and what it counted since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WindowStats {
    /// Windows that are open or being handed over.
    pub open: usize,
    /// Of these, windows that time ends.
    pub timed: usize,
    /// Of these, windows that wait to be handed over.
    pub waiting_dispatches: usize,
    /// Artifacts that were refused because a bound was reached.
    pub refused: u64,
    /// Artifacts that a subscription left out because they have no key.
    pub skipped: u64,
    /// Joins that were not complete in time.
    pub expired: u64,
    /// Windows that were handed over, each counted once.
    pub dispatched: u64,
    /// Failures of the store that the loops lived through.
    pub failures: u64,
    /// Failures of the store to write what had been acknowledged, with relaxed acknowledgement.
    pub losses: u64,
}

#[derive(Debug, Default)]
pub(super) struct Load {
    open: AtomicUsize,
    pub(super) refused: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) dispatched: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) losses: AtomicU64,
}

impl Load {
    /// Makes room for so many more windows, or refuses with `Busy`.
    pub(super) fn reserve(&self, more: usize, most: usize) -> Result<()> {
        let room = |open: usize| open.checked_add(more).filter(|after| *after <= most);
        match self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, room) {
            Ok(_) => Ok(()),
            Err(open) => Err(self.refuse(format!(
                "{open} windows are open, {most} may be; nothing was published, try again when \
                 some have ended"
            ))),
        }
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, message: String) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(telemetry::WINDOWS_REFUSED).increment(1);
        Error::busy(message)
    }

    /// Counts windows that are there already.
    pub(super) fn add(&self, more: usize) {
        self.open.fetch_add(more, Ordering::AcqRel);
    }

    pub(super) fn release(&self, less: usize) {
        let lower = |open: usize| Some(open.saturating_sub(less));
        let _ = self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, lower);
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
}
