//! Tasks: commands that run as operating system processes, recorded so that nothing of what they
//! did is lost or done twice when the runner, the machine or the store fails.
//!
//! A [`Runner`] holds a lease, and each of its commits asserts it: two runners never write in one
//! store. It [`start`](Runner::start)s a [`TaskFile`], which records a run and its tasks, and
//! [`drive`](Runner::drive)s it. After a crash it [`resume`](Runner::resume)s it.
//!
//! What may surprise: a process exists before its task is recorded as running, but behind a gate,
//! where it runs nothing. A task is settled only together with the last of its output. And an
//! attempt that was interrupted stays so for ever; trying again makes a new attempt, linked to it.
//!
//! A process is told which it is by `OUTLAST_TASK_ID`, `OUTLAST_RUN_ID` and `OUTLAST_ATTEMPT`.
//!
//! ```
//! use std::sync::Arc;
//! use outlast_core::{CommandLine, OnIdle, RandomIds, RecoveryPolicy, TaskSpec};
//! use outlast_orchestrator::tasks::{Runner, RunnerOptions, Shutdown, TaskFile};
//! use outlast_store::{Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! let store = Store::open(backend, StoreOptions::default());
//! let hello = TaskSpec {
//!     name: "hello".into(),
//!     command: CommandLine::Shell("echo hello".into()),
//!     cwd: None,
//!     env: Default::default(),
//!     recovery: RecoveryPolicy::Restart,
//!     max_attempts: Some(3),
//!     idle_threshold_ms: 60_000,
//!     on_idle: OnIdle::Mark,
//! };
//! let file = TaskFile::new("jobs.toml", vec![hello])?;
//!
//! let runner = Runner::acquire(&store, RunnerOptions::default()).await?;
//! let run = runner.start(&file).await?;
//! let state = runner.drive(&run, &Shutdown::default()).await?;
//! assert_eq!(state.stats().completed, 1);
//! runner.release().await
//! # }
//! ```

mod attempt;
mod drive;
mod ending;
mod engine;
mod event;
mod file;
mod idle;
mod journal;
mod options;
mod orders;
mod queue;
pub(crate) mod recovery;
mod refusal;
mod runner;
mod start;
mod state;

pub use crate::Shutdown;
pub use event::Event;
pub use file::TaskFile;
pub use options::{RunnerOptions, Transitions};
pub use recovery::{Outcome, Recovered, Resumed};
pub use refusal::{check_resume, check_start};
pub use runner::Runner;
pub use state::{RunState, Stats};
