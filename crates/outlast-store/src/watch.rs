//! Following one entity.

use std::marker::PhantomData;
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream;
use outlast_core::{Capability, Entity, Error, Key, Result, Version};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::sequencer::Published;
use crate::{Store, Stored};

/// The states of one entity, as they come.
///
/// It ends with `Closed` when the store is closed.
#[derive(Debug)]
pub struct Watch<T> {
    store: Store,
    key: Key,
    published: Receiver<Published>,
    seen: Seen,
    kind: PhantomData<fn() -> T>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    At(Option<Version>),
}

/// How often other processes' changes are looked for, where there can be any.
const POLL: Duration = Duration::from_secs(1);

impl<T: Entity> Watch<T> {
    pub(crate) fn new(store: Store, key: Key) -> Self {
        let published = store.subscribe();
        Self { store, key, published, seen: Seen::Nothing, kind: PhantomData }
    }

    /// Waits for the next state: `Some` while the entity lives, `None` once it does not.
    ///
    /// `Closed` after the store was closed. Cancel safe: nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Result<Option<Stored<T>>> {
        loop {
            let slots = self.store.get(std::slice::from_ref(&self.key)).await?;
            let slot = slots.into_iter().next();
            let record = slot.map(outlast_core::Slot::live).transpose()?.flatten();
            let version = record.as_ref().map(|record| record.version);
            if self.seen != Seen::At(version) {
                self.seen = Seen::At(version);
                return record.map(Stored::decode).transpose();
            }
            self.changed().await?;
        }
    }

    /// Waits until the entity may have changed.
    async fn changed(&mut self) -> Result<()> {
        let shared = self.store.info().can(Capability::MultiProcess);
        loop {
            // Looked at before each wait: the last thing a store that stops does is to wake us.
            self.store.check_running()?;
            let received = self.published.recv();
            let received = if shared {
                match timeout(POLL, received).await {
                    Ok(received) => received,
                    Err(_) => return Ok(()),
                }
            } else {
                received.await
            };
            match received {
                Ok(Published::Changed(keys)) => {
                    if keys.contains(&self.key) {
                        return Ok(());
                    }
                }
                Ok(Published::Overtaken) | Err(RecvError::Lagged(_)) => return Ok(()),
                Err(RecvError::Closed) => return Err(Error::closed("the store was closed")),
            }
        }
    }

    /// The same as a stream. It ends after its first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Option<Stored<T>>>> + Send + 'static {
        stream::unfold(Some(self), |watch| async move {
            let mut watch = watch?;
            let next = watch.next().await;
            let rest = next.is_ok().then_some(watch);
            Some((next, rest))
        })
    }
}
