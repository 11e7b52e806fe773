//! How a store behaves.

use std::sync::Arc;
use std::time::Duration;

use outlast_core::{
    Actor, Cause, Clock, Error, ErrorKind, IdSource, RandomIds, Result, SystemClock,
};
use tokio::time::sleep;

/// How a store behaves. The defaults suit an embedded store in one process.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    /// Who causes a change that names nobody.
    pub cause: Cause,
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
    /// How often in all.
    pub max_tries: u32,
    /// The pause after the first try; each later one is twice as long.
    pub base_delay: Duration,
    /// The longest pause.
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
            let message = format!("each of {tries} tries met a conflict; the last: {conflict}");
            return Err(Error::new(ErrorKind::RetriesExhausted, message).with_source(conflict));
        }
        sleep(self.delay(*tries)).await;
        Ok(())
    }

    /// The pause after so many tries: doubled each time, capped, and shortened by a random part
    /// of up to a half, so that those who met do not meet again.
    fn delay(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let full = self.base_delay.saturating_mul(doubled).min(self.max_delay);
        full.mul_f64(1.0 - fastrand::f64() / 2.0)
    }
}
