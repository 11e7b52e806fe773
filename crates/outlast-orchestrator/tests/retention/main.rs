//! Retention, over every backend.

#![cfg(feature = "retention")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod ages;
mod bounds;
mod clock;
mod cut_off;
mod depending;
mod going;
#[path = "../support/opened.rs"]
mod opened;
mod space;
mod staying;
mod support;
mod sweeping;
#[path = "../support/timed.rs"]
mod timed;
