//! The store and its typed handles over the volatile backend.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod audit;
mod bounds;
mod cancel;
mod checkpoint;
mod closing;
mod content;
mod draft;
mod enqueue;
mod history;
mod kinds;
mod locking;
#[path = "../support/recorder.rs"]
mod recorder;
mod secrets;
mod shaky;
mod telemetry;
mod turn;
mod typed;
mod update;
mod watch;

use std::sync::Arc;

use outlast_core::{ErrorKind, RandomIds, Result};
use outlast_memory::Memory;
use outlast_store::{Store, StoreOptions};

fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(&RandomIds))
}

fn store() -> Store {
    Store::open(memory(), StoreOptions::default())
}

#[track_caller]
fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}
