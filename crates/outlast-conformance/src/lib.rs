//! What every backend of Outlast has to keep, as one list of cases, and a naive model as oracle.
//!
//! A backend is plugged in by a [`Harness`], which says where a fresh store is and how to open
//! it; [`run_all`] then runs every case, each on a store of its own. A case never asks which
//! backend it runs on, only what the backend declares: where a capability is not declared, the
//! case checks that it is refused and nothing changed, so nothing is ever skipped.
//!
//! [`differential`] compares a store with a [`model`] that shares no code with the planner, over
//! random steps.
//!
//! Cases fail by panicking; the runner catches it. That is why this crate, alone among the
//! libraries, may unwrap.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc
)]

mod cases;
mod differential;
mod harness;
mod memory;
pub mod model;
mod ops;
mod runner;
mod snapshot;
mod trial;

pub use cases::cases;
pub use differential::{differential, seed, sequences};
pub use harness::{Harness, Site, Target};
pub use memory::MemoryHarness;
pub use runner::{Case, Failure, Report, run_all, run_some, run_within};
pub use trial::Trial;
