//! Engines over an Outlast store: each usable alone, each behind its own cargo feature.

pub mod events;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "process")]
mod instance;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "recovery")]
pub mod recovery;
#[cfg(feature = "retention")]
pub mod retention;
pub mod statistics;
#[cfg(feature = "swarm")]
pub mod swarm;
#[cfg(feature = "sync")]
pub mod sync;
#[cfg(feature = "tasks")]
pub mod tasks;
pub mod telemetry;
#[cfg(feature = "transfer")]
pub mod transfer;
#[cfg(feature = "windows")]
pub mod windows;

#[cfg(feature = "process")]
pub use instance::{Instance, driver};
