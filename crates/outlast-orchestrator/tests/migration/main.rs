//! Moving live state from memory to a database and back, with nothing lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Updates of one field read best on one line; a report is shown if it fails.
#![allow(clippy::unit_arg, clippy::print_stdout)]
#![cfg(feature = "migration")]

mod chaos;
mod conformance;
#[cfg(feature = "failpoints")]
mod durable;
mod incidents;
mod led;
mod outage;
mod resolved;
#[cfg(feature = "failpoints")]
mod steps;
mod walk;
mod world;
