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
///
/// One that reaches its hosts over a network has the same three parts:
///
/// ```
/// use std::sync::Arc;
///
/// use async_trait::async_trait;
/// use futures_util::StreamExt;
/// use outlast_core::{Command, Host, ProcessIdentity, Result};
/// use outlast_orchestrator::fleet::{
///     Completion, Execution, Executor, KillSignal, Refusal, Released, Started,
/// };
/// use outlast_store::Stored;
///
/// #[derive(Debug)]
/// struct Network;
///
/// #[async_trait]
/// impl Executor for Network {
///     async fn validate(&self, _: &Stored<Host>, command: &Stored<Command>) -> Result<(), Refusal> {
///         match command.spec.op.as_str() {
///             "pull" => Ok(()),
///             other => Err(Refusal::new("unknown_op", format!("{other} is no operation"))),
///         }
///     }
///
///     async fn start(
///         &self,
///         _: &Stored<Host>,
///         command: &Stored<Command>,
///     ) -> Result<Box<dyn Started>, Refusal> {
///         Ok(Box::new(Request { command_id: command.id().to_owned() }))
///     }
/// }
///
/// struct Request {
///     command_id: String,
/// }
///
/// #[async_trait]
/// impl Started for Request {
///     fn identity(&self) -> Option<&ProcessIdentity> {
///         None
///     }
///
///     async fn release(self: Box<Self>) -> Result<Released> {
///         // ... send the request; its id lets the host tell a repeated one ...
///         let output = futures_util::stream::empty().boxed();
///         Ok(Released { execution: Arc::new(Answer { request: *self }), output })
///     }
/// }
///
/// struct Answer {
///     request: Request,
/// }
///
/// #[async_trait]
/// impl Execution for Answer {
///     async fn ended(&self) -> Result<Completion> {
///         // ... wait for the answer to self.request.command_id ...
///         # let _ = &self.request.command_id;
///         Ok(Completion::exited(0))
///     }
///
///     async fn signal(&self, _: KillSignal) -> Result<()> {
///         // ... send it ...
///         Ok(())
///     }
/// }
/// ```
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
