//! What was handed in and is not answered yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::Store;

/// What was handed in to a store by this process and is not answered yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// How many batches.
    pub batches: u64,
    /// About how many bytes of memory they take.
    pub bytes: u64,
    /// For how long the oldest of them has waited, in milliseconds.
    pub lag_ms: u64,
}

impl Store {
    /// What was handed in and is not answered yet. Reads nothing but a few counters, which others
    /// may be about to change.
    pub fn backlog(&self) -> Backlog {
        let load = &self.inner.load;
        let oldest = load.oldest.load(Ordering::Relaxed);
        let waited = match oldest {
            NOBODY => Duration::ZERO,
            micros => self.clock().monotonic().saturating_sub(Duration::from_micros(micros)),
        };
        Backlog {
            batches: load.batches.load(Ordering::Relaxed),
            bytes: load.bytes.load(Ordering::Relaxed),
            lag_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What those who hand in and the task that answers know of each other.
#[derive(Debug)]
pub(crate) struct Load {
    closed: AtomicBool,
    batches: AtomicU64,
    bytes: AtomicU64,
    /// Since when the oldest waits, in microseconds of the monotonic clock.
    oldest: AtomicU64,
}

const NOBODY: u64 = u64::MAX;

impl Default for Load {
    fn default() -> Self {
        let (batches, bytes) = (AtomicU64::default(), AtomicU64::default());
        Self { closed: AtomicBool::default(), batches, bytes, oldest: AtomicU64::new(NOBODY) }
    }
}

impl Load {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes since when the oldest waits.
    pub(crate) fn oldest(&self, since: Option<Duration>) {
        let micros = since.and_then(|since| u64::try_from(since.as_micros()).ok());
        self.oldest.store(micros.unwrap_or(NOBODY), Ordering::Relaxed);
    }
}

/// A batch's share of the queue, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
    load: Arc<Load>,
    bytes: u64,
    /// When it was handed in, by the monotonic clock.
    pub(crate) since: Duration,
}

impl Room {
    pub(crate) fn new(
        permit: OwnedSemaphorePermit,
        load: &Arc<Load>,
        bytes: usize,
        since: Duration,
    ) -> Self {
        let bytes = bytes as u64;
        load.batches.fetch_add(1, Ordering::Relaxed);
        load.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { _permit: permit, load: load.clone(), bytes, since }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.load.batches.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
