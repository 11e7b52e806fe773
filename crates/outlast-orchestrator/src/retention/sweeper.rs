//! Retention that runs by itself, and on demand.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use outlast_core::{Actor, Event, EventCategory, EventLevel, Result};
use outlast_store::Store;
use serde_json::json;
use tokio::time::sleep;
use tracing::Instrument;

use super::guard::Guard;
use super::pass::{Pass, Place};
use super::policies::Policies;
use super::removal::deletion;
use super::sweep::Sweep;
use crate::telemetry;

/// How much a tick looks at, unless it is told otherwise: entities read, and entries removed.
const SLICE: u64 = 20_000;

/// How long it is between two ticks.
const INTERVAL: Duration = Duration::from_hours(1);

/// Removes what is over and old enough, slice by slice.
///
/// It asks for no right to drive the store: what is removed is asserted to be still what was
/// looked at, so any number of processes may do this at once.
///
/// ```
/// # use std::sync::Arc;
/// # use outlast_core::RandomIds;
/// # use outlast_store::{Store, StoreOptions};
/// use outlast_orchestrator::retention::{Policies, Sweeper};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> outlast_core::Result<()> {
/// # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
/// # let store = Store::open(backend, StoreOptions::default());
/// let sweeper = Sweeper::new(&store, Policies::default());
/// println!("would remove {:?}", sweeper.preview().await?.removed);
/// let sweep = sweeper.tick().await?;
/// assert_eq!(sweep.total().count, 0);
/// // Or once an hour, until told to stop:
/// sweeper.run(async { /* a signal, say */ }).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sweeper {
    store: Store,
    policies: Policies,
    slice: u64,
    interval: Duration,
    guard: Guard,
    /// Where the next tick goes on.
    place: Mutex<Place>,
}

impl Sweeper {
    /// Retention of a store by these policies, once an hour.
    pub fn new(store: &Store, policies: Policies) -> Self {
        Self {
            store: store.clone(),
            policies,
            slice: SLICE,
            interval: INTERVAL,
            guard: Guard::default(),
            place: Mutex::default(),
        }
    }

    /// The same, looking at so many entities and entries in one tick, at least one.
    pub fn in_slices(self, slice: u64) -> Self {
        Self { slice: slice.max(1), ..self }
    }

    /// The same, with another time between two ticks.
    pub fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// What the ticks to come would remove in all, if nothing changed. Writes nothing.
    ///
    /// Errors are those of reading. Cancel safe.
    pub async fn preview(&self) -> Result<Sweep> {
        let mut pass = Pass::new(&self.store, &self.policies, u64::MAX, true);
        pass.everything(&mut Place::default()).await?;
        Ok(pass.into_sweep())
    }

    /// Removes a slice of what is over and old enough, or only reports it if the clock cannot be
    /// trusted: [`Sweep::held_back`] says why then, and the next tick with a steady clock removes.
    /// Ask again while [`Sweep::has_more`].
    ///
    /// What cannot be read is kept and reported, and what changed meanwhile is left to a later
    /// tick. Errors are those of [`Store::commit`], [`Store::prune`] and of reading. Cancel
    /// safety: may be dropped at any time; what was deleted stays deleted, and a tick of the next
    /// sweeper completes it.
    pub async fn tick(&self) -> Result<Sweep> {
        let doubt = self.guard.doubt(&self.store, self.policies.shortest()).await?;
        self.slice(doubt).await
    }

    /// The same, whatever the clock did.
    pub async fn force(&self) -> Result<Sweep> {
        self.slice(None).await
    }

    /// Ticks now and then once an interval, and as often as there is more, until `stop` is over. A
    /// tick that fails is logged and counted, and the next one is made all the same.
    ///
    /// Cancel safe, as [`tick`](Sweeper::tick) is.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            let pause = async {
                match self.tick().await {
                    Ok(sweep) if sweep.has_more && sweep.held_back.is_none() => {
                        tokio::task::yield_now().await;
                    }
                    Ok(_) => sleep(self.interval).await,
                    Err(error) => {
                        metrics::counter!(telemetry::RETENTION_FAILURES).increment(1);
                        tracing::warn!(%error, "retention failed");
                        sleep(self.interval).await;
                    }
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = pause => {}
            }
        }
    }

    async fn slice(&self, held_back: Option<String>) -> Result<Sweep> {
        let mut place = self.lock().clone();
        let mut pass = Pass::new(&self.store, &self.policies, self.slice, held_back.is_some());
        let swept = pass.everything(&mut place).instrument(tracing::info_span!("retention")).await;
        if let Err(error) = swept {
            // It begins anew, with what it left half done.
            *self.lock() = Place::default();
            return Err(error);
        }
        if held_back.is_none() {
            *self.lock() = place;
        }
        self.guard.remember(&self.store).await?;
        let sweep = Sweep { held_back, ..pass.into_sweep() };
        self.audit(&sweep).await?;
        Ok(sweep)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of what was removed. Deletions say so themselves; entries that are gone cannot.
    async fn audit(&self, sweep: &Sweep) -> Result<()> {
        let total = sweep.total();
        if let Some(why) = &sweep.held_back {
            tracing::warn!(why, "retention only reports");
        }
        if sweep.dry_run || total.count == 0 {
            return Ok(());
        }
        metrics::counter!(telemetry::RETENTION_REMOVED).increment(total.count);
        let message = format!("retention removed {} of {} bytes", total.count, total.bytes);
        let event = Event::new(EventCategory::System, EventLevel::Info, message)
            .by(Actor::Cleanup)
            .called("cleanup")
            .with(json!({ "removed": sweep.removed }));
        let mut draft = deletion(&self.store)?;
        draft.report(&event)?;
        draft.commit().await.map(drop)
    }
}
