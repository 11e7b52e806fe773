//! One lock per key in use, so that closures on one entity queue instead of racing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use outlast_core::Key;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The locks in use. A lock is forgotten some time after its last holder.
#[derive(Debug, Default)]
pub(crate) struct KeyLocks {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    locks: HashMap<Key, Weak<AsyncMutex<()>>>,
    sweep_at: usize,
}

/// Below so many entries the forgotten ones are not worth sweeping out.
const SMALL: usize = 1024;

impl KeyLocks {
    /// Waits for the turn of this caller, in the order of arrival.
    pub(crate) async fn lock(&self, key: &Key) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    /// Waits for the turns on several keys. Whoever takes several takes them in one order, so
    /// nobody waits for somebody who waits for them.
    pub(crate) async fn lock_all(&self, keys: &[Key]) -> Vec<OwnedMutexGuard<()>> {
        let keys: BTreeSet<&Key> = keys.iter().collect();
        let mut turns = Vec::with_capacity(keys.len());
        for key in keys {
            turns.push(self.lock(key).await);
        }
        turns
    }

    fn of(&self, key: &Key) -> Arc<AsyncMutex<()>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = table.locks.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        if table.locks.len() >= table.sweep_at.max(SMALL) {
            table.locks.retain(|_, lock| lock.strong_count() > 0);
            // Twice what is in use: sweeping costs a constant share of inserting.
            table.sweep_at = table.locks.len() * 2;
        }
        let lock = Arc::new(AsyncMutex::new(()));
        table.locks.insert(key.clone(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_nobody_holds_are_forgotten() {
        let locks = KeyLocks::default();
        let held = locks.of(&Key::new("note", "held").unwrap());
        for n in 0..10 * SMALL {
            drop(locks.of(&Key::new("note", n.to_string()).unwrap()));
        }
        assert!(locks.table.lock().unwrap().locks.len() <= SMALL);
        assert!(Arc::ptr_eq(&held, &locks.of(&Key::new("note", "held").unwrap())));
    }
}
