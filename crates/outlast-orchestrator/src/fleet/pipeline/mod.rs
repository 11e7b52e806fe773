//! Pipelines: ordered stages over several hosts.

mod board;
mod definition;
mod pipelines;
mod report;
mod state;
mod step;

pub use definition::{Definition, MAX_OUTCOMES};
pub use pipelines::Pipelines;
pub use state::{PipelineState, StageStats};
