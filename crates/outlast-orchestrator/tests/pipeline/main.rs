//! Pipelines over every backend, with commands that a test carries out.
#![cfg(all(feature = "fleet", feature = "process", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::large_futures)]

mod cancel;
mod course;
mod crash;
mod creation;
#[path = "../tasks/hooked.rs"]
mod hooked;
#[path = "../support/opened.rs"]
mod opened;
mod orphan;
mod processes;
mod reconnect;
mod shutdown;
mod support;
mod world;
