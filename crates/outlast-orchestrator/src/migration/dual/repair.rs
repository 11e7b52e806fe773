//! Shipping what is behind, in the background and on demand.

use std::sync::atomic::Ordering;
use std::sync::{PoisonError, Weak};
use std::time::Duration;

use outlast_core::{Key, Result};
use tokio::time::{sleep, timeout};

use super::{Shared, Tally};
use crate::migration::control::Event;
use crate::migration::far::{is_away, is_unknown};
use crate::migration::ship::{Shipment, Shipped};

/// How long to wait before what could not be shipped is tried again.
const STUCK: Duration = Duration::from_millis(500);

/// The longest sleep of a shipper, so that it notices when its store is gone.
const NAP: Duration = Duration::from_secs(1);

/// Ships what is behind until the store is closed or gone.
pub(super) async fn ship(shared: Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if shared.closed.is_set() {
            return;
        }
        let pause = match shared.ship_some().await {
            Some(true) => shared.pace.pause,
            Some(false) => STUCK,
            None => {
                let woken = shared.work.notified();
                // Before it is looked whether anything is behind: what comes later wakes us.
                shared.rests.store(true, Ordering::Relaxed);
                if shared.control().behind(None) == 0 {
                    let _ = timeout(NAP, woken).await;
                }
                shared.rests.store(false, Ordering::Relaxed);
                Duration::from_millis(1)
            }
        };
        drop(shared);
        if pause > Duration::ZERO {
            sleep(pause).await;
        }
    }
}

impl Shared {
    /// Ships one batch. `None` if nothing is behind that could be shipped now; whether all of it
    /// arrived.
    pub(crate) async fn ship_some(&self) -> Option<bool> {
        if self.control().behind(None) == 0 {
            return None;
        }
        let mut writer = self.far.lock().await;
        let keys = self.control().take(self.pace.batch);
        if keys.is_empty() {
            drop(writer);
            sleep(self.pace.probe).await;
            return None;
        }
        Some(self.ship_taken(&mut writer, keys).await)
    }

    /// Ships these now, whatever else is behind. Whether all of it arrived.
    pub(crate) async fn clean(&self, keys: &[Key]) -> bool {
        let mut writer = self.far.lock().await;
        let behind: Vec<Key> = {
            let mut control = self.control();
            let behind =
                keys.iter().filter(|key| control.is_behind(key)).cloned().collect::<Vec<_>>();
            control.take_these(&behind);
            behind
        };
        behind.is_empty() || self.ship_taken(&mut writer, behind).await
    }

    async fn ship_taken(
        &self,
        writer: &mut crate::migration::far::Writer<'_>,
        keys: Vec<Key>,
    ) -> bool {
        let mut guard = Taken { shared: self, keys };
        let shipped = self.send(writer, &guard.keys).await;
        match shipped {
            Ok(shipped) => {
                self.tally(shipped);
                self.unstick(&guard.keys);
                guard.arrived();
                true
            }
            Err(error) if is_away(&error) || is_unknown(&error) => {
                self.step(Event::Away(error.kind(), error.to_string()));
                false
            }
            Err(error) if error.kind() == outlast_core::ErrorKind::Fenced => {
                let found = match writer.check().await {
                    Ok(suspects) => self.reclaim(writer, suspects).await,
                    Err(error) => Err(error),
                };
                match found {
                    Ok(lost) => self.step(Event::Fenced(lost)),
                    Err(error) => self.step(Event::Away(error.kind(), error.to_string())),
                };
                false
            }
            Err(error) if guard.keys.len() == 1 => {
                self.stick(&guard.keys, &error.to_string());
                false
            }
            // Something is wrong with the content of one of them: find out of which.
            Err(_) => {
                let keys = std::mem::take(&mut guard.keys);
                let mut all = true;
                for key in keys {
                    all &= Box::pin(self.ship_taken(writer, vec![key])).await;
                }
                all
            }
        }
    }

    async fn send(
        &self,
        writer: &mut crate::migration::far::Writer<'_>,
        keys: &[Key],
    ) -> Result<Shipped> {
        let lineage = |key: &Key| self.lineage(&key.kind);
        Shipment::new(&*self.near, writer, &lineage).send(keys).await
    }

    fn tally(&self, shipped: Shipped) {
        Tally::add(&self.tally.shipped_rows, shipped.rows);
        Tally::add(&self.tally.gaps, shipped.gaps);
        metrics::counter!(crate::telemetry::MIGRATION_GAPS).increment(shipped.gaps);
    }

    fn stick(&self, keys: &[Key], why: &str) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            tracing::warn!(%key, why, "cannot be shipped to the database");
            stuck.insert(key.clone(), why.to_owned());
        }
    }

    fn unstick(&self, keys: &[Key]) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            stuck.remove(key);
        }
    }
}

/// What was taken to be shipped: behind again if that did not succeed, also by being cut off.
struct Taken<'a> {
    shared: &'a Shared,
    keys: Vec<Key>,
}

impl Taken<'_> {
    fn arrived(&mut self) {
        let keys = std::mem::take(&mut self.keys);
        self.shared.control().shipped(&keys, true);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.shared.control().shipped(&self.keys, false);
    }
}
