//! The event log, over every backend.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod filters;
mod log;
#[path = "../support/opened.rs"]
mod opened;
