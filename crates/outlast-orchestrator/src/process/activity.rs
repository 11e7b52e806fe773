//! When a task was last heard, for whoever watches for silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outlast_core::Clock;

/// Says that nothing is being read, so nothing can be heard.
const HELD: u64 = u64::MAX;

/// A view of when output last arrived, cheap to copy and to ask.
#[derive(Clone, Debug)]
pub struct Activity {
    clock: Arc<dyn Clock>,
    last_micros: Arc<AtomicU64>,
}

impl Activity {
    /// Starts as if something had just been heard.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let activity = Self { clock, last_micros: Arc::default() };
        activity.touch();
        activity
    }

    /// When bytes last arrived, on the clock's monotonic time; before the first, when the capture
    /// started. While the capture is held it is now: silence that its reader causes is not the
    /// task's.
    pub fn last(&self) -> Duration {
        match self.last_micros.load(Ordering::Relaxed) {
            HELD => self.clock.monotonic(),
            micros => Duration::from_micros(micros),
        }
    }

    /// Whether nothing is read at present because the consumer of the fragments is behind.
    pub fn is_held(&self) -> bool {
        self.last_micros.load(Ordering::Relaxed) == HELD
    }

    /// Something was heard, or can be heard again.
    pub(super) fn touch(&self) {
        let micros = u64::try_from(self.clock.monotonic().as_micros()).unwrap_or(HELD - 1);
        self.last_micros.store(micros.min(HELD - 1), Ordering::Relaxed);
    }

    /// From here on nothing can be heard.
    pub(super) fn hold(&self) {
        self.last_micros.store(HELD, Ordering::Relaxed);
    }
}
