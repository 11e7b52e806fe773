//! Joins and batches, over every backend, in a time that the tests move.

#![cfg(feature = "windows")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod batches;
mod dispatching;
mod joins;
mod restart;
mod support;
