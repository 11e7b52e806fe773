//! How the engine of windows behaves.

use std::time::Duration;

/// When `publish` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// Once what was published is as durable as the store can make it.
    #[default]
    Strict,
    /// Once it is handed in. It is written together with what else was handed in, after at most
    /// this long the store is asked whether all of it was, and what was published since then is
    /// what a crash can lose. Whatever leads to a hand-over is durable before it is handed over
    /// in any case.
    Relaxed(Duration),
}

/// What a shutdown does with batches that are not full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtShutdown {
    /// They stay and go on later where the store is durable, and are handed over where it is not.
    #[default]
    Suits,
    /// They stay.
    Persist,
    /// They are handed over.
    Flush,
}

/// How the engine behaves. The defaults suit one process with some hundred thousand windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowOptions {
    /// When `publish` answers.
    pub acknowledge: Acknowledge,
    /// What a shutdown does with batches that are not full.
    pub at_shutdown: AtShutdown,
    /// How many windows may be open or being handed over. What would open one more is refused as
    /// `Busy`, and counted.
    pub most_windows: usize,
    /// How many artifacts one join may hold that waits for others. One more is refused as `Busy`,
    /// and counted; one that completes it is not. A batch has the bound of its hand-over.
    pub most_items: usize,
    /// How many hand-overs may be under way at once.
    pub most_dispatches: usize,
    /// How often one is tried.
    pub most_attempts: u32,
    /// The pause after the first try that failed; each later one is twice as long.
    pub retry_delay: Duration,
    /// The longest such pause.
    pub most_retry_delay: Duration,
}

impl Default for WindowOptions {
    fn default() -> Self {
        Self {
            acknowledge: Acknowledge::Strict,
            at_shutdown: AtShutdown::Suits,
            most_windows: 200_000,
            most_items: 1000,
            most_dispatches: 16,
            most_attempts: 5,
            retry_delay: Duration::from_secs(1),
            most_retry_delay: Duration::from_mins(5),
        }
    }
}

impl WindowOptions {
    /// The pause after so many tries failed.
    pub(super) fn pause(&self, failed: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
        self.retry_delay.saturating_mul(doubled).min(self.most_retry_delay)
    }
}
