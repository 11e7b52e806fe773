//! The handle.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use outlast_core::{
    Artifact, Cause, Error, ErrorKind, Listed, Page, Result, Subscription, Timestamp, Window,
    WindowItem, WindowKind,
};
use outlast_store::Stored;

use super::due::Latest;
use super::engine::Engine;
use super::handler::Handler;
use super::load::{Load, WindowStats};
use super::options::WindowOptions;
use super::publish::Published;
use super::query::PastWindows;
use super::queue::Queue;
use super::registered::Registered;
use super::restore::Restored;
use super::settle::Settled;
use super::state::WindowState;
use super::timers::Timers;
use super::turns::Stripes;
use crate::{Instance, Shutdown};

/// The engine of windows: it takes what is published, and hands over what is put together. Cheap
/// to clone; clones share everything.
///
/// # Errors of every method
///
/// Those of reading and committing, `Fenced` once the right to drive the store was lost, and
/// those that a method names.
#[derive(Clone, Debug)]
pub struct Windows {
    engine: Arc<Engine>,
    cause: Cause,
    restored: Arc<Restored>,
}

impl Windows {
    /// Starts the engine with these subscriptions, and goes on with what was open when the store
    /// was last left: see [`restored`](Windows::restored). Nothing is handed over before
    /// [`run`](Windows::run) or [`tick`](Windows::tick).
    ///
    /// `Invalid` or `TooLarge` for a subscription that can never be fulfilled or whose hand-over
    /// would not fit into a commit, `Exists` for two of one name. One engine per store: the second
    /// would not know of the windows of the first. Cancel safe: each window was restored whole, or
    /// is when it is started again.
    pub async fn start(
        instance: &Instance,
        subscriptions: Vec<Subscription>,
        handler: Arc<dyn Handler>,
        options: WindowOptions,
    ) -> Result<Self> {
        let limits = instance.store().info().limits;
        let subscriptions: Vec<Arc<Registered>> = subscriptions
            .into_iter()
            .enumerate()
            .map(|(number, spec)| Registered::new(number, spec, &limits).map(Arc::new))
            .collect::<Result<_>>()?;
        let mut seen = HashSet::new();
        if let Some(twice) = subscriptions.iter().find(|one| !seen.insert(&one.id)) {
            let message = format!("subscription {} is declared twice", twice.id);
            return Err(Error::new(ErrorKind::Exists, message));
        }
        let engine = Engine {
            instance: instance.clone(),
            options,
            limits,
            subscriptions,
            joins: Stripes::default(),
            batches: Stripes::default(),
            timers: Timers::default(),
            queue: Queue::default(),
            load: Load::default(),
            handler,
            shutdown: Shutdown::default(),
            latest: Latest::default(),
            handed_in: tokio::sync::Notify::new(),
        };
        let restored = Arc::new(engine.restore().await?);
        let cause = instance.store().cause().clone();
        Ok(Self { engine: Arc::new(engine), cause, restored })
    }

    /// The same, with what is done by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// What became of the windows that were open when the store was last left.
    pub fn restored(&self) -> &Restored {
        &self.restored
    }

    /// Stores an artifact and puts it into the windows that wait for it, all of it in one commit;
    /// its `created_at` is that moment. Any number of callers may publish at once: what belongs to
    /// one window takes turns, all else is written together.
    ///
    /// Answers as [`Acknowledge`](super::Acknowledge) says. Nothing was published on an error,
    /// except on `Indeterminate`, after which nobody knows: `Invalid` and `TooLarge` for an
    /// artifact that breaks a rule, or that so many subscriptions wait for that it does not fit
    /// into one commit; `Busy` where a bound of [`WindowOptions`] is reached, or the queue of the
    /// store is full; `Closed` after a shutdown.
    ///
    /// Cancel safety: dropped, it is published whole or not at all, and what is in the windows is
    /// read anew before they change again.
    pub async fn publish(&self, artifact: Artifact) -> Result<Published> {
        self.engine.publish(artifact, self.cause.clone()).await
    }

    /// Does what is due by itself until [`shutdown`](Windows::shutdown): ends windows whose time
    /// is over, hands over what is complete, and with relaxed acknowledgement sees to it that all
    /// is written. Errors of the store are counted and lived through, except those after which
    /// nothing can be written any more: `Fenced`, `Closed`, `Poisoned`.
    ///
    /// Cancel safety: may be dropped at any time and called again. What was being handed over is
    /// handed over again.
    pub async fn run(&self) -> Result<()> {
        self.engine.run().await
    }

