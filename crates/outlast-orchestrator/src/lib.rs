//! Engines over an Outlast store: each usable alone, each behind its own cargo feature.

#[cfg(feature = "tasks")]
pub mod tasks;
