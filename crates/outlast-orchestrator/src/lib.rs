//! Engines over an Outlast store: each usable alone, each behind its own cargo feature.

#[cfg(feature = "retention")]
pub mod retention;
#[cfg(feature = "tasks")]
pub mod tasks;
#[cfg(feature = "transfer")]
pub mod transfer;
