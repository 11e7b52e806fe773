//! Swarms, agents and sessions, over every backend.

#![cfg(feature = "swarm")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod agent_moves;
mod budget;
mod causes;
mod concurrent;
mod ending;
mod faults;
#[cfg(feature = "process")]
mod fenced;
#[path = "../tasks/hooked.rs"]
#[allow(dead_code)]
mod hooked;
mod listing;
#[path = "../support/opened.rs"]
#[allow(dead_code)]
mod opened;
mod random;
mod restart;
mod retry;
mod running;
mod sessions;
mod support;
mod swarm_moves;
mod timer;
mod versions;
