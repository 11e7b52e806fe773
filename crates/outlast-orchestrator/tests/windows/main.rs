//! Joins and batches, over every backend, in a time that the tests move.

#![cfg(feature = "windows")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::large_futures)]

mod asking;
mod batches;
mod bounds;
mod clocks;
mod concurrent;
mod dispatching;
mod failures;
mod faulty;
mod joins;
mod orphans;
mod restart;
mod settling;
mod support;
