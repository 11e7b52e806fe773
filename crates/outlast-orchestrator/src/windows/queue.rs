//! What is to be handed over, and when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use outlast_core::Timestamp;
use tokio::sync::Notify;

/// What is not known of a window that is to be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// Nothing: its next try is recorded, and was not made.
    None,
    /// Whether the recorded try was made.
    Tried,
    /// That too, and whether what led to it is in the store yet.
    Written,
}

/// A window to be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) window: Arc<str>,
    pub(super) doubt: Doubt,
}

/// The windows that wait to be handed over, by when they may be. Each is counted as a window that
/// is open, which is what bounds them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    pub(super) earlier: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<(Timestamp, u64), (Arc<str>, Doubt)>,
    next: u64,
}

impl Queue {
    pub(super) fn push(&self, at: Timestamp, window: Arc<str>, doubt: Doubt) {
        let mut inner = self.inner();
        inner.next += 1;
        let place = (at, inner.next);
        inner.waiting.insert(place, (window, doubt));
        drop(inner);
        self.earlier.notify_one();
    }

    /// Takes the first that may be handed over now.
    pub(super) fn pop(&self, now: Timestamp) -> Option<Pending> {
        let mut inner = self.inner();
        let entry = inner.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (window, doubt) = entry.remove();
        Some(Pending { window, doubt })
    }

    /// Lets nothing wait for longer than to this moment, which a clock that went back would have it
    /// do.
    pub(super) fn hasten(&self, latest: Timestamp) {
        let mut inner = self.inner();
        let late = inner.waiting.split_off(&(latest, u64::MAX));
        inner.waiting.extend(late.into_iter().map(|((_, order), waits)| ((latest, order), waits)));
    }

    /// When the first may be handed over.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.inner().waiting.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.inner().waiting.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
