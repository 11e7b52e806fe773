//! The same tests of the tasks engine as over memory, over files that survive.
#![cfg(all(feature = "tasks", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::large_futures)]

use std::sync::Arc;

use outlast_core::{Backend, OpenOptions, RandomIds};
use outlast_sqlite::Sqlite;
use tempfile::{TempDir, tempdir};

#[path = "tasks/damage.rs"]
mod damage;
#[path = "tasks/driving.rs"]
mod driving;
#[path = "tasks/hooked.rs"]
mod hooked;
#[path = "tasks/idle.rs"]
mod idle;
#[path = "tasks/interrupt.rs"]
mod interrupt;
#[path = "tasks/lease.rs"]
mod lease;
#[path = "tasks/policy.rs"]
mod policy;
#[path = "tasks/resume.rs"]
mod resume;
#[path = "tasks/sequences.rs"]
mod sequences;
#[path = "tasks/storage.rs"]
mod storage;
#[path = "tasks/support.rs"]
mod support;

async fn backend() -> (Arc<dyn Backend>, Option<TempDir>) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("state.db");
    let sqlite = Sqlite::open(&path, &OpenOptions::default(), &RandomIds).await.unwrap();
    (Arc::new(sqlite), Some(folder))
}
