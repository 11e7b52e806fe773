//! The tasks engine from start to recovery, over real processes.
#![cfg(feature = "tasks")]

mod driving;
mod hooked;
mod support;
