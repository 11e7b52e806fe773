//! The change feed: what subscriptions tell is what the store holds, at every revision.

#![cfg(feature = "sync")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod agreement;
mod bounds;
#[allow(dead_code)] // shared, and not all of it is needed here
#[path = "../tasks/hooked.rs"]
mod hooked;
mod lag;
mod mirror;
#[path = "../support/opened.rs"]
mod opened;
#[path = "../../../outlast-store/tests/support/recorder.rs"]
mod recorder;
mod resume;
mod support;
mod trouble;
mod wire;
