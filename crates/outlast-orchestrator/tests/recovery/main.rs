//! Recovery, over every backend.

#![cfg(all(feature = "recovery", target_os = "linux"))]
#![allow(clippy::print_stdout)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::large_futures)]

mod crash;
mod effects;
mod engines;
mod fence;
mod handlers;
mod overrides;
mod random;
mod repeated;
mod rows;
mod starting;
mod strange;
mod support;
#[path = "../support/timed.rs"]
mod timed;
mod windows;
