//! Silence: noticed when it has lasted too long, without looking in between.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::Clock;
use tokio::time::sleep;

use crate::process::Activity;

/// Watches one running task for silence, on the monotonic clock.
#[derive(Debug)]
pub(super) struct Silence {
    activity: Activity,
    clock: Arc<dyn Clock>,
    threshold: Duration,
}

impl Silence {
    pub(super) fn new(activity: Activity, clock: Arc<dyn Clock>, threshold: Duration) -> Self {
        Self { activity, clock, threshold }
    }

    /// Resolves when nothing was heard for as long as the threshold, with the time it was last
    /// heard at. Cancel safe.
    pub(super) async fn lasts(&self) -> Duration {
        loop {
            let last = self.activity.last();
            let silent_for = self.clock.monotonic().saturating_sub(last);
            match self.threshold.checked_sub(silent_for) {
                None | Some(Duration::ZERO) => return last,
                Some(left) => sleep(left).await,
            }
        }
    }

    /// Whether something was heard after `last`.
    pub(super) fn is_broken_since(&self, last: Duration) -> bool {
        self.activity.last() > last
    }
}
