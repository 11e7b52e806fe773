//! Being told that something may have been committed.

use std::time::Duration;

use outlast_core::{Capability, Error, Key, ReadSet, Result, Revision};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::Store;
use crate::sequencer::Published;

/// How often other processes' changes are looked for, where there can be any.
const POLL: Duration = Duration::from_secs(1);

/// Tells that something may have been committed: at once for commits of this process, within a
/// second for those of others.
///
/// It is for readers of [`Store::changes`]: make it, read on from where you are, wait for it, read
/// again. Nothing is missed, and several commits may be told as one.
#[derive(Debug)]
pub struct Pulse {
    store: Store,
    published: Receiver<Published>,
    shared: bool,
}

impl Store {
    /// Tells of everything that is committed from now on.
    pub fn pulse(&self) -> Pulse {
        let shared = self.info().can(Capability::MultiProcess);
        Pulse { store: self.clone(), published: self.subscribe(), shared }
    }

    /// The place of the last commit in the feed.
    pub async fn revision(&self) -> Result<Revision> {
        Ok(self.backend().fetch(&ReadSet::default()).await?.revision)
    }
}

impl Pulse {
    /// Waits until something may have been committed since the last call.
    ///
    /// `Closed` and `Poisoned` once nothing is written any more. Cancel safe: nothing is lost by
    /// dropping the future.
    pub async fn next(&mut self) -> Result<()> {
        self.changed(|_| true).await?;
        // What piled up meanwhile is told as one. A gap ends it too, and is one more.
        while self.published.try_recv().is_ok() {}
        Ok(())
    }

    /// Waits until something may have changed that a test on the keys of a commit accepts.
    pub(crate) async fn changed(&mut self, wanted: impl Fn(&[Key]) -> bool) -> Result<()> {
        loop {
            // Looked at before each wait: the last thing a store that stops does is to wake us.
            self.store.check_running()?;
            let received = self.published.recv();
            let received = if self.shared {
                match timeout(POLL, received).await {
                    Ok(received) => received,
                    Err(_) => return Ok(()),
                }
            } else {
                received.await
            };
            match received {
                Ok(Published::Changed(keys)) => {
                    if wanted(&keys) {
                        return Ok(());
                    }
                }
                Ok(Published::Overtaken) | Err(RecvError::Lagged(_)) => return Ok(()),
                Err(RecvError::Closed) => return Err(Error::closed("the store was closed")),
            }
        }
    }
}
