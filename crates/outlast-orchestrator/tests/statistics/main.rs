//! Counts and health, over every backend.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod figures;
mod health;
#[allow(dead_code)] // shared, and not all of it is needed here
#[path = "../support/opened.rs"]
mod opened;

use std::path::Path;
use std::sync::Arc;

use outlast_core::{ManualClock, Timestamp};
use outlast_store::{Store, StoreOptions};

use crate::opened::open_with;

/// The present of these tests.
fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

/// A store whose clock stands still.
async fn still(backend: &str, path: &Path) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now()));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    (open_with(backend, path, options).await, clock)
}
