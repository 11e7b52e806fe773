//! Retention of finished runs, over every backend.

#![cfg(feature = "retention")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod cut_off;
mod going;
#[path = "../support/opened.rs"]
mod opened;
mod space;
mod staying;
mod support;
