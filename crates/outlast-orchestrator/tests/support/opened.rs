//! A store on any backend, for tests that are run over all of them.

use std::path::Path;
use std::sync::Arc;

use outlast_core::{Backend, OpenOptions, RandomIds};
use outlast_memory::Memory;
use outlast_sled::Sled;
use outlast_sqlite::Sqlite;
use outlast_store::{Store, StoreOptions};

pub(crate) const BACKENDS: [&str; 3] = ["memory", "sqlite", "sled"];

/// Opens the store at the path, making it if it is not there.
pub(crate) async fn open(backend: &str, path: &Path) -> Store {
    open_with(backend, path, StoreOptions::default()).await
}

/// The same, behaving as the options say.
pub(crate) async fn open_with(backend: &str, path: &Path, behaviour: StoreOptions) -> Store {
    let options = OpenOptions::default();
    let backend: Arc<dyn Backend> = match backend {
        "sqlite" => Arc::new(Sqlite::open(path, &options, &RandomIds).await.unwrap()),
        "sled" => Arc::new(Sled::open(path, &options, &RandomIds).await.unwrap()),
        _ => Arc::new(Memory::new(&RandomIds)),
    };
    Store::open(backend, behaviour)
}

pub(crate) fn memory() -> Store {
    Store::open(Arc::new(Memory::new(&RandomIds)), StoreOptions::default())
}
