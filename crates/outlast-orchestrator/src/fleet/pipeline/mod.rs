//! Pipelines: ordered stages over several hosts.
//!
//! A stage is one operation, done on all hosts at once. It begins when the one before it is over on
//! every host, and only on the hosts where that was successful: a host that fails drops out, and
//! its later stages are skipped. So a pipeline ends complete, partial, or, once no host is left,
//! failed.
//!
//! Anybody may create and call off pipelines, with [`Pipelines`]. The one process that has the
//! right to drive the store carries them out, with a [`Conductor`]. What came of each stage on each
//! host is a record of its own, which moves in the commit that moves its command. What to do next
//! is decided from these records alone, so an orchestrator that ends, at whatever moment, loses
//! nothing: driving the pipeline again goes on with it, and repeats no stage that is recorded as
//! successful on a host.
//!
//! What may surprise: what was under way at such a moment is stopped and done again, if the
//! pipeline is to be resumed; it is for the operation to bear that. By default it is not: the
//! pipeline is then orphaned. A host belongs to a pipeline only while a command of it runs there.
//! One that is taken by somebody else between two stages fails, and so does one that is removed.
//!
//! ```
//! # #[cfg(feature = "process")] {
//! use std::sync::Arc;
//! use outlast_core::{CommandLine, Host, OpSpec, PipelineStatus, RandomIds};
//! use outlast_orchestrator::fleet::pipeline::{
//!     Conductor, ConductorOptions, Definition, Pipelines,
//! };
//! use outlast_orchestrator::fleet::{Fleet, LocalExecutor};
//! use outlast_orchestrator::{Instance, Shutdown};
//! use outlast_store::{Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! let store = Store::open(backend, StoreOptions::default());
//! for name in ["left", "right"] {
//!     Fleet::new(&store).hosts().register(name, Host::new(name, store.clock().now())).await?;
//! }
//! let run = |op: &str, line: &str| OpSpec {
//!     run: Some(CommandLine::Shell(line.into())),
//!     ..OpSpec::new(op)
//! };
//! let stages = [run("greet", "echo hello"), run("check", "[ $OUTLAST_HOST_ID = left ]")];
//! let definition = Definition::new("greeting", ["left", "right"], stages)?;
//! let pipeline = Pipelines::of(&store).create(&definition).await?;
//!
//! let instance = Instance::acquire(&store, false).await?;
//! let executor = Arc::new(LocalExecutor::new(store.clock().clone()));
//! let conductor = Conductor::new(&instance, executor, ConductorOptions::default())?;
//! let state = conductor.drive(pipeline.id(), &Shutdown::default()).await?;
//! assert_eq!(state.pipeline.status, PipelineStatus::Partial);
//! assert_eq!(state.outcome(1, "right").and_then(|outcome| outcome.exit_code), Some(1));
//! instance.release().await
//! # }
//! # main().unwrap();
//! # }
//! ```

mod board;
mod definition;
mod pipelines;
mod report;
mod state;
#[cfg(feature = "process")]
mod step;

#[cfg(feature = "process")]
mod conductor;
#[cfg(feature = "process")]
mod drive;
#[cfg(feature = "process")]
mod milestone;
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
