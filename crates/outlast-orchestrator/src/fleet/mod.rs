//! Hosts, the commands that run on them, and pipelines of commands.
//!
//! A command is one operation on one host. It takes its host when it begins, with a claim that is
//! put in the same commit, so that no host ever has two; and the commit that settles it gives the
//! claim back, notes when, moves the stage of the pipeline it belongs to, and reports it in the
//! event log. None of this can come apart, whoever settles it.
//!
//! What may surprise: a second command is refused with an error whose source is [`HostBusy`],
//! which names the one that runs. What is over its time is not killed: it waits for somebody to
//! [`extend`](Commands::extend), [`kill`](Commands::kill) or [`skip`](Commands::skip) it. And a
//! completion that comes again is taken once: told the same, nothing changes; told otherwise, it
//! is an `IllegalTransition`.
//!
//! Anybody may ask for commands and settle them with [`Fleet::new`]. Whoever carries them out
//! needs the right to drive the store: `Fleet::driven_by`, a `Driver` for one command, and a
//! `Dispatcher` for what a fleet does by itself: deadlines, silent hosts, queues.
//!
//! ```
//! # use std::sync::Arc;
//! # use outlast_core::{CommandStatus, Host, OpSpec, RandomIds, Result};
//! # use outlast_store::{Store, StoreOptions};
//! use outlast_orchestrator::fleet::{Completion, Fleet, HostBusy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let backend = Arc::new(outlast_memory::Memory::new(&RandomIds));
//! # let store = Store::open(backend, StoreOptions::default());
//! let fleet = Fleet::new(&store);
//! fleet.hosts().register("h1", Host::new("attic", store.clock().now())).await?;
//!
//! let commands = fleet.commands();
//! let pull = commands.begin("h1", OpSpec::new("pull")).await?;
//! let refused = commands.begin("h1", OpSpec::new("switch")).await.unwrap_err();
//! assert_eq!(HostBusy::of(&refused).map(|busy| busy.command_id.as_str()), Some(pull.id()));
//!
//! commands.validate(pull.id()).await?;
//! commands.execute(pull.id(), None).await?;
//! let done = commands.finish(pull.id(), &Completion::exited(0)).await?;
//! assert_eq!(done.status, CommandStatus::Success);
//! commands.begin("h1", OpSpec::new("switch")).await?;
//! # Ok(())
//! # }
//! ```

mod begin;
mod busy;
mod commands;
mod completion;
mod deadline;
mod hosts;
mod listing;
mod moves;
mod outcome;
mod presence;
mod queue;
mod report;
mod settle;
mod writer;

pub mod pipeline;

#[cfg(feature = "process")]
mod dispatcher;
#[cfg(feature = "process")]
mod driver;
#[cfg(feature = "process")]
mod executor;
#[cfg(feature = "process")]
mod local;

pub use busy::HostBusy;
pub use commands::Commands;
pub use completion::{Completion, KillSignal, Reconnection, Refusal};
pub use hosts::Hosts;
pub use presence::{HEARTBEAT, Sweep, last_seen, stale_after};
pub use queue::Due;

#[cfg(feature = "process")]
pub use dispatcher::{Dispatcher, DispatcherOptions, Look};
#[cfg(feature = "process")]
pub use driver::{Driver, DriverOptions};
#[cfg(feature = "process")]
pub use executor::{Execution, Executor, Fragments, Released, Started};
#[cfg(feature = "process")]
pub use local::LocalExecutor;

use outlast_core::Cause;
use outlast_store::Store;

#[cfg(feature = "process")]
use crate::Instance;
use writer::Writer;

/// The hosts and commands of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fleet {
    writer: Writer,
}

impl Fleet {
    /// The fleet for those who ask, from any process.
    pub fn new(store: &Store) -> Self {
        Self { writer: Writer::new(store) }
    }

    /// The fleet for the one process that drives the store: every change asserts that it still
    /// has the right to, and is `Fenced` once it has not.
    #[cfg(feature = "process")]
    pub fn driven_by(instance: &Instance) -> Self {
        Self { writer: Writer::driven_by(instance) }
    }

    /// The same, with changes made by and for somebody.
    pub fn with_cause(&self, cause: Cause) -> Self {
        Self { writer: self.writer.with_cause(cause) }
    }

    /// Its hosts.
    pub fn hosts(&self) -> Hosts {
        Hosts::new(self.writer.clone())
    }

    /// Its commands.
    pub fn commands(&self) -> Commands {
        Commands::new(self.writer.clone())
    }
}
