//! Pipelines: ordered stages over several hosts.

mod board;
mod definition;
mod pipelines;
mod report;
mod state;
mod step;

#[cfg(feature = "process")]
mod conductor;
#[cfg(feature = "process")]
mod drive;
#[cfg(feature = "process")]
mod moves;
#[cfg(feature = "process")]
mod options;
#[cfg(feature = "process")]
mod progress;
#[cfg(feature = "process")]
mod recovery;
#[cfg(feature = "process")]
mod turn;

pub use definition::{Definition, MAX_OUTCOMES};
pub use pipelines::Pipelines;
pub use state::{PipelineState, StageStats};

#[cfg(feature = "process")]
pub use conductor::Conductor;
#[cfg(feature = "process")]
pub use options::{ConductorOptions, OnTimeout};
#[cfg(feature = "process")]
pub use progress::Progress;
