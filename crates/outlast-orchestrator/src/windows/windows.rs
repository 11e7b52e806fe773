//! The handle.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use outlast_core::{Artifact, Cause, Error, ErrorKind, Result, Subscription, Timestamp};

use super::due::Latest;
use super::engine::Engine;
use super::handler::Handler;
use super::load::{Load, WindowStats};
use super::options::WindowOptions;
use super::publish::Published;
use super::queue::Queue;
use super::registered::Registered;
use super::restore::Restored;
use super::timers::Timers;
use super::turns::Stripes;
use crate::{Instance, Shutdown};

/// The engine of windows.
#[derive(Clone, Debug)]
pub struct Windows {
    pub(super) engine: Arc<Engine>,
    cause: Cause,
    restored: Arc<Restored>,
}

impl Windows {
    /// Starts the engine.
    pub async fn start(
        instance: &Instance,
        subscriptions: Vec<Subscription>,
        handler: Arc<dyn Handler>,
        options: WindowOptions,
    ) -> Result<Self> {
        let store = instance.store().clone();
        let limits = store.info().limits;
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
        let cause = store.cause().clone();
        let restored = Arc::new(engine.restore().await?);
        Ok(Self { engine: Arc::new(engine), cause, restored })
    }

    /// The same, with what is published published by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { cause, ..self.clone() }
    }

    /// Stores an artifact and puts it where subscriptions wait for it.
    pub async fn publish(&self, artifact: Artifact) -> Result<Published> {
        if self.engine.shutdown.has_begun() {
            return Err(Error::closed("the engine of windows was shut down"));
        }
        self.engine.publish(artifact, self.cause.clone()).await
    }

    /// Does all that is due: ends windows whose time is over, hands over what is complete.
    pub async fn tick(&self) -> Result<Option<Timestamp>> {
        loop {
            let timer = self.engine.end_due().await?;
            let dispatch = self.engine.dispatch_due().await?;
            let now = self.engine.now();
            let next = timer.into_iter().chain(dispatch).min();
            if next.is_none_or(|next| next > now) {
                return Ok(next);
            }
        }
    }

    /// The present, as the store sees it.
    pub fn now(&self) -> Timestamp {
        self.engine.now()
    }

    /// What became of the windows that were open when the store was last left.
    pub fn restored(&self) -> &Restored {
        &self.restored
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
            losses: load.losses.load(Ordering::Relaxed),
        }
    }
}
