//! The tasks engine from start to recovery, over real processes.
#![cfg(all(feature = "tasks", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::large_futures)]

mod driving;
mod hooked;
mod idle;
mod interrupt;
mod lease;
mod policy;
mod resume;
mod storage;
mod support;
