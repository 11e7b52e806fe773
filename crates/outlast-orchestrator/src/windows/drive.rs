//! The loops that do by themselves what is due. Each sleeps until the first thing is, or until
//! something earlier is told to it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use outlast_core::{Error, ErrorKind, Result, Timestamp};
use tokio::time::sleep;

use super::engine::Engine;
use super::options::Acknowledge;
use crate::Urgency;

/// The longest sleep while something is due some day. The clock of the wall may be set meanwhile,
/// and nobody tells.
const LONGEST: Duration = Duration::from_secs(30);

/// The pause after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Does what is due as long as it is not told to stop. What is being handed over then is
    /// waited for, unless it is told to stop at once.
    pub(super) async fn run(&self) -> Result<()> {
        tokio::try_join!(self.run_timers(), self.run_dispatches(), self.run_syncs()).map(drop)
    }

    async fn run_timers(&self) -> Result<()> {
        while !self.shutdown.has_begun() {
            let next = match self.end_due().await {
                Ok(next) => next.map(|at| self.until(at)),
                Err(error) => Some(self.endured(error)?),
            };
            tokio::select! {
                () = self.timers.earlier.notified() => {}
                () = self.shutdown.begun() => {}
                () = sleep_for(next) => {}
            }
        }
        Ok(())
    }

    async fn run_dispatches(&self) -> Result<()> {
        let mut under_way = FuturesUnordered::new();
        loop {
            let stops = self.shutdown.has_begun();
            while !stops
                && under_way.len() < self.options.most_dispatches.max(1)
                && let Some(pending) = self.queue.pop(self.now())
            {
                under_way.push(self.hand_over(pending));
            }
            if stops && under_way.is_empty() {
                return Ok(());
            }
            let has_room = !stops && under_way.len() < self.options.most_dispatches.max(1);
            let next = self.queue.first().map(|at| self.until(at));
            tokio::select! {
                Some(ended) = under_way.next() => {
                    if let Err(error) = ended {
                        self.endured(error)?;
                    }
                }
                () = self.queue.earlier.notified(), if has_room => {}
                () = sleep_for(next), if has_room => {}
                () = self.shutdown.begun(), if !stops => {}
                _ = self.shutdown.beyond(Urgency::Orderly), if stops => return Ok(()),
            }
        }
    }

    /// With relaxed acknowledgement, asks the store now and then whether all was written.
    async fn run_syncs(&self) -> Result<()> {
        let Acknowledge::Relaxed(delay) = self.options.acknowledge else { return Ok(()) };
        while !self.shutdown.has_begun() {
            tokio::select! {
                () = self.handed_in.notified() => sleep(delay).await,
                () = self.shutdown.begun() => {}
            }
            if let Err(error) = self.settle().await {
                self.endured(error)?;
            }
        }
        Ok(())
    }

    fn until(&self, at: Timestamp) -> Duration {
        at.since(self.now()).min(LONGEST)
    }

    /// Counts an error of the store after which going on makes sense, and says how long to wait;
    /// any other ends the loop.
    fn endured(&self, error: Error) -> Result<Duration> {
        use ErrorKind::{Closed, Fenced, Poisoned};

        if matches!(error.kind(), Closed | Fenced | Poisoned) {
            return Err(error);
        }
        self.load.failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, "the store failed; windows go on in a moment");
        Ok(PAUSE)
    }
}

async fn sleep_for(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}
