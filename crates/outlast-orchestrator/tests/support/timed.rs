//! A store on any backend whose time stands still until it is moved.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use outlast_core::{Backend, Clock, IdSource, ManualClock, OpenOptions, RandomIds};
use outlast_memory::Memory;
use outlast_sled::Sled;
use outlast_sqlite::Sqlite;
use outlast_store::{Store, StoreOptions};

/// Opens the store at the path, making it if it is not there.
pub(crate) async fn open_at(backend: &str, path: &Path, clock: &Arc<ManualClock>) -> Store {
    let options = OpenOptions::default();
    let backend: Arc<dyn Backend> = match backend {
        "sqlite" => Arc::new(Sqlite::open(path, &options, &RandomIds).await.unwrap()),
        "sled" => Arc::new(Sled::open(path, &options, &RandomIds).await.unwrap()),
        _ => Arc::new(Memory::new(&RandomIds)),
    };
    over(backend, clock)
}

/// A store over a backend, on this clock.
pub(crate) fn over(backend: Arc<dyn Backend>, clock: &Arc<ManualClock>) -> Store {
    let ids = Arc::new(ClockedIds(clock.clone()));
    Store::open(backend, StoreOptions { clock: clock.clone(), ids, ..StoreOptions::default() })
}

/// Ids of the moment that a clock shows, no two alike in one process.
#[derive(Debug)]
struct ClockedIds(Arc<ManualClock>);

static COUNT: AtomicU64 = AtomicU64::new(0);

impl IdSource for ClockedIds {
    fn uuid(&self) -> uuid::Uuid {
        let millis = u128::from(self.0.now().as_millis().unsigned_abs());
        let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
        uuid::Uuid::from_u128(millis << 80 | 0x7 << 76 | 0b10 << 62 | count)
    }
}
