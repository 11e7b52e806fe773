//! Calls to sled from async code: each on a thread of its own, and none waited for in vain.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use outlast_core::{Error, Result};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, spawn_blocking};

use crate::config::FIRST_NUDGE;
use crate::engine::Nudge;
use crate::owner::poisoned;

/// Watches over the calls to one store.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    limit: Duration,
    /// Whether a write never came back. It holds the engine, so nothing else can be done.
    hung: Arc<watch::Sender<bool>>,
}

/// Tells the guard that a write has its turn, so that waiting for others is not counted.
#[derive(Debug)]
pub(crate) struct Begin(oneshot::Sender<Nudge>);

impl Begin {
    /// The write begins, and this wakes it.
    pub(crate) fn now(self, nudge: Nudge) {
        // Nobody listens if the guard was dropped with its runtime.
        let _ = self.0.send(nudge);
    }
}

impl Guard {
    /// A guard that gives a write so much time.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, hung: Arc::new(watch::Sender::new(false)) }
    }

    /// Runs a read.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check()?;
        let job = spawn_blocking(call);
        tokio::select! {
            done = job => flatten(done),
            error = self.hanging() => Err(error),
        }
    }

    /// Runs a write, to its end even if this future is dropped.
    ///
    /// `Indeterminate` if it does not come back; everything after is `Poisoned`.
    pub(crate) async fn writing<T: Send + 'static>(
        &self,
        call: impl FnOnce(Begin) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check()?;
        let guard = self.clone();
        // A task of its own goes on watching when the caller gives up.
        flatten(tokio::spawn(async move { guard.watch(call).await }).await)
    }

    async fn watch<T: Send + 'static>(
        &self,
        call: impl FnOnce(Begin) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, begun) = oneshot::channel();
        let mut job = spawn_blocking(move || call(Begin(sender)));
        let nudge = tokio::select! {
            done = &mut job => return flatten(done),
            error = self.hanging() => return Err(error),
            nudge = begun => nudge.unwrap_or_default(),
        };
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_NUDGE);
        while waited < self.limit {
            let slice = pause.min(self.limit.saturating_sub(waited));
            if let Ok(done) = tokio::time::timeout(slice, &mut job).await {
                return flatten(done);
            }
            waited += slice;
            pause *= 2;
            let nudge = nudge.clone();
            spawn_blocking(move || nudge.now());
        }
        self.hung.send_replace(true);
        let seconds = self.limit.as_secs();
        Err(Error::indeterminate(format!(
            "a write did not end within {seconds} seconds; open the store anew in another process \
             and repeat it with the same commit id"
        )))
    }

    fn check(&self) -> Result<()> {
        if *self.hung.borrow() { Err(hung()) } else { Ok(()) }
    }

    fn hanging(&self) -> impl Future<Output = Error> + Send + use<> {
        let mut hanging = self.hung.subscribe();
        async move {
            // The sender lives as long as this guard, which the caller holds.
            let _ = hanging.wait_for(|hung| *hung).await;
            hung()
        }
    }
}

fn hung() -> Error {
    poisoned("a write never came back")
}

fn flatten<T>(done: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    done.unwrap_or_else(|cause| {
        Err(if cause.is_panic() {
            Error::internal("a call to the sled store panicked").with_source(cause)
        } else {
            Error::closed("the runtime was shut down in the middle of a call")
        })
    })
}
