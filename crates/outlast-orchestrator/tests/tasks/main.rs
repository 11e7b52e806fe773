//! The tasks engine from start to recovery, over real processes.
#![cfg(all(feature = "tasks", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::large_futures)]

use std::sync::Arc;

use outlast_core::{Backend, RandomIds};
use outlast_memory::Memory;
use tempfile::TempDir;

mod damage;
mod driving;
mod hooked;
mod idle;
mod interrupt;
mod lease;
mod policy;
#[path = "../../../outlast-store/tests/support/recorder.rs"]
mod recorder;
mod resume;
mod sequences;
mod storage;
mod support;
mod telemetry;

#[allow(clippy::unused_async)]
async fn backend() -> (Arc<dyn Backend>, Option<TempDir>) {
    (Arc::new(Memory::new(&RandomIds)), None)
}
