//! Following one entity.

use std::marker::PhantomData;

use futures_core::Stream;
use futures_util::stream;
use outlast_core::{Entity, Key, Result, Version};

use crate::pulse::Pulse;
use crate::{Store, Stored};

/// The states of one entity, as they come.
///
/// It ends with `Closed` when the store is closed.
#[derive(Debug)]
pub struct Watch<T> {
    store: Store,
    key: Key,
    pulse: Pulse,
    seen: Seen,
    kind: PhantomData<fn() -> T>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    At(Option<Version>),
}

impl<T: Entity> Watch<T> {
    pub(crate) fn new(store: Store, key: Key) -> Self {
        let pulse = store.pulse();
        Self { store, key, pulse, seen: Seen::Nothing, kind: PhantomData }
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
            self.pulse.changed(|keys| keys.contains(&self.key)).await?;
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
