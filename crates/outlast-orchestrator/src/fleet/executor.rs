//! Who carries commands out: the seam between the journal and the world.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use outlast_core::{Command, Host, ProcessIdentity, Result};
use outlast_store::Stored;

use super::completion::{Completion, KillSignal, Refusal};
use crate::process::Fragment;

/// What a command writes, in order, flush by flush. Each fragment must fit into an entry of the
/// store. Dropping it says that nobody will read on.
pub type Fragments = BoxStream<'static, Vec<Fragment>>;

/// Carries commands out on hosts, in whatever way. A [`Driver`](super::Driver) calls it in an order
/// that keeps the journal's promises: it checks, prepares, records, and only then lets go.
#[async_trait]
pub trait Executor: Debug + Send + Sync + 'static {
    /// Whether the command can be carried out there at all: a refusal blocks it, and nothing was
    /// done. Dropping the future is harmless.
    async fn validate(&self, host: &Stored<Host>, command: &Stored<Command>)
    -> Result<(), Refusal>;

    /// Prepares the command, without any of it being done yet. A refusal fails it.
    async fn start(
        &self,
        host: &Stored<Host>,
        command: &Stored<Command>,
    ) -> Result<Box<dyn Started>, Refusal>;
}

/// A command that is prepared, and that nothing was done of yet. Dropped, nothing ever is.
#[async_trait]
pub trait Started: Send {
    /// Its process, if it is one of this machine. It is recorded before the release.
    fn identity(&self) -> Option<&ProcessIdentity>;

    /// Lets it go. An error fails the command: nothing was done.
    async fn release(self: Box<Self>) -> Result<Released>;
}

/// A command that was let go.
pub struct Released {
    /// What can be done with it.
    pub execution: Arc<dyn Execution>,
    /// What it writes.
    pub output: Fragments,
}

impl Debug for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released").finish_non_exhaustive()
    }
}

/// A command that is under way. Dropped, it is no longer looked after: a process of this machine
/// is killed.
#[async_trait]
pub trait Execution: Send + Sync {
    /// Waits for the end, while the output is read. Everything that was written before is
    /// delivered, and the output ends soon after.
    ///
    /// An error says that the end will not be known: contact was lost. Cancel safe; it may be
    /// asked again.
    async fn ended(&self) -> Result<Completion>;

    /// Sends it a signal. Returns when it was sent; whether it helps, the end will tell. Sending
    /// it twice does no harm.
    async fn signal(&self, signal: KillSignal) -> Result<()>;
}
