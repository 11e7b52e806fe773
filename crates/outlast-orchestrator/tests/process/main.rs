//! One task's process, with real processes: the gate, the run, its output, and what survives.
#![cfg(all(feature = "tasks", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod capture;
mod gate;
mod interrupt;
mod running;
mod support;
mod survivor;
