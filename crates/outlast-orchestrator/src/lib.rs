//! Engines over an Outlast store: each usable alone, each behind its own cargo feature.

pub mod events;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "process")]
mod instance;
#[cfg(feature = "migration")]
pub mod migration;
#[cfg(any(feature = "fleet", feature = "tasks"))]
#[cfg(feature = "process")]
mod output;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "recovery")]
pub mod recovery;
pub mod references;
#[cfg(feature = "retention")]
pub mod retention;
mod shutdown;
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
pub use shutdown::{Shutdown, Urgency};
