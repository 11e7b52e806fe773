//! Hosts and commands, over every backend.

#![cfg(all(feature = "fleet", feature = "process"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// The seed of a random test.
#![allow(clippy::print_stdout)]

mod atomic;
mod claims;
mod completion;
mod deadlines;
mod dispatching;
mod hosts;
mod killing;
mod moves;
mod order;
mod presence;
mod queue;
mod running;
mod sequences;
mod support;
