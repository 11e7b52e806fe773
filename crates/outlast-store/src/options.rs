//! How a store behaves.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Actor, Cause, Clock, Error, ErrorKind, IdSource, RandomIds, Result, SystemClock,
};
use tokio::time::sleep;

use crate::telemetry;

/// How a store behaves. The defaults suit an embedded store in one process.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    /// Who causes a change that names nobody.
    pub cause: Cause,
    /// Whether a version that a caller gives is compared with the present one, so that what was
    /// written meanwhile is not overwritten unseen.
    ///
    /// Off, the last writer wins: [`Collection::replace`](crate::Collection::replace),
    /// [`Collection::delete`](crate::Collection::delete), [`Draft::replace`](crate::Draft::replace),
    /// [`Draft::delete`](crate::Draft::delete) and what the engines call `at(version)` apply to
    /// whatever version lives. All else stays: commits are atomic, the status machine is checked
    /// against the status that is really there, names are claimed, fences hold, and closures
    /// ([`Collection::update`](crate::Collection::update), [`Store::commit_with`](crate::Store::commit_with))
    /// lose no update.
    pub locking: bool,
    /// Whether who changed something, why, and the metadata of it are recorded.
    ///
    /// Off, no change made through this store has an actor, a reason or metadata, and so none of
    /// them is in the audit. The action is recorded, being part of the version; history and
    /// rollback work either way. What is imported keeps what was recorded where it came from, and
    /// the event log is content and no audit.
    pub audit: bool,
    /// How long a call may wait for its answer. A commit that waited longer is `Indeterminate`:
    /// repeat it with the same commit id.
    pub deadline: Duration,
    /// How many requests may wait. Callers beyond that wait for room, up to the deadline.
    pub queue: usize,
    /// How many bytes the batches among them may weigh together; a single heavier one waits until
    /// it is alone.
    pub queue_bytes: usize,
    /// How closures are tried again after a conflict with another process.
    pub retry: Retry,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            ids: Arc::new(RandomIds),
            cause: Cause::by(Actor::System),
            locking: true,
            audit: true,
            deadline: Duration::from_secs(30),
            queue: 4096,
            queue_bytes: 64 << 20,
            retry: Retry::default(),
        }
    }
}

/// How often and after which pauses something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often in all; 0 and 1 both say once.
    pub max_tries: u32,
    /// The pause after the first try; each later one is twice as long.
    pub base_delay: Duration,
    /// The longest pause. Each is shortened by a random part of up to a half, so that those who
    /// met do not meet again.
    pub max_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_tries: 5,
            base_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(1),
        }
    }
}

impl Retry {
    /// Waits before the next try, or says with `RetriesExhausted` that there is none.
    pub(crate) async fn pause(&self, tries: &mut u32, conflict: Error) -> Result<()> {
        *tries += 1;
        if *tries >= self.max_tries {
            let each =
                if *tries == 1 { "the only try".into() } else { format!("each of {tries} tries") };
            let message = format!("{each} met a conflict; the last: {conflict}");
            return Err(Error::new(ErrorKind::RetriesExhausted, message).with_source(conflict));
        }
        metrics::counter!(telemetry::STORE_RETRIES).increment(1);
        sleep(self.delay(*tries)).await;
        Ok(())
    }

    /// The pause after so many tries.
    fn delay(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let full = self.base_delay.saturating_mul(doubled).min(self.max_delay);
        // Of two halves, since a product with the longest duration there is overflows.
        full / 2 + (full / 2).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_vary_by_half() {
        let retry = Retry::default();
        for (tries, full) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1000), (u32::MAX, 1000)] {
            let full = Duration::from_millis(full);
            let pauses: Vec<_> = (0..100).map(|_| retry.delay(tries)).collect();
            assert!(pauses.iter().all(|pause| (full / 2..=full).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "no two differ");
        }
    }

    #[test]
    fn no_setting_overflows() {
        let longest = Retry { max_tries: 9, base_delay: Duration::MAX, max_delay: Duration::MAX };
        assert!(longest.delay(u32::MAX) >= Duration::MAX / 3);
        let none = Retry { base_delay: Duration::ZERO, ..longest };
        assert_eq!(none.delay(3), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_number_of_tries_is_less_than_one() {
        for (max_tries, expected) in [(0, 1), (1, 1), (2, 2), (5, 5)] {
            let retry = Retry { max_tries, ..Retry::default() };
            let mut tries = 0;
            let error = loop {
                let conflict = Error::new(ErrorKind::Conflict, "a lost race");
                if let Err(error) = retry.pause(&mut tries, conflict).await {
                    break error;
                }
            };
            assert_eq!((error.kind(), tries), (ErrorKind::RetriesExhausted, expected));
        }
    }
}