    /// Does all that is due now, waiting for the handler, and says when the next thing will be.
    /// For those who drive the engine by a clock of their own instead of [`run`](Windows::run).
    ///
    /// Cancel safety: as for `run`.
    pub async fn tick(&self) -> Result<Option<Timestamp>> {
        loop {
            let timer = self.engine.end_due().await?;
            let dispatch = self.engine.dispatch_due().await?;
            let next = timer.into_iter().chain(dispatch).min();
            if next.is_none_or(|next| next > self.engine.now()) {
                return Ok(next);
            }
        }
    }

    /// Returns once all that was published before is durable; see
    /// [`Acknowledge::Relaxed`](super::Acknowledge::Relaxed). What could not be written is counted
    /// in [`stats`](Windows::stats) as a loss.
    pub async fn sync(&self) -> Result<()> {
        self.engine.settle().await
    }

    /// Lets nothing in any more, ends [`run`](Windows::run), and keeps or hands over the batches
    /// that are not full, as [`AtShutdown`](super::AtShutdown) says. Joins stay open.
    pub async fn shutdown(&self) -> Result<Settled> {
        self.engine.shut_down(self.cause.clone()).await
    }

    /// Ends the windows of an agent that is shut down: joins are called off, since they would be
    /// partial; batches are handed over as they are. Its subscriptions take nothing any more.
    ///
    /// `NotFound` if the agent has declared none.
    pub async fn settle_agent(&self, agent_name: &str) -> Result<Settled> {
        self.engine.settle_agent(agent_name, self.cause.clone()).await
    }

    /// Hands the batch of a subscription (`agent/name`) over as it is, and says whether there was
    /// one. `NotFound` if it is not declared.
    pub async fn flush(&self, subscription: &str) -> Result<bool> {
        self.engine.flush(subscription, self.cause.clone()).await
    }

    /// Calls off a window that waits or was set aside. `NotFound` if there is none,
    /// `IllegalTransition` if it is past that.
    pub async fn cancel(&self, window_id: &str, why: &str) -> Result<()> {
        self.engine.cancel(window_id, why, self.cause.clone()).await
    }

    /// Makes a window that was set aside one of a declared subscription (`agent/name`), for which
    /// it then waits as if it had been opened for it.
    ///
    /// `IllegalTransition` if it was not set aside, `NotFound` if there is no such window or
    /// subscription, `Invalid` if what it holds is not what the subscription needs, `Exists` if
    /// another window is open there.
    pub async fn reattach(&self, window_id: &str, subscription: &str) -> Result<()> {
        self.engine.reattach(window_id, subscription, self.cause.clone()).await
    }

    /// One page of joins that wait, of one agent or of all, by when they were opened.
    pub async fn active_joins(
        &self,
        agent_name: Option<&str>,
        page: Page,
    ) -> Result<Listed<WindowState>> {
        self.engine.active(WindowKind::Join, agent_name, page).await
    }

    /// One page of batches that fill up, of one agent or of all, by when they were opened.
    pub async fn active_batches(
        &self,
        agent_name: Option<&str>,
        page: Page,
    ) -> Result<Listed<WindowState>> {
        self.engine.active(WindowKind::Batch, agent_name, page).await
    }

    /// One page of windows that time ends within so long, the first to end first.
    pub async fn expiring(&self, within: Duration, page: Page) -> Result<Listed<WindowState>> {
        self.engine.expiring(within, page).await
    }

    /// One page of windows that were set aside.
    pub async fn orphans(&self, page: Page) -> Result<Listed<Result<Stored<Window>>>> {
        self.engine.orphans(page).await
    }

    /// One page of windows that are over, the last to end first.
    pub async fn history(&self, past: &PastWindows) -> Result<Listed<Result<Stored<Window>>>> {
        self.engine.past(past).await
    }

    /// What a window holds or held, in the order of arrival.
    pub async fn items(&self, window_id: &str) -> Result<Vec<Stored<WindowItem>>> {
        self.engine.held_by(window_id).await
    }

    /// What it holds and counted.
    pub fn stats(&self) -> WindowStats {
        let load = &self.engine.load;
        WindowStats {
            open: load.open(),
            timed: self.engine.timers.len(),
            waiting_dispatches: self.engine.queue.len(),
            refused: load.refused.load(Ordering::Relaxed),
            skipped: load.skipped.load(Ordering::Relaxed),
            expired: load.expired.load(Ordering::Relaxed),
            dispatched: load.dispatched.load(Ordering::Relaxed),
            failures: load.failures.load(Ordering::Relaxed),
            losses: load.losses.load(Ordering::Relaxed),
        }
    }
}
