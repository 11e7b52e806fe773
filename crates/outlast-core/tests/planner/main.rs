//! The rules of the planner, one by one, and what holds for every plan.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod claims;
mod digests;
mod groups;
mod merges;
mod replays;
mod rules;
mod terms;
mod world;
