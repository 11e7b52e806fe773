//! What is done at start about what the last process left unfinished.
//!
//! One [`Table`] says what becomes of every state of every kind: an agent that was at work has
//! failed, a command that was under way is orphaned and its host free again, a swarm that was
//! being made is active and marked to be compared with what it was asked to be. Each cell can be
//! configured; what a kind's machine does not allow is refused.
//!
//! [`recover`] walks over everything that is not over, in the order of kinds and ids, and deals
//! with each entity in a commit of its own: the entity, what goes with it (its host's claim, its
//! swarm's counts, its stages) and an event that tells of it. [`start`] takes the right to drive a
//! store and recovers it; [`stop`] saves every swarm and gives the right up.
//!
//! # What may surprise
//!
//! - What was listed is read anew before anything is decided, and what is decided is decided
//!   anew when somebody else was faster. So nothing is ever settled on old news.
//! - Every commit is fenced by the [`Instance`](crate::Instance): two processes never recover one
//!   store at once, and what belongs to a live driver is out of reach.
//! - A process that survived its orchestrator is stopped before its command or task is settled.
//! - What stays as it is, is not written: no version, no event. Recovery that finds nothing to do
//!   makes no commit at all. When it was last carried out is kept all the same ([`last`]).
//! - What cannot be read, or is in a state that there is none of, is reported and lies untouched.
//! - Tasks are settled by the recovery of the [`tasks`](crate::tasks) engine: whether a run is
//!   resumed before or after, each task is settled once. Pipelines that ask to be resumed, windows
//!   that were being handed over, and batches of which something is gone or consumed are left to
//!   their engines.
//!
//! # Examples
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_store::{Store, StoreOptions};
//! use outlast_core::{Command, CommandStatus, OpSpec, RandomIds};
//! use outlast_orchestrator::recovery::{Handlers, Outcome, StartOptions, start};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> outlast_core::Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! # let now = store.clock().now();
//! let pull = Command { status: CommandStatus::Executing, ..Command::new("h1", OpSpec::new("pull"), now) };
//! store.kind::<Command>().create("c1", &pull).await?;
//!
//! let mut options = StartOptions::default();
//! options.recovery.handlers = Handlers::default().on("command", |command| {
//!     assert_eq!((command.id.as_str(), command.found), ("c1", "executing"));
//!     Ok(())
//! })?;
//! let started = start(&store, &options).await?;
//! assert_eq!(started.report.totals.commands_recovered, 1);
//! assert_eq!(started.report.count("command", Outcome::MarkedOrphaned), 1);
//! # Ok(())
//! # }
//! ```

mod agent;
mod command;
mod last;
mod options;
mod pipeline;
mod policy;
mod recover;
mod report;
mod scene;
mod session;
mod start;
mod swarm;
mod table;
mod task;
mod walk;
mod window;

pub use last::{LastRecovery, LastRun, last};
pub use options::{Handlers, RecoveryOptions};
pub use policy::Policy;
pub use recover::{preview, recover};
pub use report::{Outcome, Problem, Recovered, RecoveryReport, Totals};
pub use start::{StartOptions, Started, start, stop};
pub use table::Table;
